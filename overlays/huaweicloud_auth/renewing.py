"""A value that renews itself, such as temporary credentials, a token or a project ID.

All threads and tasks share one fetch at a time. It runs in a separate thread, so that it blocks no event loop, and
starts when 15 minutes or a third of the lifetime is left, whichever is less. The old value is used until the fetch
succeeds, but at most until 60 seconds before it expires.
"""

import os
import threading
import weakref
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextvars import copy_context
from datetime import UTC, datetime
from functools import partial
from logging import WARNING
from math import inf
from time import monotonic
from typing import Any, Final, Generic, NamedTuple, TypeVar, cast

from .credentials import call_source
from .errors import CredentialsError, HuaweiCloudError, failed_again
from .flow import Wait, wait_for
from .log import log, write

T = TypeVar("T")

#: Seconds before expiry at which a value is renewed, unless a third of its lifetime is less.
MARGIN: Final = 900.0
#: Seconds before expiry from which a value is no longer used.
LAST_SECONDS: Final = 60.0
#: Seconds from a failed fetch to the next one, while the old value is used.
PAUSE: Final = 10.0
#: Seconds to wait for a fetch at most.
PATIENCE: Final = 120.0


class RejectedError(CredentialsError):
    """The source rejected the credentials. The fetch is not repeated."""


class _Fetched(NamedTuple):
    value: Any
    error: BaseException | None


class Renewing(Generic[T]):
    """A value from a source, renewed before it expires. Calling it returns the value, and blocks during a fetch.

    Args:
        fetch: Returns the value, whose attribute `expires_at`, if any, is a datetime with a time zone or None.
        name: The name of the value in errors and logs.
        keeps: Whether a value that does not expire is kept. If not, `fetch` is a function of the user: it
            runs in the calling thread the first time, and every time if the value does not expire.
        now: A monotonic clock, in seconds.
        wall: The clock for `expires_at`.
    """

    def __init__(
        self,
        fetch: Callable[[], T],
        name: str,
        *,
        keeps: bool = True,
        now: Callable[[], float] = monotonic,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._fetch, self._name, self._keeps, self._now, self._wall = fetch, name, keeps, now, wall
        self._mutex, self._first = threading.Lock(), threading.RLock()
        self._value: T | None = None
        self._refused: T | None = None
        self._renew_at = self._ends_at = -inf
        self._fetching: Future[_Fetched] | None = None
        self._began_at = -inf
        self._final: BaseException | None = None
        _all.add(self)

    def __call__(self) -> T:
        """Return the value, or raise what `steps` raises."""
        return wait_for(self.steps())

    def known(self) -> T | None:
        """Return the value if it was fetched, even if it has expired."""
        return self._value

    def steps(self, patience: float = PATIENCE) -> Generator[Wait, Any, T]:
        """Return the value. During a fetch, yield a `Wait` of at most `patience` seconds.

        Raises:
            CredentialsError: The source failed, or did not respond in time.
        """
        if not self._keeps and (called := self._called_here()) is not None:
            return called
        with self._mutex:
            value, now = self._value, self._now()
            is_usable = value is not None and value is not self._refused and now < self._ends_at - LAST_SECONDS
            fetching = self._begin() if now >= self._renew_at or not is_usable else None
        if is_usable or fetching is None:
            return cast("T", value)
        return (yield from self._waited(fetching, patience))

    def renewed(self, used: T, patience: float = PATIENCE) -> Generator[Wait, Any, T | None]:
        """Return a value other than `used`, which was refused, or None if the source has no other."""
        try:
            if not self._keeps and self._ends_at == inf:
                value = self._called()
            else:
                with self._mutex:
                    fetching = None
                    if self._value is used:
                        self._refused, fetching = used, self._begin()
                value = cast("T", self._value) if fetching is None else (yield from self._waited(fetching, patience))
        except HuaweiCloudError:  # the refusal is more useful
            return None
        return None if value == used else value

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the source, without the value."""
        return partial(Renewing, keeps=self._keeps), (self._fetch, self._name)

    def _called_here(self) -> T | None:
        """Call the source in this thread if it has to be called, else return None."""
        if self._value is None:
            with self._first:
                if self._value is None:
                    return self._called()
        return self._called() if self._ends_at == inf else None

    def _called(self) -> T:
        value = call_source(self._name, self._fetch)
        life = self._life(value)
        with self._mutex:
            self._take(value, life)
        return value

    def _waited(self, fetching: "Future[_Fetched]", patience: float) -> Generator[Wait, Any, T]:
        fetched: _Fetched | None = yield Wait(fetching, patience)
        if fetched is None:
            raise CredentialsError(f"the source of the {self._name} did not respond within {patience:.0f} s")
        if fetched.error is not None:
            raise failed_again(self._name, fetched.error)
        return cast("T", fetched.value)

    def _begin(self) -> "Future[_Fetched]":
        """Return the running fetch, or start one; a fetch that hangs is abandoned."""
        if self._fetching is not None and self._now() - self._began_at < PATIENCE:
            return self._fetching
        begun: Future[_Fetched] = Future()
        if self._final is not None:
            begun.set_result(_Fetched(None, self._final))
            return begun
        run = copy_context().run
        try:
            threading.Thread(target=run, args=(self._run, begun), name="huaweicloud-auth", daemon=True).start()
        except RuntimeError as error:  # for example at interpreter shutdown
            begun.set_result(_Fetched(None, CredentialsError(f"the {self._name} cannot be fetched: {error}")))
            return begun
        self._fetching, self._began_at = begun, self._now()  # it cannot have finished: that takes the mutex
        return begun

    def _run(self, begun: "Future[_Fetched]") -> None:
        life = inf
        try:
            fetched = _Fetched(call_source(self._name, self._fetch), None)
            life = self._life(fetched.value)
        except BaseException as error:  # noqa: BLE001  # raised again for each waiter
            fetched = _Fetched(None, error.with_traceback(None))  # the locals in a traceback may be secret
        with self._mutex:
            self._fetching = None if self._fetching is begun else self._fetching
            self._refused = None
            if fetched.error is None:
                self._take(fetched.value, life)
            else:
                self._renew_at = self._now() + PAUSE
                self._final = fetched.error if isinstance(fetched.error, RejectedError) else None
        begun.set_result(fetched)
        if fetched.error is not None and self._value is not None:
            write(log, WARNING, "The %s could not be renewed: %s", self._name, fetched.error)

    def _life(self, value: T) -> float:
        ends = getattr(value, "expires_at", None)
        return inf if ends is None else (ends - self._wall()).total_seconds()

    def _take(self, value: T, life: float) -> None:
        self._value = value
        self._ends_at = self._now() + life
        self._renew_at = self._ends_at - min(MARGIN, life / 3)


_all: Final[weakref.WeakSet[Renewing[Any]]] = weakref.WeakSet()


def _after_fork() -> None:
    """Forget the parent's fetches, which never end in the child."""
    for each in list(_all):
        each._mutex, each._first, each._fetching = threading.Lock(), threading.RLock(), None  # noqa: SLF001  # ours


os.register_at_fork(after_in_child=_after_fork)
