"""Who is asking: tokens for a password, temporary keys, the project's ID, against a small IAM on this machine."""

import json
import logging
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from huaweicloud_auth import AkSkAuth, Credentials, CredentialsError, IamTokenAuth, assume_agency, ecs_agency
from huaweicloud_auth.flow import Wait
from huaweicloud_auth.guards import guard_of
from huaweicloud_auth.projects import caller_identity, project_of
from metastudio import ConfigurationError, MetaStudio
from metastudio_sandbox import Sandbox
from support.identity_server import ACCOUNT_ID, PROJECT_ID, IdentityServer
from support.leaks import shown
from support.raw_server import RawServer
from support.samples import REFERENCE_JOB, TOKEN_EXPIRED, new_access_key, new_credentials
from support.sessions import Connect

REGION = "cn-north-4"


def key_of(iam: IdentityServer) -> Credentials:
    ((ak, sk),) = iam.keys.items()
    return Credentials(ak, sk)


def whoami(credentials: Any) -> Any:
    """Ask what needs a good signature."""
    return caller_identity(credentials, REGION)["account_id"]


# The project's ID


@pytest.fixture
def regional(iam: IdentityServer, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A region and a key pair: the region is the sandbox, and IAM knows its key and its project."""
    monkeypatch.setenv("HUAWEICLOUD_SDK_REGION_METASTUDIO_CN_NORTH_4", sandbox.url)
    iam.keys[sandbox.credentials.ak] = str(sandbox.credentials.sk)
    iam.projects[REGION] = [sandbox.project_id]
    return {"region": REGION, "credentials": sandbox.credentials}


def test_region_and_key_are_enough(connect: Connect, regional: dict[str, Any], iam: IdentityServer) -> None:
    """The project ID is looked up with the first call, and once for all clients of this process."""
    sessions = [connect(**regional) for _ in range(2)]
    assert iam.seen == []

    for session in sessions:
        assert session.show(REFERENCE_JOB).job_id == REFERENCE_JOB
        assert session.do("limits") is not None
    assert iam.count("/v3/projects") == len(iam.seen) == 1
    assert "x-project-id" not in iam.seen[0].headers


def test_project_id_of_a_callables_key(regional: dict[str, Any], iam: IdentityServer, sandbox: Sandbox) -> None:
    assert project_of(lambda: regional["credentials"], REGION)() == sandbox.project_id


def test_secret_that_is_passed_as_credentials_is_not_shown() -> None:
    secret: Any = "the-secret-key-itself"
    with pytest.raises(ConfigurationError) as caught:
        caller_identity(secret, REGION)
    assert secret not in shown(caught.value)


def test_given_project_id_is_not_looked_up(
    connect: Connect, regional: dict[str, Any], iam: IdentityServer, sandbox: Sandbox
) -> None:
    assert connect(**regional, project_id=sandbox.project_id).show(REFERENCE_JOB).job_id == REFERENCE_JOB
    assert iam.seen == []


def test_find_project_id(regional: dict[str, Any], sandbox: Sandbox) -> None:
    with MetaStudio(**regional) as studio:
        with pytest.raises(ConfigurationError, match="call find_project_id first"):
            _ = studio.project_id
        assert studio.find_project_id() == studio.project_id == sandbox.project_id


@pytest.mark.parametrize(
    ("projects", "message"),
    [
        ([], "the account has no project in cn-north-4: pass project_id"),
        (["p1", "p2"], r"the account has 2 projects \(p1, p2\) in cn-north-4: pass project_id"),
    ],
)
def test_none_or_several_projects(
    connect: Connect, regional: dict[str, Any], iam: IdentityServer, projects: list[str], message: str
) -> None:
    iam.projects[REGION] = projects
    with pytest.raises(ConfigurationError, match=message):
        connect(**regional).show("j")


def test_key_that_iam_refuses(connect: Connect, regional: dict[str, Any], iam: IdentityServer) -> None:
    """Its refusals count like those of any other endpoint."""
    wrong = new_credentials("wrong-secret-key")
    for _ in range(6):
        with pytest.raises(CredentialsError, match=r"401 APIGW\.0301|Not sent") as caught:
            connect(**regional | {"credentials": wrong}).show("j")
    assert "Not sent" in str(caught.value)
    assert len(iam.seen) <= 3


def test_threads_look_up_once(iam: IdentityServer) -> None:
    key = key_of(iam)
    with ThreadPoolExecutor(50) as pool:
        found = list(pool.map(lambda _: project_of(key, REGION)(), range(50)))
    assert set(found) == {PROJECT_ID}
    assert len(iam.seen) == 1


@pytest.mark.parametrize(
    "body", [b"<html>", b"[]", b'{"projects": [{}]}', b'{"projects": 5}', b'{"projects": [{"id": "a/b"}]}']
)
def test_unreadable_projects_raise(iam: IdentityServer, body: bytes) -> None:
    iam.failures.append((200, body))
    with pytest.raises(CredentialsError, match="project ID: "):
        project_of(key_of(iam), REGION)()


# A token for a password


def by_password(password: str = "the-password-of-the-user", region: str = REGION) -> IamTokenAuth:
    return IamTokenAuth("user", password, "account", region)


@pytest.fixture
def tokens(server: RawServer, iam: IdentityServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A region whose service sends what the test gives it."""
    monkeypatch.setenv("HUAWEICLOUD_SDK_REGION_METASTUDIO_CN_NORTH_4", server.url)
    return {"region": REGION, "max_retries": 0}


def sent(server: RawServer) -> list[tuple[str, str]]:
    """Return the project and the token of each request."""
    heads = [request.decode().split("\r\n") for request in server.requests]
    return [
        (
            head[0].split("/")[2],
            next(line.partition(": ")[2] for line in head if line.lower().startswith("x-auth-token")),
        )
        for head in heads
    ]


def test_token_for_a_password(connect: Connect, tokens: dict[str, Any], iam: IdentityServer, server: RawServer) -> None:
    """One request for the token, which brings the project ID; none for a second look-up."""
    session = connect(**tokens, auth=by_password())
    for _ in range(3):
        server.answer(b'{"job_id": "j"}')
        session.show("j")

    assert [each.target for each in iam.seen] == ["/v3/auth/tokens?nocatalog=true"]
    assert json.loads(iam.seen[0].body)["auth"]["scope"] == {"project": {"name": REGION}}
    ((project, token),) = set(sent(server))
    assert project == PROJECT_ID
    assert token.startswith("iam-token-1-")


def test_refused_token_is_renewed(
    connect: Connect, tokens: dict[str, Any], iam: IdentityServer, server: RawServer
) -> None:
    server.answer(TOKEN_EXPIRED, "401 Unauthorized")
    server.answer(b'{"job_id": "j"}')

    assert connect(**tokens, auth=by_password()).show("j").job_id == "j"
    assert [token[:12] for _, token in sent(server)] == ["iam-token-1-", "iam-token-2-"]


def test_expired_token_is_renewed(
    connect: Connect, tokens: dict[str, Any], iam: IdentityServer, server: RawServer
) -> None:
    iam.life = timedelta(seconds=30)  # none serves in its last minute
    session = connect(**tokens, auth=by_password())
    for _ in range(2):
        server.answer(b'{"job_id": "j"}')
        session.show("j")
    assert len({token for _, token in sent(server)}) == 2


def test_wrong_password_is_sent_once(
    connect: Connect, tokens: dict[str, Any], iam: IdentityServer, server: RawServer
) -> None:
    session = connect(**tokens | {"max_retries": 5}, auth=by_password("a-wrong-password"))
    for _ in range(3):
        with pytest.raises(CredentialsError, match=r"IAM token: 127\.0\.0\.1 responded 401 .*password is wrong"):
            session.show("j")
    assert len(iam.seen) == 1
    assert server.requests == []


@pytest.mark.parametrize("status", [408, 429, 503])
def test_unavailable_iam_is_retried(
    connect: Connect, tokens: dict[str, Any], iam: IdentityServer, server: RawServer, status: int
) -> None:
    iam.failures.append((status, b'{"error_code": "APIGW.0613", "error_msg": "IAM unavailable"}'))
    session = connect(**tokens, auth=by_password())
    with pytest.raises(CredentialsError, match=rf"responded {status} APIGW\.0613 IAM unavailable"):
        session.show("j")

    server.answer(b'{"job_id": "j"}')
    assert session.show("j").job_id == "j"


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b'{"token": 5}', b'{"token": {"expires_at": "soon", "project": {"id": "p"}}}', b'{"token": {}}'],
)
def test_unreadable_token_raises(iam: IdentityServer, body: bytes) -> None:
    iam.failures.append((201, body))
    with pytest.raises(CredentialsError, match="IAM token: "):
        by_password().project_id()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", "p", "a", REGION), "user must be a non-empty string of valid Unicode"),
        (("u", b"password-in-bytes", "a", REGION), "password must be a non-empty string"),
        (("u", "p", "a", "Mars 1"), "a region looks like"),
        (("u", "password-\udcff-of-bytes", "a", REGION), "password must be a non-empty string of valid Unicode"),
    ],
)
def test_wrong_arguments_of_a_password(arguments: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        IamTokenAuth(*arguments)


@pytest.mark.parametrize("name", ["HUAWEICLOUD_SDK_IAM_ENDPOINT", "HUAWEICLOUD_SDK_REGION_METASTUDIO_CN_NORTH_4"])
def test_plain_http_to_another_machine(name: str, iam: IdentityServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "http://iam.example.com")
    with pytest.raises(ConfigurationError, match=f"{name}: plain http"):
        MetaStudio(region=REGION, credentials=Credentials("AK", "SK"))


# Temporary keys


@pytest.mark.parametrize("status", [None, 404, 405, 503])
def test_keys_of_an_ecs(iam: IdentityServer, status: int | None) -> None:
    """The token form, or the plain form where there are no tokens; the keys sign what is verified."""
    iam.metadata_tokens, iam.metadata_token_status = status is None, status or 0
    keys = ecs_agency(endpoint=iam.url)

    assert [whoami(keys) for _ in range(3)] == [ACCOUNT_ID] * 3
    assert iam.count("/securitykey") == 1
    assert keys().expires_at is not None


def test_ecs_without_an_agency(iam: IdentityServer) -> None:
    iam.agency = None
    with pytest.raises(CredentialsError, match="no agency is attached to this ECS; attach one in the ECS console"):
        whoami(ecs_agency(endpoint=iam.url))
    assert iam.count("/securitykey") == 1


def test_metadata_token_is_renewed_once(iam: IdentityServer) -> None:
    for bodies in ([b"Unauthorized"], [b"Unauthorized"] * 2):
        for body in bodies:
            iam.failures.extend([(200, b"a-token"), (401, body)])
        keys = ecs_agency(endpoint=iam.url)
        if len(bodies) == 1:
            assert whoami(keys) == ACCOUNT_ID
        else:
            with pytest.raises(CredentialsError, match="responded 401"):
                whoami(keys)
    assert iam.count("/securitykey") == 4


@pytest.mark.parametrize(
    "failure", [(500, b"oops"), (200, b"<html>"), (200, b'{"credential": {"access": "A", "secret": "S"}}')]
)
def test_unreadable_keys_raise(iam: IdentityServer, failure: tuple[int, bytes]) -> None:
    iam.metadata_tokens = False
    iam.failures.extend([(404, b""), failure])
    with pytest.raises(CredentialsError, match="ECS credentials: "):
        ecs_agency(endpoint=iam.url)()


def test_missing_metadata_service_raises() -> None:
    with pytest.raises(CredentialsError, match=r"ECS credentials: .*refused"):
        ecs_agency(endpoint="http://127.0.0.1:1")()


@pytest.mark.parametrize(("options", "seconds"), [({}, 3600), ({"duration": 900}, 900), ({"duration": 86_400}, 86_400)])
def test_agency_that_a_key_assumes(iam: IdentityServer, options: dict[str, Any], seconds: int) -> None:
    """Its source may be temporary itself."""
    keys = assume_agency("agency", "their-account", source=ecs_agency(endpoint=iam.url), region=REGION, **options)

    assert whoami(keys) == ACCOUNT_ID
    (asked,) = [json.loads(each.body) for each in iam.seen if "securitytokens" in each.target]
    role = {"agency_name": "agency", "domain_name": "their-account", "duration_seconds": seconds}
    assert asked["auth"]["identity"] == {"methods": ["assume_role"], "assume_role": role}


@pytest.mark.parametrize("body", [b'{"credential": null}', b'{"credential": {"access": "AK"}}'])
def test_agency_whose_credentials_cannot_be_read(iam: IdentityServer, body: bytes) -> None:
    source = key_of(iam)
    iam.failures.append((201, body))
    with pytest.raises(CredentialsError, match="agency credentials: the response lacks a valid access, secret"):
        assume_agency("agency", "their-account", source=source, region=REGION)()


def test_missing_agency_raises(iam: IdentityServer) -> None:
    with pytest.raises(CredentialsError, match=r"agency credentials: 127\.0\.0\.1 responded 404"):
        assume_agency("another", domain_id="d", source=key_of(iam), region=REGION)()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": ""}, "an agency needs a name"),
        ({"domain": None}, "either domain"),
        ({"domain_id": "d"}, "either domain"),
        ({"duration": 899}, "900 to 86400 seconds, not 899"),
        ({"region": "Mars 1"}, "a region looks like"),
        ({"source": "the-secret-key-itself"}, "credentials must be"),
    ],
)
def test_wrong_arguments_of_an_agency(change: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "name": "n",
        "domain": "d",
        "source": Credentials("AK", "SK"),
        "region": REGION,
    } | change
    with pytest.raises(ConfigurationError, match=message):
        assume_agency(**arguments)


def test_refused_key_is_fetched_once_more(
    connect: Connect, regional: dict[str, Any], iam: IdentityServer, sandbox: Sandbox
) -> None:
    """It ended on the way, for example. The first key is unknown to the service; its successor is good."""
    keys = iter([new_credentials(), sandbox.credentials])
    later = iam.now() + timedelta(hours=1)

    def fetched() -> Credentials:
        key = next(keys)
        return Credentials(key.ak, str(key.sk), expires_at=later)

    session = connect(**regional | {"credentials": fetched}, project_id=sandbox.project_id)
    assert session.show(REFERENCE_JOB).job_id == REFERENCE_JOB
    assert session.show(REFERENCE_JOB).job_id == REFERENCE_JOB


def test_new_key_of_proven_source_is_proven(iam: IdentityServer) -> None:
    """Before any response to it, so that nothing is held up."""
    first, second = (Credentials(new_access_key(), f"SK{n}", expires_at=iam.now()) for n in range(2))
    iam.keys |= {key.ak: str(key.sk) for key in (first, second)}
    keys = iter([first, second])
    with httpx.Client(auth=AkSkAuth(lambda: next(keys))) as client, ThreadPoolExecutor(1) as pool:
        client.get(f"{iam.url}/v5/caller-identity")
        iam.asked.acquire()
        iam.gate.clear()
        call = pool.submit(client.get, f"{iam.url}/v5/caller-identity")
        iam.asked.acquire()
        was_proven = guard_of(second).is_proven
        iam.gate.set()
        assert call.result().status_code == 200
    assert was_proven


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 401 No\r\nX-Caf\xe9: \xe9\xff\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 401 No\r\nContent-Length: 2\r\nContent-Encoding: gzip\r\n\r\n{}",
    ],
)
def test_odd_response_to_password_is_final(server: RawServer, response: bytes) -> None:
    server.answers.append(response)
    auth = IamTokenAuth("user", "the-password-of-the-user", "account", REGION, endpoint=server.url)
    for _ in range(2):
        with pytest.raises(CredentialsError, match="responded 401"):
            auth.project_id()
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "response", [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"\xff\xfe\r\n\r\n", b""]
)
def test_unreadable_response_raises(server: RawServer, response: bytes) -> None:
    """It is an error of ours, and shows nothing of the request."""
    server.answers.append(response)
    auth = IamTokenAuth("user", "the-password-of-the-user", "account", REGION, endpoint=server.url)
    with pytest.raises(CredentialsError, match=r"IAM token: 127\.0\.0\.1: ") as caught:
        auth.project_id()
    assert "the-password-of-the-user" not in shown(caught.value)
    with pytest.raises(CredentialsError):
        caller_identity(new_credentials(), REGION, endpoint=server.url)


def test_refusal_that_quotes_a_security_token(server: RawServer) -> None:
    quoted = "verify aksk signature fail, canonicalRequest:GET|/v5|x-security-token:the-security-token|"
    server.answer(json.dumps({"error_code": "APIGW.0301", "error_msg": quoted}).encode(), "401 Unauthorized")
    key = Credentials(new_access_key(), "SK", "the-security-token")
    with pytest.raises(CredentialsError, match=r"APIGW\.0301 verify aksk signature fail$") as caught:
        caller_identity(key, REGION, endpoint=server.url)
    assert "the-security-token" not in str(caught.value)


def test_proxy_must_be_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """A password would go to it in clear text."""
    monkeypatch.setenv("HTTPS_PROXY", "https://user:the-proxy-password@127.0.0.1:1")
    with pytest.raises(ConfigurationError, match="must start with http://"):
        caller_identity(new_credentials(), REGION, endpoint="https://127.0.0.1:1")


def test_proxy_of_client_is_used(server: RawServer) -> None:
    look_up = project_of(new_credentials(), REGION, endpoint="https://iam.example.com", proxy=server.url)
    with pytest.raises(CredentialsError):
        look_up()
    assert server.requests[0].startswith(b"CONNECT iam.example.com:443 ")


def test_metadata_service_needs_no_proxy(
    iam: IdentityServer, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, server.url)
    assert ecs_agency(endpoint=iam.url)().security_token is not None
    with pytest.raises(CredentialsError, match="refused"):
        ecs_agency(endpoint="https://127.0.0.1:1")()
    assert server.requests == []


def test_expiry_uses_local_clock(iam: IdentityServer) -> None:
    """Theirs is five hours ahead: a key of one hour still lives for one hour."""
    iam.life, iam.now = timedelta(hours=1), lambda: datetime.now(UTC) + timedelta(hours=5)
    ends = ecs_agency(endpoint=iam.url)().expires_at
    assert ends is not None
    assert timedelta(minutes=59) < ends - datetime.now(UTC) < timedelta(minutes=61)


def test_token_of_another_region(iam: IdentityServer) -> None:
    with pytest.raises(ConfigurationError, match="the token is for cn-east-3, but this client is for cn-north-4"):
        MetaStudio(region=REGION, auth=by_password(region="cn-east-3"))


def test_refused_key_is_not_sent_during_fetch() -> None:
    """However long the source takes: whoever comes meanwhile waits for the new key."""
    ends, gate = datetime.now(UTC) + timedelta(hours=1), threading.Event()
    old, new = (Credentials(new_access_key(), "SK", expires_at=ends) for _ in range(2))
    keys = iter([old, new])

    def fetched() -> Credentials:
        key = next(keys)
        if key is new:
            gate.wait()
        return key

    auth = AkSkAuth(fetched)
    refused, later = (httpx.Request("GET", "https://service.example.com/") for _ in range(2))
    guard_of(old).accepted(later)  # it was good
    first, second = auth._steps(refused), auth._steps(later)
    assert next(first) is refused
    fetching = first.send(httpx.Response(401, json={"error_code": "APIGW.0301"}, request=refused))
    assert isinstance(fetching, Wait)
    assert not guard_of(old).is_proven
    also_fetching = next(second)
    assert isinstance(also_fetching, Wait)
    assert also_fetching.change is fetching.change

    gate.set()
    fetching.change.result()
    assert first.send(fetching.change.result()) is refused
    assert second.send(fetching.change.result()) is later
    for request in (refused, later):
        assert f"Access={new.ak}, " in request.headers["Authorization"]
    first.close()
    second.close()


def test_auth_pickles_after_its_first_request(iam: IdentityServer) -> None:
    auth = AkSkAuth(key_of(iam))
    with httpx.Client(auth=auth) as client:
        client.get(f"{iam.url}/v5/caller-identity")
    assert isinstance(pickle.loads(pickle.dumps(auth)), AkSkAuth)


def test_nothing_secret_is_logged(iam: IdentityServer, caplog: pytest.LogCaptureFixture) -> None:
    """The hook of the tests looks for secrets in every log, that of httpcore at DEBUG included."""
    caplog.set_level(logging.DEBUG)
    token = by_password()._token
    assert callable(token)
    whoami(ecs_agency(endpoint=iam.url))
    assert token() not in caplog.text
    assert "/v3/auth/tokens" in caplog.text
