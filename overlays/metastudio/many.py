"""Waiting for many jobs at once, with one pace for all of them. Time is the event loop's."""

import asyncio
import heapq
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from itertools import count

from .errors import AuthenticationError, ConfigurationError, MetaStudioError, PermissionDeniedError, RateLimitError
from .retries import retry_after
from .waiting import Outcome, Pace, Wait

#: What would befall every other job as well.
_FATAL = (AuthenticationError, ConfigurationError, PermissionDeniedError)


async def outcomes(
    ask: Callable[[Wait], Awaitable[None]], waits: Iterable[Wait], pace: Pace, max_in_flight: int
) -> AsyncGenerator[Outcome, None]:
    """Ask for each job until it is finished; yield what became of it, as it comes.

    Raises:
        MetaStudioError: A refusal that concerns all jobs. What was not yielded by then is unfinished.
    """
    clock = asyncio.get_running_loop().time
    number = count()  # decides between jobs that are due at the same time
    due = [(0.0, next(number), wait) for wait in waits]
    asking: dict[asyncio.Future[None], Wait] = {}
    try:
        while due or asking:
            pause = max(due[0][0], pace.next) - clock() if due and len(asking) < max_in_flight else None
            if pause is not None and pause <= 0:
                wait = heapq.heappop(due)[2]
                if wait.seconds_left() <= 0:
                    yield Outcome(wait.job_id, wait.job, wait.timed_out())
                else:
                    pace.go(clock())
                    asking[asyncio.ensure_future(ask(wait))] = wait
                continue
            for done in await _first_done(asking, pause):
                wait = asking.pop(done)
                if isinstance(settled := _settled(done, wait, pace, clock()), Outcome):
                    yield settled
                else:
                    heapq.heappush(due, (clock() + settled, next(number), wait))
    finally:
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)


async def _first_done(asking: Iterable[asyncio.Future[None]], pause: float | None) -> set[asyncio.Future[None]]:
    """Return what is done first; nothing, if nothing is within the pause."""
    if not asking:
        await asyncio.sleep(pause or 0)
        return set()
    done, _ = await asyncio.wait(asking, timeout=pause, return_when=asyncio.FIRST_COMPLETED)
    return done


def _settled(done: asyncio.Future[None], wait: Wait, pace: Pace, now: float) -> Outcome | float:
    """Return what became of the job; or, if it is still running, the seconds until it is asked for again."""
    try:
        done.result()
        if isinstance(wait.lost, RateLimitError):
            pace.throttled(now, retry_after(wait.lost))
        elif wait.lost is None:
            pace.answered()
        return Outcome(wait.job_id, wait.job, None) if wait.finished else wait.delay()
    except _FATAL:
        raise
    except MetaStudioError as error:
        return Outcome(wait.job_id, wait.job, error)
