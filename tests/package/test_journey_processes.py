"""The journey in processes of its own: memory, and a process that is killed between two steps."""

import json
import os
import signal
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from metastudio import MetaStudio
from metastudio.recordings import prepare
from metastudio_sandbox import Sandbox, recordings

UPLOAD = """
import asyncio, json, sys
from metastudio import AsyncMetaStudio, Credentials, MetaStudio
kind, url, path = sys.argv[1:]
options = {"endpoint": "http://127.0.0.1:1", "project_id": "p", "credentials": Credentials("AK", "SK")}

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))

async def main():
    async with AsyncMetaStudio(**options) as studio:
        before = peak()
        await studio.short_jobs.upload(url, path)
        return before

if kind == "sync":
    with MetaStudio(**options) as studio:
        before = peak()
        studio.short_jobs.upload(url, path)
else:
    before = asyncio.run(main())
print(json.dumps([before, peak()]))
"""


class _Sink(socketserver.StreamRequestHandler):
    """Counts the bytes of a body, and keeps none."""

    def handle(self) -> None:
        left = 0
        while (line := self.rfile.readline().strip().lower()) != b"":
            if line.startswith(b"content-length:"):
                left = int(line.split(b":")[1])
        while left:
            left -= len(self.rfile.read(min(left, 1 << 20)))
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


@contextmanager
def sink() -> Iterator[str]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Sink) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/a.zip"
        server.shutdown()
        thread.join()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", ["sync", "async"])
def test_large_upload_needs_little_memory(kind: str, tmp_path: Path) -> None:
    """Two gigabytes need less than sixty megabytes."""
    path = tmp_path / "sparse.zip"
    with path.open("wb") as file:
        file.truncate(2 * 1024**3)

    with sink() as url:
        command = [sys.executable, "-c", UPLOAD, kind, url, str(path)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True, timeout=240).stdout

    before, after = json.loads(printed)
    assert after < 60
    assert after - before < 30


#: Stops before a step, and says so: whoever reads it kills the process there.
STEPS = """
import sys
from metastudio import MetaStudio

stop = sys.argv[1]

def pause(step):
    if step == stop:
        print(step, flush=True)
        sys.stdin.read()

with MetaStudio() as studio:
    jobs = studio.short_jobs
    pause("create")
    created = jobs.create()
    print(created.job_id, flush=True)
    pause("upload")
    with open(sys.argv[2], "rb") as zipped:
        jobs.upload(created.data_uploading_url, zipped)
    pause("commit")
    jobs.commit(created.job_id)
    pause("wait")
    jobs.wait(created.job_id, timeout=60)
    pause("end")
"""


@pytest.mark.slow
@pytest.mark.parametrize("step", ["upload", "commit", "wait", "end"])
def test_finish_continues_after_kill(step: str, tmp_path: Path) -> None:
    """After the upload, `finish` reaches the verdict; before it, nothing runs, and a new job is free to."""
    zipped = tmp_path / "a.zip"
    zipped.write_bytes(packed())
    with Sandbox() as sandbox:
        command = [sys.executable, "-c", STEPS, step, str(zipped)]
        environment = os.environ | sandbox.environment
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True) as process:
            assert process.stdout
            job_id = process.stdout.readline().strip()
            assert process.stdout.readline().strip() == step
            process.send_signal(signal.SIGKILL)

        with MetaStudio(**options_of(sandbox)) as studio:
            if step == "upload":
                assert sandbox.jobs[job_id]["state"] == "CREATING"
                job = studio.short_jobs.assess(zipped, timeout=60)
                assert job.job_id != job_id
            else:
                job = studio.short_jobs.finish(job_id, timeout=60)
                assert job.job_id == job_id

        assert job.state == "SUCCEED"
        posts = [each.target for each in sandbox.exchanges if each.method == "POST"]
        commits = [target for target in posts if not target.endswith("short-jobs")]
        assert len(commits) == 1, "no job runs twice"


def packed() -> bytes:

    return b"".join(prepare(recordings.wav(seconds=12)).chunks())


def options_of(sandbox: Sandbox) -> dict[str, Any]:
    return {"endpoint": sandbox.url, "project_id": sandbox.project_id, "credentials": sandbox.credentials}
