"""What the tests of the examples share."""

import math
import wave
from array import array
from datetime import timedelta
from pathlib import Path

import pytest

from metastudio_sandbox import Sandbox


@pytest.fixture
def sandbox(metastudio_sandbox: Sandbox) -> Sandbox:
    """The fixture of the pytest plugin; its jobs end as soon as they are committed: the examples sleep for real."""
    metastudio_sandbox._service.jobs.duration = timedelta()
    return metastudio_sandbox


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A WAV of 12 seconds, which the standard library made."""
    path = tmp_path / "ann.wav"
    tone = array("h", (int(8000 * math.sin(n / 10)) for n in range(8000)))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(tone.tobytes() * 12)
    return path
