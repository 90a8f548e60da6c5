"""Batches on virtual time against documented quotas: how long they take, and how often they poll."""

import asyncio
import os
import random
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from huaweicloud_auth import Secret
from metastudio.upload_body import OnProgress
from metastudio_batch import Batch, Failed, Outcome, Row, Stage, assess_many
from metastudio_batch.polls import ExpectedAge
from support import HANGS_AFTER
from support.simulated_service import LARGE, SMALL, Service, Storage, studio_at
from support.virtual_time import Loop

HEAD = b"RIFF\x2c\0\0\0WAVEfmt \x10\0\0\0\1\0\1\0\x40\x1f\0\0\x80\x3e\0\0\2\0\x10\0data\x08\0\0\0"


def make(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        (folder / f"{number:05}.wav").write_bytes(HEAD + number.to_bytes(8, "little"))
    return folder


@attrs.define
class Result:
    """How a batch went."""

    seconds: float
    finished: int
    failed: list[Outcome]


def run(service: Service, folder: Path, region: str = "cn-north-4", **options: Any) -> Result:
    async def main() -> Result:
        result = Result(0.0, 0, [])
        started = asyncio.get_running_loop().time()
        async with studio_at(service, region) as studio:
            async for outcome in assess_many(studio, folder, journal=folder.parent / "a.journal", **options):
                if isinstance(outcome, Failed):
                    result.failed.append(outcome)
                else:
                    result.finished += 1
        result.seconds = asyncio.get_running_loop().time() - started
        return result

    with asyncio.Runner(loop_factory=Loop) as runner:
        return runner.run(main())


@pytest.mark.parametrize(
    ("region", "quotas", "duration", "count"),
    [
        ("cn-north-4", LARGE, 60.0, 400),
        ("ap-southeast-3", SMALL, 60.0, 200),
        pytest.param("cn-north-4", LARGE, 60.0, 10_000, marks=pytest.mark.slow),
        pytest.param("cn-north-4", LARGE, 600.0, 10_000, marks=pytest.mark.slow),
        pytest.param("cn-east-3", SMALL, 60.0, 10_000, marks=pytest.mark.slow),
    ],
)
def test_batch_uses_whole_quota(
    region: str, quotas: dict[str, int], duration: float, count: int, tmp_path: Path
) -> None:
    """Every job takes about the same time: it is polled hardly more often than once."""
    service = Service(quotas, duration=duration, spread=0.05)

    result = run(service, make(tmp_path / "recordings", count), region)

    assert (result.finished, result.failed) == (count, [])
    assert result.seconds < 1.05 * (count / quotas["create"] + duration * 1.05)
    assert service.requests["show"] < 2 * count
    assert not service.throttled
    assert set(service.commits.values()) == {1}


def test_throttled_batch_recovers(tmp_path: Path) -> None:
    """For the first 50 seconds somebody else uses most of the quota."""
    service = Service(dict.fromkeys(LARGE, 3), duration=20.0)

    def on_time() -> None:
        service.quotas = LARGE

    async def main() -> tuple[float, float]:
        loop = asyncio.get_running_loop()
        loop.call_later(50, on_time)
        started, late = loop.time(), 0.0
        async with studio_at(service) as studio:
            folder = make(tmp_path / "recordings", 500)
            async for _ in assess_many(studio, folder, journal=tmp_path / "a.journal"):
                late = late or (sum(service.throttled.values()) if loop.time() - started > 60 else 0.0)
        return loop.time() - started, late

    with asyncio.Runner(loop_factory=Loop) as runner:
        seconds, throttled = runner.run(main())

    assert len(service.commits) == 500
    assert throttled < 75, "it does not run against the wall"
    assert sum(service.throttled.values()) - throttled < 5, "and then, it is not throttled any more"
    assert seconds < 50 + 50 + 40, "most of them at the full rate"


def test_job_is_created_just_before_upload(tmp_path: Path) -> None:
    """Its URL expires, and a job that was created cannot be deleted."""
    waiting: set[str] = set()
    most: list[int] = []

    def on_change(row: Row) -> None:
        (waiting.add if row.stage == Stage.CREATED else waiting.discard)(row.path)
        most.append(len(waiting))

    async def main() -> int:
        async with studio_at(Service(LARGE, duration=20.0), storage=Storage(5.0)) as studio:
            folder, journal = make(tmp_path / "recordings", 20), tmp_path / "a.journal"
            batch = Batch(studio, folder, journal=journal, uploads=2, on_change=on_change)
            return len([each async for each in batch.outcomes()])

    with asyncio.Runner(loop_factory=Loop) as runner:
        assert runner.run(main()) == 20
    assert max(most) == 2


def test_slow_upload_holds_nobody_up(tmp_path: Path) -> None:
    """Neither the other uploads nor the jobs that run."""

    class OneIsSlow(Storage):
        async def upload(self, url: Secret, body: Any, on_progress: OnProgress | None, job_id: str | None) -> None:
            await asyncio.sleep(5000.0 if body.name == "00003.wav" else 0.2)

    async def main() -> list[float]:
        loop, service = asyncio.get_running_loop(), Service(LARGE, duration=20.0)
        async with studio_at(service, storage=OneIsSlow()) as studio:
            folder, started = make(tmp_path / "recordings", 100), loop.time()
            outcomes = assess_many(studio, folder, journal=tmp_path / "a.journal")
            return [loop.time() - started async for _ in outcomes]

    with asyncio.Runner(loop_factory=Loop) as runner:
        *others, last = runner.run(main())

    assert len(others) == 99
    assert others[-1] < 45
    assert last > 5000


def test_pause_between_runs_is_not_learnt(tmp_path: Path) -> None:
    """A job that was found finished after an hour in which nothing ran does not take an hour."""
    service, journal, folder = Service(LARGE, duration=60.0), tmp_path / "a.journal", make(tmp_path / "recordings", 200)

    class Stop(Exception):  # noqa: N818  # as if the process ended
        pass

    def stop(row: Row) -> None:
        if row.stage == Stage.COMMITTED:
            raise Stop

    async def main(**options: Any) -> float:
        started = asyncio.get_running_loop().time()
        async with studio_at(service) as studio:
            async for _ in Batch(studio, folder, journal=journal, **options).outcomes():
                pass
        return asyncio.get_running_loop().time() - started

    with asyncio.Runner(loop_factory=Loop) as runner:
        with pytest.raises(Stop):
            runner.run(main(on_change=stop))
        with closing(sqlite3.connect(journal)) as connection, connection:
            connection.execute("UPDATE recordings SET since = since - 3600")
        runner.run(asyncio.sleep(3600))
        assert runner.run(main()) < 1.05 * (20 + 66) + 5


def test_first_jobs_that_take_long_hold_nobody_up(tmp_path: Path) -> None:
    """Others are polled as well to find out how long a job takes."""
    service = Service(LARGE, duration=60.0)

    async def main() -> list[float]:
        loop = asyncio.get_running_loop()
        async with studio_at(service) as studio:
            folder, started = make(tmp_path / "recordings", 200), loop.time()
            loop.call_later(2, service.ends.update, dict.fromkeys(("job-1", "job-2", "job-3"), 1e6))
            outcomes = assess_many(studio, folder, journal=tmp_path / "a.journal", timeout=3600)
            return [loop.time() - started async for _ in outcomes]

    with asyncio.Runner(loop_factory=Loop) as runner:
        ended = runner.run(main())

    assert ended[0] < 250
    assert ended[196] < 300
    assert len(ended) == 200


PEAK = """
import sys
from pathlib import Path
from support.simulated_service import LARGE, Service
from test_quota import make, run

folder, count = Path(sys.argv[1]), int(sys.argv[2])
result = run(Service(LARGE, duration=60.0), make(folder / "recordings", count))
assert result.finished == count
with open("/proc/self/status") as status:
    print(next(int(line.split()[1]) for line in status if line.startswith("VmHWM")))
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_does_not_grow(tmp_path: Path) -> None:
    """Ten thousand recordings: less than 60 MB, and hardly more than for a thousand."""
    peaks = []
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, Path(__file__).parents[:2]))}
    for count in (1000, 10_000):
        (tmp_path / str(count)).mkdir()
        command = [sys.executable, "-c", PEAK, str(tmp_path / str(count)), str(count)]
        printed = subprocess.run(
            command, env=environment, check=True, capture_output=True, text=True, timeout=HANGS_AFTER
        )
        peaks.append(int(printed.stdout) / 1024)

    assert peaks[1] < 60
    assert peaks[1] - peaks[0] < 12


class TestExpectedAge:
    """When the first poll of a job comes."""

    def test_two_thirds_have_finished_by_then(self) -> None:
        durations, age = random.Random(1), ExpectedAge()
        age.learn(100.0, finished=True, first=False)
        hits = 0
        for number in range(3000):
            assert age.seconds is not None
            finished = durations.uniform(50, 150) <= age.seconds
            hits += finished and number >= 1000
            age.learn(age.seconds, finished=finished, first=True)

        assert 0.63 < hits / 2000 < 0.7
