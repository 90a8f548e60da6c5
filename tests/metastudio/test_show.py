"""A short job's details over a real connection, signed and verified; everything for both clients."""

import asyncio
from typing import Any

import pytest

from metastudio import (
    AsyncMetaStudio,
    AuthenticationError,
    BadRequestError,
    Credentials,
    JobState,
    MetaStudio,
    PermissionDeniedError,
    ShortJob,
    TokenAuth,
)
from metastudio_client.api.short_jobs import show_short_job
from metastudio_sandbox import Sandbox
from support.samples import REFERENCE_JOB
from support.sessions import Connect


def test_show_reference_job(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    """The request is signed, and the sandbox verifies it."""
    job = connect(**options).show(REFERENCE_JOB)

    assert (job.job_id, job.state) == (REFERENCE_JOB, JobState.SUCCEED)
    assert job.assess_result
    assert job.assess_result.snr
    assert job.assess_result.snr.status == -1
    seen = sandbox.exchanges[-1]
    assert seen.target == f"/v1/{sandbox.project_id}/voice-training-manage/user/short-jobs/{REFERENCE_JOB}"
    assert seen.status == 200
    assert seen.canonical_request is not None
    assert "host;x-project-id;x-sdk-date" in seen.canonical_request


def test_each_state_is_returned(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    session = connect(**options)

    assert {session.show(job_id).state for job_id in list(sandbox.jobs)} >= set(JobState)


def test_unknown_state_is_unchanged(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    job_id = sandbox.add_job("HIBERNATING")

    state = connect(**options).show(job_id).state

    assert state == "HIBERNATING"
    assert not isinstance(state, JobState)


def test_app_user_id_is_signed(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    connect(**options, app_user_id="user-1").show(REFERENCE_JOB)

    seen = sandbox.exchanges[-1]
    assert seen.headers["x-app-userid"] == "user-1"
    assert "x-app-userid:user-1\n" in (seen.canonical_request or "")


def test_wrong_signature_raises(connect: Connect, options: dict[str, Any]) -> None:
    wrong = Credentials(options["credentials"].ak, "not-the-secret-key")

    with pytest.raises(AuthenticationError) as caught:
        connect(**options | {"credentials": wrong}).show(REFERENCE_JOB)

    assert (caught.value.status_code, caught.value.error_code) == (401, "APIGW.0301")
    assert "verify aksk signature fail" in str(caught.value)
    assert caught.value.request_id == caught.value.headers["X-Request-Id"]


def test_unknown_access_key_is_refused(connect: Connect, options: dict[str, Any]) -> None:
    with pytest.raises(AuthenticationError, match="ak not exist"):
        connect(**options | {"credentials": Credentials("NOBODY", "secret")}).show(REFERENCE_JOB)


def test_unknown_job_is_bad_request(connect: Connect, options: dict[str, Any]) -> None:
    with pytest.raises(BadRequestError, match=r"MSS\.00000003"):
        connect(**options).show("unknown")


def test_another_project_is_denied(connect: Connect, options: dict[str, Any]) -> None:
    with pytest.raises(PermissionDeniedError, match=r"MSS\.00010009") as caught:
        connect(**options | {"project_id": "another"}).show(REFERENCE_JOB)

    assert caught.value.status_code == 400


def test_token_auth(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    del options["credentials"]

    assert connect(**options, auth=TokenAuth(sandbox.token)).show(REFERENCE_JOB).job_id == REFERENCE_JOB
    assert "authorization" not in sandbox.exchanges[-1].headers


def test_wrong_token_is_refused(connect: Connect, options: dict[str, Any]) -> None:
    del options["credentials"]

    with pytest.raises(AuthenticationError):
        connect(**options, auth=TokenAuth("wrong")).show(REFERENCE_JOB)


def test_environment_is_enough(connect: Connect, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)

    assert connect().show(REFERENCE_JOB).job_id == REFERENCE_JOB


def test_callable_is_called_for_each_request(connect: Connect, options: dict[str, Any]) -> None:
    asked = []

    def credentials() -> Credentials:
        asked.append(1)
        pair: Credentials = options["credentials"]
        return pair

    session = connect(**options | {"credentials": credentials})
    session.show(REFERENCE_JOB)
    session.show(REFERENCE_JOB)

    assert len(asked) == 2


def test_generated_function(options: dict[str, Any], sandbox: Sandbox) -> None:
    with MetaStudio(**options) as studio:
        job = show_short_job.sync(sandbox.project_id, REFERENCE_JOB, client=studio.client)
        with pytest.raises(BadRequestError):
            show_short_job.sync(sandbox.project_id, "unknown", client=studio.client)

    assert isinstance(job, ShortJob)


def test_generated_coroutine(options: dict[str, Any], sandbox: Sandbox) -> None:
    async def main() -> object:
        async with AsyncMetaStudio(**options) as studio:
            with pytest.raises(BadRequestError):
                await show_short_job.asyncio(sandbox.project_id, "unknown", client=studio.client)
            return await show_short_job.asyncio(sandbox.project_id, REFERENCE_JOB, client=studio.client)

    assert isinstance(asyncio.run(main()), ShortJob)


def test_concurrent_calls(options: dict[str, Any], sandbox: Sandbox) -> None:
    async def main() -> list[ShortJob]:
        async with AsyncMetaStudio(**options) as studio:
            return await asyncio.gather(*(studio.short_jobs.show(REFERENCE_JOB) for _ in range(50)))

    assert [job.job_id for job in asyncio.run(main())] == [REFERENCE_JOB] * 50
