"""The rules of SDK-HMAC-SHA256 one by one, and what signing does to a request and leaves alone."""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from huaweicloud_auth import AkSkAuth, Credentials, signing
from huaweicloud_auth.request import sign

HOST = "metastudio.example.com"
URL = f"https://{HOST}/v1/jobs"
DATE = "20260102T030405Z"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CREDENTIALS = Credentials("AccessKey", "SecretKey")
TEMPORARY = Credentials("AccessKey", "SecretKey", "SecurityToken")


def auth_with(credentials: Credentials = CREDENTIALS, project_id: str | None = None) -> AkSkAuth:
    return AkSkAuth(credentials, project_id, now=lambda: NOW)


def signed(request: httpx.Request, auth: AkSkAuth | None = None) -> httpx.Headers:
    """Return the headers that `request` goes out with."""
    with closing((auth or auth_with()).auth_flow(request)) as flow:
        return next(flow).headers


def signed_names(headers: httpx.Headers) -> list[str]:
    found = re.search("SignedHeaders=(.*?),", headers["Authorization"])
    assert found
    return found[1].split(";")


def authorization(canonical: bytes) -> str:
    """Return the `Authorization` for a canonical request that a test has written out."""
    to_sign = f"SDK-HMAC-SHA256\n{DATE}\n{hashlib.sha256(canonical).hexdigest()}"
    signed_headers = canonical.decode("latin-1").split("\n")[-2].split(";")
    return signing.authorization(CREDENTIALS.ak, signed_headers, signing.signature(CREDENTIALS.sk, to_sign))


# The canonical request


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("/", "/"),
        ("/a", "/a/"),
        ("/a/", "/a/"),
        ("//a", "//a/"),
        ("/a%2Fb", "/a%2Fb/"),
        ("/a%2F", "/a%2F/"),
        ("/%61%7e", "/a~/"),
        ("/%e4%b8%80", "/%E4%B8%80/"),
        ("/%2541", "/%2541/"),
        ("/a+b:c@d", "/a%2Bb%3Ac%40d/"),
        ("/Az09-_.~", "/Az09-_.~/"),
    ],
)
def test_path_segments_are_normalized(path: str, canonical: str) -> None:
    assert signing.canonical_request("GET", path, {}, [], "").split("\n")[1] == canonical


@pytest.mark.parametrize(
    ("query", "canonical"),
    [
        ("", ""),
        ("?", ""),
        ("?a=", "a="),
        ("?a", "a="),
        ("?a=b=c?", "a=b%3Dc%3F"),
        ("?&a=1&&b=2&", "a=1&b=2"),
        ("?a=b+c", "a=b%20c"),
        ("?a=b%20c", "a=b%20c"),
        ("?a=b%2Bc", "a=b%2Bc"),
        ("?a+b=c", "a%20b=c"),
        ("?a=%e4%b8%80/%7e", "a=%E4%B8%80%2F~"),
        ("?b=2&a=1", "a=1&b=2"),
        ("?a=9&a=10&a=", "a=&a=10&a=9"),
        ("?a=1&B=2", "B=2&a=1"),
        ("?z=1&%7B=2", "%7B=2&z=1"),
        ("?a=z&a=%7B", "a=%7B&a=z"),
        ("?a-b=1&a=2", "a=2&a-b=1"),
    ],
    ids=lambda text: text or "none",
)
def test_query_is_encoded_then_sorted(query: str, canonical: str) -> None:
    assert signing.canonical_request("GET", f"/{query}", {}, [], "").split("\n")[2] == canonical


def test_header_values_are_stripped() -> None:
    headers = {"x-b": "\t b  c ", "host": HOST, "x-a": ""}
    canonical = signing.canonical_request("GET", "/", headers, ["host", "x-a", "x-b"], "hash")
    assert canonical == f"GET\n/\n\nhost:{HOST}\nx-a:\nx-b:b  c\n\nhost;x-a;x-b\nhash"


# What is signed


def test_host_is_signed_with_port() -> None:
    expected = authorization(
        f"GET\n/v1/\n\nhost:{HOST}:8443\nx-sdk-date:{DATE}\n\nhost;x-sdk-date\n{signing.hash_hex(b'')}".encode()
    )
    assert signed(httpx.Request("GET", f"https://{HOST}:8443/v1"))["Authorization"] == expected


@pytest.mark.parametrize(
    ("body", "is_signed"),
    [(None, False), (b"", False), (b"{}", True), (iter([b"{}"]), True)],
    ids=["none", "empty", "bytes", "stream"],
)
def test_content_type_is_signed_only_with_body(body: Any, is_signed: bool) -> None:
    request = httpx.Request("POST", URL, headers={"Content-Type": "application/json"}, content=body)
    assert ("content-type" in signed_names(signed(request))) is is_signed


def test_signed_headers() -> None:
    """Each X- header is signed; a header that a proxy may rewrite is not."""
    headers = {"X-App-UserId": "u", "x-request-id": "r", "Accept": "*/*", "User-Agent": "t", "Via": "v", "Cookie": "c"}
    request = httpx.Request("POST", URL, headers=headers, content=b"{}")
    sent = signed(request, auth_with(TEMPORARY, "project"))
    assert signed_names(sent) == [
        "host",
        "x-app-userid",
        "x-project-id",
        "x-sdk-date",
        "x-security-token",
    ]


def test_repeated_header_is_signed_as_list() -> None:
    request = httpx.Request("GET", URL, headers=[("X-Sdk-A", "2"), ("x-sdk-a", "1")])
    expected = authorization(
        f"GET\n/v1/jobs/\n\nhost:{HOST}\nx-sdk-a:2, 1\nx-sdk-date:{DATE}\n\n"
        f"host;x-sdk-a;x-sdk-date\n{signing.hash_hex(b'')}".encode()
    )
    assert signed(request)["Authorization"] == expected


def test_non_utf8_header_is_signed_as_bytes() -> None:
    request = httpx.Request("GET", URL, headers=[(b"X-Sdk-A", b"\xff")])
    expected = authorization(
        b"GET\n/v1/jobs/\n\nhost:%b\nx-sdk-a:\xff\nx-sdk-date:%b\n\nhost;x-sdk-a;x-sdk-date\n%b"
        % (HOST.encode(), DATE.encode(), signing.hash_hex(b"").encode())
    )
    assert signed(request)["Authorization"] == expected


def test_streamed_body_is_unsigned_payload() -> None:
    """A streamed body is not read."""

    def body() -> Iterator[bytes]:
        pytest.fail("signing read the stream")
        yield b""

    sent = signed(httpx.Request("PUT", URL, content=body()))

    assert sent["X-Sdk-Content-Sha256"] == "UNSIGNED-PAYLOAD"
    assert sent["Authorization"] == authorization(
        f"PUT\n/v1/jobs/\n\nhost:{HOST}\nx-sdk-content-sha256:UNSIGNED-PAYLOAD\nx-sdk-date:{DATE}\n\n"
        "host;x-sdk-content-sha256;x-sdk-date\nUNSIGNED-PAYLOAD".encode()
    )


# The date


@pytest.mark.parametrize("hours", [-9.5, -5, 0, 5.75, 8, 14])
def test_date_is_utc_for_any_clock_zone(hours: float) -> None:
    here = NOW.astimezone(timezone(timedelta(hours=hours)))
    sent = signed(httpx.Request("GET", URL), AkSkAuth(CREDENTIALS, now=lambda: here))
    assert sent["X-Sdk-Date"] == DATE
    assert sent["Authorization"] == signed(httpx.Request("GET", URL))["Authorization"]


@pytest.mark.skipif(not hasattr(time, "tzset"), reason="the zone of a running process can be set on Unix only")
@pytest.mark.parametrize("zone", ["XST-8", "XST+9:30"])
def test_date_is_utc_for_any_machine_zone(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        with monkeypatch.context() as patched:
            patched.setenv("TZ", zone)
            time.tzset()
            sent = signed(httpx.Request("GET", URL), AkSkAuth(CREDENTIALS))
    finally:
        time.tzset()
    date = datetime.strptime(sent["X-Sdk-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    assert abs(datetime.now(UTC) - date) < timedelta(minutes=1)


# What is on the request before


STALE = {
    "Authorization": "SDK-HMAC-SHA256 Access=Old, SignedHeaders=x-sdk-date, Signature=0",
    "X-Sdk-Date": "20190101T000000Z",
    "X-Project-Id": "old",
    "X-Security-Token": "old",
}


def test_old_signature_is_replaced() -> None:
    fresh = signed(httpx.Request("GET", URL), auth_with(TEMPORARY, "project"))
    stale = signed(httpx.Request("GET", URL, headers=STALE), auth_with(TEMPORARY, "project"))
    assert dict(stale) == dict(fresh)
    assert (fresh["X-Project-Id"], fresh["X-Security-Token"], fresh["X-Sdk-Date"]) == ("project", "SecurityToken", DATE)


def test_permanent_key_removes_security_token() -> None:
    request = httpx.Request("GET", URL)
    signed(request, auth_with(TEMPORARY))
    assert dict(signed(request)) == dict(signed(httpx.Request("GET", URL)))


def test_signing_twice_gives_same_signature() -> None:
    request = httpx.Request("POST", URL, content=b"{}")
    once = dict(signed(request, auth_with(TEMPORARY, "project")))
    assert dict(signed(request, auth_with(TEMPORARY, "project"))) == once


def test_other_headers_are_unchanged() -> None:
    headers = httpx.Headers({"Accept": "*/*", "Content-Type": "application/json", "X-A": " a "})
    request = httpx.Request("POST", f"{URL}?b=2&a=c+d", headers=headers, content=b"{}")
    before = dict(request.headers)

    after = dict(signed(request, auth_with(TEMPORARY, "project")))

    assert before.items() <= after.items()
    assert after.keys() - before.keys() == {"authorization", "x-sdk-date", "x-project-id", "x-security-token"}
    assert (request.method, str(request.url), request.content) == ("POST", f"{URL}?b=2&a=c+d", b"{}")
    assert dict(headers) == {"accept": "*/*", "content-type": "application/json", "x-a": " a "}


# On httpx's own clients


class Wire:
    """One client, sync or async, whose transport keeps what it is given."""

    def __init__(self, kind: str) -> None:
        self.is_async = kind == "async"
        self.sent: list[httpx.Request] = []
        self.client_headers: list[dict[str, str]] = []

    def send(self, *methods: str, client_headers: dict[str, str] | None = None, **options: Any) -> None:
        """Send one request per method with a new client; keep that client's default headers, before and after."""
        settings: Any = {
            "auth": auth_with(),
            "headers": client_headers,
            "transport": httpx.MockTransport(self._respond),
        }
        if self.is_async:
            asyncio.run(self._send_async(methods, settings, options))
            return
        with httpx.Client(**settings) as client:
            self.client_headers.append(dict(client.headers))
            for method in methods:
                client.request(method, URL, **options)
            self.client_headers.append(dict(client.headers))

    async def _send_async(self, methods: tuple[str, ...], settings: Any, options: Any) -> None:
        async with httpx.AsyncClient(**settings) as client:
            self.client_headers.append(dict(client.headers))
            for method in methods:
                await client.request(method, URL, **options)
            self.client_headers.append(dict(client.headers))

    def _respond(self, request: httpx.Request) -> httpx.Response:
        self.sent.append(request)
        return httpx.Response(200)


@pytest.fixture(params=["sync", "async"])
def wire(request: pytest.FixtureRequest) -> Wire:
    return Wire(request.param)


def test_request_is_signed(wire: Wire) -> None:
    wire.send("GET", params={"q": "a b"})
    expected = authorization(
        f"GET\n/v1/jobs/\nq=a%20b\nhost:{HOST}\nx-sdk-date:{DATE}\n\nhost;x-sdk-date\n{signing.hash_hex(b'')}".encode()
    )
    assert [request.headers["Authorization"] for request in wire.sent] == [expected]


def test_json_body_is_signed(wire: Wire) -> None:
    wire.send("POST", json={"name": "一"})
    expected = authorization(
        f"POST\n/v1/jobs/\n\ncontent-type:application/json\nhost:{HOST}\nx-sdk-date:{DATE}\n\n"
        f"content-type;host;x-sdk-date\n{signing.hash_hex(wire.sent[0].content)}".encode()
    )
    assert [request.headers["Authorization"] for request in wire.sent] == [expected]


def test_streamed_body_is_sent_whole(wire: Wire) -> None:
    def chunks() -> Iterator[bytes]:
        yield from (b"a", b"b")

    async def async_chunks() -> AsyncIterator[bytes]:
        for chunk in chunks():
            yield chunk

    wire.send("PUT", content=async_chunks() if wire.is_async else chunks())
    assert wire.sent[0].content == b"ab"
    assert wire.sent[0].headers["X-Sdk-Content-Sha256"] == "UNSIGNED-PAYLOAD"


def test_requests_are_independent(wire: Wire) -> None:
    of_client, of_request = {"X-A": "a"}, {"X-B": "b"}
    wire.send("GET", "GET", client_headers=of_client, headers=of_request)
    assert (of_client, of_request) == ({"X-A": "a"}, {"X-B": "b"})
    assert wire.client_headers[0] == wire.client_headers[1]
    first, second = (dict(request.headers) for request in wire.sent)
    assert first == second


@pytest.mark.parametrize(("ours", "sent"), [(None, "theirs"), ("theirs", "theirs"), ("ours", "ours")])
def test_existing_project_id_is_signed(ours: str | None, sent: str) -> None:
    """A project ID in the request is signed, and replaced only by another one."""
    request = httpx.Request("GET", "https://service.example.com/", headers={"X-Project-Id": "theirs"})
    canonical_request = sign(request, Credentials("AK", "SK"), ours, datetime(2026, 1, 2, tzinfo=UTC))

    assert request.headers.get_list("X-Project-Id") == [sent]
    assert f"\nx-project-id:{sent}\n" in canonical_request
