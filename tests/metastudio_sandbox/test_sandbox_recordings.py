"""The sandbox's recordings: what the standard library reads out of them."""

import io
import wave
from time import process_time
from typing import Any

import pytest

from metastudio_sandbox import recordings


@pytest.mark.parametrize("bits", [8, 16, 24, 32])
@pytest.mark.parametrize(("channels", "rate", "seconds"), [(1, 8000, 2), (2, 11025, 1.5), (1, 8001, 0.001)])
def test_wave_file_is_valid(bits: int, channels: int, rate: int, seconds: float) -> None:
    made = recordings.wav(seconds, rate, channels, bits)

    with wave.open(io.BytesIO(made)) as read:
        assert (read.getnchannels(), read.getframerate(), read.getsampwidth() * 8) == (channels, rate, bits)
        assert read.getnframes() == round(seconds * rate)
        assert len(read.readframes(read.getnframes())) == round(seconds * rate) * channels * bits // 8
    assert int.from_bytes(made[4:8], "little") == len(made) - 8
    assert len(made) % 2 == 0


def test_volume_is_high_without_clipping() -> None:
    samples = memoryview(recordings.wav(1)[44:]).cast("h")

    assert 0.3 * 32767 < max(map(abs, samples)) < 32767
    assert abs(sum(samples) / len(samples)) < 100, "no direct current"


def test_recording_depends_on_arguments_only() -> None:
    made = recordings.wav(1, seed=4)
    recordings._second.cache_clear()

    assert recordings.wav(1, seed=4) == made != recordings.wav(1, seed=5)


def test_ten_minutes_take_little_time() -> None:
    began = process_time()
    made = recordings.wav(600)

    assert len(made) == 44 + 600 * 96000
    assert process_time() - began < 5


@pytest.mark.parametrize(
    "wrong", [{"bits": 12}, {"seconds": 0}, {"seconds": float("nan")}, {"rate": 0}, {"channels": 0}, {"seconds": 10**6}]
)
def test_invalid_arguments_raise(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must be|cannot exceed 4 GiB"):
        recordings.wav(**wrong)
