"""Tokens: sent as they are, and renewed once when the gateway asks for it."""

import logging
from typing import Any

import pytest

from metastudio import AuthenticationError, ConfigurationError, TokenAuth
from support.leaks import shown
from support.raw_server import RawServer
from support.samples import TOKEN_EXPIRED
from support.sessions import Connect


@pytest.fixture
def token_options(raw_options: dict[str, Any]) -> dict[str, Any]:
    del raw_options["credentials"]
    return raw_options


def tokens_sent(server: RawServer) -> list[bytes]:
    return [request.lower().split(b"x-auth-token: ")[1].split(b"\r\n")[0] for request in server.requests]


def renewing() -> TokenAuth:
    tokens = iter(["first-token", "second-token", "third-token"])
    return TokenAuth(lambda: next(tokens))


def test_expired_token_is_renewed_once(
    connect: Connect, server: RawServer, token_options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    server.answer(TOKEN_EXPIRED, "401 Unauthorized")
    server.answer(b'{"job_id": "j"}')

    assert connect(**token_options, auth=renewing()).show("j").job_id == "j"
    assert tokens_sent(server) == [b"first-token", b"second-token"]
    (said,) = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert said == "The token had to be renewed: sending the request again with a new one"


def test_second_expiry_raises(connect: Connect, server: RawServer, token_options: dict[str, Any]) -> None:
    for _ in range(3):
        server.answer(TOKEN_EXPIRED, "401 Unauthorized")

    with pytest.raises(AuthenticationError, match=r"APIGW\.0307"):
        connect(**token_options, auth=renewing()).show("j")
    assert len(server.requests) == 2


def test_other_refusal_does_not_renew_token(connect: Connect, server: RawServer, token_options: dict[str, Any]) -> None:
    server.answer(b'{"error_code": "APIGW.0301"}', "401 Unauthorized")

    with pytest.raises(AuthenticationError):
        connect(**token_options, auth=renewing()).show("j")
    assert len(server.requests) == 1


def test_fixed_token_is_sent_once(connect: Connect, server: RawServer, token_options: dict[str, Any]) -> None:
    server.answer(TOKEN_EXPIRED, "401 Unauthorized")

    with pytest.raises(AuthenticationError):
        connect(**token_options, auth=TokenAuth("fixed-token")).show("j")
    assert tokens_sent(server) == [b"fixed-token"]


@pytest.mark.parametrize("token", [None, 5, b"token-in-bytes", object()])
def test_token_must_be_a_string(connect: Connect, server: RawServer, token_options: dict[str, Any], token: Any) -> None:
    with pytest.raises(ConfigurationError, match=f"returned <class '{type(token).__name__}'>, not a string") as caught:
        connect(**token_options, auth=TokenAuth(lambda: token)).show("j")
    assert "token-in-bytes" not in shown(caught.value)
    assert server.requests == []
