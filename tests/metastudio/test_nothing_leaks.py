"""No secret in anything that an error, a traceback with locals or a log shows, however a call ends.

What the rest of the suite printed, logged and raised is looked at by `leaks`, after each test.
"""

import asyncio
import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from traceback import TracebackException
from typing import Any, Final

import httpx
import pytest
from httpcore._backends.anyio import AnyIOStream
from httpcore._backends.sync import SyncStream

from metastudio import (
    AkSkAuth,
    AsyncMetaStudio,
    ConfigurationError,
    Credentials,
    MetaStudio,
    MetaStudioError,
    TokenAuth,
)
from metastudio.aiohttp_transport import AiohttpTransport
from support.leaks import shown
from support.raw_server import RawServer
from support.samples import new_access_key
from support.sessions import Connect

SECRETS = ("the-secret-access-key", "the-security-token", "the-user-token")


def key_pair() -> AkSkAuth:
    return AkSkAuth(Credentials(new_access_key(), SECRETS[0], SECRETS[1]), "p")


def user_token() -> TokenAuth:
    return TokenAuth(SECRETS[2])


@pytest.mark.parametrize("make_auth", [key_pair, user_token])
@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{",
        b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhtml",
        b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n" + b'{"assess_result":"a"}',
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=["lost", "garbage", "cut off", "no JSON", "wrong shape", "refused", "bad gateway"],
)
def test_ended_call_shows_no_secret(
    connect: Connect,
    server: RawServer,
    make_auth: Callable[[], httpx.Auth],
    answer: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    server.answers.append(answer)
    with caplog.at_level(logging.DEBUG), pytest.raises(MetaStudioError) as caught:
        connect(endpoint=server.url, project_id="p", auth=make_auth(), max_retries=0).show("j")

    everything = shown(caught.value) + caplog.text
    assert "metastudio" in everything
    assert not [secret for secret in SECRETS if secret in everything]


@pytest.mark.parametrize("make_auth", [key_pair, user_token])
@pytest.mark.parametrize("transport", [lambda: None, httpx.AsyncHTTPTransport, AiohttpTransport])
def test_cancelled_call_shows_no_secret(
    server: RawServer, make_auth: Callable[[], httpx.Auth], transport: Callable[[], httpx.AsyncBaseTransport | None]
) -> None:
    async def cancelled_after(turns: int) -> BaseException:
        server.answers.append(None)
        async with AsyncMetaStudio(
            endpoint=server.url, project_id="p", auth=make_auth(), transport=transport()
        ) as studio:
            call = asyncio.create_task(studio.short_jobs.show("j"))
            for _ in range(turns):
                await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError) as caught:
                await call
            return caught.value

    errors = [asyncio.run(cancelled_after(turns)) for turns in range(25)]
    everything = "".join(map(shown, errors))
    assert "AsyncClient" in everything
    assert not [secret for secret in SECRETS if secret in everything]


def test_objects_show_no_secret() -> None:
    with MetaStudio(region="cn-north-4", project_id="p", auth=key_pair()) as studio:
        objects: list[Any] = [studio, studio.client, studio.short_jobs, key_pair(), user_token()]
        shown_by_them = "".join(f"{each!r} {vars(each)}" for each in objects if hasattr(each, "__dict__"))

    assert "AkSkAuth" in shown_by_them
    assert not [secret for secret in SECRETS if secret in shown_by_them]


def test_credentials_have_no_vars_and_a_masked_repr() -> None:
    credentials = Credentials("AK", SECRETS[0], SECRETS[1])

    assert repr(credentials) == "Credentials(ak='AK', sk='***', security_token='***')"
    assert not hasattr(credentials, "__dict__")
    assert pickle.loads(pickle.dumps(credentials)) == credentials


@pytest.mark.parametrize("arguments", [("AK", "secret\nsecret"), ("AK", "sk", "secret\nsecret")])
def test_malformed_secret_is_not_shown(arguments: tuple[str, str] | tuple[str, str, str]) -> None:
    with pytest.raises(MetaStudioError) as caught:
        Credentials(*arguments)

    trace = TracebackException.from_exception(caught.value, capture_locals=True)
    inside = [frame for frame in trace.stack if Path(frame.filename) != Path(__file__)]
    assert inside
    assert "secret" not in repr([frame.locals for frame in inside])


THERE: Final[dict[str, Any]] = {"region": "cn-north-4", "project_id": "p"}


def pair(secret: str) -> Any:
    return "AK", secret


def own_frames(error: BaseException) -> str:
    """Return the variables in the frames of an error that are not this file's."""
    trace = TracebackException.from_exception(error, capture_locals=True)
    return repr([frame.locals for frame in trace.stack if Path(frame.filename) != Path(__file__)])


@pytest.mark.parametrize(
    "make",
    [
        lambda secret: Credentials("AK", secret.encode()),
        lambda secret: Credentials("AK", "SK", secret.encode()),
        lambda secret: TokenAuth(secret.encode()),
        lambda secret: AkSkAuth(pair(secret)),
        lambda secret: MetaStudio(region="cn-north-4", project_id="p", auth=pair(secret)),
        lambda secret: MetaStudio(region="cn-north-4", project_id="p", auth=secret),
        lambda secret: MetaStudio(region="cn-north-4", project_id="p", credentials=pair(secret)),
        lambda secret: MetaStudio(
            region="cn-north-4", project_id="p", auth=user_token(), proxy=f"http://u:{secret}/x@h"
        ),
        lambda secret: MetaStudio(region="cn-north-4", project_id="p", auth=user_token(), proxy=f"u:{secret}@h:99999"),
    ],
)
def test_wrong_argument_is_not_shown(make: Callable[[str], object]) -> None:
    """Neither its error nor a traceback with locals shows it: it may be a secret, or hold one."""
    with pytest.raises(ConfigurationError) as caught:
        make("the-secret-in-it")

    assert "the-secret-in-it" not in str(caught.value)
    assert "the-secret-in-it" not in own_frames(caught.value)


def test_malformed_endpoint_shows_no_secret() -> None:
    with pytest.raises(ConfigurationError) as caught:
        MetaStudio(endpoint="https://user:the-secret/in-it@host", project_id="p", auth=user_token())

    assert "the-secret" not in str(caught.value)


@pytest.mark.parametrize("make_auth", [key_pair, user_token])
@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, type("SoftTimeLimitExceeded", (Exception,), {})])
@pytest.mark.parametrize("stream", [SyncStream, AnyIOStream])
def test_interrupted_write_shows_no_secret(
    server: RawServer,
    make_auth: Callable[[], httpx.Auth],
    interrupt: type[BaseException],
    stream: type,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It comes from outside, in the middle of httpx's frames, which have the headers."""

    def write(*_: object, **__: object) -> None:
        raise interrupt

    async def with_asyncio() -> None:
        async with AsyncMetaStudio(endpoint=server.url, project_id="p", auth=make_auth()) as studio:
            await studio.short_jobs.show("j")

    def with_threads() -> None:
        with MetaStudio(endpoint=server.url, project_id="p", auth=make_auth()) as studio:
            studio.short_jobs.show("j")

    show = with_threads if stream is SyncStream else lambda: asyncio.run(with_asyncio())
    monkeypatch.setattr(stream, "write", write)
    with pytest.raises(interrupt) as caught:
        show()

    assert not [secret for secret in SECRETS if secret in own_frames(caught.value)]


def test_redirect_is_not_followed(connect: Connect, server: RawServer) -> None:
    server.answer(b"", "307 Temporary Redirect", f"Location: {server.url.replace('127.0.0.1', 'localhost')}/elsewhere")

    with pytest.raises(MetaStudioError, match="307"):
        connect(endpoint=server.url, project_id="p", auth=user_token()).show("j")

    assert len(server.requests) == 1


@pytest.mark.parametrize("make_auth", [key_pair, user_token])
@pytest.mark.parametrize("url", ["http://example.com/", "http://10.1.2.3/", "http://127.0.0.1.example.com/"])
def test_plain_http_raises_before_request(make_auth: Callable[[], httpx.Auth], url: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        pytest.fail("a request went out")

    with (
        httpx.Client(auth=make_auth(), transport=httpx.MockTransport(answer)) as client,
        pytest.raises(MetaStudioError, match="plain http"),
    ):
        client.get(url)
