"""A batch whose process is killed, or whose disk is full: in processes of their own."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from metastudio_batch import rows
from metastudio_sandbox import Sandbox, recordings
from support import HANGS_AFTER

BATCH = """
import asyncio, os, resource, sys
from metastudio import AsyncMetaStudio
from metastudio_batch import Batch

async def main(folder, journal, on_change=None):
    async with AsyncMetaStudio(timeout=5.0) as studio:
        for pace in studio.short_jobs.paces.values():
            pace.rate, pace._interval = 200.0, 0.005
        async for _ in Batch(studio, folder, journal=journal, on_change=on_change).outcomes():
            pass
"""

#: Forks a batch for each line, and kills it after so many changes, unless it has ended.
FORKS = (
    BATCH
    + """
import signal
for line in sys.stdin:
    changes, held = os.pipe()
    child = os.fork()
    if not child:
        asyncio.run(main(*sys.argv[1:], lambda _: os.write(held, b".")))
        os._exit(0)
    os.close(held)
    left = int(line)
    while left and os.read(changes, 1):
        left -= 1
    if not left:
        os.kill(child, signal.SIGKILL)
    print(os.waitpid(child, 0)[1], flush=True)
    os.close(changes)
"""
)
FULL = (
    BATCH
    + """
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
asyncio.run(main(*sys.argv[1:3]))
"""
)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(duration=timedelta(seconds=0.2), limits=(None, None), validate=False) as running:
        yield running


def make(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:04}.wav").write_bytes(
            recordings.wav(seconds=0.5, rate=8000, seed=number % 4) + b"%d" % number
        )
    return folder


def stages(journal: Path) -> set[str]:
    with closing(sqlite3.connect(journal)) as connection:
        if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return set()  # killed before it was made
        return {stage for (stage,) in connection.execute("SELECT DISTINCT stage FROM recordings")}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_random_moments(sandbox: Sandbox, commits: Counter[str], tmp_path: Path) -> None:
    """After 200 kills, each recording has one verdict, and no job was committed twice."""
    moments, met, killed = random.Random(1), Counter[str](), 0
    folder, journal = make(tmp_path / "recordings", 800), tmp_path / "a.journal"
    command = [sys.executable, "-c", FORKS, str(folder), str(journal)]
    pipe: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    with subprocess.Popen(command, env=os.environ | sandbox.environment, **pipe) as process:
        assert process.stdin
        assert process.stdout
        for _ in range(200):
            print(moments.randrange(12), file=process.stdin)
            killed += int(process.stdout.readline()) == signal.SIGKILL
            met.update(stages(journal))
        print(-1, file=process.stdin)
        assert int(process.stdout.readline()) == 0
        process.stdin.close()

    assert killed == 200
    assert all(met[stage] >= 5 for stage in ("new", "created", "uploaded", "committed", "finished")), met
    assert [row["state"] for row in rows(journal)] == ["SUCCEED"] * 800
    assert set(commits.values()) == {1}
    assert len(commits) == 800


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs resource limits")
@pytest.mark.parametrize("size", [4096, 28_000])
def test_full_disk(size: int, sandbox: Sandbox, commits: Counter[str], tmp_path: Path) -> None:
    """The batch ends and says why; with room again, it goes on, and nothing was lost."""
    folder, journal = make(tmp_path / "recordings", 30), tmp_path / "a.journal"

    def run(limit: int) -> str:
        command = [sys.executable, "-c", FULL, str(folder), str(journal), str(limit)]
        environment = os.environ | sandbox.environment
        ended = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=HANGS_AFTER, check=False
        )
        return ended.stderr

    assert "JournalError: the journal" in run(size)
    assert run(10**9) == ""

    assert [row["state"] for row in rows(journal)] == ["SUCCEED"] * 30
    assert set(commits.values()) == {1}
    assert len(commits) == 30
