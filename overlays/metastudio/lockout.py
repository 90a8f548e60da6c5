"""Keeps this process from getting an access key locked.

More than five failed authentications in a row lock a key for five minutes (Huawei Cloud's API Gateway), and 32
requests that start at once with a wrong key are enough. So, for each key and endpoint: until one request has got in,
one goes ahead and the others wait for what becomes of it; after three refusals in a row, none goes out for five
minutes. The count is this process's own: it knows nothing of other processes with the same key.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import lru_cache
from time import monotonic
from typing import Final

import attrs

from .credentials import Credentials
from .errors import AuthenticationError

MAX_REFUSALS: Final = 3
LOCK_SECONDS: Final = 300.0

#: What became of the request that went ahead: refused with this error, or None for anything else.
Outcome = Future[AuthenticationError | None]


class Lockout:
    """The state of one key on one endpoint. Threads and event loops share it."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._proven = False
        self._ahead: Outcome | None = None
        self._who: object = None
        self._refusals = 0
        self._refusal: AuthenticationError | None = None
        self._shut_until = 0.0

    def enter(self, who: object, now: Callable[[], float] = monotonic) -> Outcome | None:
        """Return None to a request that may go, or what it has to wait for before it asks again.

        Args:
            who: The request, or whatever else tells it from others.
            now: The clock.

        Raises:
            AuthenticationError: The key was refused three times in a row; nothing may go out now.
        """
        if self._proven:
            return None
        with self._mutex:
            left = self._shut_until - now()
            if self._refusal is not None and left > 0:
                raise attrs.evolve(
                    self._refusal,
                    hint=f"Not sent: this key was refused {self._refusals} times in a row, and more than five refusals "
                    f"lock it. Calls go out again in {left:.0f} s, or at once with other credentials",
                )
            if self._ahead is not None:
                return self._ahead
            self._ahead, self._who = Future(), who
            return None

    def accepted(self) -> None:
        """Note that a request got in."""
        if not self._proven:
            with self._mutex:
                self._proven, self._refusals, self._refusal, self._shut_until = True, 0, None, 0.0
                self._release(None)

    def refused(self, error: AuthenticationError, now: Callable[[], float] = monotonic) -> None:
        """Note that a request was refused: from here on, again only one goes ahead at a time."""
        with self._mutex:
            self._proven, self._refusal = False, error
            self._refusals += 1
            if self._refusals >= MAX_REFUSALS:
                self._shut_until = now() + LOCK_SECONDS
            self._release(error)

    def left(self, who: object) -> None:
        """Let the next one go ahead, where `who` went ahead and it is not known what became of it."""
        with self._mutex:
            if self._who is who:
                self._release(None)

    def _release(self, refusal: AuthenticationError | None) -> None:
        if self._ahead is not None:
            self._ahead.set_result(refusal)
            self._ahead = self._who = None


_registry_mutex: Final = threading.Lock()


def of(credentials: Credentials, endpoint: bytes) -> Lockout:
    """Return the one state that this process keeps of a key on an endpoint."""
    with _registry_mutex:  # two threads that ask for a new one at the same time get the same
        return _registry(credentials, endpoint)


@lru_cache(maxsize=1024)
def _registry(*_key: object) -> Lockout:
    return Lockout()
