"""httpx clients whose `send` returns a 2xx response or raises a typed error.

Generated code relies on that: it expects a JSON object and a status that Python knows. A response hook would be too
early, since httpx runs hooks before the auth flow has seen the response.
"""

import asyncio
import ssl
import traceback
from collections.abc import Iterator
from functools import cached_property, lru_cache
from logging import DEBUG
from time import perf_counter
from typing import Any, Final

import httpx

from huaweicloud_auth import KeyRefused
from huaweicloud_auth.errors import printable
from huaweicloud_auth.log import write

from . import errors
from .deadline import LATE, seconds_left
from .log import log, response_fields

#: Levels of nesting. The contract's deepest response has four.
MAX_DEPTH: Final = 50
_OF_AN_ERROR: Final = {"error_code", "error_msg", "request_id"}


class _NoCookies(httpx.Cookies):
    """Ignores cookies of responses: the contract has none, and looking for them takes longer than signing."""

    def extract_cookies(self, response: httpx.Response) -> None:
        pass


class SyncClient(httpx.Client):
    """An `httpx.Client` whose `send` validates responses and raises typed errors."""

    cookies: Any = cached_property(lambda _: _NoCookies())

    _root: Any = cached_property(lambda self: str(self.base_url).rstrip("/"))

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        """Build a request; the URL of a path is parsed only once."""
        return super().build_request(method, _absolute(self._root, url), **options)

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send `request`; return a 2xx response that is empty or holds a JSON object, or raise a `MetaStudioError`."""
        options["stream"], started = False, perf_counter()  # the whole body is read here
        try:
            response = super().send(request, **options)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            failure = failure_of(request, error, started)
        except BaseException as error:
            forget_locals(error)
            raise
        else:
            return _checked(request, response, started)
        raise failure  # outside the except block: httpx's traceback, which holds headers, is not kept


class AsyncClient(httpx.AsyncClient):
    """An `httpx.AsyncClient` whose `send` validates responses and raises typed errors, for one event loop."""

    _loop: asyncio.AbstractEventLoop | None = None
    cookies: Any = cached_property(lambda _: _NoCookies())

    _root: Any = cached_property(lambda self: str(self.base_url).rstrip("/"))

    def build_request(self, method: str, url: httpx.URL | str, **options: Any) -> httpx.Request:
        """Build a request; the URL of a path is parsed only once."""
        return super().build_request(method, _absolute(self._root, url), **options)

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send `request`; return a 2xx response that is empty or holds a JSON object, or raise a `MetaStudioError`."""
        options["stream"], started = False, perf_counter()  # the whole body is read here
        self._loop = self._loop or asyncio.get_running_loop()
        if self._loop is not asyncio.get_running_loop():
            raise RuntimeError("an AsyncMetaStudio belongs to the event loop that used it first: create another one")
        try:
            async with asyncio.timeout(seconds_left(request)):
                response = await super().send(request, **options)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            failure = failure_of(request, error, started)
        except BaseException as error:
            forget_locals(error)
            raise
        else:
            return _checked(request, response, started)
        raise failure  # as above


@lru_cache(maxsize=1024)
def _absolute(root: str, url: httpx.URL | str) -> httpx.URL:
    """Return the absolute URL of a path, parsed only once: polling requests the same path many times."""
    return httpx.URL(root + url if isinstance(url, str) and url.startswith("/") else url)


def _checked(request: httpx.Request, response: httpx.Response, started: float) -> httpx.Response:
    log_response(request, response, started)
    if not response.is_success:
        is_token = "X-Auth-Token" in request.headers
        # Not in a variable: it has the security token.
        raise errors.status_error(response, request.extensions.get("canonical_request"), is_token=is_token)
    if not response.content:  # valid if the contract promises no content; otherwise the call raises
        return response
    try:
        payload = response.json()
    except ValueError:
        raise errors.validation_error(response, "the response is not JSON") from None
    except RecursionError:
        raise errors.validation_error(response, "the response is nested too deeply") from None
    if reason := _unusable(payload, response.content):
        raise errors.validation_error(response, reason)
    return response


def _unusable(payload: object, body: bytes) -> str | None:
    """Return what is wrong with a response's JSON, for any operation, or None."""
    if not isinstance(payload, dict):
        return "the response is not a JSON object"
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and not _is_within(payload, MAX_DEPTH):
        return "the response is nested too deeply"
    code = payload.get("error_code")
    if isinstance(code, str) and code and payload.keys() <= _OF_AN_ERROR:
        return f"the response is an error ({printable(code, 80)}) with a success status"
    return None


def _is_within(value: object, depth: int) -> bool:
    """Return whether arrays and objects are nested no deeper: the code that reads a response is recursive."""
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_is_within(each, depth - 1) for each in inner)


def failure_of(request: httpx.Request, error: Exception, started: float) -> errors.MetaStudioError:
    """Convert an error of httpx or the network to ours, without its request and traceback, which hold secrets."""
    if isinstance(error, KeyRefused):
        refused = errors.status_error(error.response)
        refused.hint = str(error)
        return refused
    if isinstance(error, TimeoutError):
        error = httpx.ReadTimeout(LATE)
    kind = errors.APITimeoutError if isinstance(error, httpx.TimeoutException) else errors.APIConnectionError
    failure = kind(printable(f"{type(error).__name__}: {error}".removesuffix(": ")))
    untrusted = next((each for each in _chain(error) if isinstance(each, ssl.SSLCertVerificationError)), None)
    failure.__cause__ = type(error)(str(error)) if untrusted is None else ssl.SSLCertVerificationError(str(untrusted))
    _debug(request, str(failure), started, None, None)
    return failure


def forget_locals(error: BaseException) -> None:
    """Clear the variables in the traceback of an unexpected exception: httpx's frames hold headers."""
    for each in _chain(error):
        traceback.clear_frames(each.__traceback__)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def log_response(
    request: httpx.Request, response: httpx.Response, started: float, header: str = "X-Request-Id"
) -> None:
    """Log an attempt that got a response; `header` has the request ID."""
    request_id = response.headers.get(header)
    _debug(request, f"{response.status_code}, request ID {request_id}", started, response.status_code, request_id)


def _debug(request: httpx.Request, outcome: str, started: float, status: int | None, request_id: str | None) -> None:
    if not log.isEnabledFor(DEBUG):
        return
    fields = {"attempt": 1, "seconds": perf_counter() - started} | request.extensions.get("log", {})
    fields |= response_fields(status, request_id)
    arguments = request.method, request.url, printable(outcome), fields["attempt"], fields["seconds"]
    write(log, DEBUG, "%s %s: %s; attempt %d, %.3f s", *arguments, **fields)
