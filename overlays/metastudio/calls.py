"""One call: its attempts within its deadline, for both loops."""

import asyncio
import random as random_numbers
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol, Self, TypeVar, cast

import attrs
import httpx

from metastudio_client import Client

from . import validation
from .errors import MetaStudioError, validation_error
from .log import log
from .retries import FIRST_DELAY, MAX_DELAY, MAX_RETRY_AFTER, Repeat, repeat, retry_after

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_IDEMPOTENT: Final = {"get", "head", "put", "delete"}
_MISSHAPEN: Final = (AttributeError, KeyError, TypeError, ValueError)  # what generated code raises


class Operation(Protocol[T_co]):
    """A generated function whose arguments are given, but for its client."""

    def __call__(self, *, client: Client) -> T_co:
        """Send the request with `client`."""


@attrs.define(kw_only=True, eq=False, repr=False)
class Call:
    """A call: asked after each failed attempt how long to wait before the next one.

    Attributes:
        max_retries: How many attempts may follow the first.
        total_timeout: Seconds for all of them.
        repeatable: Whether it may be executed twice. A GET, PUT or DELETE may in any case.
        made: How many attempts have failed.
    """

    max_retries: int
    total_timeout: float
    clock: Callable[[], float]
    repeatable: bool = False
    random: Callable[[], float] = random_numbers.random
    made: int = 0
    _started: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._started = self.clock()

    def seconds_left(self) -> float:
        """Return what is left of `total_timeout`."""
        return self._started + self.total_timeout - self.clock()

    def limits(self, timeout: httpx.Timeout) -> dict[str, Any]:
        """Return what httpx is told of the next attempt: no phase of it takes longer than what is left for the call."""
        left = max(self.seconds_left(), 0.001)
        phases = {phase: left if limit is None else min(limit, left) for phase, limit in timeout.as_dict().items()}
        return {
            "timeout": httpx.Timeout(**phases),
            "extensions": {"attempt": self.made + 1, "seconds_left": self.seconds_left},
        }

    def delay(self, error: MetaStudioError, method: str) -> float:
        """Return the seconds to wait before the next attempt.

        Raises:
            MetaStudioError: `error` itself, if no other attempt follows.
        """
        self.made += 1
        may = repeat(error)
        repeatable = self.repeatable or method in _IDEMPOTENT
        if self.made > self.max_retries or may is Repeat.NEVER or (may is Repeat.IF_IDEMPOTENT and not repeatable):
            raise error
        asked = retry_after(error)
        # Full jitter: clients that failed together do not come back together.
        delay = self.random() * min(MAX_DELAY, FIRST_DELAY * 2 ** min(self.made - 1, 20)) if asked is None else asked
        if delay > MAX_RETRY_AFTER or delay >= self.seconds_left():
            raise error
        log.warning("Attempt %d failed, the next one follows in %.2f s: %s", self.made, delay, error)
        return delay


class _Attempt:
    """What a generated function has for its client in one attempt; it adds the call's limits to the request.

    As a context manager it keeps what generated code raises on a wrong shape, for `outcome`.
    """

    def __init__(self, call: Call) -> None:
        self._call = call
        self._response: httpx.Response | None = None
        self._misshapen: BaseException | None = None
        self.method = ""
        self.result: object = None
        self.client = cast("Client", self)  # it has all that generated functions use

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if self._response is None or isinstance(error, MetaStudioError) or not isinstance(error, _MISSHAPEN):
            return False
        self._misshapen = error
        return True

    def outcome(self, returns: type[T]) -> T:
        """Return the result, if the contract promises a `returns`; where it promises no content, any 2xx is good.

        Raises:
            APIResponseValidationError: It is something else.
        """
        if returns is type(None):
            return None
        state = getattr(self.result, "state", None)  # of an open enum, which the generator lets anything into
        if isinstance(self.result, returns) and (state is None or isinstance(state, str)):
            return self.result
        if self._response is None:  # no generated function
            raise TypeError(f"{type(self.result).__name__} is not a {returns.__name__}")
        raise validation_error(
            self._response, "the response does not have the shape of the contract"
        ) from self._misshapen


class _SyncAttempt(_Attempt):
    def __init__(self, http: httpx.Client, call: Call) -> None:
        super().__init__(call)
        self._http = http

    def get_httpx_client(self) -> Self:
        return self

    def request(self, method: str, **options: Any) -> httpx.Response:
        self.method = method
        self._response = self._http.request(method, **options, **self._call.limits(self._http.timeout))
        return self._response


class _AsyncAttempt(_Attempt):
    def __init__(self, http: httpx.AsyncClient, call: Call) -> None:
        super().__init__(call)
        self._http = http

    def get_async_httpx_client(self) -> Self:
        return self

    async def request(self, method: str, **options: Any) -> httpx.Response:
        self.method = method
        self._response = await self._http.request(method, **options, **self._call.limits(self._http.timeout))
        return self._response


@attrs.frozen
class Limits:
    """What bounds the calls of a client: `max_retries` follow the first attempt, within `total_timeout` seconds."""

    max_retries: int
    total_timeout: float


class _Caller:
    """What both loops share: a new call, with the client's limits where no others are given."""

    clock: Callable[[], float]

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def new(
        self, max_retries: int | None = None, total_timeout: float | None = None, *, repeatable: bool = False
    ) -> Call:
        """Return a new call.

        Args:
            max_retries: Instead of the client's.
            total_timeout: Instead of the client's.
            repeatable: Whether the operation may be executed twice although it is a POST.
        """
        retries = self._limits.max_retries if max_retries is None else validation.count("max_retries", max_retries)
        total = (
            self._limits.total_timeout if total_timeout is None else validation.number("total_timeout", total_timeout)
        )
        return Call(max_retries=retries, total_timeout=total, clock=self.clock, repeatable=repeatable)

    def within(self, seconds: float, max_retries: int | None = None) -> Call:
        """Return a new call that takes no longer than `seconds`."""
        return self.new(max_retries, max(0.001, min(self._limits.total_timeout, seconds)))


class Caller(_Caller):
    """Runs the calls of `MetaStudio`."""

    clock: Callable[[], float] = staticmethod(time.monotonic)
    sleep: Callable[[float], None] = staticmethod(time.sleep)

    def __init__(self, http: httpx.Client, limits: Limits) -> None:
        super().__init__(limits)
        self._http = http

    def run(self, operation: Operation[object], returns: type[T], call: Call) -> T:
        """Run `operation` until it returns a `returns` (`NoneType`: no content), or `call` has no attempt left."""
        while True:
            attempt = _SyncAttempt(self._http, call)
            try:
                with attempt:
                    attempt.result = operation(client=attempt.client)
                return attempt.outcome(returns)
            except MetaStudioError as error:
                delay = call.delay(error, attempt.method)
            self.sleep(delay)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


class AsyncCaller(_Caller):
    """Runs the calls of `AsyncMetaStudio`. Time is the event loop's."""

    clock: Callable[[], float] = staticmethod(_loop_time)
    sleep: Callable[[float], Awaitable[None]] = staticmethod(asyncio.sleep)

    def __init__(self, http: httpx.AsyncClient, limits: Limits) -> None:
        super().__init__(limits)
        self._http = http

    async def run(self, operation: Operation[Awaitable[object]], returns: type[T], call: Call) -> T:
        """Run `operation`; as `Caller.run`."""
        while True:
            attempt = _AsyncAttempt(self._http, call)
            try:
                with attempt:
                    attempt.result = await operation(client=attempt.client)
                return attempt.outcome(returns)
            except MetaStudioError as error:
                delay = call.delay(error, attempt.method)
            await self.sleep(delay)
