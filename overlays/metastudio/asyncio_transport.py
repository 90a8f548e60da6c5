"""The default transport of `AsyncMetaStudio`: each request in flight has an httpx transport of its own.

httpcore's pool loses slots for good when calls are cancelled while it is full (encode/httpcore issue 1093). A pool of
one connection, which is discarded after a failure, has none to lose.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Final, cast

import httpcore
import httpx

from . import deadline

MAX_CONNECTIONS: Final = 100  # as in httpx
KEEPALIVE_SECONDS: Final = 5.0  # as in httpx

_ONE: Final = httpx.Limits(max_connections=1, keepalive_expiry=KEEPALIVE_SECONDS)


class AsyncioTransport(httpx.AsyncBaseTransport):
    """A transport with up to a hundred connections.

    Args:
        verify: As in httpx.
        proxy: As in httpx.
    """

    def __init__(self, verify: ssl.SSLContext | bool, proxy: httpx.Proxy | str | None = None) -> None:
        self._ssl, self._proxy = httpx.create_ssl_context(verify), proxy
        self._slots = asyncio.Semaphore(MAX_CONNECTIONS)
        self._closed = False
        self._idle: deque[tuple[httpx.AsyncHTTPTransport, float]] = deque()  # with the time when it became idle
        self._idle.append((self._new(), 0.0))  # raises here if the settings cannot be used

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`, and raise httpx's errors."""
        await self._acquire_slot(request.extensions.get("timeout", {}).get("pool"))
        connection = self._idle.pop()[0] if self._idle else self._new()
        try:
            response = await connection.handle_async_request(request)
        except BaseException:  # a cancelled request may leave the connection open
            await self.give_back(connection, is_clean=False)
            raise
        response.stream = _Stream(self, connection, cast("httpx.AsyncByteStream", response.stream))
        return response

    async def give_back(self, connection: httpx.AsyncHTTPTransport, *, is_clean: bool) -> None:
        """Take back a connection that is no longer in use; close it unless it is clean."""
        self._slots.release()
        if self._closed or not is_clean:
            await connection.aclose()
            return
        self._idle.append((connection, _now()))
        # The connection used last is reused first, so that the others are closed one by one as the load falls.
        if _now() - self._idle[0][1] > KEEPALIVE_SECONDS:
            await self._idle.popleft()[0].aclose()

    async def aclose(self) -> None:
        """Close the connections; those in use are closed when they are given back."""
        self._closed = True
        try:
            while self._idle:
                await self._idle.pop()[0].aclose()
        finally:
            if self._idle:  # cancelled: httpx does not call this again
                await self.aclose()

    def _new(self) -> httpx.AsyncHTTPTransport:
        made = httpx.AsyncHTTPTransport(verify=self._ssl, proxy=self._proxy, limits=_ONE)
        pool = made._pool  # noqa: SLF001  # httpx has no argument for either
        pool._network_backend = _Backend()  # noqa: SLF001  # likewise
        if self._proxy is not None:
            send = deadline.without_target(pool.handle_async_request)
            pool.handle_async_request = send  # type: ignore[assignment, method-assign]  # of this one pool
        return made

    async def _acquire_slot(self, seconds: float | None) -> None:
        try:
            async with asyncio.timeout(seconds if self._slots.locked() else None):  # no timer if one is free
                await self._slots.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout(f"all {MAX_CONNECTIONS} connections are in use") from None


class _Backend(httpcore.AnyIOBackend):
    """Closes the socket when a TLS handshake is cancelled; httpcore closes it only after errors."""

    async def connect_tcp(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        stream = await super().connect_tcp(*args, **kwargs)
        start = stream.start_tls

        async def start_tls(*args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
            try:
                return await start(*args, **kwargs)
            except BaseException:
                await stream.aclose()
                raise

        stream.start_tls = start_tls  # type: ignore[method-assign]  # of this one stream
        return stream


class _Stream(httpx.AsyncByteStream):
    """A body that gives its connection back when it is closed."""

    def __init__(
        self, pool: AsyncioTransport, connection: httpx.AsyncHTTPTransport, stream: httpx.AsyncByteStream
    ) -> None:
        self._pool, self._connection, self._stream = pool, connection, stream
        self._is_whole = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            yield part
        self._is_whole = True

    async def aclose(self) -> None:
        try:
            await self._stream.aclose()
        finally:
            await self._pool.give_back(self._connection, is_clean=self._is_whole)


def _now() -> float:
    return asyncio.get_running_loop().time()
