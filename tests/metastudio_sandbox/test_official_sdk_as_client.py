"""The official SDK as a client of the sandbox: what it gets, we get.

Its signer and parser are not ours. That it gets in, and reads the same out of each answer, is what says that the
sandbox is like the service, and that our client reads it rightly.
"""

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkmetastudio.v1 import MetaStudioClient, ShowShortJobRequest

from metastudio import APIStatusError, AuthenticationError, Credentials, JobState, PermissionDeniedError
from metastudio_sandbox import Sandbox
from support.samples import REFERENCE_JOB
from support.sessions import Connect

# From Python 3.12 on, the official signer's clock is deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

REFERENCE_PROJECT = "3f0924078d1b471c884a5383d4dec9fa"

Official = Callable[..., MetaStudioClient]


@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the SDK tries, nothing leaves this machine."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        assert address[0] == "127.0.0.1", address
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def official(sandbox: Sandbox) -> Iterator[Official]:
    """Return a function that makes the official client for the sandbox, with one thing or another wrong."""
    assert sandbox.url.startswith("http://127.0.0.1:")
    clients: list[MetaStudioClient] = []

    def connected(**wrong: str) -> MetaStudioClient:
        right = {"ak": sandbox.credentials.ak, "sk": sandbox.credentials.sk, "project_id": sandbox.project_id}
        credentials = BasicCredentials(**right | wrong)  # with a project ID, it does not ask IAM for one
        client = MetaStudioClient.new_builder().with_credentials(credentials).with_endpoint(sandbox.url).build()
        client.get_http_client()._session.trust_env = False  # no proxy and no netrc of this machine
        clients.append(client)
        return client

    yield connected
    for client in clients:
        client.close()
        client.get_http_client().executor.shutdown()


def as_data(answer: Any) -> Any:
    """Return what the SDK's model holds, without what is missing. Its own `to_dict` is deprecated."""
    if not hasattr(answer, "openapi_types"):
        return answer
    data = {name: as_data(getattr(answer, attribute)) for attribute, name in answer.attribute_map.items()}
    return {name: value for name, value in data.items() if value is not None}


def test_shows_reference_job(official: Official, sandbox: Sandbox) -> None:
    answer = official().show_short_job(ShowShortJobRequest(job_id=REFERENCE_JOB))

    assert (answer.status_code, answer.job_id, answer.state) == (200, REFERENCE_JOB, "SUCCEED")
    assert answer.assess_result.snr.status == -1
    seen = sandbox.exchanges[-1]
    assert seen.target == f"/v1/{REFERENCE_PROJECT}/voice-training-manage/user/short-jobs/{REFERENCE_JOB}"
    assert seen.headers["user-agent"].startswith("huaweicloud-usdk-python")
    assert seen.canonical_request is not None


def test_reads_each_state_as_we_do(
    official: Official, connect: Connect, options: dict[str, Any], sandbox: Sandbox
) -> None:
    """The SDK reads the same out of a job in each state."""
    sdk, session = official(), connect(**options)
    seen = set()
    for job_id, stored in sandbox.jobs.items():
        theirs = as_data(sdk.show_short_job(ShowShortJobRequest(job_id=job_id)))

        assert theirs == session.show(job_id).to_dict() == stored
        seen.add(theirs["state"])
    assert seen == set(JobState)


def test_signs_app_user_id(official: Official, sandbox: Sandbox) -> None:
    official().show_short_job(ShowShortJobRequest(job_id=REFERENCE_JOB, x_app_user_id="user-1"))

    seen = sandbox.exchanges[-1]
    assert seen.headers["x-app-userid"] == "user-1"
    assert "x-app-userid" in seen.headers["authorization"]


@pytest.mark.parametrize(
    ("wrong", "error_class", "status", "code"),
    [
        ({"sk": "wrong"}, AuthenticationError, 401, "APIGW.0301"),
        ({"project_id": "another"}, PermissionDeniedError, 400, "MSS.00010009"),
    ],
    ids=["wrong SK", "wrong project"],
)
def test_is_refused_as_we_are(
    official: Official,
    connect: Connect,
    sandbox: Sandbox,
    wrong: dict[str, str],
    error_class: type[APIStatusError],
    status: int,
    code: str,
) -> None:
    credentials = Credentials(sandbox.credentials.ak, wrong.get("sk", sandbox.credentials.sk))
    session = connect(
        endpoint=sandbox.url, project_id=wrong.get("project_id", sandbox.project_id), credentials=credentials
    )

    with pytest.raises(ClientRequestException) as theirs:
        official(**wrong).show_short_job(ShowShortJobRequest(job_id=REFERENCE_JOB))
    with pytest.raises(error_class) as ours:
        session.show(REFERENCE_JOB)

    for error in (theirs.value, ours.value):
        assert (error.status_code, error.error_code) == (status, code)
        assert error.request_id
    messages = [str(error.error_msg).partition(", canonicalRequest:")[0] for error in (theirs.value, ours.value)]
    assert messages[0] == messages[1], "what each of them signed follows"


def test_unknown_access_key_is_refused(official: Official) -> None:
    with pytest.raises(ClientRequestException, match="ak not exist") as caught:
        official(ak="UNKNOWN").show_short_job(ShowShortJobRequest(job_id=REFERENCE_JOB))

    assert (caught.value.status_code, caught.value.error_code) == (401, "APIGW.0301")
