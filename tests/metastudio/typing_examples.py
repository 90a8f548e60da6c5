"""How services use the package, with the type of every result. Type-checked with `mypy --strict`, never run."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, assert_type

import httpx

from metastudio import (
    AkSkAuth,
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AssessmentInterrupted,
    AssessProperty,
    AssessResult,
    AsyncMetaStudio,
    AsyncShortJobs,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    CreatedShortJob,
    Credentials,
    Failed,
    Finished,
    InternalServerError,
    JobState,
    JobType,
    MetaStudio,
    MetaStudioError,
    NotFoundError,
    Outcome,
    PermissionDeniedError,
    RateLimitError,
    RecordingLimits,
    ShortJob,
    ShortJobFailed,
    ShortJobs,
    TokenAuth,
    UploadError,
    WaitTimeout,
    __version__,
    metrics,
)
from metastudio_batch import assess_many, rows
from metastudio_client.api.short_jobs import show_short_job
from metastudio_client.models import ErrorResponse
from metastudio_client.types import Response
from metastudio_sandbox import Exchange, Sandbox, faults

assert_type(__version__, str)


def fresh_credentials() -> Credentials:
    return Credentials("AK", "SK", security_token="token")


def fresh_token() -> str:
    return "token"


def construct() -> None:
    with MetaStudio() as studio:
        assert_type(studio, MetaStudio)
        assert_type(studio.short_jobs, ShortJobs)
        assert_type(studio.project_id, str)
        assert_type(studio.client.get_httpx_client(), httpx.Client)
    MetaStudio(
        endpoint="https://metastudio.example.com",
        project_id="p",
        credentials=fresh_credentials,
        app_user_id="user-1",
        timeout=5,
        max_retries=0,
        total_timeout=10.5,
        verify=False,
        proxy="http://127.0.0.1:3128",
        transport=httpx.HTTPTransport(retries=0),
    ).close()
    MetaStudio(region="cn-north-4", project_id="p", auth=TokenAuth(fresh_token), timeout=httpx.Timeout(5, connect=1))
    MetaStudio(region="cn-north-4", auth=httpx.BasicAuth("user", "password"))
    AsyncMetaStudio(region="cn-north-4", credentials=Credentials("AK", "SK"), transport=httpx.AsyncHTTPTransport())


def read(studio: MetaStudio) -> None:
    job = studio.short_jobs.show("job", max_retries=1, total_timeout=3)
    assert_type(job, ShortJob)
    assert_type(job.job_id, str | None)
    assert_type(job.state, JobState | str | None)
    assert_type(job.job_type, JobType | str | None)
    assert_type(job.create_time, int | None)
    assert_type(job.assess_result, AssessResult | None)
    if job.state == JobState.SUCCEED and job.assess_result:
        assert_type(job.assess_result, AssessResult)
        assert_type(job.assess_result.snr, AssessProperty | None)
        if job.assess_result.snr:
            assert_type(job.assess_result.snr.status, int | None)


def journey(studio: MetaStudio) -> None:
    created = studio.short_jobs.create(language="EN", app_user_id="user-1")
    assert_type(created, CreatedShortJob)
    assert_type(created.data_uploading_url, str | None)
    studio.short_jobs.upload("https://obs.example.com/a", "a.zip", on_progress=print)
    with Path("a.zip").open("rb") as opened:
        studio.short_jobs.upload("https://obs.example.com/a", opened)
    studio.short_jobs.commit("job")
    limits = studio.short_jobs.limits()
    assert_type(limits, RecordingLimits)
    assert_type(limits.shortest, int | None)
    assert_type(studio.short_jobs.assess("ann.wav", timeout=600, on_update=print, on_progress=print), ShortJob)
    assert_type(studio.short_jobs.assess(b"RIFF", language="EN", timeout=600), ShortJob)
    try:
        assert_type(studio.short_jobs.finish("job", timeout=600), ShortJob)
    except AssessmentInterrupted as interrupted:
        assert_type(interrupted.step, str)
        assert_type(interrupted.job_id, str)
    except UploadError as rejected:
        assert_type(rejected.code, str | None)


def wait(studio: MetaStudio) -> None:
    assert_type(studio.short_jobs.wait("job", timeout=600), ShortJob)
    states: list[object] = []
    studio.short_jobs.wait(
        "job",
        timeout=0.5,
        on_update=lambda job: states.append(job.state),
        success={"SUCCEED"},
        failure=[JobState.FAILED, "A_STATE_OF_TOMORROW"],
    )


async def asynchronous() -> None:
    async with AsyncMetaStudio(region="cn-east-3") as studio:
        assert_type(studio, AsyncMetaStudio)
        assert_type(studio.short_jobs, AsyncShortJobs)
        assert_type(await studio.short_jobs.show("job", max_retries=1, total_timeout=3), ShortJob)
        assert_type(await studio.short_jobs.wait("job", timeout=600, on_update=print), ShortJob)
        assert_type(await studio.short_jobs.assess("ann.wav", timeout=600), ShortJob)
        assert_type(await studio.short_jobs.create(), CreatedShortJob)
    await studio.aclose()


async def many(studio: AsyncMetaStudio) -> set[str]:
    unfinished = {"job-1", "job-2"}
    outcomes = studio.short_jobs.wait_many(unfinished, timeout=3600, rate=5, max_in_flight=8, on_update=print)
    assert_type(outcomes, AsyncGenerator[Outcome, None])
    async for outcome in outcomes:
        assert_type(outcome, Finished | Failed)
        assert_type(outcome.job_id, str)
        if outcome.error is None:
            assert_type(outcome, Finished)
            assert_type(outcome.job, ShortJob)
            assert_type(metrics(outcome.job), dict[str, AssessProperty])
        else:
            assert_type(outcome.error, MetaStudioError)
            assert_type(outcome.job, ShortJob | None)
        unfinished.discard(outcome.job_id)
    await outcomes.aclose()
    return unfinished


def errors(studio: MetaStudio) -> None:
    try:
        studio.short_jobs.wait("job", timeout=1)
    except ShortJobFailed as failed:
        assert_type(failed.job, ShortJob)
        assert_type(failed.job.job_failed_reason, str | None)
    except WaitTimeout as late:
        assert_type(late.job, ShortJob | None)
        assert_type(late.job_id, str)
        assert_type(late.timeout, float)
    except (BadRequestError, AuthenticationError, PermissionDeniedError, NotFoundError) as refused:
        assert_type(refused.error_code, str | None)
    except (RateLimitError, InternalServerError) as later:
        assert_type(later.headers, httpx.Headers)
    except APIStatusError as error:
        assert_type(error.status_code, int)
        assert_type(error.error_msg, str | None)
        assert_type(error.request_id, str | None)
        assert_type(error.headers, httpx.Headers)
        assert_type(error.body, bytes)
        assert_type(error.hint, str | None)
        assert_type(error.gateway_code, str | None)
    except APIResponseValidationError as invalid:
        assert_type(invalid.reason, str)
        assert_type(invalid.body, bytes)
    except (APITimeoutError, APIConnectionError) as lost:
        assert_type(lost.__cause__, BaseException | None)
    except ConfigurationError as wrong:
        both: tuple[ValueError, MetaStudioError] = (wrong, wrong)
        assert_type(both[1], MetaStudioError)


def other_services() -> None:
    auth = AkSkAuth(fresh_credentials, project_id="p")
    with httpx.Client(auth=auth) as client:
        assert_type(client.get("https://ecs.example.com/v1/p/cloudservers"), httpx.Response)
    httpx.get("https://ecs.example.com", auth=AkSkAuth(Credentials("AK", "SK")))


async def other_services_asynchronously() -> None:
    async with httpx.AsyncClient(auth=AkSkAuth(Credentials("AK", "SK"), "p")) as client:
        assert_type(await client.get("https://ecs.example.com", auth=TokenAuth("token")), httpx.Response)


def generated(studio: MetaStudio) -> None:
    answer = show_short_job.sync(studio.project_id, "job", client=studio.client, x_app_user_id="user-1")
    assert_type(answer, ErrorResponse | ShortJob | None)
    detailed = show_short_job.sync_detailed(studio.project_id, "job", client=studio.client)
    assert_type(detailed, Response[ErrorResponse | ShortJob])
    assert_type(detailed.parsed, ErrorResponse | ShortJob | None)


async def generated_asynchronously(studio: AsyncMetaStudio) -> None:
    answer = await show_short_job.asyncio(studio.project_id, "job", client=studio.client)
    assert_type(answer, ErrorResponse | ShortJob | None)


async def batch(studio: AsyncMetaStudio) -> None:
    async for outcome in assess_many(studio, ["recordings", Path("a.wav")], journal="a.journal", language="EN"):
        if outcome.error is None:
            assert_type(outcome.job, ShortJob)
            assert_type(outcome.job_id, str)
        else:
            assert_type(outcome.error, MetaStudioError)
            assert_type(outcome.job, ShortJob | None)
    assert_type(next(rows("a.journal")), dict[str, Any])


def stand_in(metastudio_sandbox: Sandbox) -> None:
    assert_type(metastudio_sandbox.add_job("WAITING", JobState.SUCCEED), str)
    metastudio_sandbox.inject(faults.throttled(retry_after=1), times=2)
    metastudio_sandbox.inject_randomly([faults.lost, faults.html(503)], probability=0.1, seed=1)
    assert_type(metastudio_sandbox.exchanges[0], Exchange)
    assert_type(metastudio_sandbox.environment, dict[str, str])
    with Sandbox(port=0, validate=False) as sandbox:
        assert_type(sandbox, Sandbox)
        assert_type(sandbox.credentials, Credentials)
