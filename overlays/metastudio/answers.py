"""What comes back: made readable, and held against what generated code expects."""

import json
from typing import Any, Final

import httpx

from .errors import APIResponseValidationError, status_error
from .retries import current

NOTHING: Final = httpx.ByteStream(b"")


class WholeResponse(httpx.Response):
    """A response that was read whole, by a transport or at the border: to go through a stream takes longer.

    Args:
        status_code: As in httpx.
        headers: As in httpx.
        content: What came; decoded at the border, where its JSON becomes an object without nulls.
        options: As in httpx.
    """

    payload: dict[str, Any]

    def __init__(self, status_code: int, headers: Any, content: bytes, **options: Any) -> None:
        # As a stream: what httpx gets as content, it puts through its decoders at once.
        super().__init__(status_code, headers=headers, stream=httpx.ByteStream(content), **options)
        self.body = content

    @property
    def content(self) -> bytes:
        """The content."""
        return self.body

    def json(self, **_: Any) -> Any:
        """Return the JSON object, which was parsed at the border."""
        return self.payload


def smooth(response: httpx.Response) -> None:
    """Take away what httpx would stumble over before we see the answer: it would make a request of any location."""
    if 300 <= response.status_code < 400:
        response.extensions["location"] = response.headers.pop("Location", None)


def is_read_first(response: httpx.Response) -> bool:
    """Return whether decoding may fail, or the auth flow reads the answer, which has no limit."""
    # Not `"Content-Encoding" in response.headers`: httpx would first find out how the headers are encoded.
    encoded = b"content-encoding" in [name.lower() for name, _ in response.headers.raw]
    return not response.is_stream_consumed and (encoded or response.is_client_error)


def refill(response: httpx.Response, raw: bytes) -> None:
    """Let the answer be read once more, with its content decoded; what cannot be decoded stays as it came."""
    content = _decoded(response, raw)
    if isinstance(response, WholeResponse):
        response.body = content
    response.stream = httpx.ByteStream(content)
    response.is_stream_consumed = response.is_closed = False
    response.headers.pop("Content-Encoding", None)


def clean(request: httpx.Request, answer: httpx.Response, raw: bytes | None) -> WholeResponse:
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
    if call := current.get():
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


def validation_error(response: httpx.Response, reason: str) -> APIResponseValidationError:
    """Return the error for a 2xx response that is not what the contract says."""
    return APIResponseValidationError(reason, response.status_code, response.headers, response.content)


def _read(request: httpx.Request, answer: httpx.Response, raw: bytes | None) -> WholeResponse:
    answer.stream = NOTHING  # httpx's response and its stream hold each other: freed at once, not by a collection
    if (location := answer.extensions.get("location")) is not None:
        answer.headers["Location"] = location
    if isinstance(answer, WholeResponse):
        return answer
    if raw is None:  # it was read before, and decoded, by the auth flow or a transport without a stream
        raw = answer.content
        answer.headers.pop("Content-Encoding", None)
    return WholeResponse(answer.status_code, answer.headers, raw, request=request)


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
