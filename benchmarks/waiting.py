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
from collections.abc import AsyncGenerator
from pathlib import Path
from statistics import mean, median, quantiles
from typing import Any, Final, NamedTuple, Self

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


class _Ours:
    """A wait with `wait_many` that can stand still and go on."""

    def __init__(self, jobs: int, quota: float, longest: float) -> None:
        self.delays, self.requests = list[float](), 0
        self._ends, self._loop = _ends(jobs, longest), _Loop()
        self._runner = asyncio.Runner(loop_factory=lambda: self._loop)
        self._outcomes = self._runner.run(self._open(quota, 20 * longest))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._studio.aclose())
        self._runner.close()

    async def _open(self, quota: float, seconds: float) -> AsyncGenerator[Any, None]:
        import httpx

        from metastudio import AsyncMetaStudio, Credentials

        def answer(request: httpx.Request) -> httpx.Response:
            self.requests += 1
            job_id = request.url.path.rpartition("/")[2]
            state = "SUCCEED" if self._ends[job_id] <= self._loop.time() else "PROCESSING"
            return httpx.Response(200, json={"job_id": job_id, "state": state})

        self._studio = AsyncMetaStudio(
            endpoint="http://127.0.0.1",
            project_id=PROJECT_ID,
            credentials=Credentials(AK, SK),
            transport=httpx.MockTransport(answer),
        )
        return self._studio.short_jobs.wait_many(self._ends, timeout=seconds, rate=quota)

    def go_on(self, jobs: int) -> float:
        """Wait until so many more jobs are finished; return the microseconds of CPU for each request."""
        requests, started = self.requests, time.process_time()
        self._runner.run(self._take(jobs))
        return (time.process_time() - started) / (self.requests - requests) * 1e6

    async def _take(self, jobs: int) -> None:
        for _ in range(jobs):
            outcome = await anext(self._outcomes)
            self.delays.append(self._loop.time() - self._ends[outcome.job_id])


def ours(jobs: int) -> Wait:
    """Wait with `wait_many`."""
    with _Ours(jobs, QUOTA, LONGEST) as wait:
        cpu = wait.go_on(jobs)
    return Wait(wait.requests, mean(wait.delays), quantiles(wait.delays, n=20)[-1], cpu, _peak())


def growth(few: int, many: int, slices: int) -> float:
    """Return the ratio of what a request costs in a wait for many jobs and in one for few.

    The quota is in proportion to the jobs: each is asked for equally often, however many there are. The wait for many
    goes on in slices, after each of which few are waited for: the ratio is the median of what neighbours give.
    """

    def begin(jobs: int) -> _Ours:
        return _Ours(jobs, quota=jobs / 10, longest=100)

    ratios = []
    with begin(many) as long:
        for _ in range(slices):
            cost = long.go_on(many // slices)
            with begin(few) as short:
                ratios.append(cost / short.go_on(few))
    return median(ratios)


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
    number, *more = map(int, sys.argv[1:])
    print(json.dumps(growth(number, *more) if more else ours(number)))
