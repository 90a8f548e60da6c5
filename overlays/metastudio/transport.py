"""httpx clients whose `send` gives back a clean response or raises a typed error: the border of the package.

Behind it stands generated code, which expects a JSON object without nulls and statuses that Python knows. The border
is `send`, not a response hook: httpx runs hooks before the auth flow has seen the response.
"""

import json
import logging
from contextvars import ContextVar
from time import perf_counter
from typing import Any, Final

import httpx

from .errors import APIConnectionError, APIResponseValidationError, APITimeoutError, printable, status_error

_log = logging.getLogger("metastudio")

#: The last 2xx response in this thread or task. Generated code that fails on its shape does not pass it on.
last_response: Final[ContextVar[httpx.Response | None]] = ContextVar("last_response", default=None)


class SyncClient(httpx.Client):
    """`httpx.Client` with the border around `send`."""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send `request`; return a 2xx response that holds a JSON object, or raise a `MetaStudioError`."""
        started = perf_counter()
        try:
            response = super().send(request, **options)
        except httpx.RequestError as error:
            failure = _connection_error(request, error, started)
        else:
            return _clean(request, response, started)
        raise failure  # outside the except block: httpx's own traceback, with its headers, is not dragged along


class AsyncClient(httpx.AsyncClient):
    """`httpx.AsyncClient` with the border around `send`."""

    async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """Send `request`; return a 2xx response that holds a JSON object, or raise a `MetaStudioError`."""
        started = perf_counter()
        try:
            response = await super().send(request, **options)
        except httpx.RequestError as error:
            failure = _connection_error(request, error, started)
        else:
            return _clean(request, response, started)
        raise failure  # as above


def _connection_error(request: httpx.Request, error: httpx.RequestError, started: float) -> APIConnectionError:
    kind = APITimeoutError if isinstance(error, httpx.TimeoutException) else APIConnectionError
    failure = kind(printable(f"{type(error).__name__}: {error}".removesuffix(": ")))
    failure.__cause__ = type(error)(str(error))  # without its request and traceback, which hold the credentials
    _debug(request, str(failure), started)
    return failure


def _debug(request: httpx.Request, outcome: str, started: float) -> None:
    _log.debug("%s %s: %s after %.3f s", request.method, request.url, outcome, perf_counter() - started)


def _clean(request: httpx.Request, response: httpx.Response, started: float) -> httpx.Response:
    if _log.isEnabledFor(logging.DEBUG):
        request_id = response.headers.get("X-Request-Id")
        _debug(request, f"{response.status_code}, request ID {request_id}", started)
    if not response.is_success:
        raise status_error(response)
    last_response.set(response)
    try:
        payload = json.loads(response.content)
        cleaned = _without_nulls(payload) if b"null" in response.content else payload
    except (ValueError, RecursionError):
        raise validation_error(response, "the answer is not JSON") from None
    if not isinstance(payload, dict):
        raise validation_error(response, "the answer is not a JSON object")
    if cleaned is payload:
        return response
    return httpx.Response(response.status_code, json=cleaned, request=request)


def validation_error(response: httpx.Response, reason: str) -> APIResponseValidationError:
    """Return the error for a 2xx response that is not what the contract says."""
    return APIResponseValidationError(reason, response.status_code, response.headers, response.content)


def _without_nulls(value: Any) -> Any:
    """Return `value` without the members that are null: to the service, null means missing."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
