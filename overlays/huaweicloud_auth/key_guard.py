"""Keeps this process from getting an access key locked.

More than five failed authentications in a row lock a key for five minutes (Huawei Cloud's API Gateway), and 32 requests
that start at once with a wrong key are enough. So, for each key pair and all endpoints together: until a response
shows that the key is good, three requests may be under way; after a refusal, one; and after three refusals in a row
none is sent for five minutes. A refusal whose cause was mended, a clock for example, is not one of the three. Five are
the last for an access key, with any secret key; requests that were given up before their response count too. What has
not been written when a refusal becomes known is not sent. A clock that was set makes a good key unproven again. A burst
with a good key starts slowly, since the key may have been disabled: five requests at first, then twice as many each
time that half of them were accepted. None is held for more than two seconds. The count is this process's own.
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
#: With those whose cause was mended, and those that may have been refused; a sixth locks the key.
LAST_REFUSAL: Final = 5
#: Seconds by which the wall clock may move against the monotonic one; from here on, signatures may be refused.
MAX_JUMP: Final = 300.0
UNPROVEN_AT_ONCE: Final = 3
LOCK_SECONDS: Final = 300.0
#: Seconds for which a request with a good key is held at most: by then, a refusal would be there.
HELD_SECONDS: Final = 2.0
#: Seconds after which the next burst starts slowly again.
_IDLE_SECONDS: Final = 1.0
#: Resolved at the next change: with the refusal that ends those who wait for it, or None.
Change: TypeAlias = Future[httpx.Response | None]


@attrs.define(eq=False)
class _UnderWay:
    loop: asyncio.AbstractEventLoop | None
    sent_at: float | None = None


@attrs.define(eq=False, repr=False)
class KeyGuard:
    """The state of one key pair, which threads and event loops share.

    Attributes:
        tally: What is counted for the access key.
        refused_so_far: How many refusals there were; it only grows.
        is_proven: Whether the key is taken for good.
    """

    now: Callable[[], float] = monotonic
    tally: Tally = attrs.field(factory=Tally)
    refused_so_far: int = 0
    is_proven: bool = False
    _suspect: bool = False
    _skew: float | None = None
    _refusals: int = 0
    _mended: int = 0
    _refusal: httpx.Response | None = None
    _shut_until: float = 0.0
    _window: int = LAST_REFUSAL
    _grown_at: float = 0.0
    _is_waited_for: bool = False
    _under_way: dict[object, _UnderWay] = attrs.field(factory=dict)
    _change: Change = attrs.field(factory=Future)

    def enter(self, request: httpx.Request, wall: float | None = None, waited: float = 0.0) -> Change | None:
        """Return None to a request that may be sent, or what it has to wait for before it enters again.

        Args:
            request: The request.
            wall: The time that it will be signed with, in seconds.
            waited: How long it has waited already, in seconds.

        Raises:
            KeyRefused: The key was refused too many times in a row; nothing may be sent now.
            httpx.PoolTimeout: The same, where nobody knows whether it was refused.
        """
        with self.tally.mutex:
            now = self.now()
            self._notice(None if wall is None else wall - now)
            if not self.is_proven:
                self._stay_shut(request, now)
            if not self._under_way and now - self._grown_at > _IDLE_SECONDS:
                self._window = LAST_REFUSAL
            if self._is_full() and not (self.is_proven and waited >= HELD_SECONDS):
                self._is_waited_for = True
                return self._change
            self._under_way[id(request)] = _UnderWay(asyncio._get_running_loop())  # noqa: SLF001  # in its __all__
        return None

    def succeed(self, before: "KeyGuard") -> None:
        """Take the key for good if the one before it was, of the same source."""
        with self.tally.mutex:
            self.is_proven = self.is_proven or (before.is_proven and not self.tally.count)

    def not_mended(self) -> None:
        """Note that the cause of a refusal could not be mended after all; those who wait are refused with it."""
        with self.tally.mutex:
            self._mended -= self._mended > 0
            self._shut()
            self._announce(self._refusal)

    def _is_full(self) -> bool:
        self._forget_closed_loops()
        return len(self._under_way) >= self._room()

    def _room(self) -> int:
        """Return how many requests may be under way."""
        if self.is_proven and not self.tally.count:
            return self._window
        at_once = 1 if self._refusals or self._suspect else UNPROVEN_AT_ONCE
        return min(LAST_REFUSAL if self.is_proven else at_once, max(1, LAST_REFUSAL - self.tally.count))

    def _notice(self, skew: float | None) -> None:
        """Take the key for unproven if the clock was set."""
        if skew is not None and self._skew is not None and abs(skew - self._skew) > MAX_JUMP:
            self.is_proven, self._suspect = False, True
        self._skew = skew

    def _stay_shut(self, request: httpx.Request, now: float) -> None:
        left = max(self._shut_until, self.tally.shut_until) - now
        if left > 0:
            raise refusals.shut(request, self._refusal, self._refusals or self.tally.count, left)

    def _forget_closed_loops(self) -> None:
        """Nobody will ever say how their requests ended."""
        for who in [who for who, each in self._under_way.items() if each.loop and each.loop.is_closed()]:
            self._ended(self._under_way.pop(who))

    def _ended(self, under_way: _UnderWay) -> None:
        """Count a request that was given up, unless the key was good and a refusal would have been there."""
        was_good, sent_at = self.is_proven or self._suspect, under_way.sent_at
        if sent_at is None or (was_good and self.now() - sent_at >= HELD_SECONDS):
            return
        if self.is_proven and self.tally.count + 1 >= LAST_REFUSAL - 1:
            self.tally.count, self.is_proven, self._suspect = LAST_REFUSAL - 1, False, True  # one more may go ahead
        else:
            self.tally.count += 1
            self._shut()

    def _shut(self) -> None:
        if self._refusals - self._mended >= MAX_REFUSALS:
            self._shut_until = self.now() + LOCK_SECONDS
        if self.tally.count >= LAST_REFUSAL:
            self.tally.shut_until, self.is_proven = self.now() + LOCK_SECONDS, False

    def sending(self, who: int, method: str, url: httpx.URL, refused_so_far: int) -> None:
        """Note that a request is about to be written; raise if one was refused since it entered (`enter` says what)."""
        with self.tally.mutex:
            if self.refused_so_far != refused_so_far and not self.is_proven and self._refusal is not None:
                was_mended = self._refusals == self._mended
                raise refusals.before(httpx.Request(method, url), None if was_mended else self._refusal)
            if under_way := self._under_way.get(who):
                under_way.sent_at = self.now()

    def accepted(self, request: httpx.Request) -> None:
        """Note a response that is not a refusal."""
        with self.tally.mutex:
            self._under_way.pop(id(request), None)
            self.tally.count, self.tally.shut_until = 0, 0.0
            if not self.is_proven:
                self.is_proven, self._suspect, self._refusal, self._shut_until = True, False, None, 0.0
                self._refusals = self._mended = 0
                self._announce(None)
            elif self._is_half_empty():
                self._window, self._grown_at = 2 * self._window, self.now()
                self._announce(None)

    def _is_half_empty(self) -> bool:
        return self._is_waited_for and len(self._under_way) <= self._window // 2

    def refused(self, request: httpx.Request, response: httpx.Response, *, mended: bool) -> None:
        """Note a refusal; unless its cause was mended, those who wait are refused with it."""
        with self.tally.mutex:
            self._under_way.pop(id(request), None)
            self.is_proven, self._refusal = False, refusals.without_request(response)
            self._refusals += 1
            self.tally.count += 1
            self.refused_so_far += 1
            self._mended += mended
            self._shut()
            self._announce(None if mended else self._refusal)

    def left(self, request: httpx.Request) -> None:
        """Note that a request has ended, however that was."""
        with self.tally.mutex:
            if under_way := self._under_way.pop(id(request), None):
                self._ended(under_way)
                if not self.is_proven or self._is_half_empty():
                    self._announce(None)

    def _announce(self, refusal: httpx.Response | None) -> None:
        change, self._change, self._is_waited_for = self._change, Future(), False
        change.set_result(refusal)
