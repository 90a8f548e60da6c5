"""Errors for requests that are not sent because their key was, or may have been, refused."""

from typing import Final

import httpx

from .errors import KeyRefused

_SHUT: Final = (
    "Not sent: this key was refused {times} times in a row, and more than five refusals lock it. "
    "It can be used again in {left:.0f} s; other credentials can be used at once"
)
_NO_RESPONSE: Final = (
    "not sent: {times} requests with this key were refused or ended without a response; more than five refusals lock "
    "a key. This key can be used again in {left:.0f} s"
)
_REFUSED_BEFORE: Final = "Not sent: an earlier request with this key was refused, and this one would be too"
_SIGNED_BEFORE: Final = "not sent: it was signed before the cause of another request's refusal was fixed"
_TRANSFER_HEADERS: Final = {b"content-encoding", b"content-length", b"transfer-encoding"}


def shut(request: httpx.Request, refusal: httpx.Response | None, times: int, left: float) -> httpx.HTTPError:
    """Return the error for a request while its key is blocked; `refusal` is None if none is known."""
    if refusal is None:
        return httpx.PoolTimeout(_NO_RESPONSE.format(times=times, left=left))
    return _not_sent(_SHUT.format(times=times, left=left), request, refusal)


def before(request: httpx.Request, refusal: httpx.Response | None) -> httpx.HTTPError:
    """Return the error for a request when another one was refused; `refusal` is None if its cause was fixed."""
    if refusal is None:
        return httpx.PoolTimeout(_SIGNED_BEFORE)
    return _not_sent(_REFUSED_BEFORE, request, refusal)


def without_request(response: httpx.Response) -> httpx.Response:
    """Return a copy of a refusal without its request, which carries credentials."""
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _TRANSFER_HEADERS]
    return httpx.Response(response.status_code, headers=headers, content=response.content)


def _not_sent(reason: str, request: httpx.Request, refusal: httpx.Response) -> KeyRefused:
    return KeyRefused(reason, request=httpx.Request(request.method, request.url), response=refusal)
