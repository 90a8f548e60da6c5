"""Virtual waiting for clients in tests: time that a client would sleep is skipped."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any, Final
from unittest.mock import patch

import attrs

from metastudio import client
from metastudio.calls import AsyncCaller, Caller
from metastudio.pace import Pace, paces
from metastudio.upload import AsyncUploader, Uploader

#: What a thread or task has skipped. Each has its own, so that no wait uses up another one's timeout.
_skipped: Final[ContextVar[float]] = ContextVar("skipped", default=0.0)


class FastClock:
    """A clock that goes on by as much as its clients sleep.

    Args:
        on_skip: Called with the seconds of each sleep.
    """

    def __init__(self, on_skip: Callable[[float], object]) -> None:
        self._on_skip = on_skip
        #: The seconds that all clients have skipped.
        self.skipped = 0.0

    def __call__(self) -> float:
        """Return the time in seconds: it goes on while requests are in flight, too."""
        return time.monotonic() + _skipped.get()

    def sleep(self, seconds: float) -> None:
        """Skip `seconds`."""
        _skipped.set(_skipped.get() + seconds)
        self.skipped += seconds
        self._on_skip(seconds)

    async def async_sleep(self, seconds: float) -> None:
        """Skip `seconds`, and let other tasks run."""
        self.sleep(seconds)
        await asyncio.sleep(0)


@attrs.define(eq=False, repr=False)
class _Unpaced(Pace):
    """A pace without pauses: the slots of a client's threads and tasks are times on different clocks."""

    def go(self, _: float) -> float:
        return 0.0

    def throttled(self, sent: float, now: float, seconds: float | None) -> None: ...


@contextmanager
def fast(on_skip: Callable[[float], object]) -> Iterator[FastClock]:
    """Give the clock to each client that is created in the block."""
    clock = FastClock(on_skip)
    sync: dict[str, Any] = {"clock": clock, "sleep": clock.sleep}
    asynchronous: dict[str, Any] = {"clock": clock, "sleep": clock.async_sleep}
    with patch.multiple(
        client,
        Caller=partial(Caller, **sync),
        AsyncCaller=partial(AsyncCaller, **asynchronous),
        Uploader=partial(Uploader, sleep=clock.sleep),
        AsyncUploader=partial(AsyncUploader, sleep=clock.async_sleep),
        paces=_unpaced,
    ):
        yield clock


def _unpaced(base_url: str, share: float) -> dict[str, Pace]:
    return {operation: _Unpaced(pace.rate) for operation, pace in paces(base_url, share).items()}
