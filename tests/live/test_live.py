"""The real service, asked with the credentials of the environment what nobody documents; see docs/live-tests.md.

    METASTUDIO_REGION=cn-north-4 HUAWEICLOUD_SDK_AK=… … pytest -m live

Each test records what was answered, and asserts no more than what the client relies on. All of them are in this file:
`--dist loadfile` gives a file to one process, and what keeps a key from being locked counts in one process.
"""

from collections.abc import Iterator
from contextlib import suppress
from uuid import uuid4

import httpx
import pytest

from huaweicloud_auth.gateway import error_fields, http_date
from live import describing
from live.answers import Answers, key_pair
from live.conftest import REFUSED
from live.describing import refused, shape, told
from live.journey import USER, WAIT_SECONDS, Journey
from metastudio import (
    AkSkAuth,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    JobState,
    JobType,
    MetaStudio,
    NotFoundError,
    ShortJob,
    TokenAuth,
    metrics,
)

pytestmark = pytest.mark.live

LIMITS = ("short_assess_min", "short_assess_max")


def path(studio: MetaStudio, rest: str = "tenant-duration-cfg", project_id: str | None = None) -> str:
    return f"/v1/{project_id or studio.project_id}/voice-training-manage/user/{rest}"


@pytest.fixture
def _then_a_good_one(studio: MetaStudio) -> Iterator[None]:
    """End what may be a row of refusals with a good request: more than five in a row lock a key."""
    yield
    with suppress(APIStatusError):
        studio.short_jobs.limits()


def test_credentials_are_accepted(
    request: pytest.FixtureRequest, studio: MetaStudio, heard: list[httpx.Response], answer: Answers
) -> None:
    """The first of all: if they are not, nothing else is asked."""
    error = refused(studio.short_jobs.limits)

    request.config.stash[REFUSED] = isinstance(error, AuthenticationError)
    answer("Client, region, date", describing.run_of(studio))
    answer("Authentication", describing.authentication(studio._auth, heard[-1].request))
    answer("tenant-duration-cfg", told(error))
    assert not isinstance(error, AuthenticationError)


def test_limits_are_whole_numbers(studio: MetaStudio, heard: list[httpx.Response], answer: Answers) -> None:
    error = refused(studio.short_jobs.limits)
    if error is not None:
        pytest.skip("there are none")
    limits = heard[-1].json()

    answer("tenant-duration-cfg: fields", shape(limits))
    for name in LIMITS:
        answer(f"tenant-duration-cfg: {name}", limits.get(name, "missing"))
    assert {type(limits.get(name)) for name in LIMITS} <= {int, type(None)}


def test_response_has_id_and_date(studio: MetaStudio, heard: list[httpx.Response], answer: Answers) -> None:
    refused(studio.short_jobs.limits)

    answer("A good response: request ID", describing.request_ids(heard[-1]))
    answer("A good response: Date", describing.clock(heard[-1]))
    answer("A good response: headers that tell quotas", describing.quota_headers(heard[-1]))
    answer("A good response: all headers", describing.header_names(heard[-1]))
    assert http_date(heard[-1].headers, "Date")


def test_user_changes_no_limits(studio: MetaStudio, heard: list[httpx.Response], answer: Answers) -> None:
    http = studio.client.get_httpx_client()
    refused(http.get, path(studio))
    error = refused(http.get, path(studio), headers={"X-App-UserId": USER})

    answer("tenant-duration-cfg with X-App-UserId", describing.compared(error, heard))
    assert not isinstance(error, AuthenticationError)  # the header is signed


def test_unknown_job_is_rejected(studio: MetaStudio, heard: list[httpx.Response], answer: Answers) -> None:
    error = refused(studio.short_jobs.show, str(uuid4()))

    answer("An unknown job ID", told(error))
    answer("An unknown job ID: fields of the error", shape(error_fields(heard[-1].content)))
    answer("An unknown job ID: request ID", describing.request_ids(heard[-1]))
    assert isinstance(error, BadRequestError | NotFoundError)
    assert error.error_code
    assert error.request_id


def test_unknown_job_of_user_is_rejected(studio: MetaStudio, answer: Answers) -> None:
    error = refused(studio.short_jobs.show, str(uuid4()), app_user_id=USER)

    answer("An unknown job ID with X-App-UserId", told(error))
    assert isinstance(error, BadRequestError | NotFoundError)


def test_malformed_job_id_is_rejected(studio: MetaStudio, answer: Answers) -> None:
    error = refused(studio.short_jobs.show, "not-a-job-id")

    answer("A malformed job ID", told(error))
    assert isinstance(error, BadRequestError | NotFoundError)
    assert error.error_code


def test_no_list_of_jobs(studio: MetaStudio, answer: Answers) -> None:
    error = refused(studio.client.get_httpx_client().get, path(studio, "short-jobs"))

    answer("GET short-jobs, a list", told(error))
    assert isinstance(error, APIStatusError)


@pytest.mark.usefixtures("_then_a_good_one")
def test_another_project_is_rejected(studio: MetaStudio, answer: Answers) -> None:
    error = refused(studio.client.get_httpx_client().get, path(studio, project_id="0" * 32))

    answer("Another project's ID in the path", told(error))
    assert isinstance(error, APIStatusError)


@pytest.mark.usefixtures("_then_a_good_one")
def test_project_header_may_be_mandatory(studio: MetaStudio, answer: Answers) -> None:
    pair = key_pair(studio)
    if pair is None:
        pytest.skip("is about requests that are signed with a key pair")
    error = refused(studio.client.get_httpx_client().get, path(studio), auth=AkSkAuth(pair))

    answer("A signed request without X-Project-Id", told(error))
    assert error is None or isinstance(error, APIStatusError)


def test_unsigned_request_is_refused(studio: MetaStudio, heard: list[httpx.Response], answer: Answers) -> None:
    """It names no key, so it counts against none."""
    error = refused(studio.client.get_httpx_client().get, path(studio), auth=None)

    answer("A request without authentication", told(error))
    answer("A request without authentication: request ID", describing.request_ids(heard[-1]))
    answer("A request without authentication: Date", describing.clock(heard[-1]))
    assert isinstance(error, AuthenticationError)
    assert http_date(error.headers, "Date")  # by which a clock that is off is corrected


def test_invented_token_is_refused(studio: MetaStudio, answer: Answers) -> None:
    """Nor does this one name a key."""
    error = refused(studio.client.get_httpx_client().get, path(studio), auth=TokenAuth("invented-by-a-live-test"))

    answer("An invented token", told(error))
    assert isinstance(error, AuthenticationError)


def test_key_has_usual_form(studio: MetaStudio, answer: Answers) -> None:
    """Sends nothing. What is usual is inferred from samples, so either answer is a good one."""
    pair = key_pair(studio)
    if pair is None:
        pytest.skip("is about key pairs")

    answer("AK of 20 capitals and digits, SK of 40 characters", "yes" if describing.is_usual(pair) else "no")


def test_job_matches_contract(studio: MetaStudio, heard: list[httpx.Response], answer: Answers, job_id: str) -> None:
    job = studio.short_jobs.show(job_id)

    answer("A job: state and type", f"{job.state}, {job.job_type}")
    answer("A job: fields", shape(heard[-1].json()))
    answer("A job: create_time", describing.unit(job.create_time))
    answer("A job: lastupdate_time", describing.unit(job.lastupdate_time))
    answer("A job: job_failed_code", job.job_failed_code or "none")
    assert job.job_id == job_id
    holds_to_the_contract(job)


def test_another_user_sees_a_job(studio: MetaStudio, heard: list[httpx.Response], answer: Answers, job_id: str) -> None:
    studio.short_jobs.show(job_id)
    error = refused(studio.short_jobs.show, job_id, app_user_id=USER)

    answer("A job, shown to an invented X-App-UserId", describing.compared(error, heard))
    assert not isinstance(error, AuthenticationError)


@pytest.mark.usefixtures("_may_write")
@pytest.mark.timeout(WAIT_SECONDS + 600)
def test_recording_is_assessed(studio: MetaStudio, heard: list[httpx.Response], answer: Answers) -> None:
    journey = Journey(studio, heard, answer)
    journey.upload(journey.create())
    journey.commit()
    job = journey.wait()
    journey.tell(job)
    journey.show_to_others()

    holds_to_the_contract(job)


def holds_to_the_contract(job: ShortJob) -> None:
    """What the contract does not know is a reason to extend it."""
    assert isinstance(job.state, JobState)
    assert isinstance(job.job_type, JobType)
    assert job.additional_properties == {}
    if job.assess_result:
        assert job.assess_result.additional_properties == {}
    assert [name for name, metric in metrics(job).items() if metric.additional_properties] == []
