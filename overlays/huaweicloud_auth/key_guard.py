"""Keep this process from getting an access key locked.

Huawei Cloud's API Gateway locks a key for five minutes after more than five failed authentications in a row. To stay
below that, each process limits its requests with a key pair, to all endpoints together:

- Until a response proves the key valid, three requests may be in flight; after a refusal, one.
- After three refusals in a row, nothing is sent for five minutes. Refusals whose cause was fixed do not count here.
- The same holds after five refusals in a row of an access key, with any secret key and for any cause. Requests that
  were abandoned before their response count too.
- When a request is refused, those that are not written yet are not sent.
- A burst with a proven key starts with five requests, since the key may have been disabled, and doubles each time half
  of them are accepted. No request waits longer than two seconds for this.
- If the clock is set, the key must be proven again.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import Final, TypeAlias

import attrs
import httpx

from . import refusals
from .tally import Tally

MAX_REFUSALS: Final = 3
#: Including refusals whose cause was fixed, and requests that may have been refused. A sixth locks the key.
LAST_REFUSAL: Final = 5
#: Seconds by which the wall clock may jump against the monotonic one. Beyond that, signatures may be refused.
MAX_JUMP: Final = 300.0
UNPROVEN_AT_ONCE: Final = 3
LOCK_SECONDS: Final = 300.0
#: Seconds that a request with a proven key waits at most: a refusal would have arrived by then.
HELD_SECONDS: Final = 2.0
#: Seconds after which the next burst starts slowly again.
_IDLE_SECONDS: Final = 1.0
#: Resolved at the next change: with the refusal that waiting requests fail with, or None.
Change: TypeAlias = Future[httpx.Response | None]


@attrs.define(eq=False)
class _InFlight:
    loop: asyncio.AbstractEventLoop | None
    sent_at: float | None = None


@attrs.define(eq=False, repr=False)
class KeyGuard:
    """The state of one key pair, shared by threads and event loops.

    Attributes:
        tally: The counts of the access key.
        refused_so_far: The number of refusals. It only grows.
        is_proven: Whether the key is considered valid.
    """

    now: Callable[[], float] = monotonic
    tally: Tally = attrs.field(factory=Tally)
    refused_so_far: int = 0
    is_proven: bool = False
    _suspect: bool = False
    _skew: float | None = None
    _refusals: int = 0
    _fixed: int = 0
    _refusal: httpx.Response | None = None
    _shut_until: float = 0.0
    _window: int = LAST_REFUSAL
    _grown_at: float = 0.0
    _is_waited_for: bool = False
    _in_flight: dict[object, _InFlight] = attrs.field(factory=dict)
    _change: Change = attrs.field(factory=Future)

    def enter(self, request: httpx.Request, wall: float | None = None, waited: float = 0.0) -> Change | None:
        """Admit a request and return None, or return what it has to wait for before it enters again.

        `wall` is the time that it will be signed with, and `waited` the time that it has waited, in seconds.

        Raises:
            KeyRefused: The key was refused too many times in a row; nothing may be sent now.
            httpx.PoolTimeout: Nothing may be sent either, since requests ended without a response.
        """
        with self.tally.mutex:
            now = self.now()
            self._notice(None if wall is None else wall - now)
            if not self.is_proven:
                self._stay_shut(request, now)
            if not self._in_flight and now - self._grown_at > _IDLE_SECONDS:
                self._window = LAST_REFUSAL
            if self._is_full() and not (self.is_proven and waited >= HELD_SECONDS):
                self._is_waited_for = True
                return self._change
            self._in_flight[id(request)] = _InFlight(asyncio._get_running_loop())  # noqa: SLF001  # in its __all__
        return None

    def succeed(self, before: "KeyGuard") -> None:
        """Consider the key valid if the previous one of the same source was."""
        with self.tally.mutex:
            self.is_proven = self.is_proven or (before.is_proven and not self.tally.count)

    def not_fixed(self) -> None:
        """Note that the cause of a refusal was not fixed after all; waiting requests fail with it."""
        with self.tally.mutex:
            self._fixed -= self._fixed > 0
            self._shut()
            self._announce(self._refusal)

    def _is_full(self) -> bool:
        self._forget_closed_loops()
        return len(self._in_flight) >= self._room()

    def _room(self) -> int:
        """Return how many requests may be in flight."""
        if self.is_proven and not self.tally.count:
            return self._window
        at_once = 1 if self._refusals or self._suspect else UNPROVEN_AT_ONCE
        return min(LAST_REFUSAL if self.is_proven else at_once, max(1, LAST_REFUSAL - self.tally.count))

    def _notice(self, skew: float | None) -> None:
        """Consider the key unproven if the clock was set."""
        if skew is not None and self._skew is not None and abs(skew - self._skew) > MAX_JUMP:
            self.is_proven, self._suspect = False, True
        self._skew = skew

    def _stay_shut(self, request: httpx.Request, now: float) -> None:
        left = max(self._shut_until, self.tally.shut_until) - now
        if left > 0:
            raise refusals.shut(request, self._refusal, self._refusals or self.tally.count, left)

    def _forget_closed_loops(self) -> None:
        """Count the requests of closed event loops as abandoned: their end is never reported."""
        for who in [who for who, each in self._in_flight.items() if each.loop and each.loop.is_closed()]:
            self._ended(self._in_flight.pop(who))

    def _ended(self, in_flight: _InFlight) -> None:
        """Count an abandoned request, unless the key was valid and a refusal would have arrived in the meantime."""
        was_valid, sent_at = self.is_proven or self._suspect, in_flight.sent_at
        if sent_at is None or (was_valid and self.now() - sent_at >= HELD_SECONDS):
            return
        if self.is_proven and self.tally.count + 1 >= LAST_REFUSAL - 1:
            self.tally.count, self.is_proven, self._suspect = LAST_REFUSAL - 1, False, True  # one more may be sent
        else:
            self.tally.count += 1
            self._shut()

    def _shut(self) -> None:
        if self._refusals - self._fixed >= MAX_REFUSALS:
            self._shut_until = self.now() + LOCK_SECONDS
        if self.tally.count >= LAST_REFUSAL:
            self.tally.shut_until, self.is_proven = self.now() + LOCK_SECONDS, False

    def sending(self, who: int, method: str, url: httpx.URL, refused_so_far: int) -> None:
        """Note that a request is about to be written. Raise like `enter` if another was refused since it entered."""
        with self.tally.mutex:
            if self.refused_so_far != refused_so_far and not self.is_proven and self._refusal is not None:
                was_fixed = self._refusals == self._fixed
                raise refusals.before(httpx.Request(method, url), None if was_fixed else self._refusal)
            if in_flight := self._in_flight.get(who):
                in_flight.sent_at = self.now()

    def accepted(self, request: httpx.Request) -> None:
        """Note a response that is not a refusal."""
        with self.tally.mutex:
            self._in_flight.pop(id(request), None)
            self.tally.count, self.tally.shut_until = 0, 0.0
            if not self.is_proven:
                self.is_proven, self._suspect, self._refusal, self._shut_until = True, False, None, 0.0
                self._refusals = self._fixed = 0
                self._announce(None)
            elif self._is_half_empty():
                self._window, self._grown_at = 2 * self._window, self.now()
                self._announce(None)

    def _is_half_empty(self) -> bool:
        return self._is_waited_for and len(self._in_flight) <= self._window // 2

    def refused(self, request: httpx.Request, response: httpx.Response, *, fixed: bool) -> None:
        """Note a refusal. Unless its cause was fixed (such as a wrong clock), waiting requests fail with it."""
        with self.tally.mutex:
            self._in_flight.pop(id(request), None)
            self.is_proven, self._refusal = False, refusals.without_request(response)
            self._refusals += 1
            self.tally.count += 1
            self.refused_so_far += 1
            self._fixed += fixed
            self._shut()
            self._announce(None if fixed else self._refusal)

    def left(self, request: httpx.Request) -> None:
        """Note that a request has ended, with or without a response."""
        with self.tally.mutex:
            if in_flight := self._in_flight.pop(id(request), None):
                self._ended(in_flight)
                if not self.is_proven or self._is_half_empty():
                    self._announce(None)

    def _announce(self, refusal: httpx.Response | None) -> None:
        change, self._change, self._is_waited_for = self._change, Future(), False
        change.set_result(refusal)
