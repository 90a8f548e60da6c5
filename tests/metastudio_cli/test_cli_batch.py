"""`metastudio assess --journal` and `metastudio export`, as processes of their own."""

import csv
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from rich.console import Console

from metastudio_batch import Stage
from metastudio_cli.batching import Progress
from metastudio_sandbox import Sandbox, faults, recordings
from support import HANGS_AFTER
from support.terminal import COMMAND, TERMINAL, invoke, run, run_on_a_terminal, screen

WAV = recordings.wav(seconds=11, rate=16000)


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    with Sandbox(duration=getattr(request, "param", timedelta(seconds=0.1)), validate=False) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three recordings, and what is none."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name in ("a.wav", "b.wav", "c.wav"):
        (folder / name).write_bytes(WAV + name.encode())
    (folder / "bad.wav").write_bytes(b"nothing")
    return folder


def test_batch_prints_a_json_line_for_each_change(folder: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    """And when it runs again, only what cannot be used is looked at again."""
    arguments = ("assess", str(folder), "--journal", str(tmp_path / "a.journal"))

    result = run(*arguments, env=sandbox.environment)

    assert result.returncode == 2, "one cannot be used"
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    changes = [line["stage"] for line in lines if line["path"] == "a.wav"]
    assert changes == ["created", "uploaded", "committed", "finished"]
    assert lines[-1]["job"]["state"] == "SUCCEED"
    assert "bad.wav: recording" in result.stderr
    assert "4 of 4 recordings done: 3 finished, 1 unusable" in result.stderr
    again = run(*arguments, env=sandbox.environment)
    assert [json.loads(line)["path"] for line in again.stdout.splitlines()] == ["bad.wav"]


def test_batch_shows_live_view_on_a_terminal(folder: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    """Errors above it, and in the end a summary that says where the verdicts are."""
    arguments = ("assess", str(folder), "--journal", str(tmp_path / "a.journal"))

    lines = screen(run_on_a_terminal(*arguments, env=sandbox.environment | TERMINAL, code=2))

    assert any("bad.wav: recording" in line for line in lines)
    assert any(line.startswith("4 of 4 recordings done: 3 finished, 1 unusable") for line in lines)
    assert any(line.startswith("throttled: nothing") for line in lines)
    assert any("metastudio export" in line for line in lines)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 6), (20, 5)])
@pytest.mark.parametrize("uploads", [0, 1, 4, 200])
def test_live_view_fits_the_screen(uploads: int, width: int, height: int) -> None:
    """Its summary is always visible, and one line."""

    class Watched:
        total, counts = 10_000, {Stage.FINISHED: 1234, Stage.COMMITTED: 600, Stage.CREATED: uploads}
        uploading = {f"{'a-long-name-' * 10}{number}.wav": (number, 200) for number in range(uploads)}  # noqa: RUF012

    progress = Progress(as_json=False, batch=Watched())  # type: ignore[arg-type]  # what is shown of a batch
    with (console := Console(width=width, height=height, force_terminal=True, color_system=None)).capture() as shown:
        console.print(progress)

    lines = shown.get().splitlines()
    assert len(lines) < height
    assert all(len(line) <= width for line in lines)
    assert any(line.startswith("1234 of 10000 rec"[: width - 1]) for line in lines)
    assert sum("a-long-name" in line for line in lines) == min(uploads, height - 5)


@pytest.mark.parametrize("sandbox", [timedelta(hours=1)], indirect=True, ids=["endless"])
def test_interrupted_batch_prints_next_command(folder: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    """The same command: nothing is committed a second time."""
    command = [COMMAND, "assess", str(folder), "--journal", str(tmp_path / "a.journal")]
    pipe = subprocess.PIPE
    environment = os.environ | sandbox.environment
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout
        stages = [json.loads(process.stdout.readline())["stage"] for _ in range(1 + 3 * 3)]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=HANGS_AFTER)

    assert stages.count("committed") == 3
    assert process.returncode == 130
    message = "metastudio: interrupted; 1 of 4 recordings done: 1 unusable. To continue, run the same command again"
    assert message in errors
    assert "Traceback" not in errors
    for job in sandbox.jobs.values():
        sandbox.move_job(job["job_id"], "SUCCEED")
    assert "3 finished" in run(*command[1:], env=environment).stderr
    assert len([each for each in sandbox.exchanges if each.target.endswith("/short-jobs")]) == 3


def test_exit_codes(folder: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    """1 an error of the service, 3 a failed job, 4 the time; 2, which is shown above, is a recording."""
    (folder / "bad.wav").unlink()
    journal = ("--journal", str(tmp_path / "a.journal"))
    sandbox._service.jobs.duration = timedelta(hours=1)
    late = invoke("assess", str(folder / "a.wav"), *journal, "--timeout", "3", env=sandbox.environment)
    sandbox.inject_upload(faults.upload_error(403, "SignatureDoesNotMatch"))
    rejected = invoke("assess", str(folder / "b.wav"), *journal, "--timeout", "3", env=sandbox.environment)
    for job_id in [job_id for job_id, task in sandbox._service.jobs.tasks.items() if task.committed]:
        sandbox.move_job(job_id, "FAILED")
    failed = invoke("assess", str(folder / "a.wav"), *journal, "--timeout", "3", env=sandbox.environment)

    assert (late.returncode, rejected.returncode, failed.returncode) == (4, 1, 3)


def test_dry_run_sends_nothing(folder: Path, sandbox: Sandbox) -> None:
    arguments = ("assess", str(folder), "--dry-run")

    result = invoke(*arguments, env=sandbox.environment)

    problem, summary = map(json.loads, result.stdout.splitlines())
    assert (problem["path"], result.returncode) == ("bad.wav", 2)
    assert summary == {
        "recordings": 4,
        "unusable": 1,
        "bytes": 3 * (len(WAV) + 5),
        "seconds": 33.0,
        "of_unknown_length": 0,
        "hours_at_the_quota": 0.0,
    }
    shown = run_on_a_terminal(*arguments, env=sandbox.environment | TERMINAL, code=2)
    assert re.search(r"recordings\S*  4", shown)
    assert not sandbox.exchanges


def test_shards_are_assessed_apart(folder: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    """Each with its part of the quota."""
    (folder / "bad.wav").unlink()
    found = []
    for number in ("1/2", "2/2"):
        journal = ("--journal", str(tmp_path / f"{number[0]}.journal"))
        result = invoke("assess", str(folder), "--shard", number, *journal, env=sandbox.environment)
        found += [line["path"] for line in map(json.loads, result.stdout.splitlines()) if line["stage"] == "finished"]

    assert sorted(found) == ["a.wav", "b.wav", "c.wav"]
    dry = [invoke("assess", str(folder), "--dry-run", "--shard", each).stdout for each in ("1/2", "2/2")]
    assert sum(json.loads(each)["recordings"] for each in dry) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.wav", "b.wav"), "need --journal FILE"),
        (("folder",), "need --journal FILE"),
        (("a.wav", "--shard", "3/2"), "--shard must look like 1/4"),
        (("a.wav", "--shard", "x"), "--shard must look like 1/4"),
        (("nowhere.wav", "--journal", "j"), "does not exist"),
        (("--journal", "j"), "use either PATH or --finish JOB_ID"),
        (("a.wav", "--journal", "folder"), "must be a file or a path that does not exist yet"),
        (("", "--journal", "j"), "recordings must be paths"),
        (("--finish", "x", "--journal", "j"), "--finish cannot be combined"),
        (("a.wav", "--timeout", "0"), "a duration must look like 90, 90s, 10m, 2h or 1d"),
        (("folder/a.wav", "a.wav", "--dry-run"), "two recordings are named 'a.wav'"),
    ],
)
def test_wrong_usage(
    arguments: tuple[str, ...], message: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("a.wav", "folder/a.wav"):
        (tmp_path / name).write_bytes(WAV)
    monkeypatch.chdir(tmp_path)

    ended = invoke("assess", *arguments, env=sandbox.environment | {"COLUMNS": "200"})

    assert ended.returncode == 2
    assert message in ended.stderr
    assert not sandbox.exchanges


def test_export(folder: Path, sandbox: Sandbox, tmp_path: Path) -> None:
    """As CSV, with what Excel needs to see that it is UTF-8; and as JSON lines."""
    journal = str(tmp_path / "a.journal")
    invoke("assess", str(folder), "--journal", journal, env=sandbox.environment)

    plain, for_excel = (
        subprocess.run(
            [COMMAND, "export", journal, *options], capture_output=True, check=True, timeout=HANGS_AFTER
        ).stdout
        for options in ([], ["--csv", "--bom"])
    )
    lines = invoke("export", journal, "--jsonl").stdout.splitlines()

    assert for_excel == b"\xef\xbb\xbf" + plain
    paths = [each["path"] for each in csv.DictReader(plain.decode().splitlines())]
    assert paths == ["a.wav", "b.wav", "bad.wav", "c.wav"]
    assert "示例" in plain.decode()
    assert [json.loads(line)["state"] for line in lines] == ["SUCCEED", "SUCCEED", "unusable", "SUCCEED"]


def test_export_needs_a_journal(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(WAV)

    for name in ("a.wav", "nowhere"):
        result = invoke("export", str(tmp_path / name))
        assert result.returncode == 2
        assert result.stderr.startswith("metastudio: ")
        assert result.stdout == ""
