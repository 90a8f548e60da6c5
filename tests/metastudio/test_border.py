"""What comes back when the other side answers with something else than the contract: a typed, printable error."""

import asyncio
import gzip
import io
import json
import pickle
import socket
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, nullcontext
from types import SimpleNamespace
from typing import Any

import httpcore
import httpx
import pytest

from metastudio import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AsyncMetaStudio,
    AuthenticationError,
    BadRequestError,
    Credentials,
    InternalServerError,
    MetaStudio,
    NotFoundError,
    RateLimitError,
)
from support import HANGS_AFTER
from support.raw_server import RawServer
from support.sessions import AsyncSession, Connect, SyncSession
from support.virtual_time import Clock

JOB = b'{"job_id": "j", "state": "WAITING"}'


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        ("400 Bad Request", b'{"error_code": "MSS.00010008", "error_msg": "m"}', AuthenticationError),
        ("502 Bad Gateway", b"<html><h1>502</h1></html>", InternalServerError),
        ("302 Found", b"", APIStatusError),
    ],
)
def test_error_response_is_raised(
    connect: Connect,
    server: RawServer,
    raw_options: dict[str, Any],
    status: str,
    body: bytes,
    expected: type[APIStatusError],
) -> None:
    """Its class depends on status and code: test_errors has them all."""
    server.answer(body, status, "Location: /elsewhere", "X-Request-Id: r-1")

    with pytest.raises(APIStatusError) as caught:
        connect(**raw_options).show("j")

    error = caught.value
    assert type(error) is expected
    assert (error.status_code, error.body, error.request_id) == (int(status[:3]), body, "r-1")
    assert str(error).startswith(status[:3])
    assert len(str(error)) < 500
    assert str(error).isprintable()
    assert len(server.requests) == 1, "a redirect must not be followed"


def test_message_is_one_printable_line(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    message = "first\nsecond \x1b[31mred \x00" + "x" * 10_000
    server.answer(json.dumps({"error_code": "APIGW.0201", "error_msg": message}).encode(), "400 Bad Request")

    with pytest.raises(BadRequestError) as caught:
        connect(**raw_options).show("j")

    assert str(caught.value).isprintable()
    assert str(caught.value).startswith("400 APIGW.0201: first second [31mred")
    assert len(str(caught.value)) <= 300
    assert caught.value.error_msg == message
    assert repr(caught.value) == f"BadRequestError({str(caught.value)!r})"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"3",
        b"null",
        b'{"job_id": "j"',
        b"[" * 200_000,
        b"\xff\xff\xff",
        b'{"assess_result": "excellent"}',
        b'{"assess_result": [1]}',
        b'{"assess_result": {"snr": 3}}',
        b'{"assess_result": {"snr": [[null]]}}',
        b'{"state": {}}',
        b'{"state": ["SUCCEED"]}',
        b'{"state": 5}',
    ],
)
def test_invalid_response_keeps_body(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], body: bytes
) -> None:
    server.answer(body, "200 OK", "X-Request-Id: r-1")

    with pytest.raises(APIResponseValidationError) as caught:
        connect(**raw_options).show("j")

    assert caught.value.body == body
    assert (caught.value.status_code, caught.value.headers["X-Request-Id"]) == (200, "r-1")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) <= 300


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"<html>", "the response is not JSON"),
        (b"[" * 200_000, "the response is nested too deeply"),
        (b'{"a": ' + b"[" * 2000 + b"null" + b"]" * 2000 + b"}", "the response is nested too deeply"),
        (b'{"a": ' + b'[{"a": ' * 25 + b"1" + b"}]" * 25 + b"}", "the response is nested too deeply"),
        (b'{"error_code": "MSS.1", "error_msg": "no"}', "the response is an error (MSS.1) with a success status"),
        (b"[]", "the response is not a JSON object"),
        (b'{"assess_result": "excellent"}', "the response does not match the contract"),
    ],
)
def test_invalid_response_has_reason(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], body: bytes, reason: str
) -> None:
    server.answer(body)

    with pytest.raises(APIResponseValidationError) as caught:
        connect(**raw_options).show("j")

    assert caught.value.reason == reason
    assert str(caught.value).startswith(f"{reason} (status 200): ")


@pytest.mark.parametrize("status", ["302 Found", "400 Bad Request", "401 Unauthorized", "500 Internal Server Error"])
def test_compressed_error_is_read(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], status: str
) -> None:
    body = b'{"error_code": "X.1", "error_msg": "m"}'
    server.answer(gzip.compress(body), status, "Content-Encoding: gzip", "Location: /")

    with pytest.raises(APIStatusError) as caught:
        connect(**raw_options).show("j")

    assert (caught.value.error_code, caught.value.body) == ("X.1", body)


@pytest.mark.parametrize("location", ["mailto:x", "http://[::1"])
def test_unusable_redirect_is_connection_error(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], location: str
) -> None:
    server.answer(b"moved", "301 Moved Permanently", f"Location: {location}")

    with pytest.raises(APIConnectionError):
        connect(**raw_options).show("j")


def test_false_gzip_is_connection_error(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    server.answer(b"not gzip", "200 OK", "Content-Encoding: gzip")

    with pytest.raises(APIConnectionError, match="DecodingError"):
        connect(**raw_options).show("j")


@pytest.mark.parametrize("location", ["/elsewhere", "https://elsewhere.example.com/", ""])
def test_redirect_is_error(connect: Connect, server: RawServer, raw_options: dict[str, Any], location: str) -> None:
    server.answer(b"moved", "301 Moved Permanently", f"Location: {location}")

    with pytest.raises(APIStatusError) as caught:
        connect(**raw_options).show("j")

    assert (caught.value.status_code, caught.value.body) == (301, b"moved")
    assert caught.value.headers["Location"] == location


@pytest.mark.parametrize("message", [b"a\tb\x01", b"\xff\xfe", "\u8bed\u97f3".encode("gbk"), "\u8bed\u97f3".encode()])
def test_malformed_message_keeps_code(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], message: bytes
) -> None:
    server.answer(b'{"error_code": "MSS.00010008", "error_msg": "%b"}' % message, "400 Bad Request")

    with pytest.raises(AuthenticationError) as caught:
        connect(**raw_options).show("j")

    assert caught.value.error_code == "MSS.00010008"
    assert caught.value.error_msg == message.decode("utf-8", "replace")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("status", ["201 Created", "204 No Content"])
def test_unknown_success_status_is_invalid(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], status: str
) -> None:
    body = JOB if status.startswith("201") else b""
    server.answer(body, status)

    with pytest.raises(APIResponseValidationError) as caught:
        connect(**raw_options).show("j")

    assert (caught.value.status_code, caught.value.body) == (int(status[:3]), body)


def test_null_means_missing(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    """In the fields of the contract; an unknown field is kept as it is."""
    server.answer(
        b'{"job_id": "j", "state": null, "assess_result": {"snr": null, "speed": {"status": null}}, '
        b'"colours": [{"of": null, "in": 1}, null]}'
    )

    job = connect(**raw_options).show("j")

    assert job.state is None
    assert job.to_dict() == {"job_id": "j", "assess_result": {"speed": {}}, "colours": [{"of": None, "in": 1}, None]}


def test_unknown_fields_are_kept(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    server.answer(b'{"job_id": "j", "colour": {"of": ["the", "moon"]}, "create_time": 99999999999}')

    assert connect(**raw_options).show("j").to_dict() == {
        "job_id": "j",
        "colour": {"of": ["the", "moon"]},
        "create_time": 99999999999,
    }


def test_compressed_response_is_read(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    server.answer(gzip.compress(b'{"job_id": "j", "state": null}'), "200 OK", "Content-Encoding: gzip")

    assert connect(**raw_options).show("j").to_dict() == {"job_id": "j"}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{",
    ],
    ids=["lost", "garbage", "cut off"],
)
def test_broken_response_is_connection_error(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], answer: bytes
) -> None:
    server.answers.append(answer)

    with pytest.raises(APIConnectionError) as caught:
        connect(**raw_options).show("j")

    assert not isinstance(caught.value, APITimeoutError)
    assert isinstance(caught.value.__cause__, httpx.RequestError)
    assert caught.value.__cause__.__traceback__ is None
    assert caught.value.__context__ is None


def test_refused_connection_is_no_timeout(connect: Connect, raw_options: dict[str, Any], server: RawServer) -> None:
    server.shutdown()  # while its thread still waits for a connection, the port stays open
    server.server_close()

    with pytest.raises(APIConnectionError, match="ConnectError") as caught:
        connect(**raw_options).show("j")

    assert not isinstance(caught.value, APITimeoutError)


def test_silent_server_is_timeout(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    # The timeout of the read is real, and short: nobody responds, so it always runs out.
    server.answers.append(None)

    with pytest.raises(APITimeoutError, match="ReadTimeout"):
        connect(**raw_options, timeout=httpx.Timeout(HANGS_AFTER, read=0.05), real_time=True).show("j")


def drops(server: RawServer, whole: bytes, drop: Callable[[], None]) -> Iterator[bytes]:
    """One byte at a time, for as long as the test runs; call `drop` before each."""
    yield whole
    while not server.over.wait(0.01):
        drop()
        yield b" "


@pytest.mark.parametrize(
    ("client", "start"),
    [
        ("sync", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
        ("async", b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"),
        ("sync", b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 100000\r\n\r\n"),
        ("async", b"HTTP/1.1 200 OK\r\nX-A: "),
    ],
)
def test_endless_response_ends_at_deadline(
    server: RawServer, raw_options: dict[str, Any], client: str, start: bytes
) -> None:
    session = SyncSession(**raw_options) if client == "sync" else AsyncSession(**raw_options, real_time=True)
    # The sync client's clock is virtual, and each drop takes a second. The async client's time is real: there is no
    # last drop, so the deadline always passes.
    total_timeout = 10 if client == "sync" else 0.1
    server.answers.append(drops(server, start, lambda: session.clock.sleep(1)))

    with closing(session), pytest.raises(APITimeoutError, match="the response was not complete at the deadline"):
        session.show("j", total_timeout=total_timeout)


def test_errors_pickle_to_equals(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    server.answer(b'{"error_code": "X.1", "error_msg": "m", "request_id": "r"}', "429 Too Many Requests")
    with pytest.raises(RateLimitError) as caught:
        connect(**raw_options).show("j")

    copy = pickle.loads(pickle.dumps(caught.value))

    assert type(copy) is RateLimitError
    assert copy.args == caught.value.args == (429, "X.1", "m", "r", caught.value.headers, caught.value.body, None)
    assert str(copy) == str(caught.value) == "429 X.1: m (request ID r)"


@pytest.mark.parametrize(("message", "said"), [("", "ReadTimeout"), ("too \n late", "ReadTimeout: too late")])
def test_connection_error_has_httpx_message(
    connect: Connect, raw_options: dict[str, Any], message: str, said: str
) -> None:
    def lose(_: httpx.Request) -> httpx.Response:
        raise httpx.ReadTimeout(message)

    with pytest.raises(APITimeoutError) as caught:
        connect(**raw_options, transport=httpx.MockTransport(lose)).show("j")

    assert str(caught.value) == said
    assert str(caught.value.__cause__) == message


@pytest.mark.parametrize(
    ("timeout", "total_timeout", "expected"),
    [
        (3, 120, {"connect": 3, "read": 3, "write": 3, "pool": 3}),
        (30, 5, {"connect": 5, "read": 5, "write": 5, "pool": 5}),
        (httpx.Timeout(30, connect=2), 5, {"connect": 2, "read": 5, "write": 5, "pool": 5}),
        (httpx.Timeout(None), 5, {"connect": 5, "read": 5, "write": 5, "pool": 5}),
    ],
)
def test_each_phase_ends_at_deadline(
    connect: Connect, raw_options: dict[str, Any], timeout: Any, total_timeout: float, expected: dict[str, float]
) -> None:
    timeouts: list[dict[str, float]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        timeouts.append(request.extensions["timeout"])
        return httpx.Response(200, json={})

    transport = httpx.MockTransport(answer)
    connect(**raw_options, timeout=timeout, total_timeout=total_timeout, transport=transport).show("j")

    assert timeouts == [expected]


def test_nested_request_has_no_deadline(connect: Connect, raw_options: dict[str, Any]) -> None:
    timeouts: dict[str, float] = {}

    def answer(request: httpx.Request) -> httpx.Response:
        timeouts[request.url.path.rpartition("/")[2]] = request.extensions["timeout"]["read"]
        return httpx.Response(200, json={})

    transport = httpx.MockTransport(answer)
    with MetaStudio(**raw_options, transport=transport) as vault:

        def credentials() -> Credentials:
            vault.client.get_httpx_client().get("/credentials")
            return Credentials("AK", "SK")

        options = raw_options | {"credentials": credentials, "total_timeout": 5}
        connect(**options, transport=transport).show("job")

    assert timeouts == {"credentials": 30, "job": 5}


@pytest.mark.parametrize("transport", [None, httpx.MockTransport(lambda _: httpx.Response(200, content=JOB))])
@pytest.mark.parametrize(
    "url_of",
    [
        lambda base: "/v1/jobs",
        lambda base: "v1/jobs",
        lambda base: f"{base}/v1/jobs",
        lambda base: httpx.URL("/v1/jobs"),
        lambda base: httpx.URL(f"{base}/v1/jobs"),
    ],
    ids=["path", "relative", "absolute", "path as URL", "URL"],
)
def test_raw_client_has_httpx_arguments(
    server: RawServer,
    raw_options: dict[str, Any],
    transport: httpx.BaseTransport | None,
    url_of: Callable[[str], httpx.URL | str],
) -> None:
    """The response knows its request."""
    server.answer(JOB)

    with MetaStudio(**raw_options, transport=transport) as studio:
        response = studio.client.get_httpx_client().get(url_of(server.url), headers={"X-A": "a"})

    assert str(response.url) == f"{server.url}/v1/jobs"
    assert response.request.headers["X-A"] == "a"
    assert response.json() == json.loads(JOB)
    assert response.content == response.read() == response.text.encode() == JOB


def test_raw_async_client_has_httpx_arguments(server: RawServer, raw_options: dict[str, Any]) -> None:
    async def main() -> httpx.Response:
        async with AsyncMetaStudio(**raw_options) as studio:
            client = studio.client.get_async_httpx_client()
            return await client.post("/v1/jobs", headers={"X-A": "a"}, params={"b": "c"})

    server.answer(JOB)
    response = asyncio.run(main())

    assert (response.url.raw_path, response.request.headers["X-A"]) == (b"/v1/jobs?b=c", "a")
    assert response.content == JOB


@pytest.mark.parametrize(
    ("path", "sent"), [("/v1/a b", b"/v1/a%20b"), ("/v1/\xfc", b"/v1/%C3%BC"), ("/v1/%2F?a=b%20c", b"/v1/%2F?a=b%20c")]
)
def test_raw_client_encodes_as_httpx(server: RawServer, raw_options: dict[str, Any], path: str, sent: bytes) -> None:
    server.answer(JOB)

    with MetaStudio(**raw_options) as studio:
        studio.client.get_httpx_client().get(path)

    assert server.requests[0].split()[1] == sent


def test_raw_client_rejects_as_httpx(server: RawServer, raw_options: dict[str, Any]) -> None:
    with MetaStudio(**raw_options) as studio, pytest.raises(httpx.InvalidURL, match="non-printable"):
        studio.client.get_httpx_client().get("/v1/a\nb")
    assert server.requests == []


def test_only_needed_headers_are_sent(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    server.answer(JOB)
    connect(**raw_options).show("j")
    first, *others = [line.partition(b":")[0].decode() for line in server.requests[0].splitlines()[1:-1]]
    assert first == "Host"
    signature = ["Authorization", "X-Project-Id", "X-Sdk-Date"]
    assert sorted(others) == sorted(["Accept", "Accept-Encoding", "Connection", "User-Agent", *signature])


def test_raw_client_decodes_once(server: RawServer, raw_options: dict[str, Any]) -> None:
    server.answer(gzip.compress(JOB), "200 OK", "Content-Encoding: gzip")

    with MetaStudio(**raw_options) as studio:
        response = studio.client.get_httpx_client().get("/v1/jobs")

    assert response.content == response.read() == JOB


class Pieces(httpx.SyncByteStream, httpx.AsyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield from (JOB[:5], JOB[5:9], JOB[9:])

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


def test_response_in_pieces(connect: Connect, raw_options: dict[str, Any]) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=Pieces()))

    job = connect(**raw_options, transport=transport).show("j", total_timeout=0.5)  # in virtual time: all in time

    assert job.to_dict() == json.loads(JOB)


def test_cookies_are_not_kept(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    session = connect(**raw_options)
    for _ in range(2):
        server.answer(JOB, "200 OK", "Set-Cookie: a=b")
        session.show("j")

    assert b"cookie" not in server.requests[1].lower()


def too_long(layers: int, status: str) -> bytes:
    """A response of 9 MB; with a layer of gzip, of some kilobytes on the wire."""
    body = b" " * (9 * 1024 * 1024)
    for _ in range(layers):
        body = gzip.compress(body)
    encoding = ", ".join(["gzip"] * layers) or "identity"
    head = f"HTTP/1.1 {status}\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "502 Bad Gateway"])
@pytest.mark.parametrize(
    ("layers", "reason"),
    [(0, "larger than 8 MB"), (1, "larger than 8 MB"), (2, "'gzip, gzip', which was not requested")],
)
def test_large_response_raises(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], layers: int, reason: str, status: str
) -> None:
    server.answers.append(too_long(layers, status))

    with pytest.raises(APIConnectionError, match=reason):
        connect(**raw_options).show("j")


def test_deflate_is_read(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    server.answer(zlib.compress(JOB), "200 OK", "Content-Encoding: deflate")

    assert connect(**raw_options).show("j").to_dict() == json.loads(JOB)


def test_response_about_another_job_is_invalid(
    connect: Connect, server: RawServer, raw_options: dict[str, Any]
) -> None:
    server.answer(b'{"job_id": "another", "state": "SUCCEED"}')
    server.answer(b'{"job_id": "AbC", "state": "SUCCEED"}')
    session = connect(**raw_options)

    with pytest.raises(APIResponseValidationError, match="the response is about another job"):
        session.show("j")
    assert session.show("aBc").state == "SUCCEED"


def test_deepest_response_is_valid(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    """Fifty levels, and a field that is called error_code beside others, are no reason to lose a verdict."""
    deep = b"[" * 49 + b"1" + b"]" * 49
    server.answer(b'{"state": "SUCCEED", "error_code": "0", "news": ' + deep + b"}")

    assert connect(**raw_options).show("j").state == "SUCCEED"


def interim(clock: Clock) -> Iterator[bytes]:
    while True:
        clock.now += 1
        yield b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"


def lines(clock: Clock) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    while True:
        clock.now += 1
        yield b"X: a\r\n"


def trailers(clock: Clock) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    while True:
        clock.now += 1
        yield b"X: a\r\n"


@pytest.mark.parametrize("endless", [interim, lines, trailers])
def test_response_without_end(
    endless: Callable[[Clock], Iterator[bytes]], server: RawServer, raw_options: dict[str, Any]
) -> None:
    """For threads: each read ends at the call's deadline. (asyncio has one for the whole call.)"""
    clock = Clock()
    with MetaStudio(**raw_options, total_timeout=20) as studio:
        studio.short_jobs._caller.clock = clock
        server.answers.append(endless(clock))
        with pytest.raises(APITimeoutError):
            studio.short_jobs.show("j")


def _resolve(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    """Let `localhost` have these addresses."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in addresses]
    real = socket.getaddrinfo
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, *a, **k: found if host == "localhost" else real(host, *a, **k)
    )


def test_addresses_without_response_share_one_timeout(
    raw_options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """For threads: the limit of a connection is that of its host, however many addresses that has."""
    clock = Clock()

    def silent(_: object, address: str, port: int, timeout: float, *others: object) -> None:
        tried.append((address, timeout))
        clock.now += timeout
        raise httpcore.ConnectTimeout("silent")

    tried: list[tuple[str, float]] = []
    _resolve(monkeypatch, "127.0.0.1", "127.0.0.2", "127.0.0.3")
    monkeypatch.setattr("metastudio.deadline.monotonic", clock)
    monkeypatch.setattr(httpcore.SyncBackend, "connect_tcp", silent)
    raw_options["endpoint"] = "http://localhost"
    with MetaStudio(**raw_options, timeout=6) as studio, pytest.raises(APITimeoutError):
        studio.short_jobs.show("j")

    assert [address for address, _ in tried] == ["127.0.0.1", "127.0.0.2", "127.0.0.3"]
    assert [timeout for _, timeout in tried] == pytest.approx([2, 2, 2])


def test_next_address_is_tried(server: RawServer, raw_options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    _resolve(monkeypatch, "127.0.0.2", "127.0.0.1")
    server.answer(b'{"job_id": "j"}')
    raw_options["endpoint"] = server.url.replace("127.0.0.1", "localhost")
    with MetaStudio(**raw_options) as studio:
        assert studio.short_jobs.show("j").job_id == "j"


def test_unknown_host_is_connection_error(raw_options: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with (
        MetaStudio(**raw_options) as studio,
        pytest.raises(APIConnectionError, match="Name or service not known"),
    ):
        studio.short_jobs.show("j")


def test_endless_upload_response_ends_at_deadline(
    server: RawServer, raw_options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its body may take its time; its response may not."""
    clock = Clock()
    monkeypatch.setattr("metastudio.upload_body.time", SimpleNamespace(monotonic=clock))
    with MetaStudio(**raw_options) as studio:
        server.answers.append(interim(clock))
        with pytest.raises(APITimeoutError):
            studio.short_jobs.upload(f"{server.url}/a.zip?Signature=x", io.BytesIO(b"PK"))


@pytest.mark.parametrize("status", ["200 OK", "401 Unauthorized", "503 Service Unavailable"])
@pytest.mark.parametrize("head", ["Date: T\u00e8u, 26 Nov 2026", "X-Request-Id: \u00e8\u00e8", "Retry-After: \u00e8"])
def test_non_ascii_header(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], status: str, head: str
) -> None:
    server.answer(b"{}", status, head)

    with nullcontext() if status == "200 OK" else pytest.raises(APIStatusError, match=status[:3]):
        assert connect(**raw_options).show("j").job_id is None


def test_non_unicode_reason(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    server.answers.append(b"HTTP/1.1 404 Not\xff\xfeFound\r\nContent-Length: 0\r\n\r\n")

    with pytest.raises(NotFoundError):
        connect(**raw_options).show("j")
