"""One call: its attempts within its deadline, for both loops."""

import asyncio
import random as random_numbers
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final, Self, TypeAlias, TypeVar, cast

import attrs
import httpx

from metastudio_client import Client

from . import validation
from .errors import MetaStudioError, validation_error
from .log import log
from .retries import MAX_RETRY_AFTER, backoff, may_repeat, retry_after

T = TypeVar("T")

#: Says what is wrong with a result of the right type.
Wrong: TypeAlias = Callable[[T], str | None] | None

_MISSHAPEN: Final = (AttributeError, KeyError, TypeError, ValueError)  # what generated code raises


@attrs.define(kw_only=True, eq=False, repr=False)
class Call:
    """A call: asked after each failed attempt how long to wait before the next one.

    Attributes:
        max_retries: How many attempts may follow the first.
        total_timeout: Seconds for all of them.
        repeatable: Whether a POST may be executed twice; any other method may.
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
        extensions = {"attempt": self.made + 1, "seconds_left": self.seconds_left}
        return {"timeout": httpx.Timeout(**phases), "extensions": extensions}

    def delay(self, error: MetaStudioError, method: str) -> float:
        """Return the seconds to wait before the next attempt.

        Raises:
            MetaStudioError: `error` itself, if no other attempt follows.
        """
        self.made += 1
        if self.made > self.max_retries or not may_repeat(error, idempotent=self.repeatable or method != "post"):
            raise error
        asked = retry_after(error)
        delay = backoff(self.made, self.random()) if asked is None else asked
        if delay > MAX_RETRY_AFTER or delay >= self.seconds_left():
            raise error
        log.warning("Attempt %d failed, the next one follows in %.2f s: %s", self.made, delay, error)
        return delay


class _Attempt:
    """The client that a generated function gets for one attempt: it adds the call's limits to the request.

    As a context manager it keeps what generated code raises on a wrong shape, for `outcome`.
    """

    def __init__(self, http: httpx.Client | httpx.AsyncClient, call: Call) -> None:
        self._http, self._call = http, call
        self._response: httpx.Response | None = None
        self._misshapen: BaseException | None = None
        self.method = ""
        self.result: object = None
        self.client = cast("Client", self)  # it has all that generated functions use

    def get_httpx_client(self) -> Self:
        return self

    get_async_httpx_client = get_httpx_client

    def request(self, method: str, **options: Any) -> Any:
        self.method = method
        response = self._http.request(method, **options, **self._call.limits(self._http.timeout))
        return self._keep(response) if isinstance(response, httpx.Response) else self._keep_later(response)

    def _keep(self, response: httpx.Response) -> httpx.Response:
        self._response = response
        return response

    async def _keep_later(self, response: Awaitable[httpx.Response]) -> httpx.Response:
        return self._keep(await response)

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> bool:
        if self._response is None or isinstance(error, MetaStudioError) or not isinstance(error, _MISSHAPEN):
            return False
        self._misshapen = error
        return True

    def outcome(self, returns: type[T], wrong: Wrong[T]) -> T:
        """Return the result, if it is a `returns`; where the contract promises no content (`NoneType`), return None."""
        if returns is type(None):
            return None
        if isinstance(self.result, returns):
            reason = wrong(self.result) if wrong else None
            if reason is None:
                return self.result
        else:
            reason = "the response does not have the shape of the contract"
        raise validation_error(cast("httpx.Response", self._response), reason) from self._misshapen


@attrs.define(eq=False, repr=False)
class _Caller:
    """The limits of a client's calls; see `Call`."""

    max_retries: int
    total_timeout: float
    clock: Callable[[], float]

    def new(
        self, max_retries: int | None = None, total_timeout: float | None = None, *, repeatable: bool = False
    ) -> Call:
        """Return a new call, with the client's limits where no others are given."""
        retries = self.max_retries if max_retries is None else validation.count("max_retries", max_retries)
        total = self.total_timeout if total_timeout is None else validation.number("total_timeout", total_timeout)
        return Call(max_retries=retries, total_timeout=total, clock=self.clock, repeatable=repeatable)

    def within(self, seconds: float, max_retries: int | None = None) -> Call:
        """Return a new call that takes no longer than `seconds`."""
        return self.new(max_retries, max(0.001, min(self.total_timeout, seconds)))


@attrs.define(eq=False, repr=False)
class Caller(_Caller):
    """Runs the calls of `MetaStudio`."""

    http: httpx.Client
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def run(self, operation: Callable[..., object], returns: type[T], call: Call, wrong: Wrong[T] = None) -> T:
        """Run `operation` until it returns a `returns`, or until `call` has no attempt left.

        Args:
            operation: A generated function whose arguments are given, but for its client.
            returns: What the contract promises; `NoneType` where it promises no content.
            call: Its limits.
            wrong: What else to validate.
        """
        while True:
            attempt = _Attempt(self.http, call)
            try:
                with attempt:
                    attempt.result = operation(client=attempt.client)
                return attempt.outcome(returns, wrong)
            except MetaStudioError as error:
                delay = call.delay(error, attempt.method)
            self.sleep(delay)


@attrs.define(eq=False, repr=False)
class AsyncCaller(_Caller):
    """Runs the calls of `AsyncMetaStudio`. Time is the event loop's."""

    http: httpx.AsyncClient
    clock: Callable[[], float] = lambda: asyncio.get_running_loop().time()
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(
        self, operation: Callable[..., Awaitable[object]], returns: type[T], call: Call, wrong: Wrong[T] = None
    ) -> T:
        """Run `operation`; as `Caller.run`."""
        while True:
            attempt = _Attempt(self.http, call)
            try:
                with attempt:
                    attempt.result = await operation(client=attempt.client)
                return attempt.outcome(returns, wrong)
            except MetaStudioError as error:
                delay = call.delay(error, attempt.method)
            await self.sleep(delay)
