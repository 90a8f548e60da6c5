"""TLS is verified by default; a CA file, a client certificate and a proxy are configured as in httpx."""

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import trustme

from conftest import Connect
from metastudio import APIConnectionError, Credentials, MetaStudio
from raw_server import RawServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "14")
        self.end_headers()
        self.wfile.write(b'{"job_id":"j"}')

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


def test_a_server_that_nobody_vouches_for_is_refused(connect: Connect, tls_server: str) -> None:
    with pytest.raises(APIConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        connect(**options(tls_server)).show("j")


def test_on_plain_http_it_is_not_left_unverified_either(tls_server: str, server: RawServer) -> None:
    with (
        MetaStudio(**options(server.url)) as studio,
        pytest.raises(APIConnectionError, match="CERTIFICATE_VERIFY_FAILED"),
    ):
        studio.client.get_httpx_client().get(tls_server)


def test_with_its_authority_and_a_client_certificate_it_works(
    connect: Connect, tls_server: str, authority: trustme.CA
) -> None:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    authority.issue_cert("client@example.com").configure_cert(context)

    assert connect(**options(tls_server, verify=context)).show("j").job_id == "j"


@pytest.mark.parametrize("tls_server", [ssl.CERT_NONE], indirect=True)
def test_only_who_asks_for_it_goes_unverified(connect: Connect, tls_server: str) -> None:
    assert connect(**options(tls_server, verify=False)).show("j").job_id == "j"


@pytest.mark.parametrize("connect", ["sync", "async"], indirect=True)  # aiohttp is told, or uses none
def test_a_proxy_of_the_environment_gets_the_request(
    connect: Connect, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answers.append(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
    monkeypatch.setenv("HTTPS_PROXY", server.url)

    with pytest.raises(APIConnectionError, match="403"):
        connect(**options("https://127.0.0.1:1")).show("j")

    assert server.requests[0].startswith(b"CONNECT 127.0.0.1:1 ")


def test_a_proxy_gets_the_request(connect: Connect, server: RawServer) -> None:
    server.answers.append(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    with pytest.raises(APIConnectionError, match="403"):
        connect(**options("https://metastudio.example.com", proxy=server.url)).show("j")

    assert server.requests[0].startswith(b"CONNECT metastudio.example.com:443 ")
    assert b"AK" not in server.requests[0]
