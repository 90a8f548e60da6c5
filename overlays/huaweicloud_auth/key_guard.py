"""Keeps this process from getting an access key locked.

More than five failed authentications in a row lock a key for five minutes (Huawei Cloud's API Gateway), and 32 requests
that start at once with a wrong key are enough. So, for each key pair and all endpoints together: until a response
shows that the key is good, three requests may be under way; after a refusal, one; and after three refusals in a row
none is sent for five minutes. A refusal whose cause was mended, a clock for example, is not one of the three; nor is a
request that was given up before its response; but five in a row are the last. What has not been written when a refusal
becomes known is not sent. A clock that was set makes a good key unproven again.

The count is this process's own.
"""

import asyncio
import hashlib
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from time import monotonic
from typing import Final, TypeAlias

import attrs
import httpx

from .credentials import Credentials
from .errors import KeyRefused

MAX_REFUSALS: Final = 3
#: With those whose cause was mended, and those that may have been refused; a sixth locks the key.
LAST_REFUSAL: Final = 5
#: Seconds by which the wall clock may move against the monotonic one; from here on, signatures may be refused.
MAX_JUMP: Final = 300.0
UNPROVEN_AT_ONCE: Final = 3
LOCK_SECONDS: Final = 300.0
_REMEMBERED: Final = 1024

#: Resolved at the next change: with the refusal that ends those who wait for it, or None.
Change: TypeAlias = Future[httpx.Response | None]

_SHUT: Final = (
    "Not sent: this key was refused {refusals} times in a row, and more than five refusals lock it. "
    "Calls go out again in {left:.0f} s, or at once with other credentials"
)
_UNANSWERED: Final = (
    "not sent: {unknown} requests with this key ended without a response, and may have been refused; more than five "
    "refusals lock a key. Calls go out again in {left:.0f} s"
)
_REFUSED_BEFORE: Final = "Not sent: the request that went ahead with this key was refused, as this one would be"
_MENDED_BEFORE: Final = "not sent: it was signed before the cause of another one's refusal was mended"
_OF_THE_WIRE: Final = {b"content-encoding", b"content-length", b"transfer-encoding"}


@attrs.define(eq=False)
class _UnderWay:
    loop: asyncio.AbstractEventLoop | None
    is_sent: bool = False


@attrs.define(eq=False, repr=False)
class KeyGuard:
    """The state of one key pair. Threads and event loops share it.

    Attributes:
        refused_so_far: How many refusals there were; it only grows.
    """

    now: Callable[[], float] = monotonic
    refused_so_far: int = 0
    _mutex: threading.Lock = attrs.field(factory=threading.Lock)
    _proven: bool = False
    _suspect: bool = False
    _skew: float | None = None
    _refusals: int = 0
    _mended: int = 0
    _unknown: int = 0
    _refusal: httpx.Response | None = None
    _shut_until: float = 0.0
    _under_way: dict[object, _UnderWay] = attrs.field(factory=dict)
    _change: Change = attrs.field(factory=Future)

    def enter(self, request: httpx.Request, wall: float | None = None) -> Change | None:
        """Return None to a request that may be sent, or what it has to wait for before it enters again.

        Args:
            request: The request.
            wall: The time that it will be signed with, in seconds.

        Raises:
            KeyRefused: The key was refused too many times in a row; nothing may be sent now.
            httpx.PoolTimeout: The same, where nobody knows whether it was refused.
        """
        with self._mutex:
            self._notice(wall)
            if self._proven:
                return None
            self._stay_shut(request)
            self._forget_closed_loops()
            at_once = 1 if self._refusals or self._suspect else UNPROVEN_AT_ONCE
            if len(self._under_way) >= min(at_once, max(1, LAST_REFUSAL - self._refusals - self._unknown)):
                return self._change
            self._under_way[id(request)] = _UnderWay(asyncio._get_running_loop())  # noqa: SLF001  # in its __all__
            return None

    def _notice(self, wall: float | None) -> None:
        """Take the key for unproven if the clock was set."""
        skew = None if wall is None else wall - self.now()
        if skew is not None and self._skew is not None and abs(skew - self._skew) > MAX_JUMP:
            self._proven, self._suspect = False, True
        self._skew = skew

    def _stay_shut(self, request: httpx.Request) -> None:
        left = self._shut_until - self.now()
        if left <= 0:
            return
        if self._refusal is None:
            raise httpx.PoolTimeout(_UNANSWERED.format(unknown=self._unknown, left=left))
        raise not_sent(_SHUT.format(refusals=self._refusals, left=left), request, self._refusal)

    def _forget_closed_loops(self) -> None:
        """Nobody will ever say how their requests ended."""
        for who in [who for who, each in self._under_way.items() if each.loop and each.loop.is_closed()]:
            self._ended(self._under_way.pop(who))

    def _ended(self, under_way: _UnderWay) -> None:
        if under_way.is_sent:
            self._unknown += 1
            self._shut()

    def _shut(self) -> None:
        if self._refusals - self._mended >= MAX_REFUSALS or self._refusals + self._unknown >= LAST_REFUSAL:
            self._shut_until = self.now() + LOCK_SECONDS

    def sending(self, who: int, method: str, url: httpx.URL, refused_so_far: int, *, is_sent: bool = True) -> None:
        """Note that a request is about to be written; raise if one was refused since it entered (`enter` says what)."""
        with self._mutex:
            if self.refused_so_far != refused_so_far and not self._proven and self._refusal is not None:
                if self._refusals == self._mended:
                    raise httpx.PoolTimeout(_MENDED_BEFORE)
                raise refused_before(httpx.Request(method, url), self._refusal)
            if under_way := self._under_way.get(who):
                under_way.is_sent = is_sent

    def accepted(self) -> None:
        """Note a response that is not a refusal."""
        if self._proven:
            return
        with self._mutex:
            self._proven, self._suspect, self._refusal, self._shut_until = True, False, None, 0.0
            self._refusals = self._mended = self._unknown = 0
            self._under_way.clear()
            self._announce(None)

    def refused(self, request: httpx.Request, response: httpx.Response, *, mended: bool) -> None:
        """Note a refusal; unless its cause was mended, those who wait are refused with it."""
        with self._mutex:
            self._under_way.pop(id(request), None)
            self._proven, self._refusal = False, _without_request(response)
            self._refusals += 1
            self.refused_so_far += 1
            self._mended += mended
            self._shut()
            self._announce(None if mended else self._refusal)

    def left(self, request: httpx.Request) -> None:
        """Note that a request has ended, however that was."""
        with self._mutex:
            if id(request) in self._under_way:
                self._ended(self._under_way.pop(id(request)))
                self._announce(None)

    def _announce(self, refusal: httpx.Response | None) -> None:
        change, self._change = self._change, Future()
        change.set_result(refusal)


def not_sent(reason: str, request: httpx.Request, refusal: httpx.Response) -> KeyRefused:
    """Return the error for a request that is not sent; it keeps no header of it."""
    return KeyRefused(reason, request=httpx.Request(request.method, request.url), response=refusal)


def _without_request(response: httpx.Response) -> httpx.Response:
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _OF_THE_WIRE]
    return httpx.Response(response.status_code, headers=headers, content=response.content)


_guards: Final[dict[bytes, KeyGuard]] = {}
os.register_at_fork(after_in_child=_guards.clear)  # what the parent's threads have under way never ends here


def refused_before(request: httpx.Request, refusal: httpx.Response) -> KeyRefused:
    """Return the error for a request that waited for another one, which was refused."""
    return not_sent(_REFUSED_BEFORE, request, refusal)


def guard_of(credentials: Credentials) -> KeyGuard:
    """Return the one guard that this process has of a key pair. It is kept by a hash, not by the key."""
    key = hashlib.sha256(b"\0".join((credentials.ak.encode(), credentials.sk.encode()))).digest()
    while len(_guards) >= _REMEMBERED and key not in _guards:
        _guards.pop(next(iter(_guards)), None)
    return _guards.get(key) or _guards.setdefault(key, KeyGuard())
