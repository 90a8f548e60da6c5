"""One attempt of a call, and the call: how many attempts it has, and until when."""

import random as random_numbers
from collections.abc import Awaitable, Callable
from typing import Any, Final, Self, TypeAlias, TypeVar, cast

import attrs
import httpx

from metastudio_client import Client

from .errors import MetaStudioError, RateLimitError, validation_error
from .log import log
from .pace import Pace
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
        pace: It is told how each attempt ended, and repeats keep to it.
        made: How many attempts have failed.
    """

    max_retries: int
    total_timeout: float
    clock: Callable[[], float]
    repeatable: bool = False
    pace: Pace | None = None
    random: Callable[[], float] = random_numbers.random
    made: int = 0
    _started: float = attrs.field(init=False)
    _sent: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._started = self._sent = self.clock()

    def turn(self) -> float:
        """Take a place in the pace, if there is one; return the seconds until it. The deadline counts from then."""
        pause = self.pace.go(self.clock()) if self.pace else 0.0
        self._started += pause
        return pause

    def seconds_left(self) -> float:
        """Return what is left of `total_timeout`."""
        return self._started + self.total_timeout - self.clock()

    def limits(self, timeout: httpx.Timeout) -> dict[str, Any]:
        """Return what httpx is told of the next attempt: no phase of it takes longer than what is left for the call."""
        left, self._sent = max(self.seconds_left(), 0.001), self.clock()
        phases = {phase: left if limit is None else min(limit, left) for phase, limit in timeout.as_dict().items()}
        extensions = {"attempt": self.made + 1, "seconds_left": self.seconds_left}
        return {"timeout": httpx.Timeout(**phases), "extensions": extensions}

    def delay(self, error: MetaStudioError, method: str) -> float:
        """Return the seconds to wait before the next attempt.

        Raises:
            MetaStudioError: `error` itself, if no other attempt follows.
        """
        self.made += 1
        if self.pace and isinstance(error, RateLimitError):
            self.pace.throttled(self._sent, self.clock(), retry_after(error))
        if self.made > self.max_retries or not may_repeat(error, idempotent=self.repeatable or method != "post"):
            raise error
        asked = retry_after(error)
        delay = backoff(self.made, self.random()) if asked is None else asked
        if delay > MAX_RETRY_AFTER or delay >= self.seconds_left():
            raise error
        if self.pace:
            delay = max(delay, self.pace.go(self.clock()))
        log.warning("Attempt %d failed, the next one follows in %.2f s: %s", self.made, delay, error)
        return delay


class Attempt:
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
        """Return what generated functions send with."""
        return self

    get_async_httpx_client = get_httpx_client

    def request(self, method: str, **options: Any) -> Any:
        """Send a request, with the call's limits."""
        self.method = method
        response = self._http.request(method, **options, **self._call.limits(self._http.timeout))
        return self._keep(response) if isinstance(response, httpx.Response) else self._keep_later(response)

    def _keep(self, response: httpx.Response) -> httpx.Response:
        self._response = response
        if self._call.pace:
            self._call.pace.answered()
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
