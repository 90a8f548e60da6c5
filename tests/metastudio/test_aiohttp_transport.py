"""What `AiohttpTransport` says when the other side does not speak HTTP, and what it asks of aiohttp."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import httpx
import pytest

from metastudio.aiohttp_transport import AiohttpTransport
from support.raw_server import RawServer

CLOSED = "The server closed the connection without sending a response"


def send(request: httpx.Request) -> httpx.Response:
    async def sent() -> httpx.Response:
        transport = AiohttpTransport()
        try:
            response = await transport.handle_async_request(request)
            try:
                await response.aread()
            finally:
                await response.aclose()
            return response
        finally:
            await transport.aclose()

    return asyncio.run(sent())


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        pytest.param(b"", CLOSED, id="nothing"),
        pytest.param(b"HTTP/1.1 200 OK\r\n", CLOSED, id="half-a-head"),
        pytest.param(b"garbage\r\n\r\n", ("Bad status line", "Expected HTTP/"), id="no-status-line"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
            "The body of the response is incomplete or malformed",
            id="half-a-body",
        ),
    ],
)
def test_broken_response_has_its_own_error(server: RawServer, answer: bytes, message: str | tuple[str, ...]) -> None:
    server.answers.append(answer)

    with pytest.raises(httpx.RemoteProtocolError) as caught:
        send(httpx.Request("GET", server.url))

    assert str(caught.value).startswith(message)
    assert "400" not in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize("target", ["/", "/a%2Fb/%41;x=1@c:d", "/a?x=%e4+b&y=%2F?&z", "/%E4?a=1%3D2"])
def test_url_is_sent_as_signed(server: RawServer, target: str) -> None:
    server.answer(b"{}")
    send(httpx.Request("GET", server.url + target))
    assert server.requests[0].startswith(f"GET {target} HTTP/1.1\r\n".encode())


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_no_header_is_added(server: RawServer, method: str) -> None:
    server.answer(b"{}")
    request = httpx.Request(method, server.url, headers={"X-A": "a"})
    send(request)
    sent = [tuple(line.split(b": ")) for line in server.requests[0].splitlines()[1:-1]]
    assert sent == request.headers.raw


def test_header_is_sent_as_signed(server: RawServer) -> None:
    server.answer(b"{}")
    send(httpx.Request("GET", server.url, headers=[(b"X-Name", "Zoë".encode())]))
    assert "X-Name: Zoë\r\n".encode() in server.requests[0]


def test_header_that_would_change_is_rejected(server: RawServer) -> None:
    with pytest.raises(httpx.LocalProtocolError, match="one of these is not UTF-8"):
        send(httpx.Request("GET", server.url, headers=[(b"X-Name", "Zoë".encode("latin-1"))]))
    assert server.requests == []


def test_body_without_length_is_chunked() -> None:
    received: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.extend([await reader.readuntil(b"\r\n\r\n"), await reader.readuntil(b"0\r\n\r\n")])
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        writer.close()

    async def pieces() -> AsyncIterator[bytes]:
        yield b"hello "
        yield b"world"

    async def post() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        async with server, httpx.AsyncClient(transport=AiohttpTransport()) as client:
            await client.post(f"http://{host}:{port}", content=pieces())

    asyncio.run(post())
    assert b"Transfer-Encoding: chunked" in received[0]
    assert b"Content-Length" not in received[0]
    assert received[1] == b"b\r\nhello world\r\n0\r\n\r\n"


def test_plain_httpx_client_reads_response(server: RawServer) -> None:
    server.answer(gzip.compress(b'{"a": null}'), "200 OK", "Content-Encoding: gzip")

    async def get() -> httpx.Response:
        async with httpx.AsyncClient(transport=AiohttpTransport()) as client:
            return await client.get(server.url)

    response = asyncio.run(get())
    assert (response.content, response.json()) == (b'{"a": null}', {"a": None})


def test_instrumentation_sees_what_httpx_would_show_it(server: RawServer) -> None:
    server.answer(b"{}", "200 Fine")
    response = send(httpx.Request("GET", server.url))
    assert (response.http_version, response.reason_phrase) == ("HTTP/1.1", "Fine")
