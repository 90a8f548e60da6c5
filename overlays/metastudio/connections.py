"""The connections of `AsyncMetaStudio`: each request in flight has an httpx transport to itself.

The pool of httpx's async transport looks through all its connections several times for each request, and lets several
requests try for one that is idle: its price grows with the number in flight. A pool of one has nothing to look through.
"""

import asyncio
import ssl
from collections import deque
from typing import Final

import httpx

from .answers import CONTENT, is_compressed

MAX_CONNECTIONS: Final = 100  # as in httpx
KEEPALIVE_SECONDS: Final = 5.0  # as in httpx

_ONE: Final = httpx.Limits(max_connections=1, keepalive_expiry=KEEPALIVE_SECONDS)


class AsyncConnections(httpx.AsyncBaseTransport):
    """Up to a hundred connections. It reads answers whole, and uses no proxy.

    Args:
        verify: As in httpx.
    """

    def __init__(self, verify: ssl.SSLContext | bool) -> None:
        self._ssl = httpx.create_ssl_context(verify)
        self._free = asyncio.Semaphore(MAX_CONNECTIONS)
        self._closed = False
        self._idle: deque[tuple[httpx.AsyncHTTPTransport, float]] = deque()  # with the time since when

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`; raises httpx's errors."""
        await self._wait_for_a_free_one(request.extensions.get("timeout", {}).get("pool"))
        try:
            connection = self._idle.pop()[0] if self._idle else httpx.AsyncHTTPTransport(verify=self._ssl, limits=_ONE)
            response = await _read(connection, request)
            await self._keep(connection)
        finally:
            self._free.release()
        await self._close_what_expired()
        return response

    async def aclose(self) -> None:
        """Close the connections; one that is in use, as soon as it no longer is."""
        self._closed = True
        try:
            while self._idle:
                await self._idle.pop()[0].aclose()
        finally:
            if self._idle:  # cancelled: httpx does not ask again
                await self.aclose()

    async def _keep(self, connection: httpx.AsyncHTTPTransport) -> None:
        if self._closed:
            await connection.aclose()
        else:
            self._idle.append((connection, _now()))

    async def _wait_for_a_free_one(self, seconds: float | None) -> None:
        if not self._free.locked():
            await self._free.acquire()  # at once: a timer would cost as much as the signature
            return
        try:
            async with asyncio.timeout(seconds):
                await self._free.acquire()
        except TimeoutError:
            raise httpx.PoolTimeout(f"all of {MAX_CONNECTIONS} connections are in use") from None

    async def _close_what_expired(self) -> None:
        # The last one used is the first to be used again: the others are closed one by one, as the load falls.
        if self._idle and _now() - self._idle[0][1] > KEEPALIVE_SECONDS:
            await self._idle.popleft()[0].aclose()


async def _read(connection: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
    try:
        answer = await connection.handle_async_request(request)
        content = b"".join([part async for part in answer.aiter_raw()])
    except BaseException:  # a request that was cancelled may leave it open
        await connection.aclose()
        raise
    extensions = answer.extensions if is_compressed(answer.headers) else {**answer.extensions, CONTENT: content}
    stream = httpx.ByteStream(content)
    return httpx.Response(answer.status_code, headers=answer.headers, stream=stream, extensions=extensions)


def _now() -> float:
    return asyncio.get_running_loop().time()
