"""The sandbox's own rules, asked with plain httpx."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx
import pytest

from huaweicloud_auth import guards
from metastudio import AkSkAuth, APIConnectionError, AuthenticationError, Credentials, MetaStudio
from metastudio_sandbox import Sandbox, faults
from support import HANGS_AFTER
from support.samples import REFERENCE_JOB


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """One for each test: some of them lock its key."""
    with Sandbox() as running:
        yield running


def path_of(sandbox: Sandbox, job_id: str = REFERENCE_JOB) -> str:
    return f"/v1/{sandbox.project_id}/voice-training-manage/user/short-jobs/{job_id}"


def ask(sandbox: Sandbox, path: str | None = None, *, auth: httpx.Auth | None = None, **options: Any) -> httpx.Response:
    """Send a request to the sandbox, signed with its key."""
    auth = auth or AkSkAuth(sandbox.credentials, sandbox.project_id)
    with httpx.Client(base_url=sandbox.url, auth=auth) as client:
        return client.request(options.pop("method", "GET"), path or path_of(sandbox), **options)


def code(response: httpx.Response) -> tuple[int, str]:
    assert response.json()["request_id"] == response.headers["X-Request-Id"]
    return response.status_code, response.json()["error_code"]


def test_has_reference_job(sandbox: Sandbox) -> None:
    response = ask(sandbox)

    assert (response.status_code, response.json()["job_id"]) == (200, REFERENCE_JOB)
    assert sandbox.project_id == "3f0924078d1b471c884a5383d4dec9fa"


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/v1/p/elsewhere"), ("PUT", None), ("DELETE", None)]
)
def test_unknown_api_is_404(sandbox: Sandbox, method: str, path: str | None) -> None:
    assert code(ask(sandbox, path, method=method)) == (404, "APIGW.0101")


class Without(httpx.Auth):
    """Signs, and then takes one header away, or gives it another value."""

    def __init__(self, sandbox: Sandbox, name: str, value: str | None = None) -> None:
        self._auth = AkSkAuth(sandbox.credentials, sandbox.project_id)
        self._name, self._value = name, value

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]  # it takes no answer
        next(self._auth.auth_flow(request))
        del request.headers[self._name]
        if self._value is not None:
            request.headers[self._name] = self._value
        yield request


@pytest.mark.parametrize("value", [None, "x", ""])
@pytest.mark.parametrize("name", ["Authorization", "X-Sdk-Date", "X-Project-Id"])
def test_signed_headers_are_verified(sandbox: Sandbox, name: str, value: str | None) -> None:
    """Each header of the signature is needed, and covered by it."""
    assert code(ask(sandbox, auth=Without(sandbox, name, value))) == (401, "APIGW.0301")


def test_signature_needs_project_id_header(sandbox: Sandbox) -> None:
    assert code(ask(sandbox, auth=AkSkAuth(sandbox.credentials))) == (401, "APIGW.0301")


@pytest.mark.parametrize(("minutes", "status"), [(-14, 200), (14, 200), (-16, 401), (16, 401)])
def test_date_within_fifteen_minutes_is_accepted(sandbox: Sandbox, minutes: int, status: int) -> None:
    def now() -> datetime:
        return datetime.now(UTC) + timedelta(minutes=minutes)

    request = httpx.Request("GET", sandbox.url + path_of(sandbox))
    next(AkSkAuth(sandbox.credentials, sandbox.project_id, now=now).auth_flow(request))
    with httpx.Client() as client:
        assert client.send(request).status_code == status


def test_clock_offset(sandbox: Sandbox) -> None:
    sandbox.clock_offset = timedelta(hours=3)

    response = ask(sandbox)

    assert [seen.status for seen in sandbox.exchanges] == [401, 200]
    assert response.status_code == 200


def test_sixth_refusal_locks_key_for_five_minutes(sandbox: Sandbox) -> None:
    def refused(n: int) -> httpx.Response:
        guards._tallies.clear()  # as in another process: this one would not send so many
        return ask(sandbox, auth=AkSkAuth(Credentials(sandbox.credentials.ak, f"wrong-{n}"), sandbox.project_id))

    for n in range(5):
        assert refused(n).status_code == 401
    guards._guards.clear()
    assert ask(sandbox).status_code == 200, "five are not too many, and a success sets the count back"

    for n in range(5, 11):
        assert refused(n).status_code == 401
    guards._guards.clear()
    locked = ask(sandbox)
    assert code(locked) == (401, "APIGW.0301")
    assert locked.json()["error_msg"] == "AK access failed to reach the limit,forbidden"

    sandbox.clock_offset = timedelta(minutes=5, seconds=1)
    assert ask(sandbox).status_code == 200


def test_changed_body_is_refused(sandbox: Sandbox) -> None:
    signed = httpx.Request("GET", sandbox.url + path_of(sandbox), content=b"this")
    next(AkSkAuth(sandbox.credentials, sandbox.project_id).auth_flow(signed))
    with httpx.Client() as client:
        response = client.request("GET", signed.url, headers=signed.headers, content=b"that")

    assert code(response) == (401, "APIGW.0301")


def test_invalid_response_is_sandbox_error(sandbox: Sandbox) -> None:
    """A response that does not match the contract is an error of the sandbox, and says so."""
    sandbox.jobs[REFERENCE_JOB]["create_time"] = "yesterday"

    assert ask(sandbox).status_code == 500


def test_job_changes_state(sandbox: Sandbox) -> None:
    job_id = sandbox.add_job("WAITING", "PROCESSING")
    assert [ask(sandbox, path_of(sandbox, job_id)).json()["state"] for _ in range(3)] == ["WAITING"] + [
        "PROCESSING"
    ] * 2

    sandbox.move_job(job_id, "SUCCEED")
    assert "assess_result" in ask(sandbox, path_of(sandbox, job_id)).json()


def test_state_set_by_hand_is_kept(sandbox: Sandbox) -> None:
    job_id = sandbox.add_job("WAITING", "PROCESSING", "SUCCEED")
    sandbox.move_job(job_id, "FAILED")

    assert [ask(sandbox, path_of(sandbox, job_id)).json()["state"] for _ in range(2)] == ["FAILED"] * 2


def test_faults_come_in_order_and_then_no_more(sandbox: Sandbox) -> None:
    sandbox.inject(faults.throttled(retry_after=2), times=2)
    sandbox.inject(faults.html(502))

    answers = [ask(sandbox) for _ in range(4)]

    assert [answer.status_code for answer in answers] == [429, 429, 502, 200]
    assert answers[0].headers["Retry-After"] == "2"
    assert answers[2].headers["Content-Type"].startswith("text/html")


def test_random_faults_depend_on_seed(sandbox: Sandbox) -> None:
    def statuses() -> list[int]:
        sandbox.inject_randomly([faults.html(502), faults.html(503)], probability=0.5, seed=3)
        return [ask(sandbox).status_code for _ in range(20)]

    first = statuses()
    assert first == statuses()
    assert set(first) == {200, 502, 503}


def test_injected_lock(sandbox: Sandbox) -> None:
    sandbox.inject(faults.locked, times=2)

    answers = [ask(sandbox) for _ in range(3)]

    assert [code(answer) for answer in answers[:2]] == [(401, "APIGW.0301")] * 2
    assert answers[0].json()["error_msg"] == "AK access failed to reach the limit,forbidden"
    assert answers[2].status_code == 200


@pytest.mark.parametrize("hours", [3, -3])
def test_injected_clock_offset(sandbox: Sandbox, hours: int) -> None:
    sandbox.inject(faults.clock_off(timedelta(hours=hours)), times=2)

    response = ask(sandbox)

    assert [seen.status for seen in sandbox.exchanges] == [401, 200], "corrected from the answer's Date, signed again"
    ahead = parsedate_to_datetime(response.headers["Date"]) - datetime.now(UTC)
    assert abs(ahead - timedelta(hours=hours)) < timedelta(minutes=1)
    assert ask(sandbox).status_code == 200, "by the clock that is not off"


def test_clock_offset_does_not_extend_lock(sandbox: Sandbox) -> None:
    sandbox.inject(faults.clock_off(timedelta(hours=3)), times=6)
    for _ in range(6):
        ask(sandbox, auth=Without(sandbox, "X-Sdk-Date", "x"))
    assert ask(sandbox).status_code == 401

    sandbox.clock_offset = timedelta(minutes=5, seconds=1)
    assert ask(sandbox).status_code == 200


def test_each_fault_can_be_random(sandbox: Sandbox) -> None:
    sandbox.inject_randomly([faults.locked, faults.clock_off(timedelta(hours=3))], probability=1, seed=2)

    reasons = {ask(sandbox, auth=Without(sandbox, "Accept")).json()["error_msg"] for _ in range(5)}
    assert {reason.rpartition(" ")[2] for reason in reasons} == {"limit,forbidden", "range"}

    sandbox.inject_randomly([faults.locked], probability=0, seed=2)
    assert ask(sandbox).status_code == 200


@pytest.mark.parametrize("fault", [faults.throttled, faults.clock_off, None])
def test_invalid_fault_is_rejected(sandbox: Sandbox, fault: Any) -> None:
    name = "None" if fault is None else fault.__name__
    message = rf"{name} is not a fault: if it returns one, write {name}\(\.\.\.\)"
    with pytest.raises(TypeError, match=message):
        sandbox.inject(fault)
    with pytest.raises(TypeError, match=message):
        sandbox.inject_randomly([faults.lost, fault], probability=1, seed=1)
    assert ask(sandbox).status_code == 200


@pytest.mark.parametrize("times", [0, -1])
def test_fault_times_is_positive(sandbox: Sandbox, times: int) -> None:
    with pytest.raises(ValueError, match=f"times must be at least 1, not {times}"):
        sandbox.inject(faults.lost, times=times)


@pytest.mark.parametrize("probability", [-0.1, 1.1, float("nan")])
def test_probability_is_between_0_and_1(sandbox: Sandbox, probability: float) -> None:
    with pytest.raises(ValueError, match=f"probability must be between 0 and 1, not {probability}"):
        sandbox.inject_randomly([faults.lost], probability=probability, seed=1)


def test_chance_needs_something_to_choose_from(sandbox: Sandbox) -> None:
    with pytest.raises(ValueError, match="faults must not be empty"):
        sandbox.inject_randomly([], probability=0.5, seed=1)


@pytest.mark.parametrize("validate", [True, False])
def test_response_with_nulls_and_unknown_values(validate: bool) -> None:
    with Sandbox(validate=validate) as sandbox:
        sandbox.inject(faults.changed(job_id=None, assess_result=None, state="HIBERNATING", create_time="yesterday"))
        changed = ask(sandbox).json()

        assert changed == ask(sandbox).json() | {
            "job_id": None,
            "assess_result": None,
            "state": "HIBERNATING",
            "create_time": "yesterday",
        }


@pytest.mark.parametrize("body", [None, b"which arrives after the head"])
def test_slow_response_ends_with_its_client(body: bytes | None) -> None:
    """The sandbox does not wait to send a slow response to a client that is gone."""
    with Sandbox() as sandbox:  # its end would wait for the response, too
        sandbox.inject(faults.slow(3600))
        with pytest.raises(httpx.ReadTimeout):
            ask(sandbox, content=body, timeout=httpx.Timeout(HANGS_AFTER, read=0.05))


def test_slow_response_is_valid(sandbox: Sandbox) -> None:
    sandbox.inject(faults.slow(0.001))

    assert ask(sandbox).status_code == 200


@pytest.mark.parametrize(
    ("fault", "error"), [(faults.lost, httpx.RemoteProtocolError), (faults.cut, httpx.RemoteProtocolError)]
)
def test_cut_connection(sandbox: Sandbox, fault: faults.Fault, error: type[Exception]) -> None:
    sandbox.inject(fault)

    with pytest.raises((error, httpx.ReadError)):
        ask(sandbox)
    assert ask(sandbox).status_code == 200


def test_stopped_sandbox_raises_clear_error() -> None:
    with pytest.raises(RuntimeError, match="not running"):
        _ = Sandbox().url


def test_failed_start_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise TypeError("no event loop")

    monkeypatch.setattr("metastudio_sandbox.server.Server.run", broken)
    sandbox = Sandbox()

    with pytest.raises(RuntimeError, match="could not start") as caught:
        sandbox.start()
    assert isinstance(caught.value.__cause__, TypeError)
    sandbox.stop()


def test_second_start_raises() -> None:
    with Sandbox() as sandbox, pytest.raises(RuntimeError, match="already running"):
        sandbox.start()


def test_stop_before_start_does_nothing() -> None:
    Sandbox().stop()


def test_stop_cuts_requests_in_flight() -> None:
    sandbox = Sandbox().start()
    sandbox.inject(faults.slow(3600))
    host, port = sandbox.url.removeprefix("http://").split(":")
    unfinished = socket.create_connection((host, int(port)))
    head = f"GET {path_of(sandbox)} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n"
    unfinished.sendall(head.encode() + b"ab")
    with (
        MetaStudio(
            endpoint=sandbox.url, project_id=sandbox.project_id, credentials=sandbox.credentials, max_retries=0
        ) as studio,
        ThreadPoolExecutor() as pool,
    ):
        slow = pool.submit(studio.short_jobs.show, "j")
        while not sandbox.exchanges:
            pass
        sandbox.stop()
        assert isinstance(slow.exception(), APIConnectionError)
    assert unfinished.recv(1) == b""
    unfinished.close()


@pytest.mark.parametrize(
    ("method", "suffix", "content", "status", "code"),
    [
        ("HEAD", "", b"", 404, None),
        ("PATCH", "", b"", 404, "APIGW.0101"),
        ("GET", "/", b"", 404, "APIGW.0101"),
        ("GET", "", b"\xff", 400, "MSS.10000002"),
        ("GET", "", b"{", 400, "MSS.10000002"),
    ],
)
def test_odd_request_gets_gateway_error(
    sandbox: Sandbox, method: str, suffix: str, content: bytes, status: int, code: str | None
) -> None:
    auth = AkSkAuth(sandbox.credentials, sandbox.project_id)
    path = f"/v1/{sandbox.project_id}/voice-training-manage/user/short-jobs/{sandbox.add_job()}{suffix}"
    with httpx.Client(auth=auth, base_url=sandbox.url) as client:
        response = client.request(method, path, content=content)

    assert response.status_code == status
    assert code is None or response.json()["error_code"] == code


@pytest.mark.parametrize("token", [None, "another"])
def test_security_token_of_another_key_is_refused(sandbox: Sandbox, token: str | None) -> None:
    keys = sandbox.temporary_credentials if token is None else sandbox.credentials
    options: dict[str, Any] = {"endpoint": sandbox.url, "project_id": sandbox.project_id, "max_retries": 0}

    with MetaStudio(**options, credentials=sandbox.temporary_credentials) as studio:
        studio.short_jobs.show(sandbox.add_job())
    with (
        MetaStudio(**options, credentials=Credentials(keys.ak, keys.sk, token)) as studio,
        pytest.raises(AuthenticationError, match="security token"),
    ):
        studio.short_jobs.show(sandbox.add_job())
