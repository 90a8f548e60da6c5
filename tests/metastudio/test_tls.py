"""TLS is verified by default; a CA file, a client certificate and a proxy are configured as in httpx."""

import asyncio
import io
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import trustme

from huaweicloud_auth import CredentialsError, IamTokenAuth, assume_agency
from huaweicloud_auth.projects import caller_identity, project_of
from metastudio import APIConnectionError, AsyncMetaStudio, Credentials, MetaStudio
from support.raw_server import RawServer
from support.sessions import Connect


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "14")
        self.end_headers()
        self.wfile.write(b'{"job_id":"j"}')

    def do_PUT(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(params=[ssl.CERT_NONE, ssl.CERT_REQUIRED], ids=["server only", "client certificate"])
def tls_server(request: pytest.FixtureRequest, authority: trustme.CA) -> Iterator[str]:
    """An https server on this machine; with the second parameter it asks clients for a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = request.param
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # handshakes fail on purpose
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"https://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def options(endpoint: str, **more: Any) -> dict[str, Any]:
    return {"endpoint": endpoint, "project_id": "p", "credentials": Credentials("AK", "SK"), "max_retries": 0, **more}


def test_unknown_authority_is_rejected(connect: Connect, tls_server: str) -> None:
    with pytest.raises(APIConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        connect(**options(tls_server)).show("j")


def test_client_of_plain_http_verifies_tls(tls_server: str, server: RawServer) -> None:
    with (
        MetaStudio(**options(server.url)) as studio,
        pytest.raises(APIConnectionError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        studio.client.get_httpx_client().get(tls_server)


def test_ca_file_and_client_certificate(connect: Connect, tls_server: str, authority: trustme.CA) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    authority.issue_cert("client@example.com").configure_cert(context)

    assert connect(**options(tls_server, verify=context)).show("j").job_id == "j"


@pytest.mark.parametrize("tls_server", [ssl.CERT_NONE], indirect=True)
def test_verification_can_be_turned_off(connect: Connect, tls_server: str) -> None:
    assert connect(**options(tls_server, verify=False)).show("j").job_id == "j"


@pytest.mark.parametrize("connect", ["sync", "async"], indirect=True)  # aiohttp is told, or uses none
def test_proxy_of_environment(connect: Connect, server: RawServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers.append(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    monkeypatch.setenv("HTTPS_PROXY", server.url)

    with pytest.raises(APIConnectionError, match="403"):
        connect(**options("https://127.0.0.1:1")).show("j")

    assert server.requests[0].startswith(b"CONNECT 127.0.0.1:1 ")


def test_proxy_argument(connect: Connect, server: RawServer) -> None:
    server.answers.append(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with pytest.raises(APIConnectionError, match="403"):
        connect(**options("https://metastudio.example.com", proxy=server.url)).show("j")

    assert server.requests[0].startswith(b"CONNECT metastudio.example.com:443 ")
    assert b"AK" not in server.requests[0]


@pytest.mark.parametrize("connect", ["sync", "async"], indirect=True)  # `verify` of an aiohttp transport is its own
@pytest.mark.parametrize("tls_server", [ssl.CERT_NONE], indirect=True)
def test_upload_verifies_the_certificate(connect: Connect, tls_server: str, authority: trustme.CA) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    upload = "upload", f"{tls_server}/a.zip?Signature=x"
    with pytest.raises(APIConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        connect(**options("http://127.0.0.1:1")).do(*upload, io.BytesIO(b"PK"))

    connect(**options("http://127.0.0.1:1", verify=context)).do(*upload, io.BytesIO(b"PK"))


KEY = Credentials("TLSKEY", "SK")


@pytest.mark.parametrize("tls_server", [ssl.CERT_NONE], indirect=True)
@pytest.mark.parametrize(
    "look_up",
    [
        lambda url: project_of(KEY, "cn-north-4", endpoint=url)(),
        lambda url: caller_identity(KEY, "cn-north-4", endpoint=url),
        lambda url: assume_agency("agency", "account", source=KEY, region="cn-north-4", endpoint=url)(),
        lambda url: IamTokenAuth("user", "password", "domain", "cn-north-4", endpoint=url).project_id(),
    ],
    ids=["project", "caller", "agency", "token"],
)
def test_identity_verifies_the_certificate(look_up: Callable[[str], object], tls_server: str) -> None:
    with pytest.raises(CredentialsError, match="CERTIFICATE_VERIFY_FAILED"):
        look_up(tls_server)


@pytest.mark.parametrize("by", ["argument", "environment"])
def test_a_proxy_gets_the_upload(connect: Connect, server: RawServer, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server.answers.append(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    session = connect(**options("http://127.0.0.1:1"), **({"proxy": server.url} if by == "argument" else {}))
    if by == "environment":
        monkeypatch.setenv("HTTPS_PROXY", server.url)

    with pytest.raises(APIConnectionError, match="403"):
        session.do("upload", "https://storage.example.com/a.zip?Signature=x", io.BytesIO(b"PK"))

    assert server.requests[0].startswith(b"CONNECT storage.example.com:443 ")
    assert b"Signature" not in server.requests[0]


@pytest.fixture
def attempts(tls_server: str, monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """One for each connection to `tls_server`."""
    made: list[object] = []
    accept = socket.socket.accept

    def counted(self: socket.socket) -> Any:
        made.append(1)
        return accept(self)

    monkeypatch.setattr(socket.socket, "accept", counted)
    return made


@pytest.mark.parametrize("tls_server", [ssl.CERT_NONE], indirect=True)
def test_untrusted_certificate_is_permanent(connect: Connect, tls_server: str, attempts: list[object]) -> None:
    """The same certificate would come again: neither a call nor a wait repeats it."""
    session = connect(**options(tls_server) | {"max_retries": 2})

    with pytest.raises(APIConnectionError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        session.show("j")
    with pytest.raises(APIConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        session.wait("j", timeout=600)

    assert isinstance(caught.value.__cause__, ssl.SSLCertVerificationError)
    assert (len(attempts), session.slept) == (2, [])


@pytest.mark.parametrize("tls_server", [ssl.CERT_NONE], indirect=True)
def test_untrusted_certificate_ends_wait_many(tls_server: str, attempts: list[object]) -> None:
    async def main() -> None:
        async with AsyncMetaStudio(**options(tls_server)) as studio:
            async for _ in studio.short_jobs.wait_many(["a", "b", "c"], timeout=600, max_in_flight=1):
                pytest.fail("an outcome")

    with pytest.raises(APIConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        asyncio.run(main())

    assert len(attempts) == 1


@pytest.mark.parametrize("tls_server", [ssl.CERT_REQUIRED], indirect=True)
def test_missing_client_certificate_is_connection_error(
    connect: Connect, tls_server: str, authority: trustme.CA
) -> None:
    """TLS 1.3 tells of it after the handshake."""
    context = ssl.create_default_context()
    authority.configure_trust(context)

    with pytest.raises(APIConnectionError):
        connect(**options(tls_server, verify=context)).show("j")


@pytest.mark.parametrize("connect", ["sync", "async"], indirect=True)
@pytest.mark.parametrize(
    ("status", "is_permanent"),
    [("407 Proxy Authentication Required", True), ("403 Forbidden", True), ("405 No", True), ("503 Busy", False)],
)
def test_refusal_of_proxy_is_permanent(connect: Connect, server: RawServer, status: str, is_permanent: bool) -> None:
    for _ in range(3):
        server.answers.append(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
    session = connect(**options("https://metastudio.example.com", proxy=server.url) | {"max_retries": 2})

    with pytest.raises(APIConnectionError, match=status[:3]):
        session.show("j")

    assert len(server.requests) == (1 if is_permanent else 3)
