"""`AiohttpTransport`: run httpx on aiohttp, for many requests in flight. Requires the extra `aiohttp`.

It takes about half the CPU time of the default transport; see docs/speed.md.
"""

import ssl
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Final

import httpx

try:
    import aiohttp
    from aiohttp.connector import Connection
    from aiohttp.tracing import Trace
except ModuleNotFoundError as error:
    raise ModuleNotFoundError('AiohttpTransport needs an extra: pip install "metastudio[aiohttp]"') from error

from yarl import URL  # a dependency of aiohttp

from . import validation
from .connecting import checked_verify, context

# The first match counts.
_ERRORS: Final[tuple[tuple[type[Exception], type[httpx.TransportError]], ...]] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (TimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ClientOSError, httpx.ReadError),
    (aiohttp.ClientError, httpx.RemoteProtocolError),
)


class AiohttpTransport(httpx.AsyncBaseTransport):
    """An httpx transport that sends requests with aiohttp: `AsyncMetaStudio(transport=AiohttpTransport())`.

    It follows no redirects, keeps no cookies, uses no proxy, and never sends a request twice.

    Args:
        verify: As in httpx.
        limit: The maximum number of connections.

    Raises:
        ConfigurationError: An argument is malformed, or the environment names CA certificates that cannot be read.
    """

    def __init__(self, *, verify: ssl.SSLContext | bool = True, limit: int = 100) -> None:
        self._ssl = context(verify) if verify is True else checked_verify(verify)
        self._limit = validation.count("limit", limit, 1)
        self._session: aiohttp.ClientSession | None = None  # created on the event loop that uses it

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`, and raise httpx's errors."""
        session = self._session = self._session or self._new_session()
        limits = request.extensions.get("timeout", {})
        content = await request.aread() or None
        try:
            response = await session.request(
                request.method,
                URL(str(request.url), encoded=True),
                data=content,
                chunked=True if content and "Transfer-Encoding" in request.headers else None,
                skip_auto_headers=None if request.method == "GET" else ("Content-Type",),  # else added late
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    connect=limits.get("pool"), sock_connect=limits.get("connect"), sock_read=limits.get("read")
                ),
                middlewares=(partial(_send_as_given, request),),
            )
        except (TimeoutError, aiohttp.ClientError) as error:
            raise _translated(error) from error
        reason = (response.reason or "").encode(errors="surrogateescape")
        extensions = {"http_version": b"HTTP/1.1", "reason_phrase": reason}
        return httpx.Response(
            response.status, headers=response.raw_headers, stream=_Body(response), extensions=extensions
        )

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _new_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=_Connector(limit=self._limit, ssl=self._ssl),
            request_class=_Request,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )


class _Request(aiohttp.ClientRequest):
    before_sending: Callable[[], object] | None = None  # set by the auth


class _Connector(aiohttp.TCPConnector):
    """Calls `before_sending`, which may raise, as soon as a request has its connection."""

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # the name is aiohttp's
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        if isinstance(req, _Request) and req.before_sending is not None:
            try:
                req.before_sending()
            except Exception:
                connection.close()
                raise
        return connection


class _Body(httpx.AsyncByteStream):
    """The body of a response. Its connection is reused after the last byte, and closed if reading stops earlier."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while part := await self._response.content.readany():
                yield part
        except (TimeoutError, aiohttp.ClientError) as error:
            raise _translated(error) from error

    async def aclose(self) -> None:
        self._response.close()


async def _send_as_given(
    given: httpx.Request, request: aiohttp.ClientRequest, send: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Send exactly the headers of `given`, and send them only once."""
    try:
        headers = [(name.decode("ascii"), value.decode()) for name, value in given.headers.raw]  # aiohttp's encoding
    except UnicodeDecodeError:
        raise httpx.LocalProtocolError("aiohttp sends headers as UTF-8, and one of these is not UTF-8") from None
    request.headers.clear()  # aiohttp's own; excluding them takes longer
    request.headers.extend(headers)
    if isinstance(request, _Request):
        request.before_sending = given.extensions.get("before_sending")
    try:
        return await send(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        # aiohttp would send the request again after these errors, but does not know httpx's.
        raise _translated(error) from error


def _translated(error: Exception) -> httpx.TransportError:
    kind = next(theirs for ours, theirs in _ERRORS if isinstance(error, ours))
    return kind(_text(error) or type(error).__name__)


def _text(error: Exception) -> str:
    # aiohttp's messages show its objects, and call a malformed response 400, as if that were its status.
    match error:
        case aiohttp.ServerDisconnectedError():
            return "The server closed the connection without sending a response"
        case aiohttp.ClientPayloadError():
            return "The body of the response is incomplete or malformed"
        case aiohttp.ClientResponseError():
            return error.message
    return str(error)
