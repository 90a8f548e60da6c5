"""Keeps this process from getting an access key locked.

More than five failed authentications in a row lock a key for five minutes (Huawei Cloud's API Gateway), and 32 requests
that start at once with a wrong key are enough. So, for each key and endpoint: until a response shows that the key is
good, three requests may be under way; after a refusal, one; and after three refusals in a row none is sent for five
minutes. A refusal whose cause was mended, a clock for example, is not one of the three; but in no case do more than
five in a row reach the endpoint. The count is this process's own: it knows nothing of others with the same key.
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
#: With those whose cause was mended; a sixth locks the key.
LAST_REFUSAL: Final = 5
UNPROVEN_AT_ONCE: Final = 3
LOCK_SECONDS: Final = 300.0
_REMEMBERED: Final = 1024

#: Resolved at the next change: with the refusal that ends those who wait for it, or None.
Change: TypeAlias = Future[httpx.Response | None]

_SHUT: Final = (
    "Not sent: this key was refused {refusals} times in a row, and more than five refusals lock it. "
    "Calls go out again in {left:.0f} s, or at once with other credentials"
)
_OF_THE_WIRE: Final = {"content-encoding", "content-length", "transfer-encoding"}


@attrs.define(eq=False, repr=False)
class KeyGuard:
    """The state of one key on one endpoint. Threads and event loops share it."""

    now: Callable[[], float] = monotonic
    _mutex: threading.Lock = attrs.field(factory=threading.Lock)
    _proven: bool = False
    _refusals: int = 0
    _mended: int = 0
    _refusal: httpx.Response | None = None
    _shut_until: float = 0.0
    _under_way: dict[object, asyncio.AbstractEventLoop | None] = attrs.field(factory=dict)
    _change: Change = attrs.field(factory=Future)

    def enter(self, request: httpx.Request) -> Change | None:
        """Return None to a request that may be sent, or what it has to wait for before it enters again.

        Raises:
            KeyRefused: The key was refused too many times in a row; nothing may be sent now.
        """
        if self._proven:
            return None
        with self._mutex:
            left = self._shut_until - self.now()
            if self._refusal is not None and left > 0:
                raise not_sent(_SHUT.format(refusals=self._refusals, left=left), request, self._refusal)
            # Nobody will ever say how the requests of a closed loop ended.
            self._under_way = {who: loop for who, loop in self._under_way.items() if not (loop and loop.is_closed())}
            if len(self._under_way) >= (1 if self._refusals else UNPROVEN_AT_ONCE):
                return self._change
            self._under_way[id(request)] = asyncio._get_running_loop()  # noqa: SLF001  # it is in asyncio's __all__
            return None

    def accepted(self) -> None:
        """Note a response that is not a refusal."""
        if self._proven:
            return
        with self._mutex:
            self._proven, self._refusals, self._mended, self._refusal, self._shut_until = True, 0, 0, None, 0.0
            self._under_way.clear()
            self._announce(None)

    def refused(self, response: httpx.Response, *, mended: bool) -> None:
        """Note a refusal; unless its cause was mended, those who wait are refused with it."""
        with self._mutex:
            self._proven, self._refusal = False, _without_request(response)
            self._refusals += 1
            self._mended += mended
            if self._refusals - self._mended >= MAX_REFUSALS or self._refusals >= LAST_REFUSAL:
                self._shut_until = self.now() + LOCK_SECONDS
            self._announce(None if mended else self._refusal)

    def left(self, request: httpx.Request) -> None:
        """Note that a request has ended, however that was."""
        with self._mutex:
            if id(request) in self._under_way:
                del self._under_way[id(request)]
                self._announce(None)

    def _announce(self, refusal: httpx.Response | None) -> None:
        change, self._change = self._change, Future()
        change.set_result(refusal)


def not_sent(reason: str, request: httpx.Request, refusal: httpx.Response) -> KeyRefused:
    """Return the error for a request that is not sent; it keeps no header of it."""
    return KeyRefused(reason, request=httpx.Request(request.method, request.url), response=refusal)


def _without_request(response: httpx.Response) -> httpx.Response:
    headers = [(name, value) for name, value in response.headers.items() if name not in _OF_THE_WIRE]
    return httpx.Response(response.status_code, headers=headers, content=response.content)


_guards: Final[dict[bytes, KeyGuard]] = {}
os.register_at_fork(after_in_child=_guards.clear)  # what the parent's threads have under way never ends here


def guard_of(credentials: Credentials, endpoint: bytes) -> KeyGuard:
    """Return the one guard that this process has of a key on an endpoint. It is kept by a hash, not by the key."""
    key = hashlib.sha256(b"\0".join((credentials.ak.encode(), credentials.sk.encode(), endpoint))).digest()
    while len(_guards) >= _REMEMBERED and key not in _guards:
        _guards.pop(next(iter(_guards)), None)
    return _guards.get(key) or _guards.setdefault(key, KeyGuard())
