"""The script, as it is."""

import runpy
import sys
from pathlib import Path

import pytest

from metastudio_sandbox import Sandbox

SCRIPT = Path(__file__).parents[2] / "examples" / "script.py"


def test_script(
    sandbox: Sandbox, recording: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(recording)])

    runpy.run_path(str(SCRIPT), run_name="__main__")

    first, *others = capsys.readouterr().out.splitlines()
    job_id, state = first.split()
    found = sandbox.jobs[job_id]["assess_result"]
    expected = [(name, str(metric["status"])) for name, metric in found.items() if isinstance(metric, dict)]
    assert state == "SUCCEED"
    assert [(line.split()[0], line.split()[-1]) for line in others] == expected
