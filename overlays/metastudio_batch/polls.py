"""Polling the jobs of a batch: at one pace for all of them, and rarely before they have finished."""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import count
from typing import Final, TypeAlias

import attrs

from metastudio import MetaStudioError, ShortJob
from metastudio.pace import Pace
from metastudio.polling import FIRST_INTERVAL, LAST_POLL, MAX_INTERVAL, Wait, is_fatal

from .row import Row

#: How many jobs may be pending; beyond this, no new recording is started.
MAX_WAITING: Final = 20_000
_IN_FLIGHT: Final = 16
#: Until the first job ends, only this many are polled, to learn how long jobs take, plus one for each slow job.
_SCOUTS: Final = 3
_LONG: Final = 180.0  # seconds after which a job counts as slow
_FINISHED_BY_THEN: Final = 2 / 3
_GAIN: Final = 0.05


@attrs.define(eq=False)
class ExpectedAge:
    """An estimate of the age by which two thirds of the jobs have finished, learned from the polls.

    A first poll that finds a job still running raises the estimate; one that finds it finished lowers it by half as
    much. So it settles where two of three jobs are finished.
    """

    seconds: float | None = None

    def learn(self, age: float, *, finished: bool, first: bool) -> None:
        """Update the estimate with the result of polling a job of this age."""
        if self.seconds is None:
            self.seconds = age if finished else None
        elif first and not finished:
            self.seconds *= 1 + _GAIN * _FINISHED_BY_THEN
        elif first and age < self.seconds * 1.1:  # a job found finished later than that tells nothing
            self.seconds *= 1 - _GAIN * (1 - _FINISHED_BY_THEN)
        if self.seconds is not None:
            self.seconds = max(1.0, self.seconds)


@attrs.define(eq=False, repr=False, kw_only=True)
class JobWait(Wait):
    """The state of a batch job until it ends.

    Attributes:
        row: Its recording.
        committed: When it was committed, on the wait's clock.
        expected: The age by which it has probably finished.
        is_resumed: Whether an earlier run committed it, so that it may have finished at any time since.
        is_long: Whether it counts as slow, so that another job is polled early as well.
    """

    row: Row
    committed: float
    expected: ExpectedAge
    is_resumed: bool = False
    is_long: bool = False

    def interval(self) -> float:
        """Return the seconds until the next poll: a fraction of the expected age, and longer for an overdue job."""
        age, expected = self.clock() - self.committed, self.expected.seconds
        if expected is None:
            return min(MAX_INTERVAL, max(FIRST_INTERVAL, age / 6))
        if age < expected:
            return 2 * (expected - age)  # jitter shortens it by up to one half
        return max(FIRST_INTERVAL, expected / 20, (age - expected) / 3)


Due: TypeAlias = tuple[float, int, JobWait]


class Polls:
    """Polls each job until it ends, then calls `ended`.

    Args:
        show: The `show` method of the client's short jobs.
        pace: The pace of all polls.
        ended: Called with each job that has ended, and with its error or None.
    """

    def __init__(
        self,
        show: Callable[..., Awaitable[ShortJob]],
        pace: Pace,
        ended: Callable[[JobWait, MetaStudioError | None], Awaitable[None]],
    ) -> None:
        self.expected = ExpectedAge()
        self._show, self._pace, self._ended = show, pace, ended
        self._new: list[Due] = []  # a heap of jobs never polled, by the time of their commit
        self._running: list[Due] = []  # a heap of the others, by the time of their next poll
        self._number, self._waiting, self._long, self._closed = count(), 0, 0, False
        self._changed = asyncio.Event()
        self._room, self._slots = asyncio.Semaphore(MAX_WAITING), asyncio.Semaphore(_IN_FLIGHT)

    async def add(self, wait: JobWait) -> None:
        """Add a job; wait while too many are pending."""
        await self._room.acquire()
        self._waiting += 1
        if wait.is_resumed:
            self._push(self._running, 0.0, wait)
        else:
            self._push(self._new, wait.committed, wait)
        self._changed.set()

    def close(self) -> None:
        """Accept no more jobs: `run` returns when all pending ones have ended."""
        self._closed = True
        self._changed.set()

    async def run(self, group: asyncio.TaskGroup) -> None:
        """Poll until all jobs have ended. An error that would fail every job ends the group."""
        clock = asyncio.get_running_loop().time
        while self._waiting or not self._closed:
            due, heap = self._next(clock())
            if due > clock():
                await self._change(due - clock())
                continue
            wait = heapq.heappop(heap)[2]
            await self._slots.acquire()
            await asyncio.sleep(self._pace.go(clock()))
            group.create_task(self._poll(wait, clock))

    def _next(self, now: float) -> tuple[float, list[Due]]:
        """Return the time of the next poll, and the heap that contains its job."""
        running = self._running[0][0] if self._running else float("inf")
        new = self._due(self._new[0][2], now) if self._new else float("inf")
        return (new, self._new) if new < running else (running, self._running)

    def _due(self, wait: JobWait, now: float) -> float:
        if self.expected.seconds is not None:
            age = wait.committed + self.expected.seconds
        else:
            age = now if self._waiting - len(self._new) < _SCOUTS + self._long else float("inf")
        return min(age, now + wait.seconds_left() - LAST_POLL)

    async def _change(self, seconds: float) -> None:
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, 3600.0)):
                await self._changed.wait()

    async def _poll(self, wait: JobWait, clock: Callable[[], float]) -> None:
        error: MetaStudioError | None = None
        try:
            try:
                if not await self._is_finished(wait, clock() - wait.committed):
                    self._put_back(wait, clock())
                    return
            except MetaStudioError as failure:
                if is_fatal(failure):
                    raise
                error = failure
            await self._ended(wait, error)
            self._waiting -= 1
            self._room.release()
        finally:
            self._slots.release()
            self._changed.set()

    def _put_back(self, wait: JobWait, now: float) -> None:
        if wait.is_resumed:  # after its first poll, it is handled like a new job
            wait.is_resumed = False
            self._push(self._new, wait.committed, wait)
            return
        if not wait.is_long and now - wait.committed > _LONG:
            wait.is_long = True
            self._long += 1
        self._push(self._running, now + wait.delay(), wait)

    def _push(self, heap: list[Due], due: float, wait: JobWait) -> None:
        heapq.heappush(heap, (due, next(self._number), wait))

    async def _is_finished(self, wait: JobWait, age: float) -> bool:
        job, first = None, wait.polls == 0
        with wait.forgiving(self._pace):
            # No retries here: they would bypass the pace, and a failed poll goes back into the heap anyway.
            job = await self._show(wait.job_id, app_user_id=wait.row.app_user_id, max_retries=0)
        if job is None:
            return False
        finished = True  # also if the job failed
        try:
            finished = wait.take(job)
        finally:
            if not wait.is_resumed:
                self.expected.learn(age, finished=finished, first=first)
        return finished
