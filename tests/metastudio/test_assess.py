"""From a recording to a verdict, against the sandbox: what is sent, and what happens when it fails half-way."""

import io
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from metastudio import (
    APIConnectionError,
    APIStatusError,
    AssessmentInterrupted,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    Credentials,
    ShortJob,
    ShortJobFailed,
    UploadError,
    WaitTimeout,
    metrics,
)
from metastudio.assess import committing
from metastudio_sandbox import Sandbox, faults, recordings
from support.sessions import Connect

WAV = recordings.wav(seconds=12)


@pytest.fixture
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """One for each test, whose assessments take an hour, or no time: that of the tests is virtual."""
    with Sandbox(duration=getattr(request, "param", timedelta(hours=1))) as running:
        yield running


INSTANT = pytest.mark.parametrize("sandbox", [timedelta()], indirect=True, ids=["instant"])


def sent(sandbox: Sandbox) -> list[tuple[str, int]]:
    """Return the steps of the journey as they arrived, without the queries for the limits and the job."""
    names = {"POST": "create", "PUT": "upload"}
    return [
        (
            "commit" if each.method == "POST" and not each.target.endswith("/short-jobs") else names[each.method],
            each.status,
        )
        for each in sandbox.exchanges
        if each.method != "GET"
    ]


@INSTANT
def test_journey_of_a_wav(connect: Connect, options: dict[str, Any], sandbox: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "ann.wav"
    path.write_bytes(WAV)
    states: list[str] = []
    progress: list[tuple[int, int]] = []
    session = connect(**options, app_user_id="u-1")

    job = session.do(
        "assess",
        path,
        language="EN",
        timeout=60,
        on_update=lambda job: states.append(job.state),
        on_progress=lambda *each: progress.append(each),
    )

    assert (job.state, states[-1]) == ("SUCCEED", "SUCCEED")
    assert metrics(job).keys() == {"speed", "sound", "snr", "reverb", "dnsmos_ovrl", "dnsmos_bak"}
    assert sent(sandbox) == [("create", 200), ("upload", 200), ("commit", 200)]
    assert progress[-1][0] == progress[-1][1] > len(WAV)
    users = [each.headers.get("x-app-userid") for each in sandbox.exchanges]
    assert users == [None, "u-1", None, "u-1"] + ["u-1"] * (len(users) - 4), "neither limits nor upload bear it"


@INSTANT
def test_same_recording_gets_the_same_verdict(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    session = connect(**options)

    first, second = (session.do("assess", source, timeout=60) for source in (WAV, io.BytesIO(WAV)))

    assert first.job_id != second.job_id
    assert metrics(first) == metrics(second)


@pytest.mark.parametrize(
    ("recording", "reason"),
    [
        (b"", "empty"),
        ("/nowhere.wav", "nowhere.wav"),
        (7, "recording"),
    ],
)
def test_unusable_recording_creates_no_job(
    connect: Connect, options: dict[str, Any], sandbox: Sandbox, recording: Any, reason: str
) -> None:
    with pytest.raises(ConfigurationError, match=reason):
        connect(**options).do("assess", recording, timeout=60)
    assert len(sandbox.exchanges) == 0


def test_recording_outside_the_limits_creates_no_job(
    connect: Connect, options: dict[str, Any], sandbox: Sandbox
) -> None:
    session = connect(**options)
    for _ in range(2):
        with pytest.raises(ConfigurationError, match=r"is 3\.000 s long; at least 10 s are needed"):
            session.do("assess", recordings.wav(seconds=3), timeout=60)

    assert [each.target.rpartition("/")[2] for each in sandbox.exchanges] == ["tenant-duration-cfg"]


def test_odd_recording_is_warning(connect: Connect, options: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(WaitTimeout):
        connect(**options).do("assess", recordings.wav(seconds=12, rate=8000, channels=2), timeout=5)

    assert "Recording recording.wav: the WAV has 8000 Hz, which is below 16000 Hz" in caplog.text
    assert "the WAV has 2 channels" in caplog.text


@INSTANT
def test_unknown_limits_do_not_end_it(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    sandbox.inject(faults.status(403, "APIGW.0302"))

    assert connect(**options).do("assess", recordings.wav(seconds=3), timeout=60).state == "SUCCEED"


def test_refused_key_creates_no_job(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    wrong = Credentials(sandbox.credentials.ak, "wrong-for-the-journey")

    with pytest.raises(AuthenticationError):
        connect(**options | {"credentials": wrong}).do("assess", WAV, timeout=60)
    assert sent(sandbox) == []


@INSTANT
def test_failed_job_is_raised(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    empty_zip = b"PK\x05\x06" + bytes(18)

    with pytest.raises(ShortJobFailed, match=r"MSS\.20020012"):
        connect(**options).do("assess", empty_zip, timeout=60)


def test_finish_continues_after_timeout(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    session = connect(**options)  # virtual time: the sandbox's clock stands still meanwhile
    with pytest.raises(WaitTimeout) as caught:
        session.do("assess", WAV, timeout=5)

    job_id = caught.value.job_id
    sandbox.move_job(job_id, "SUCCEED")
    assert session.do("finish", job_id, timeout=60).job_id == job_id
    assert sent(sandbox) == [("create", 200), ("upload", 200), ("commit", 200)]


def test_lost_upload_is_repeated(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    sandbox.inject_upload(faults.upload_cut)

    with pytest.raises(WaitTimeout):
        connect(**options).do("assess", WAV, timeout=5)
    assert [step for step, _ in sent(sandbox)] == ["create", "upload", "upload", "commit"]


def test_expired_url_creates_new_job(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    """Once: the first job never ran."""
    sandbox.inject_upload(faults.upload_expired)

    with pytest.raises(WaitTimeout) as caught:
        connect(**options).do("assess", WAV, timeout=5)
    assert [step for step, _ in sent(sandbox)] == ["create", "upload", "create", "upload", "commit"]
    assert caught.value.job_id == list(sandbox.jobs)[-1]


def test_url_that_expires_again_interrupts(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    sandbox.inject_upload(faults.upload_expired, times=2)

    with pytest.raises(AssessmentInterrupted, match="failed at the upload") as caught:
        connect(**options).do("assess", WAV, timeout=5)

    assert isinstance(caught.value.__cause__, UploadError)
    assert sandbox.jobs[caught.value.job_id]["state"] in {"CREATING", "UPLOADING"}


def test_second_creation_that_fails_names_the_first_job(
    connect: Connect, options: dict[str, Any], sandbox: Sandbox
) -> None:
    async def expired(request: Any, answer: Any) -> Any:
        sandbox.inject(faults.status(400, "MSS.00000003"))  # for the next creation
        return await faults.upload_expired(request, answer)

    sandbox.inject_upload(expired)

    with pytest.raises(AssessmentInterrupted, match="failed at the upload") as caught:
        connect(**options).do("assess", WAV, timeout=5)

    assert isinstance(caught.value.__cause__, BadRequestError)
    assert caught.value.job_id in sandbox.jobs


def test_interrupted_assessment_names_step_and_job(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    sandbox.inject_upload(faults.upload_error(403, "SignatureDoesNotMatch"))

    with pytest.raises(AssessmentInterrupted) as caught:
        connect(**options).do("assess", WAV, timeout=5)

    assert caught.value.step == "upload"
    assert sandbox.jobs[caught.value.job_id]["state"] in {"CREATING", "UPLOADING"}
    assert "SignatureDoesNotMatch" in str(caught.value)


def test_upload_that_arrived_is_committed(connect: Connect, options: dict[str, Any]) -> None:
    """The response to the first try was lost, and the URL serves once: the recording is there."""
    with Sandbox(upload_once=True) as sandbox:
        sandbox.inject_upload(faults.upload_lost)
        mine = options | {
            "endpoint": sandbox.url,
            "project_id": sandbox.project_id,
            "credentials": sandbox.credentials,
        }
        with pytest.raises(WaitTimeout):
            connect(**mine).do("assess", WAV, timeout=5)

        assert sent(sandbox) == [("create", 200), ("upload", 200), ("upload", 403), ("commit", 200)]


def test_lost_commit_is_not_sent_twice(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    session = connect(**options)
    created = session.do("create")
    zipped = io.BytesIO(b"PK\x05\x06" + bytes(18))
    session.do("upload", created.data_uploading_url, zipped)
    sandbox.inject(faults.lost)

    session.do("commit", created.job_id)

    assert [step for step, _ in sent(sandbox)].count("commit") == 1


def test_failed_create_raises_connection_error(connect: Connect, options: dict[str, Any]) -> None:
    with pytest.raises(APIConnectionError):
        connect(**options | {"endpoint": "http://127.0.0.1:1", "max_retries": 0}).do("assess", WAV, timeout=5)


def test_finish_that_cannot_query_names_the_job(connect: Connect, options: dict[str, Any]) -> None:
    with pytest.raises(AssessmentInterrupted, match="failed at the commit") as caught:
        connect(**options).do("finish", "no-such-job", timeout=5)

    assert caught.value.job_id == "no-such-job"
    assert isinstance(caught.value.__cause__, APIStatusError)


def test_lost_commit_is_attempted_three_times() -> None:
    seen, lost = [], APIConnectionError("lost")

    def lose_each() -> None:
        steps = committing("j", None)
        step = next(steps)
        while True:
            seen.append((step.method, step.arguments.get("seconds")))
            step = steps.throw(lost) if step.method == "_commit_paced" else steps.send(ShortJob(state="UPLOADING"))

    with pytest.raises(APIConnectionError) as caught:
        lose_each()

    assert caught.value is lost
    attempt = [("_commit_paced", None), ("show", None)]
    assert seen == [*attempt, ("_pause", 0.5), *attempt, ("_pause", 1.0), *attempt]
