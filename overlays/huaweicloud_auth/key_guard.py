"""Keeps this process from getting an access key locked.

More than five failed authentications in a row lock a key for five minutes (Huawei Cloud's API Gateway), and 32 requests
that start at once with a wrong key are enough. So, for each key pair and all endpoints together: until a response
shows that the key is good, three requests may be under way; after a refusal, one; and after three refusals in a row
none is sent for five minutes. A refusal whose cause was mended, a clock for example, is not one of the three; nor is a
request that was given up before its response; but five in a row are the last. What has not been written when a refusal
becomes known is not sent. A clock that was set makes a good key unproven again. With a good key a burst starts slowly,
since the key may have been disabled by now: five requests at first, and twice as many each time that half of them were
accepted; none is held for more than two seconds. The count is this process's own.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import Final, TypeAlias

import attrs
import httpx

from . import refusals

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
    is_sent: bool = False


@attrs.define(eq=False, repr=False)
class KeyGuard:
    """The state of one key pair. Threads and event loops share it.

    Attributes:
        refused_so_far: How many refusals there were; it only grows.
        is_proven: Whether the key is taken for good.
    """

    now: Callable[[], float] = monotonic
    refused_so_far: int = 0
    is_proven: bool = False
    _mutex: threading.Lock = attrs.field(factory=threading.Lock)
    _suspect: bool = False
    _skew: float | None = None
    _refusals: int = 0
    _mended: int = 0
    _unknown: int = 0
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
        with self._mutex:
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
        with self._mutex:
            self.is_proven = self.is_proven or (before.is_proven and not self._refusals and not self._unknown)

    def not_mended(self) -> None:
        """Note that the cause of a refusal could not be mended after all; those who wait are refused with it."""
        with self._mutex:
            self._mended -= self._mended > 0
            self._shut()
            self._announce(self._refusal)

    def _is_full(self) -> bool:
        if len(self._under_way) >= self._room():
            self._forget_closed_loops()
        return len(self._under_way) >= self._room()

    def _room(self) -> int:
        """Return how many requests may be under way."""
        if self.is_proven:
            return self._window
        at_once = 1 if self._refusals or self._suspect else UNPROVEN_AT_ONCE
        return min(at_once, max(1, LAST_REFUSAL - self._refusals - self._unknown))

    def _notice(self, skew: float | None) -> None:
        """Take the key for unproven if the clock was set."""
        if skew is not None and self._skew is not None and abs(skew - self._skew) > MAX_JUMP:
            self.is_proven, self._suspect = False, True
        self._skew = skew

    def _stay_shut(self, request: httpx.Request, now: float) -> None:
        left = self._shut_until - now
        if left > 0:
            raise refusals.shut(request, self._refusal, self._refusals or self._unknown, left)

    def _forget_closed_loops(self) -> None:
        """Nobody will ever say how their requests ended."""
        for who in [who for who, each in self._under_way.items() if each.loop and each.loop.is_closed()]:
            self._ended(self._under_way.pop(who))

    def _ended(self, under_way: _UnderWay) -> None:
        if under_way.is_sent and not self.is_proven:
            self._unknown += 1
            self._shut()

    def _shut(self) -> None:
        if self._refusals - self._mended >= MAX_REFUSALS or self._refusals + self._unknown >= LAST_REFUSAL:
            self._shut_until = self.now() + LOCK_SECONDS

    def sending(self, who: int, method: str, url: httpx.URL, refused_so_far: int) -> None:
        """Note that a request is about to be written; raise if one was refused since it entered (`enter` says what)."""
        with self._mutex:
            if self.refused_so_far != refused_so_far and not self.is_proven and self._refusal is not None:
                was_mended = self._refusals == self._mended
                raise refusals.before(httpx.Request(method, url), None if was_mended else self._refusal)
            if under_way := self._under_way.get(who):
                under_way.is_sent = True

    def accepted(self, request: httpx.Request) -> None:
        """Note a response that is not a refusal."""
        with self._mutex:
            self._under_way.pop(id(request), None)
            if not self.is_proven:
                self.is_proven, self._suspect, self._refusal, self._shut_until = True, False, None, 0.0
                self._refusals = self._mended = self._unknown = 0
                self._announce(None)
            elif self._is_half_empty():
                self._window, self._grown_at = 2 * self._window, self.now()
                self._announce(None)

    def _is_half_empty(self) -> bool:
        return self._is_waited_for and len(self._under_way) <= self._window // 2

    def refused(self, request: httpx.Request, response: httpx.Response, *, mended: bool) -> None:
        """Note a refusal; unless its cause was mended, those who wait are refused with it."""
        with self._mutex:
            self._under_way.pop(id(request), None)
            self.is_proven, self._refusal = False, refusals.without_request(response)
            self._refusals += 1
            self.refused_so_far += 1
            self._mended += mended
            self._shut()
            self._announce(None if mended else self._refusal)

    def left(self, request: httpx.Request) -> None:
        """Note that a request has ended, however that was."""
        with self._mutex:
            if under_way := self._under_way.pop(id(request), None):
                self._ended(under_way)
                if not self.is_proven or self._is_half_empty():
                    self._announce(None)

    def _announce(self, refusal: httpx.Response | None) -> None:
        change, self._change, self._is_waited_for = self._change, Future(), False
        change.set_result(refusal)
