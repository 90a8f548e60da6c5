"""httpx clients whose `send` gives back a clean response or raises a typed error: the border of the package.

Behind it stands generated code, which expects a JSON object without nulls and statuses that Python knows. The border
is `send`, not a response hook: httpx runs hooks before the auth flow has seen the response.
"""

import json
import logging
from collections.abc import Iterable, Iterator
from contextlib import aclosing, closing
from functools import cached_property
from time import perf_counter
from typing import Any, Final, cast

import httpx

from . import retries
from .errors import APIConnectionError, APIResponseValidationError, APITimeoutError, printable, status_error
from .log import log

_LATE: Final = "the answer is not whole, and the time is up"
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

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, event_hooks={"response": [_smooth]})

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
                raw = None if response.is_stream_consumed else b"".join(_in_time(response.iter_raw()))
        except httpx.RequestError as error:
            failure = _connection_error(request, error, started)
        else:
            return _clean(request, response, raw, started)
        raise failure  # outside the except block: httpx's own traceback, with its headers, is not dragged along


class AsyncClient(httpx.AsyncClient):
    """`httpx.AsyncClient` with the border around `send`."""

    cookies: Any = cached_property(lambda _: _NoCookies())

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, event_hooks={"response": [_smooth_async]})

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        """Build a request; `url` may be a path, as in generated code."""
        return super().build_request(method, _absolute(self.base_url, url), **options)

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send `request`; return a 2xx response that holds a JSON object, or raise a `MetaStudioError`."""
        import asyncio

        started = perf_counter()
        try:
            async with asyncio.timeout(_limit(request)) as limit:
                response = await super().send(request, **options | {"stream": True})
                async with aclosing(response):
                    raw = None if response.is_stream_consumed else await _raw(response)
        except httpx.RequestError as error:
            failure = _connection_error(request, error, started)
        except TimeoutError:
            if not limit.expired():  # the caller's own, from a callable of theirs
                raise
            failure = _connection_error(request, httpx.ReadTimeout(_LATE), started)
        else:
            return _clean(request, response, raw, started)
        raise failure  # as above


def validation_error(response: httpx.Response, reason: str) -> APIResponseValidationError:
    """Return the error for a 2xx response that is not what the contract says."""
    return APIResponseValidationError(reason, response.status_code, response.headers, response.content)


class _Printable(str):
    """A URL that was looked at as a whole. httpx looks at each character by itself, which takes longer than to sign."""

    __slots__ = ()

    def __iter__(self) -> Iterator[str]:
        return iter(())


def _absolute(base: httpx.URL, url: httpx.URL | str) -> httpx.URL | str:
    """Return a path as a URL: what is relative, httpx parses twice."""
    if not isinstance(url, str) or not url.startswith("/"):
        return url
    absolute = str(base).rstrip("/") + url
    return _Printable(absolute) if absolute.isascii() and absolute.isprintable() else absolute


def _limit(request: httpx.Request) -> float | None:
    """Let no phase of the request take longer than what is left for the call, and return that."""
    if (call := retries.current.get()) is None:
        return None
    left = max(call.seconds_left(), 0.001)
    timeout = cast("dict[str, float | None]", request.extensions["timeout"])
    limited = {phase: left if limit is None else min(limit, left) for phase, limit in timeout.items()}
    request.extensions = {**request.extensions, "timeout": limited}
    return left


def _in_time(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Give up on an answer that comes in drops: httpx's limit is for the time between two of them."""
    call = retries.current.get()
    for part in parts:
        if call is not None and call.seconds_left() <= 0:
            raise httpx.ReadTimeout(_LATE)
        yield part


async def _raw(response: httpx.Response) -> bytes:
    return b"".join([part async for part in response.aiter_raw()])


def _smooth(response: httpx.Response) -> None:
    """Take away what httpx would stumble over before we see the answer. It calls this before the auth flow."""
    if 300 <= response.status_code < 400:  # it would make a request of any location
        response.extensions["location"] = response.headers.pop("Location", None)
    if _is_read_first(response):
        _refill(response, b"".join(_in_time(response.iter_raw())))


async def _smooth_async(response: httpx.Response) -> None:
    """As `_smooth`."""
    if 300 <= response.status_code < 400:
        response.extensions["location"] = response.headers.pop("Location", None)
    if _is_read_first(response):
        _refill(response, await _raw(response))


def _is_read_first(response: httpx.Response) -> bool:
    """Whether decoding may fail, or the auth flow reads it, which has no limit."""
    return not response.is_stream_consumed and (response.is_client_error or "Content-Encoding" in response.headers)


def _refill(response: httpx.Response, raw: bytes) -> None:
    """Let the answer be read once more, with its content decoded; what cannot be decoded stays as it came."""
    response.stream = httpx.ByteStream(_decoded(response, raw))
    response.is_stream_consumed = response.is_closed = False
    response.headers.pop("Content-Encoding", None)


def _connection_error(request: httpx.Request, error: httpx.RequestError, started: float) -> APIConnectionError:
    kind = APITimeoutError if isinstance(error, httpx.TimeoutException) else APIConnectionError
    failure = kind(printable(f"{type(error).__name__}: {error}".removesuffix(": ")))
    failure.__cause__ = type(error)(str(error))  # without its request and traceback, which hold the credentials
    _debug(request, str(failure), started)
    return failure


def _debug(request: httpx.Request, outcome: str, started: float) -> None:
    call = retries.current.get()
    number, seconds = call.made + 1 if call else 1, perf_counter() - started
    log.debug("%s %s: %s; attempt %d, %.3f s", request.method, request.url, printable(outcome), number, seconds)


def _clean(request: httpx.Request, answer: httpx.Response, raw: bytes | None, started: float) -> httpx.Response:
    if log.isEnabledFor(logging.DEBUG):
        _debug(request, f"{answer.status_code}, request ID {answer.headers.get('X-Request-Id')}", started)
    response = _read(request, answer, raw)
    if not response.is_success:
        raise status_error(response)
    if call := retries.current.get():
        call.response = response
    try:
        payload = json.loads(response.content)
        response.payload = _without_nulls(payload) if b"null" in response.content else payload
    except ValueError:
        raise validation_error(response, "the answer is not JSON") from None
    except RecursionError:
        raise validation_error(response, "the answer is nested too deeply") from None
    if not isinstance(payload, dict):
        raise validation_error(response, "the answer is not a JSON object")
    return response


def _read(request: httpx.Request, answer: httpx.Response, raw: bytes | None) -> CleanResponse:
    headers, content = answer.headers, raw
    if content is None:  # it was read before, and decoded, by the auth flow or a transport without a stream
        content = answer.content
        headers.pop("Content-Encoding", None)
    answer.stream = _NOTHING  # httpx's response and its stream hold each other: freed at once, not by a collection
    if (location := answer.extensions.get("location")) is not None:
        headers["Location"] = location
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
