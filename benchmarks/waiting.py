"""Waiting for many jobs under a quota, on time that passes only when somebody sleeps.

All jobs are there from the start and finish at random times. The peer is what one writes first: every five seconds, ask
for each job that is not finished. Both ask ten times a second at most, and every answer is there at once.
"""

import asyncio
import json
import random
import selectors
import sys
import time
from pathlib import Path
from statistics import mean, quantiles
from typing import Any, Final, NamedTuple

from .keys import AK, PROJECT_ID, SK

QUOTA: Final = 10.0
LONGEST: Final = 900.0  # seconds until the last job is finished
_PERIOD: Final = 5.0


class Wait(NamedTuple):
    """What a wait for all jobs took."""

    requests: int
    delay: float  # mean seconds from a job's end until it is noticed
    delay95: float  # 95 of 100 are noticed within this
    cpu: float  # microseconds for each request
    resident: float  # MB, at most


class _Selector(selectors.DefaultSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout and not (ready := super().select(0)):
            self.now += timeout
            return ready
        return super().select(timeout)


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def _ends(jobs: int, longest: float) -> dict[str, float]:
    seeded = random.Random(jobs)
    return {f"job-{number:05}": seeded.uniform(0, longest) for number in range(jobs)}


def ours(jobs: int, quota: float = QUOTA, longest: float = LONGEST) -> Wait:
    """Wait with `wait_many`."""
    import httpx

    from metastudio import AsyncMetaStudio, Credentials

    ends, delays, requests = _ends(jobs, longest), list[float](), 0
    loop = _Loop()

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal requests
        requests += 1
        job_id = request.url.path.rpartition("/")[2]
        job = {"job_id": job_id, "state": "SUCCEED" if ends[job_id] <= loop.time() else "PROCESSING"}
        return httpx.Response(200, json=job)

    async def wait() -> None:
        async with AsyncMetaStudio(
            endpoint="http://127.0.0.1",
            project_id=PROJECT_ID,
            credentials=Credentials(AK, SK),
            transport=httpx.MockTransport(answer),
        ) as studio:
            async for outcome in studio.short_jobs.wait_many(ends, timeout=20 * longest, rate=quota):
                delays.append(loop.time() - ends[outcome.job_id])

    started = time.process_time()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(wait())
    cpu = (time.process_time() - started) / requests * 1e6
    assert len(delays) == jobs
    return Wait(requests, mean(delays), quantiles(delays, n=20)[-1], cpu, _peak())


def fixed_loop(jobs: int) -> Wait:
    """Wait with the loop that one writes first."""
    running, delays, requests, now = _ends(jobs, LONGEST), list[float](), 0, 0.0
    while running:
        next_round = now + _PERIOD
        for job_id, end in list(running.items()):
            requests += 1
            if end <= now:
                delays.append(now - running.pop(job_id))
            now += 1 / QUOTA
        now = max(now, next_round)
    return Wait(requests, mean(delays), quantiles(delays, n=20)[-1], 0.0, 0.0)


def _peak() -> float:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e3


if __name__ == "__main__":
    print(json.dumps(ours(int(sys.argv[1]), *map(float, sys.argv[2:]))))
