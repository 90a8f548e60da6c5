"""The pace of requests. Quotas are per account and API, so a client has one pace per operation."""

import threading
from typing import Final

import attrs

from .retries import MAX_RETRY_AFTER

#: The maximum seconds between two requests, however often they are throttled.
MAX_INTERVAL: Final = 10.0
#: Requests per second in the one region with larger quotas; documented for sibling operations, inferred for these.
_LARGE_QUOTAS: Final = {"show": 20.0, "create": 10.0, "commit": 10.0}
_QUOTAS: Final = {"show": 10.0, "create": 3.0, "commit": 3.0}
_LARGE: Final = "https://metastudio.cn-north-4."


@attrs.define(eq=False, repr=False)
class Pace:
    """Schedules the requests of all threads and tasks evenly, without bursts.

    Attributes:
        rate: Requests per second. Throttling halves the rate, which then recovers step by step.
    """

    rate: float
    next: float = 0.0
    _interval: float = attrs.field(init=False)
    _slowed: float = attrs.field(init=False, default=float("-inf"))
    _mutex: threading.Lock = attrs.field(init=False, factory=threading.Lock)

    def __attrs_post_init__(self) -> None:
        self._interval = 1 / self.rate

    @property
    def speed(self) -> float:
        """The current requests per second: less than `rate` after throttling."""
        return 1 / self._interval

    def go(self, now: float) -> float:
        """Reserve the next slot; return the seconds until it."""
        with self._mutex:
            slot = max(self.next, now)
            self.next = slot + self._interval
            return slot - now

    def answered(self) -> None:
        """Note that a request got a response."""
        self._interval = max(1 / self.rate, self._interval * 0.95)

    def throttled(self, sent: float, now: float, seconds: float | None) -> None:
        """Delay all requests by the given seconds; halve the rate, once for all requests that were in flight."""
        with self._mutex:
            if sent > self._slowed:
                self._interval = max(1 / self.rate, min(MAX_INTERVAL, self._interval * 2))
                self._slowed = now
            self.next = max(self.next, now + min(MAX_RETRY_AFTER, self._interval if seconds is None else seconds))


def paces(base_url: str, share: float) -> dict[str, Pace]:
    """Return a client's pace for each operation: its share of the endpoint's quotas, or of the smaller ones."""
    quotas = _LARGE_QUOTAS if base_url.startswith(_LARGE) else _QUOTAS
    return {operation: Pace(rate * share) for operation, rate in quotas.items()}
