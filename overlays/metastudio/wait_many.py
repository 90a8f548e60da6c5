"""Wait for many jobs at once, with one pace and one clock for all of them."""

import asyncio
import heapq
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from itertools import count
from typing import TypeAlias

from metastudio_client.models import ShortJob

from . import errors
from .pace import Pace
from .polling import Failed, Finished, Outcome, Wait, is_fatal
from .retries import retry_after

Poll: TypeAlias = asyncio.Future[ShortJob]


async def outcomes(
    poll: Callable[[Wait], Awaitable[ShortJob]],
    waits: Iterable[Wait],
    pace: Pace,
    max_in_flight: int,
    clock: Callable[[], float],
    sleep: Callable[[float], Awaitable[None]],
) -> AsyncGenerator[Outcome, None]:
    """Poll each job until it is finished; yield its outcome as soon as it is known.

    Raises:
        MetaStudioError: An error that concerns all jobs. Jobs that were not yielded by then are unfinished.
    """
    number = count()  # orders jobs that are due at the same time
    due = [(0.0, next(number), wait) for wait in waits]
    polling: dict[Poll, tuple[Wait, float]] = {}  # with the time when it was sent
    try:
        while due or polling:
            pause = _pause(*due[0], pace, clock()) if due and len(polling) < max_in_flight else None
            if pause is not None and pause <= 0:
                wait = heapq.heappop(due)[2]
                if wait.seconds_left() <= 0:
                    yield Failed(wait.job_id, wait.job, wait.timed_out())
                else:
                    pace.go(clock())
                    polling[asyncio.ensure_future(poll(wait))] = wait, clock()
                continue
            for done in await _first_done(polling, pause, sleep):
                wait, sent = polling.pop(done)
                if isinstance(settled := _settled(done, wait, pace, sent, clock()), Finished | Failed):
                    yield settled
                else:
                    heapq.heappush(due, (clock() + settled, next(number), wait))
    finally:
        for task in polling:
            task.cancel()
        await asyncio.gather(*polling, return_exceptions=True)


def _pause(due: float, _: int, wait: Wait, pace: Pace, now: float) -> float:
    """Return the seconds until the next poll of the job, or until its timeout."""
    return min(max(due, pace.next) - now, wait.seconds_left())


async def _first_done(
    polling: Iterable[Poll], pause: float | None, sleep: Callable[[float], Awaitable[None]]
) -> set[Poll]:
    """Return the polls that are done first, or none if none is done within the pause."""
    if not polling:
        await sleep(pause or 0)
        return set()
    done, _ = await asyncio.wait(polling, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
    return done


def _settled(done: Poll, wait: Wait, pace: Pace, sent: float, now: float) -> Outcome | float:
    """Return the outcome of the job, or the seconds until its next poll if it is still running."""
    job = None
    try:
        with wait.forgiving():
            job = done.result()
    except errors.MetaStudioError as error:
        if is_fatal(error):
            raise
        return Failed(wait.job_id, wait.job, error)
    try:
        if job is not None:
            pace.answered()
            if wait.take(job):
                return Finished(wait.job_id, job)
        elif isinstance(wait.lost, errors.RateLimitError):
            pace.throttled(sent, now, retry_after(wait.lost))
        return wait.delay()
    except (errors.ShortJobFailed, errors.WaitTimeout) as error:
        return Failed(wait.job_id, wait.job, error)
