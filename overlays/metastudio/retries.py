"""What may be tried again, and when: data and pure functions. The loops that ask are in `resources`."""

import random as random_numbers
from collections.abc import Callable
from contextvars import ContextVar, Token
from datetime import UTC, datetime
from enum import Enum
from time import monotonic
from typing import Final

import attrs
import httpx

from .errors import APIConnectionError, APIStatusError, MetaStudioError
from .http_dates import http_date
from .log import log


class Repeat(Enum):
    """Whether a request that failed may be sent again."""

    ALWAYS = "it was not executed"
    IF_IDEMPOTENT = "it may have been executed"
    NEVER = "it would fail again"


# By status and code of the gateway's error table; a status without a code is from something else on the way.
_REPEATS: Final[dict[tuple[int, str | None], Repeat]] = {
    (429, "0308"): Repeat.ALWAYS,
    (429, None): Repeat.ALWAYS,
    (503, "0613"): Repeat.ALWAYS,
    (502, "0201"): Repeat.IF_IDEMPOTENT,
    (504, "0201"): Repeat.IF_IDEMPOTENT,
    (502, "0610"): Repeat.IF_IDEMPOTENT,
    **{(500, f"06{code}"): Repeat.IF_IDEMPOTENT for code in ("01", "05", "06", "08", "09", "11", "12")},
    (500, "0705"): Repeat.IF_IDEMPOTENT,
    **{(status, None): Repeat.IF_IDEMPOTENT for status in (502, 503, 504)},
}
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

FIRST_DELAY: Final = 0.5  # seconds; doubled with each attempt
MAX_DELAY: Final = 8.0
#: A `Retry-After` beyond this is not slept through: the caller decides what to do with so much time.
MAX_RETRY_AFTER: Final = 60.0


def repeat(error: MetaStudioError) -> Repeat:
    """Return whether what ended in `error` may be tried again."""
    if isinstance(error, APIConnectionError):
        return Repeat.ALWAYS if isinstance(error.__cause__, _NEVER_SENT) else Repeat.IF_IDEMPOTENT
    if isinstance(error, APIStatusError):
        code = error.gateway_code or error.error_code
        return _REPEATS.get((error.status_code, code), Repeat.NEVER)
    return Repeat.NEVER


def retry_after(error: MetaStudioError | None) -> float | None:
    """Return the seconds that `Retry-After` asks to wait, as a number or a date; None where it is neither.

    A date is held against the answer's own `Date`: our clock may be another.
    """
    if not isinstance(error, APIStatusError):
        return None
    value = error.headers.get("Retry-After", "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:9])
    until = http_date(error.headers, "Retry-After")
    now = http_date(error.headers, "Date") or datetime.now(UTC)
    return None if until is None else max(0.0, (until - now).total_seconds())


@attrs.define(kw_only=True, eq=False, repr=False)
class Attempts:
    """One call with its retries: asked after each failure how long to wait before the next attempt.

    Attributes:
        max_retries: How many attempts may follow the first.
        total_timeout: Seconds for all of them.
        made: How many attempts have failed.
        response: The last attempt's 2xx response, once there is one.
    """

    max_retries: int
    total_timeout: float
    clock: Callable[[], float] = monotonic
    random: Callable[[], float] = random_numbers.random
    made: int = 0
    response: httpx.Response | None = None
    _started: float = attrs.field(init=False)
    _token: "Token[Attempts | None] | None" = attrs.field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._started = self.clock()

    def seconds_left(self) -> float:
        """Return how much of `total_timeout` is left."""
        return self._started + self.total_timeout - self.clock()

    def hand_over(self) -> None:
        """Let the next request of this thread or task be one of this call: generated code in between hands none on."""
        self._token = _handed_over.set(self)

    def take_back(self) -> None:
        """Undo `hand_over`, unless that was done."""
        if self._token is not None:
            _handed_over.reset(self._token)
            self._token = None

    def delay(self, error: MetaStudioError, *, idempotent: bool = True) -> float:
        """Return the seconds to wait before the next attempt.

        Raises:
            MetaStudioError: `error` itself, if there is to be no other attempt.
        """
        self.made += 1
        may = repeat(error)
        if self.made > self.max_retries or may is Repeat.NEVER or (may is Repeat.IF_IDEMPOTENT and not idempotent):
            raise error
        asked = retry_after(error)
        # Full jitter: clients that failed together do not come back together.
        delay = self.random() * min(MAX_DELAY, FIRST_DELAY * 2 ** min(self.made - 1, 20)) if asked is None else asked
        if delay > MAX_RETRY_AFTER or delay >= self.seconds_left():
            raise error
        log.warning("Attempt %d failed, the next one follows in %.2f s: %s", self.made, delay, error)
        return delay


_handed_over: Final[ContextVar[Attempts | None]] = ContextVar("handed_over", default=None)
#: The call whose request this thread is sending, for what httpx calls on the way.
sending: Final[ContextVar[Attempts | None]] = ContextVar("sending", default=None)


def taken_over() -> Attempts | None:
    """Return the call that the request to be sent now belongs to.

    From then on the context no longer has it: timers keep their context for a while, and with it all that is in it.
    """
    if (call := _handed_over.get()) is not None:
        call.take_back()
    return call
