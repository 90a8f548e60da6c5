"""httpx clients whose `send` gives back a clean response or raises a typed error: the border of the package.

Behind it stands generated code, which expects a JSON object without nulls and statuses that Python knows. The border
is `send`, not a response hook: httpx runs hooks before the auth flow has seen the response.
"""

import json
import logging
from collections.abc import Callable
from contextlib import aclosing, closing
from contextvars import ContextVar
from functools import cached_property
from time import perf_counter
from typing import Any, Final, cast

import attrs
import httpx

from .errors import APIConnectionError, APIResponseValidationError, APITimeoutError, printable, status_error
from .log import log


@attrs.define
class Attempt:
    """What an attempt and the border tell each other; generated code between them passes nothing on.

    Attributes:
        number: 1 for the first attempt of a call.
        seconds_left: How long the attempt may take at most.
        response: The 2xx response, once there is one.
    """

    number: int
    seconds_left: Callable[[], float]
    response: httpx.Response | None = None


#: The attempt of this thread or task.
current_attempt: Final[ContextVar[Attempt | None]] = ContextVar("current_attempt", default=None)


_NOTHING: Final = httpx.ByteStream(b"")


class CleanResponse(httpx.Response):
    """A response that was read whole and decoded, and whose JSON is an object without nulls."""

    payload: dict[str, Any]

    def __init__(self, status_code: int, headers: httpx.Headers, content: bytes, request: httpx.Request) -> None:
        # As a stream: what httpx gets as content, it puts through its decoders at once.
        super().__init__(status_code, headers=headers, stream=httpx.ByteStream(content), request=request)
        self._body = content

    @property
    def content(self) -> bytes:
        """The decoded content."""
        return self._body

    def json(self, **_: Any) -> Any:
        """Return the JSON object, which was parsed at the border."""
        return self.payload


class _NoCookies(httpx.Cookies):
    """Takes none from responses: the contract knows of none, and to look for them takes longer than to sign."""

    def extract_cookies(self, response: httpx.Response) -> None:
        pass


class SyncClient(httpx.Client):
    """`httpx.Client` with the border around `send`."""

    cookies: Any = cached_property(lambda _: _NoCookies())

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        """Build a request; `url` may be a path, as in generated code."""
        return super().build_request(method, _absolute(self.base_url, url), **options)

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send `request`; return a 2xx response that holds a JSON object, or raise a `MetaStudioError`."""
        started = perf_counter()
        _limit(request)
        try:
            response = super().send(request, **options | {"stream": True})
            with closing(response):
                raw = None if response.is_stream_consumed else b"".join(response.iter_raw())
        except httpx.RequestError as error:
            failure = _connection_error(request, error, started)
        else:
            return _clean(request, response, raw, started)
        raise failure  # outside the except block: httpx's own traceback, with its headers, is not dragged along


class AsyncClient(httpx.AsyncClient):
    """`httpx.AsyncClient` with the border around `send`."""

    cookies: Any = cached_property(lambda _: _NoCookies())

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        """Build a request; `url` may be a path, as in generated code."""
        return super().build_request(method, _absolute(self.base_url, url), **options)

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send `request`; return a 2xx response that holds a JSON object, or raise a `MetaStudioError`."""
        started = perf_counter()
        _limit(request)
        try:
            response = await super().send(request, **options | {"stream": True})
            async with aclosing(response):
                raw = None if response.is_stream_consumed else b"".join([part async for part in response.aiter_raw()])
        except httpx.RequestError as error:
            failure = _connection_error(request, error, started)
        else:
            return _clean(request, response, raw, started)
        raise failure  # as above


def validation_error(response: httpx.Response, reason: str) -> APIResponseValidationError:
    """Return the error for a 2xx response that is not what the contract says."""
    return APIResponseValidationError(reason, response.status_code, response.headers, response.content)


def _absolute(base: httpx.URL, url: httpx.URL | str) -> httpx.URL | str:
    """Return a path as a URL: what is relative, httpx parses twice."""
    return str(base).rstrip("/") + url if isinstance(url, str) and url.startswith("/") else url


def _limit(request: httpx.Request) -> None:
    """Let no phase of the request take longer than the attempt may."""
    if attempt := current_attempt.get():
        left = max(attempt.seconds_left(), 0.001)
        timeout = cast("dict[str, float | None]", request.extensions["timeout"])
        limited = {phase: left if limit is None else min(limit, left) for phase, limit in timeout.items()}
        request.extensions = {**request.extensions, "timeout": limited}


def _connection_error(request: httpx.Request, error: httpx.RequestError, started: float) -> APIConnectionError:
    kind = APITimeoutError if isinstance(error, httpx.TimeoutException) else APIConnectionError
    failure = kind(printable(f"{type(error).__name__}: {error}".removesuffix(": ")))
    failure.__cause__ = type(error)(str(error))  # without its request and traceback, which hold the credentials
    _debug(request, str(failure), started)
    return failure


def _debug(request: httpx.Request, outcome: str, started: float) -> None:
    attempt = current_attempt.get()
    number, seconds = attempt.number if attempt else 1, perf_counter() - started
    log.debug("%s %s: %s; attempt %d, %.3f s", request.method, request.url, outcome, number, seconds)


def _clean(request: httpx.Request, answer: httpx.Response, raw: bytes | None, started: float) -> httpx.Response:
    if log.isEnabledFor(logging.DEBUG):
        _debug(request, f"{answer.status_code}, request ID {answer.headers.get('X-Request-Id')}", started)
    response = _read(request, answer, raw)
    if not response.is_success:
        raise status_error(response)
    if attempt := current_attempt.get():
        attempt.response = response
    try:
        payload = json.loads(response.content)
        response.payload = _without_nulls(payload) if b"null" in response.content else payload
    except (ValueError, RecursionError):
        raise validation_error(response, "the answer is not JSON") from None
    if not isinstance(payload, dict):
        raise validation_error(response, "the answer is not a JSON object")
    return response


def _read(request: httpx.Request, answer: httpx.Response, raw: bytes | None) -> CleanResponse:
    """Return the response with its content decoded; what cannot be decoded stays as it came."""
    # Without raw content it was read before, by the auth flow or a transport without a stream.
    headers, content = answer.headers, answer.content if raw is None else raw
    answer.stream = _NOTHING  # httpx's response and its stream hold each other: freed at once, not by a collection
    if "Content-Encoding" in headers:
        content = content if raw is None else _decoded(answer, raw)
        del headers["Content-Encoding"]
    return CleanResponse(answer.status_code, headers, content, request)


def _decoded(answer: httpx.Response, raw: bytes) -> bytes:
    try:
        return httpx.Response(answer.status_code, headers=answer.headers, content=raw).content
    except httpx.DecodingError:
        return raw


def _without_nulls(value: Any) -> Any:
    """Return `value` without the members that are null: to the service, null means missing."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
