"""`AiohttpTransport`: aiohttp beneath httpx, for many requests in flight. Needs the extra `aiohttp`.

It takes about half of the CPU time of our own connections upon httpx; see docs/speed.md.
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

from yarl import URL  # aiohttp's own

from . import validation
from .connecting import checked_verify, context

# The first that fits.
_ERRORS: Final[tuple[tuple[type[Exception], type[httpx.TransportError]], ...]] = (
    (aiohttp.ConnectionTimeoutError, httpx.ConnectTimeout),
    (TimeoutError, httpx.ReadTimeout),
    (aiohttp.ClientConnectorError, httpx.ConnectError),
    (aiohttp.ClientOSError, httpx.ReadError),
    (aiohttp.ClientError, httpx.RemoteProtocolError),
)


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends httpx's requests with aiohttp: `AsyncMetaStudio(transport=AiohttpTransport())`.

    It follows no redirects, keeps no cookies, uses no proxy, and sends no request twice.

    Args:
        verify: As in httpx.
        limit: The number of connections.

    Raises:
        ConfigurationError: An argument is malformed, or the environment names authorities that cannot be read.
    """

    def __init__(self, *, verify: ssl.SSLContext | bool = True, limit: int = 100) -> None:
        self._ssl = context(verify) if verify is True else checked_verify(verify)
        self._limit = validation.count("limit", limit, 1)
        self._session: aiohttp.ClientSession | None = None  # made on the event loop that it belongs to

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send `request`; raises httpx's errors."""
        session = self._session = self._session or self._new_session()
        limits = request.extensions.get("timeout", {})
        content = await request.aread() or None
        try:
            answer = await session.request(
                request.method,
                URL(str(request.url), encoded=True),
                data=content,
                chunked=True if content and "Transfer-Encoding" in request.headers else None,
                skip_auto_headers=None if request.method == "GET" else ("Content-Type",),  # else added late, to a POST
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    connect=limits.get("pool"), sock_connect=limits.get("connect"), sock_read=limits.get("read")
                ),
                middlewares=(partial(_send_as_given, request),),
            )
        except (TimeoutError, aiohttp.ClientError) as error:
            raise _translated(error) from error
        reason = (answer.reason or "").encode(errors="surrogateescape")
        extensions = {"http_version": b"HTTP/1.1", "reason_phrase": reason}
        return httpx.Response(answer.status, headers=answer.raw_headers, stream=_Body(answer), extensions=extensions)

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
    before_sending: Callable[[], object] | None = None  # as the auth has it


class _Connector(aiohttp.TCPConnector):
    """Asks, when a request has its connection, whether it may still be sent."""

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
    """The body of a response; its connection is free again at its end, and closed where it is left before."""

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
    """Send the headers of `given` and no others, and send them once."""
    try:
        headers = [(name.decode("ascii"), value.decode()) for name, value in given.headers.raw]  # it encodes them so
    except UnicodeDecodeError:
        raise httpx.LocalProtocolError("aiohttp can send a header as UTF-8 only, which one of these is not") from None
    request.headers.clear()  # of aiohttp's own; to tell it beforehand which it is not to add takes longer
    request.headers.extend(headers)
    if isinstance(request, _Request):
        request.before_sending = given.extensions.get("before_sending")
    try:
        return await send(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        # These would make aiohttp send the request again; what it does not know, it leaves alone.
        raise _translated(error) from error


def _translated(error: Exception) -> httpx.TransportError:
    kind = next(theirs for ours, theirs in _ERRORS if isinstance(error, ours))
    return kind(_text(error) or type(error).__name__)


def _text(error: Exception) -> str:
    # aiohttp's own words show its objects, and call what it cannot read 400, as if the answer had that status.
    match error:
        case aiohttp.ServerDisconnectedError():
            return "The server closed the connection before it had answered"
        case aiohttp.ClientPayloadError():
            return "The body of the answer is incomplete or malformed"
        case aiohttp.ClientResponseError():
            return error.message
    return str(error)
