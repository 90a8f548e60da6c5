"""The host that the sandbox listens on, the host names that it serves, and the ports that it is given."""

import asyncio
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from typer.testing import CliRunner

import metastudio_sandbox
from huaweicloud_auth import AkSkAuth
from metastudio import MetaStudio
from metastudio_cli.app import app
from metastudio_sandbox import Sandbox, hosts, recordings

WANTED = {"job_type": "VOICE_ASSESS", "language": "CN"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One that was started with a name, as in a container."""
    with Sandbox(host="localhost") as running:
        yield running


def created(sandbox: Sandbox, url: str) -> httpx.Response:
    """Create a job at a URL of the sandbox."""
    with httpx.Client(auth=AkSkAuth(sandbox.credentials, sandbox.project_id), trust_env=False) as client:
        return client.post(f"{url}/v1/{sandbox.project_id}/voice-training-manage/user/short-jobs", json=WANTED)


def status(url: str, host: str) -> int:
    return httpx.get(url, headers={"Host": host}, trust_env=False).status_code


def storage_of(sandbox: Sandbox) -> str:
    return f"http://localhost:{sandbox._storage.port}"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8000", "localhost", "LOCALHOST:80", "[::1]:80", "127.0.0.2"])
def test_loopback_is_served(sandbox: Sandbox, host: str) -> None:
    assert status(sandbox.url, host) == 404
    assert status(storage_of(sandbox), host) == 403


@pytest.mark.parametrize(
    "host", ["rebinding.example", "localhost.rebinding.example", "127.0.0.1.rebinding.example", "0.0.0.0", "10.0.0.1"]
)
@pytest.mark.parametrize("part", ["service", "storage"])
def test_other_host_is_refused(sandbox: Sandbox, host: str, part: str) -> None:
    """Else a web page whose name resolves to this machine could read the responses."""
    before = len(sandbox.exchanges)

    assert status(sandbox.url if part == "service" else storage_of(sandbox), host) == 421
    assert len(sandbox.exchanges) == before


async def ok(scope: Scope, receive: Receive, send: Send) -> None:
    await Response()(scope, receive, send)


@pytest.mark.parametrize(("host", "expected"), [("sandbox", 200), ("sandbox:8000", 200), ("another", 421)])
def test_own_host_is_served(host: str, expected: int) -> None:
    """In process, since this machine has no such name."""

    async def sent() -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(hosts.Guard(ok, "Sandbox"))) as client:
            return await client.get(f"http://{host}/")

    response = asyncio.run(sent())

    assert response.status_code == expected
    assert expected == 200 or "loopback and Sandbox" in response.text


@pytest.mark.parametrize("head", [b"", b"Host:\r\n", b"Host: [::1\r\n", b"Host: localhost:80:80\r\n"])
def test_missing_or_malformed_host_is_refused(sandbox: Sandbox, head: bytes) -> None:
    """HTTP/1.0 has no `Host`."""
    address = urlsplit(sandbox.url)
    with socket.create_connection((str(address.hostname), address.port)) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n" + head + b"\r\n")
        assert connection.recv(100).split(b" ")[1] == b"421"


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_upload_url_has_host_of_request(name: str) -> None:
    """With all interfaces, only the client's own request tells by which name it reaches this machine."""
    with Sandbox(host="localhost") as sandbox:
        port = urlsplit(sandbox.url).port
        response = created(sandbox, f"http://{name}:{port}")

        url = urlsplit(response.json()["data_uploading_url"])
        assert (url.hostname, url.port) == (name, sandbox._storage.port)


def test_client_assesses_at_host_with_name(sandbox: Sandbox) -> None:
    options: dict[str, Any] = {"project_id": sandbox.project_id, "credentials": sandbox.credentials}
    with MetaStudio(endpoint=sandbox.url, **options) as studio:
        job = studio.short_jobs.assess(recordings.wav(12), timeout=60)

    assert sandbox.url.startswith("http://localhost:")
    assert job.state == "SUCCEED"


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("sandbox", "http://sandbox:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("::1", "http://[::1]:80"),
    ],
)
def test_url_is_one_that_clients_can_use(host: str, url: str) -> None:
    assert hosts.url(host, 80) == url


@pytest.mark.skipif(not socket.has_ipv6, reason="needs IPv6")
def test_ipv6_loopback() -> None:
    with Sandbox(host="::1") as sandbox:
        url = created(sandbox, sandbox.url).json()["data_uploading_url"]

    assert url.startswith(f"http://[::1]:{urlsplit(url).port}/")


def test_ports_may_be_chosen() -> None:
    """For a container, whose ports are published."""
    with Sandbox() as other:
        port, storage_port = urlsplit(other.url).port, other._storage.port
    assert port
    with Sandbox(port=port, storage_port=storage_port) as sandbox:
        url = created(sandbox, sandbox.url).json()["data_uploading_url"]

        assert (urlsplit(sandbox.url).port, urlsplit(url).port) == (port, storage_port)


def test_host_of_another_machine_is_an_error() -> None:
    with pytest.raises(OSError, match=r"."):
        Sandbox(host="192.0.2.1").start()
    result = CliRunner().invoke(app, ["sandbox", "--host", "192.0.2.1"])

    assert result.exit_code == 2
    assert "metastudio: cannot listen on 192.0.2.1:0: " in result.stderr


class Started:
    """What the command starts; it is interrupted at once."""

    options: dict[str, Any]

    def __init__(self, **options: Any) -> None:
        Started.options = options

    def start(self) -> "Started":
        return self

    def stop(self) -> None: ...

    @property
    def environment(self) -> dict[str, str]:
        return {"METASTUDIO_ENDPOINT": "http://127.0.0.1:8000"}

    @property
    def jobs(self) -> dict[str, Any]:
        raise KeyboardInterrupt


@pytest.mark.parametrize(("host", "warns"), [(None, False), ("localhost", False), ("::1", False), ("0.0.0.0", True)])
def test_command_warns_unless_host_is_loopback(monkeypatch: pytest.MonkeyPatch, host: str | None, warns: bool) -> None:
    """No test listens on all interfaces: the class is replaced."""
    monkeypatch.setattr(metastudio_sandbox, "Sandbox", Started, raising=False)
    options = ["--port", "8000", "--storage-port", "8001"]

    result = CliRunner().invoke(app, ["sandbox", *options, *(["--host", host] if host else [])])

    assert Started.options == {"host": host or "127.0.0.1", "port": 8000, "storage_port": 8001}
    assert result.stdout == "export METASTUDIO_ENDPOINT='http://127.0.0.1:8000'\n"
    assert ("warning: 0.0.0.0 is not loopback" in result.stderr) == warns
