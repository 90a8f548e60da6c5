"""The errors for a request that is not sent, since its key was refused or may have been."""

from typing import Final

import httpx

from .errors import KeyRefused

_SHUT: Final = (
    "Not sent: this key was refused {times} times in a row, and more than five refusals lock it. "
    "Calls go out again in {left:.0f} s, or at once with other credentials"
)
_UNANSWERED: Final = (
    "not sent: {times} requests with this key were refused or ended without a response; more than five refusals lock "
    "a key. Calls go out again in {left:.0f} s"
)
_REFUSED_BEFORE: Final = "Not sent: the request that went ahead with this key was refused, as this one would be"
_MENDED_BEFORE: Final = "not sent: it was signed before the cause of another one's refusal was mended"
_OF_THE_WIRE: Final = {b"content-encoding", b"content-length", b"transfer-encoding"}


def shut(request: httpx.Request, refusal: httpx.Response | None, times: int, left: float) -> httpx.HTTPError:
    """Return the error while nothing is sent with a key; without a refusal, for one that may have been refused."""
    if refusal is None:
        return httpx.PoolTimeout(_UNANSWERED.format(times=times, left=left))
    return _not_sent(_SHUT.format(times=times, left=left), request, refusal)


def before(request: httpx.Request, refusal: httpx.Response | None) -> httpx.HTTPError:
    """Return the error for a request that waited for one that was refused; None is a refusal whose cause was mended."""
    if refusal is None:
        return httpx.PoolTimeout(_MENDED_BEFORE)
    return _not_sent(_REFUSED_BEFORE, request, refusal)


def without_request(response: httpx.Response) -> httpx.Response:
    """Return a copy of a refusal that keeps no request, and so no credentials."""
    headers = [(name, value) for name, value in response.headers.raw if name.lower() not in _OF_THE_WIRE]
    return httpx.Response(response.status_code, headers=headers, content=response.content)


def _not_sent(reason: str, request: httpx.Request, refusal: httpx.Response) -> KeyRefused:
    return KeyRefused(reason, request=httpx.Request(request.method, request.url), response=refusal)
