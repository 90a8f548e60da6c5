"""Transports that limit a response to the call's deadline and to 8 MB, encoded and decoded."""

import os
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final, cast

import httpx

from . import deadline

#: A job takes about a kilobyte.
MAX_BYTES: Final = 8 * 1024 * 1024

_ENCODINGS: Final = {"gzip", "x-gzip", "deflate"}


class Bounded(httpx.BaseTransport):
    """A sync transport. A forked process creates a new one, since the connections belong to its parent.

    Args:
        new: Creates the underlying transport.
    """

    def __init__(self, new: Callable[[], httpx.BaseTransport]) -> None:
        self._new, self._transport, self._process = new, new(), os.getpid()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`, and raise httpx's errors, also while the body is read."""
        if self._process != os.getpid():
            self._transport, self._process = self._new(), os.getpid()
        deadline.limit(request)
        return _bounded(request, self._transport.handle_request(request))

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()


class AsyncBounded(httpx.AsyncBaseTransport):
    """An async transport."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        self._transport = transport

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`, and raise httpx's errors, also while the body is read."""
        return _bounded(request, await self._transport.handle_async_request(request))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()


def _bounded(request: httpx.Request, response: httpx.Response) -> httpx.Response:
    encoding = "identity"
    if "Content-Encoding" in response.headers:
        encoding = response.headers.pop("Content-Encoding").strip().lower()
    response.stream = _Body(request, response.stream, encoding)
    return response


class _Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that is decoded here: httpx would decode any number of layers, without a limit."""

    def __init__(
        self, request: httpx.Request, stream: httpx.SyncByteStream | httpx.AsyncByteStream, encoding: str
    ) -> None:
        self._request, self._stream, self._encoding = request, stream, encoding
        self._decoder = zlib.decompressobj(47) if encoding in _ENCODINGS else None  # 47: detects gzip or zlib
        self._sent = self._decoded = 0

    def __iter__(self) -> Iterator[bytes]:
        for part in cast("httpx.SyncByteStream", self._stream):
            yield self._next(part)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in cast("httpx.AsyncByteStream", self._stream):
            yield self._next(part)

    def _next(self, part: bytes) -> bytes:
        left = deadline.seconds_left(self._request)
        if left is not None and left <= 0:
            raise httpx.ReadTimeout(deadline.LATE)
        self._sent += len(part)
        part = self._plain(part)
        self._decoded += len(part)
        if max(self._sent, self._decoded) > MAX_BYTES:
            raise httpx.DecodingError(f"the response is larger than {MAX_BYTES // 1024**2} MB")
        return part

    def _plain(self, part: bytes) -> bytes:
        if self._encoding == "identity":
            return part
        if self._decoder is None:
            raise httpx.DecodingError(f"the response is encoded as {self._encoding!r}, which was not requested")
        try:
            return self._decoder.decompress(part, MAX_BYTES - self._decoded + 1)
        except zlib.error as error:
            raise httpx.DecodingError(str(error)) from None

    def close(self) -> None:
        cast("httpx.SyncByteStream", self._stream).close()

    async def aclose(self) -> None:
        await cast("httpx.AsyncByteStream", self._stream).aclose()
