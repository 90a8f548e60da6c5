"""httpx clients whose `send` gives back a clean response or raises a typed error: the border of the package.

Behind it stands generated code, which expects a JSON object without nulls and statuses that Python knows. The border
is `send`, not a response hook: httpx runs hooks before the auth flow has seen the response. The hook that there is
only makes an answer readable for both.
"""

import logging
from collections.abc import Callable
from contextlib import aclosing, closing
from functools import cached_property, lru_cache
from time import perf_counter
from typing import Any, Final, cast

import httpx

from . import answers
from .errors import APIConnectionError, APITimeoutError, printable
from .log import log
from .retries import Attempts, sending, taken_over

_NOTHING: Final = httpx.ByteStream(b"")
_LATE: Final = "the answer is not whole, and the time is up"


class _NoCookies(httpx.Cookies):
    """Takes none from responses: the contract knows of none, and to look for them takes longer than to sign."""

    def extract_cookies(self, response: httpx.Response) -> None:
        pass


class _Get(httpx.Request):
    """Has no content: nothing has to be read to know that."""

    @property
    def content(self) -> bytes:
        return b""

    def read(self) -> bytes:
        return b""

    async def aread(self) -> bytes:
        return b""


class _URL(httpx.URL):
    """Remembers what httpx puts together from its parts each time it is asked."""

    @cached_property
    def netloc(self) -> bytes:
        return super().netloc

    @cached_property
    def raw_path(self) -> bytes:
        return super().raw_path

    @cached_property
    def _text(self) -> str:
        return super().__str__()

    def __str__(self) -> str:
        return self._text


class SyncClient(httpx.Client):
    """`httpx.Client` with the border around `send`."""

    cookies: Any = cached_property(lambda _: _NoCookies())

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, event_hooks={"response": [_smooth]})
        del self.headers["Connection"]  # HTTP/1.1 keeps connections alive unasked
        self.host, self.absolute = self.base_url.netloc, _absolute(self.base_url)

    def request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Response:
        """Build and send a request; `url` may be a path, as in generated code."""
        if (request := _simple(self, method, url, options)) is not None:
            return self.send(request)
        return super().request(method, url, **options)

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send `request`; return a 2xx response that holds a JSON object, or raise a `MetaStudioError`."""
        call, started = taken_over(), perf_counter()
        _limit(request, call)
        options["stream"] = True
        outer = sending.set(call)
        try:
            response = super().send(request, **options)
            with closing(response):
                raw = None if response.is_stream_consumed else _in_time(response)
        except httpx.RequestError as error:
            failure = _connection_error(request, call, error, started)
        else:
            return _clean(request, call, response, raw, started)
        finally:
            sending.reset(outer)
        raise failure  # outside the except block: httpx's own traceback, with its headers, is not dragged along


class AsyncClient(httpx.AsyncClient):
    """`httpx.AsyncClient` with the border around `send`."""

    cookies: Any = cached_property(lambda _: _NoCookies())

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, event_hooks={"response": [_smooth_async]})
        del self.headers["Connection"]  # HTTP/1.1 keeps connections alive unasked
        self.host, self.absolute = self.base_url.netloc, _absolute(self.base_url)

    async def request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Response:
        """Build and send a request; `url` may be a path, as in generated code."""
        if (request := _simple(self, method, url, options)) is not None:
            return await self.send(request)
        return await super().request(method, url, **options)

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send `request`; return a 2xx response that holds a JSON object, or raise a `MetaStudioError`."""
        import asyncio

        call, started = taken_over(), perf_counter()
        options["stream"] = True
        try:
            async with asyncio.timeout(_limit(request, call)) as limit:
                response = await super().send(request, **options)
                raw = None if response.is_stream_consumed else await _raw(response)
        except httpx.RequestError as error:
            failure = _connection_error(request, call, error, started)
        except TimeoutError:
            if not limit.expired():  # the caller's own, from a callable of theirs
                raise
            failure = _connection_error(request, call, httpx.ReadTimeout(_LATE), started)
        except asyncio.CancelledError as error:
            error.__traceback__ = None  # in httpx's own there is what was being written, with its headers
            raise
        else:
            return _clean(request, call, response, raw, started)
        raise failure  # as above


def _simple(
    client: SyncClient | AsyncClient, method: str, url: httpx.URL | str, options: dict[str, Any]
) -> httpx.Request | None:
    """Build a GET of a path, as generated code asks for it; None: httpx is to build what is asked for.

    It would be the same, but to merge nothing into nothing takes httpx longer than to sign twice.
    """
    simple = method == "get" and isinstance(url, str) and url.startswith("/") and options.keys() <= {"headers"}
    if not simple or client.params or client.cookies:
        return None
    url = client.absolute(cast("str", url))
    headers, extensions = _with_host(client.host, *client.headers.raw), {"timeout": client.timeout.as_dict()}
    request = _Get("GET", url, headers=headers, stream=_NOTHING, extensions=extensions)
    request.url = url  # itself: httpx takes a copy
    if given := options.get("headers"):
        request.headers.update(given)
    return request


def _absolute(base: httpx.URL) -> Callable[[str], httpx.URL]:
    """Return what makes a URL of a path, and remembers it: who waits for a job asks for it many times.

    To parse a URL takes a tenth of a query. Remembered, each takes 1.1 kB.
    """
    root = str(base).rstrip("/")
    return lru_cache(maxsize=10_000)(lambda path: _URL(root + path))


@lru_cache(maxsize=16)  # a client's headers are always the same
def _with_host(host: bytes, *headers: tuple[bytes, bytes]) -> httpx.Headers:
    is_there = any(name.lower() == b"host" for name, _ in headers)
    return httpx.Headers(headers if is_there else [(b"Host", host), *headers])


def _limit(request: httpx.Request, call: Attempts | None) -> float | None:
    """Let no phase of the request take longer than what is left for the call, and return that."""
    if call is None:
        return None
    left = max(call.seconds_left(), 0.001)
    timeout: dict[str, Any] = request.extensions["timeout"]
    if None in timeout.values() or max(timeout.values()) > left:
        limited = {phase: left if limit is None else min(limit, left) for phase, limit in timeout.items()}
        request.extensions["timeout"] = limited
    return left


def _in_time(response: httpx.Response) -> bytes:
    """Read an answer, but give up on one that comes in drops: httpx's limit is for the time between two of them."""
    call, parts = sending.get(), []
    for part in response.iter_raw():
        if call is not None and call.seconds_left() <= 0:
            raise httpx.ReadTimeout(_LATE)
        parts.append(part)
    return b"".join(parts)


async def _raw(response: httpx.Response) -> bytes:
    if (content := response.extensions.pop(answers.CONTENT, None)) is not None:
        return cast("bytes", content)  # there is nothing to close
    async with aclosing(response):
        return b"".join([part async for part in response.aiter_raw()])


def _smooth(response: httpx.Response) -> None:
    """What httpx calls before the auth flow sees the answer."""
    answers.smooth(response)
    if answers.is_read_first(response):
        answers.refill(response, _in_time(response))


async def _smooth_async(response: httpx.Response) -> None:
    """As `_smooth`."""
    answers.smooth(response)
    if answers.is_read_first(response):
        answers.refill(response, await _raw(response))


def _connection_error(
    request: httpx.Request, call: Attempts | None, error: httpx.RequestError, started: float
) -> APIConnectionError:
    kind = APITimeoutError if isinstance(error, httpx.TimeoutException) else APIConnectionError
    failure = kind(printable(f"{type(error).__name__}: {error}".removesuffix(": ")))
    failure.__cause__ = type(error)(str(error))  # without its request and traceback, which hold the credentials
    _debug(request, call, str(failure), started)
    return failure


def _debug(request: httpx.Request, call: Attempts | None, outcome: str, started: float) -> None:
    number, seconds = call.made + 1 if call else 1, perf_counter() - started
    log.debug("%s %s: %s; attempt %d, %.3f s", request.method, request.url, printable(outcome), number, seconds)


def _clean(
    request: httpx.Request, call: Attempts | None, answer: httpx.Response, raw: bytes | None, started: float
) -> httpx.Response:
    if log.isEnabledFor(logging.DEBUG):
        _debug(request, call, f"{answer.status_code}, request ID {answer.headers.get('X-Request-Id')}", started)
    response = answers.clean(request, answer, raw)
    if call is not None:
        call.response = response
    return response
