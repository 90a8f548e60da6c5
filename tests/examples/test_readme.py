"""The commands of the examples' page, in processes of their own, as whoever reads it runs them."""

import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from metastudio_sandbox import Sandbox
from support import HANGS_AFTER

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
README = (ROOT / "examples" / "README.md").read_text("utf-8")
COMMANDS = re.findall(r"^\$ (.+)$", README, re.MULTILINE)
INSTALLED = Path(sys.executable).parent


@pytest.fixture
def folder(sandbox: Sandbox, tmp_path: Path) -> Path:
    """A folder with the examples in it. Processes that are started see the environment of the sandbox."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    return tmp_path


def commands(name: str) -> list[str]:
    return [each for each in COMMANDS if each.split()[0] == name]


def arguments(command: str) -> list[str]:
    name, *others = shlex.split(command)
    return [str(INSTALLED / name), *others]


def test_programs_of_the_page(folder: Path) -> None:
    """The first one makes the recording of the others."""
    outputs = [
        subprocess.run(
            arguments(each), cwd=folder, check=True, capture_output=True, text=True, timeout=HANGS_AFTER
        ).stdout
        for each in commands("python")
    ]

    makes_recording, script, celery, opentelemetry = outputs
    assert makes_recording == ""
    assert "SUCCEED" in script
    assert "'snr': " in celery
    assert '"metastudio.state": "SUCCEED"' in opentelemetry
    assert opentelemetry.count('"parent_id": "0x') >= 4, "each request is a span in that of the assessment"


@contextmanager
def running(command: list[str], folder: Path, ready: str) -> Iterator[tuple[re.Match[str], list[str]]]:
    """Run a server until SIGTERM; yield how it said that it is ready, and its log, which is whole afterwards."""
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log: list[str] = []
    try:
        yield until(ready, process, log), log
        process.send_signal(signal.SIGTERM)
        log += process.communicate(timeout=HANGS_AFTER)[0].splitlines()
        assert process.returncode in {0, -signal.SIGTERM}, log
    finally:
        process.kill()
        process.communicate()


def until(ready: str, process: subprocess.Popen[str], log: list[str]) -> re.Match[str]:
    for line in process.stdout or ():
        log.append(line)
        if match := re.search(ready, line):
            return match
    raise AssertionError(log)


def test_worker_of_the_page(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It starts and knows the task; the broker is one in memory."""
    monkeypatch.setenv("CELERY_BROKER_URL", "memory://")
    (command,) = commands("celery")
    with running([*arguments(command), "--pool", "solo"], folder, r" ready\.$") as (_, log):
        assert any(line.strip() == ". celery_task.assess" for line in log), log


@contextmanager
def served(folder: Path) -> Iterator[tuple[httpx.Client, list[str]]]:
    """Serve as the page does, on a free port."""
    (command,) = commands("uvicorn")
    ready = r"running on (http://127\.0\.0\.1:\d+)"
    with running([*arguments(command), "--port", "0"], folder, ready) as (match, log):
        client = httpx.Client(base_url=match[1])
        yield client, log
        client.close()


def poll(client: httpx.Client, job_id: str, state: str) -> None:
    while client.get(f"/assessments/{job_id}").json()["state"] != state:
        pass  # the service works meanwhile


def test_service_stops_and_continues(folder: Path, sandbox: Sandbox, recording: Path) -> None:
    """SIGTERM in the middle of an assessment: the next process goes on with the same job."""
    sandbox._service.jobs.duration = timedelta(hours=1)
    with served(folder) as (client, log):
        job_id = client.post("/assessments?language=CN", content=recording.read_bytes()).json()["job_id"]
        poll(client, job_id, "SYSTEM_AUDITING")
    assert any(f"Assessment {job_id} was created" in line for line in log), log
    assert any(f"To go on at the next start: {job_id}" in line for line in log), log

    sandbox._service.jobs.duration = timedelta()
    with served(folder) as (client, _):
        poll(client, job_id, "SUCCEED")
    assert [each.method for each in sandbox.exchanges if each.method != "GET"] == ["POST", "PUT", "POST"]
