"""What comes back: made readable, and held against what generated code expects."""

import json
from typing import Any, Final

import httpx

from .errors import APIResponseValidationError, status_error

#: The extension in which a transport that has read an answer hands its content on, unless that is compressed: to go
#: through a stream takes longer.
CONTENT: Final = "metastudio.content"

_NOTHING: Final = httpx.ByteStream(b"")


class CleanResponse(httpx.Response):
    """A response that was read whole and decoded, and whose JSON is an object."""

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


def smooth(response: httpx.Response) -> None:
    """Take away what httpx would stumble over before we see the answer: it would make a request of any location."""
    if 300 <= response.status_code < 400:
        response.extensions["location"] = response.headers.pop("Location", None)


def is_read_first(response: httpx.Response) -> bool:
    """Return whether decoding may fail, or the auth flow reads the answer, which has no limit."""
    fails = CONTENT not in response.extensions and is_compressed(response.headers)
    return not response.is_stream_consumed and (fails or response.is_client_error)


def is_compressed(headers: httpx.Headers) -> bool:
    """Return whether what comes with `headers` has to be decoded."""
    # Not `"Content-Encoding" in headers`: httpx would first find out how the headers are encoded.
    return b"content-encoding" in [name.lower() for name, _ in headers.raw]


def refill(response: httpx.Response, raw: bytes) -> None:
    """Let the answer be read once more, with its content decoded; what cannot be decoded stays as it came."""
    response.stream = httpx.ByteStream(_decoded(response, raw))
    response.is_stream_consumed = response.is_closed = False
    response.headers.pop("Content-Encoding", None)


def clean(request: httpx.Request, answer: httpx.Response, raw: bytes | None) -> CleanResponse:
    """Return a 2xx answer that holds a JSON object.

    Args:
        request: What it answers.
        answer: The answer.
        raw: Its content; None if the answer was read before.

    Raises:
        APIStatusError: The status is not 2xx.
        APIResponseValidationError: The content is not a JSON object.
    """
    response = _read(request, answer, raw)
    if not response.is_success:
        raise status_error(response)
    try:
        response.payload = payload = json.loads(response.content)
    except ValueError:
        raise validation_error(response, "the answer is not JSON") from None
    except RecursionError:
        raise validation_error(response, "the answer is nested too deeply") from None
    if not isinstance(payload, dict):
        raise validation_error(response, "the answer is not a JSON object")
    return response


def validation_error(response: httpx.Response, reason: str) -> APIResponseValidationError:
    """Return the error for a 2xx response that is not what the contract says."""
    return APIResponseValidationError(reason, response.status_code, response.headers, response.content)


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
