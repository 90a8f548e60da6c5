"""`AkSkAuth` and `TokenAuth` by themselves, on httpx's own clients: what they refuse, repeat and leave alone."""

import asyncio
import pickle
import re
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Any

import httpx
import pytest
import trio

from huaweicloud_auth.aksk import MAX_CLOCK_DIFFERENCE
from metastudio import AkSkAuth, ConfigurationError, Credentials, CredentialsError, TokenAuth
from support.raw_server import RawServer

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
URL = "https://metastudio.example.com/v1/jobs"
AUTHS = pytest.mark.parametrize("auth", [AkSkAuth(Credentials("AK", "SK"), now=lambda: NOW), TokenAuth("token")])

Answer = Callable[[httpx.Request], httpx.Response]


class Body(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body that nobody should read."""

    def __iter__(self) -> Iterator[bytes]:
        pytest.fail("the body was read")
        yield b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        pytest.fail("the body was read")
        yield b""


def exchanged(auth: httpx.Auth, answer: Answer, *, use_async: bool, **options: Any) -> httpx.Response:
    """Send one request, and return the response without reading it."""
    transport = httpx.MockTransport(answer)
    request = httpx.Request("POST", options.pop("url", URL), **options)

    async def exchange() -> httpx.Response:
        async with httpx.AsyncClient(auth=auth, transport=transport) as client:
            return await client.send(request, stream=True)

    if use_async:
        return asyncio.run(exchange())
    with httpx.Client(auth=auth, transport=transport) as client:
        return client.send(request, stream=True)


BOTH = pytest.mark.parametrize("use_async", [False, True], ids=["sync", "async"])


@BOTH
@AUTHS
@pytest.mark.parametrize("url", ["http://metastudio.example.com/", "http://10.0.0.1/", "http://localhost.example.com/"])
def test_plain_http_to_another_host_is_rejected(auth: httpx.Auth, url: str, use_async: bool) -> None:
    with pytest.raises(ConfigurationError, match=re.escape("plain http would expose the credentials to the network")):
        exchanged(auth, lambda _: pytest.fail("a request went out"), url=url, use_async=use_async)


@BOTH
@AUTHS
@pytest.mark.parametrize("url", ["http://localhost/", "http://127.0.0.1:1/", "http://[::1]/"])
def test_plain_http_to_loopback_is_allowed(auth: httpx.Auth, url: str, use_async: bool) -> None:
    assert exchanged(auth, lambda _: httpx.Response(200), url=url, use_async=use_async).is_success


@BOTH
@AUTHS
@pytest.mark.parametrize("status", [200, 302, 500])
def test_streamed_response_is_not_read(auth: httpx.Auth, status: int, use_async: bool) -> None:
    assert exchanged(auth, lambda _: httpx.Response(status, stream=Body()), use_async=use_async).status_code == status


@pytest.mark.parametrize("project_id", ["", "..", "a/b", 7])
def test_invalid_project_id_raises(project_id: Any) -> None:
    with pytest.raises(ConfigurationError, match="project_id must be 1 to 1,000 letters"):
        AkSkAuth(Credentials("AK", "SK"), project_id)


def dates_sent(date: str) -> list[str]:
    """Return the dates of the requests that go out where the gateway refuses them and says that it is `date`."""
    dates: list[str] = []

    def refuse(request: httpx.Request) -> httpx.Response:
        dates.append(request.headers["X-Sdk-Date"])
        return httpx.Response(401, json={"error_code": "APIGW.0301"}, headers={"Date": date})

    auth = AkSkAuth(Credentials("AK", f"a-key-for-{date}"), now=lambda: NOW)
    exchanged(auth, refuse, use_async=False)
    return dates


@pytest.mark.parametrize("sign", [-1, 1], ids=["behind", "ahead"])
def test_clock_is_corrected_from_five_minutes_on(sign: int) -> None:
    assert timedelta(minutes=5) == MAX_CLOCK_DIFFERENCE
    off = NOW + sign * MAX_CLOCK_DIFFERENCE
    further = off + sign * timedelta(seconds=1)

    assert len(dates_sent(f"{off:%a, %d %b %Y %H:%M:%S GMT}")) == 1
    assert dates_sent(f"{further:%a, %d %b %Y %H:%M:%S GMT}")[1:] == [f"{further:%Y%m%dT%H%M%SZ}"]


@pytest.mark.parametrize("date", ["12:00:00 GMT", "12:00:00 -0000", "20:00:00 +0800"])
def test_gateway_date_is_utc_by_default(date: str) -> None:
    assert dates_sent(f"Tue, 05 Aug 2031 {date}")[1:] == ["20310805T120000Z"]


class Renew(httpx.BaseTransport):
    """Takes the request off the wire, without keeping it, and asks for another token."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        self.sent.append(b"".join(request.stream))
        return httpx.Response(401, json={"error_code": "APIGW.0307"})


@pytest.mark.parametrize(("content", "sent"), [(lambda: b"ab", [b"ab", b"ab"]), (lambda: iter([b"a", b"b"]), [b"ab"])])
def test_streamed_body_is_not_sent_again(content: Callable[[], Any], sent: list[bytes]) -> None:
    tokens = (f"a-token-{number}" for number in count())
    with httpx.Client(auth=TokenAuth(lambda: next(tokens)), transport=(transport := Renew())) as client:
        assert client.post(URL, content=content()).status_code == 401

    assert transport.sent == sent


class CutOff(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A body whose connection is lost before its first byte."""

    def __iter__(self) -> Iterator[bytes]:
        raise httpx.ReadError("cut off")
        yield b""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        raise httpx.ReadError("cut off")
        yield b""


@BOTH
def test_truncated_refusal_releases_next_request(monkeypatch: pytest.MonkeyPatch, use_async: bool) -> None:
    monkeypatch.setattr(
        "huaweicloud_auth.flow._WAIT_SECONDS", 0.01
    )  # or a request that waits would wait for two minutes
    auth = AkSkAuth(Credentials("AK", f"a-key-that-is-cut-off-{use_async}"), now=lambda: NOW)

    # Who keeps the error keeps its traceback, and what is in the frames of that.
    with pytest.raises(httpx.ReadError) as kept:
        exchanged(auth, lambda _: httpx.Response(401, stream=CutOff()), use_async=use_async)

    assert exchanged(auth, lambda _: httpx.Response(200), use_async=use_async).is_success
    assert kept.tb is not None


def expiring(keys: list[Credentials]) -> Callable[[], Credentials]:
    """Return a callable that returns the first key once, and then the last."""
    return lambda: keys.pop(0) if len(keys) > 1 else keys[0]


@BOTH
def test_successor_of_refused_key_is_used_once(use_async: bool) -> None:
    keys = [Credentials(f"EXPIRED{use_async}", "SK", "first"), Credentials(f"FRESH{use_async}", "SK", "second")]
    auth, used = AkSkAuth(expiring(keys), now=lambda: NOW), []

    def answer(request: httpx.Request) -> httpx.Response:
        used.append(request.headers["X-Security-Token"])
        return httpx.Response(401 if used[-1] == "first" else 200, json={"error_code": "APIGW.0301"})

    assert exchanged(auth, answer, use_async=use_async).is_success
    assert used == ["first", "second"]


@BOTH
def test_refusal_stays_without_another_key(use_async: bool) -> None:
    calls = []

    def failing() -> Credentials:
        calls.append(1)
        if len(calls) > 1:
            raise OSError("the vault is down")
        return Credentials(f"NOSUCCESSOR{use_async}", "SK")

    response = exchanged(
        AkSkAuth(failing), lambda _: httpx.Response(401, json={"error_code": "APIGW.0301"}), use_async=use_async
    )

    assert (response.status_code, len(calls)) == (401, 2)


@BOTH
@pytest.mark.parametrize("kind", [AkSkAuth, TokenAuth])
def test_failing_source_raises_credentials_error(kind: Callable[[Any], httpx.Auth], use_async: bool) -> None:
    def vault() -> Any:
        raise httpx.ConnectError("the vault's own error, with its token")

    with pytest.raises(CredentialsError) as caught:
        exchanged(kind(vault), lambda _: httpx.Response(200), use_async=use_async)

    assert isinstance(caught.value.__cause__, httpx.ConnectError)
    assert "its token" not in str(caught.value)


def test_token_callable_runs_before_each_request() -> None:
    numbers = count()
    auth = TokenAuth(lambda: f"token-{next(numbers)}")
    sent = [exchanged(auth, lambda _: httpx.Response(200), use_async=False).request for _ in range(2)]

    assert [each.headers["X-Auth-Token"] for each in sent] == ["token-0", "token-1"]


async def fetched() -> Any:
    """A coroutine function, which nobody would await."""


class Fetcher:
    async def __call__(self) -> Any:
        """Likewise."""


@pytest.mark.parametrize("source", [fetched, Fetcher(), partial(fetched)])
@pytest.mark.parametrize("kind", [AkSkAuth, TokenAuth])
def test_async_source_is_rejected(kind: Callable[[Any], httpx.Auth], source: Any) -> None:
    with pytest.raises(ConfigurationError, match="not an async one"):
        kind(source)


def key() -> Credentials:
    return Credentials("PICKLED", "SK")


@pytest.mark.parametrize("credentials", [key(), key])
def test_auth_pickles_with_its_source(credentials: Any) -> None:
    auth = pickle.loads(pickle.dumps(AkSkAuth(credentials, "p")))

    sent = exchanged(auth, lambda _: httpx.Response(200), use_async=False).request
    assert "Access=PICKLED, " in sent.headers["Authorization"]


def test_auth_works_on_trio() -> None:
    """More requests at once than an unproven key may have: those that wait do so on trio."""
    auth, statuses = AkSkAuth(Credentials("ONTRIO", "SK")), []

    async def answer(_: httpx.Request) -> httpx.Response:
        await trio.sleep(0.01)
        return httpx.Response(200)

    async def main() -> None:
        async with httpx.AsyncClient(auth=auth, transport=httpx.MockTransport(answer)) as client:

            async def get() -> None:
                statuses.append((await client.get(URL)).status_code)

            async with trio.open_nursery() as nursery:
                for _ in range(9):
                    nursery.start_soon(get)

    trio.run(main)
    assert statuses == [200] * 9


@BOTH
def test_trace_of_the_caller_is_kept(server: RawServer, use_async: bool) -> None:
    server.answer(b"{}")
    auth, events = AkSkAuth(Credentials("TRACED", "SK")), []

    def trace(event: str, _: dict[str, Any]) -> None:
        events.append(event)

    async def async_trace(event: str, _: dict[str, Any]) -> None:
        events.append(event)

    async def main() -> None:
        async with httpx.AsyncClient(auth=auth) as client:
            await client.get(server.url, extensions={"trace": async_trace})

    if use_async:
        asyncio.run(main())
    else:
        with httpx.Client(auth=auth) as client:
            client.get(server.url, extensions={"trace": trace})

    assert events.count("http11.send_request_headers.started") == 1
