"""How often each operation may be sent: quotas are per account and API, so a client has one pace per operation."""

import threading
from typing import Final

import attrs

from .retries import MAX_RETRY_AFTER

#: However often it is throttled, a request is sent after so many seconds.
MAX_INTERVAL: Final = 10.0
#: Requests a second in the one region with larger quotas; documented for sibling operations, inferred for these.
_LARGE_QUOTAS: Final = {"show": 20.0, "create": 10.0, "commit": 10.0}
_QUOTAS: Final = {"show": 10.0, "create": 3.0, "commit": 3.0}
_LARGE: Final = "https://metastudio.cn-north-4."


@attrs.define(eq=False, repr=False)
class Pace:
    """When the next request may be sent, for all threads or tasks together. It is strict: there are no bursts.

    Attributes:
        rate: Requests a second. Throttled, it sends half as often, and then comes back to this bit by bit.
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
        """Requests a second by now: less than `rate` after it was throttled."""
        return 1 / self._interval

    def go(self, now: float) -> float:
        """Take the next place; return the seconds until it."""
        with self._mutex:
            place = max(self.next, now)
            self.next = place + self._interval
            return place - now

    def answered(self) -> None:
        """Note that a request got a response."""
        self._interval = max(1 / self.rate, self._interval * 0.95)

    def throttled(self, sent: float, now: float, seconds: float | None) -> None:
        """Hold everything back for the seconds that the gateway asks for; slow down once for what was under way."""
        with self._mutex:
            if sent > self._slowed:
                self._interval = max(1 / self.rate, min(MAX_INTERVAL, self._interval * 2))
                self._slowed = now
            self.next = max(self.next, now + min(MAX_RETRY_AFTER, self._interval if seconds is None else seconds))


def paces(base_url: str, share: float) -> dict[str, Pace]:
    """Return the paces of a client by operation, for its share of the quotas: those of its endpoint, or the smaller."""
    quotas = _LARGE_QUOTAS if base_url.startswith(_LARGE) else _QUOTAS
    return {operation: Pace(rate * share) for operation, rate in quotas.items()}
