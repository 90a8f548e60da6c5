"""A call, which limits the number and the time of its attempts, and one attempt of it."""

import random as random_numbers
from collections.abc import Awaitable, Callable
from logging import WARNING
from typing import Any, Final, Self, TypeAlias, TypeVar, cast

import attrs
import httpx

from huaweicloud_auth.log import write
from metastudio_client import Client

from .errors import MetaStudioError, RateLimitError, validation_error
from .log import error_fields, log
from .pace import Pace
from .retries import MAX_RETRY_AFTER, backoff, may_repeat, retry_after

T = TypeVar("T")

#: Returns what is wrong with a result of the right type, or None.
Wrong: TypeAlias = Callable[[T], str | None] | None

_MISSHAPEN: Final = (AttributeError, KeyError, TypeError, ValueError)  # what generated code raises on a wrong shape


@attrs.define(kw_only=True, eq=False, repr=False)
class Call:
    """The limits and the state of a call, which decide whether and when a failed attempt is retried.

    Attributes:
        max_retries: How many attempts may follow the first.
        total_timeout: Seconds for all attempts.
        repeatable: Whether a POST may be executed twice. Any other method may.
        pace: Receives the result of each attempt, and schedules the retries.
        made: The number of failed attempts.
        about: What log records say about the call.
    """

    max_retries: int
    total_timeout: float
    clock: Callable[[], float]
    repeatable: bool = False
    pace: Pace | None = None
    random: Callable[[], float] = random_numbers.random
    made: int = 0
    about: dict[str, Any] = attrs.field(factory=dict)
    _started: float = attrs.field(init=False)
    _sent: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._started = self._sent = self.clock()

    def turn(self) -> float:
        """Reserve a slot of the pace, if there is one; return the seconds until it. The deadline counts from then."""
        pause = self.pace.go(self.clock()) if self.pace else 0.0
        self._started += pause
        return pause

    def seconds_left(self) -> float:
        """Return the seconds left of `total_timeout`."""
        return self._started + self.total_timeout - self.clock()

    def limits(self, timeout: httpx.Timeout) -> dict[str, Any]:
        """Return httpx's options for the next attempt: no phase takes longer than the time left for the call."""
        left, self._sent = max(self.seconds_left(), 0.001), self.clock()
        phases = {phase: left if limit is None else min(limit, left) for phase, limit in timeout.as_dict().items()}
        extensions = {"log": {**self.about, "attempt": self.made + 1}, "seconds_left": self.seconds_left}
        return {"timeout": httpx.Timeout(**phases), "extensions": extensions}

    def delay(self, error: MetaStudioError, method: str) -> float:
        """Return the seconds to wait before the next attempt.

        Raises:
            MetaStudioError: `error` itself, if there is no further attempt.
        """
        self.made += 1
        if self.pace and isinstance(error, RateLimitError):
            self.pace.throttled(self._sent, self.clock(), retry_after(error))
        if self.made > self.max_retries or not may_repeat(error, idempotent=self.repeatable or method != "post"):
            raise error
        requested = retry_after(error)
        delay = backoff(self.made, self.random()) if requested is None else requested
        if delay > MAX_RETRY_AFTER or delay >= self.seconds_left():
            raise error
        if self.pace:
            delay = max(delay, self.pace.go(self.clock()))
        fields = error_fields(error) | self.about
        write(
            log,
            WARNING,
            "Attempt %d failed, retrying in %.2f s: %s",
            self.made,
            delay,
            error,
            **fields,
            attempt=self.made,
        )
        return delay


class Attempt:
    """The client that is passed to a generated function for one attempt; it adds the call's limits to the request.

    As a context manager, it keeps the error that generated code raises on a wrong shape, for `outcome`.
    """

    def __init__(self, http: httpx.Client | httpx.AsyncClient, call: Call) -> None:
        self._http, self._call = http, call
        self._response: httpx.Response | None = None
        self._misshapen: BaseException | None = None
        self.method = ""
        self.result: object = None
        self.client = cast("Client", self)  # it has everything that generated functions use

    def get_httpx_client(self) -> Self:
        """Return the client that generated functions send with."""
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
        """Return the result if it is a `returns`, or None if the contract promises no content (`NoneType`)."""
        if returns is type(None):
            return None
        if isinstance(self.result, returns):
            reason = wrong(self.result) if wrong else None
            if reason is None:
                return self.result
        else:
            reason = "the response does not match the contract"
        raise validation_error(cast("httpx.Response", self._response), reason) from self._misshapen
