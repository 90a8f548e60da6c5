"""The attributes of log records, for programs that read them."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from huaweicloud_auth.log import FIELDS
from metastudio import Credentials, MetaStudio, MetaStudioError, TokenAuth, UploadError, configuration
from metastudio_sandbox import Sandbox, faults, recordings
from support.raw_server import RawServer
from support.samples import REFERENCE_JOB
from support.sessions import Connect

OF_RECORDS = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One whose assessments take no time: that of the clients is virtual."""
    with Sandbox(duration=timedelta()) as running:
        yield running


@pytest.fixture(autouse=True)
def _listen(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "metastudio")
    caplog.set_level(logging.DEBUG, "huaweicloud_auth")


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recordings") / "ann.wav"
    path.write_bytes(recordings.wav(seconds=11, rate=8000))
    return path


def fields(record: logging.LogRecord) -> dict[str, Any]:
    return {name: getattr(record, name) for name in FIELDS}


def ours(caplog: pytest.LogCaptureFixture, level: int = logging.DEBUG) -> list[logging.LogRecord]:
    names = {"metastudio", "huaweicloud_auth"}
    return [record for record in caplog.records if record.name in names and record.levelno == level]


def test_names() -> None:
    assert set(FIELDS) == {"request_id", "operation", "status", "attempt", "seconds", "job_id"}
    assert not set(FIELDS) & OF_RECORDS


def test_one_record_per_attempt(
    connect: Connect, options: dict[str, Any], sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    """A response and a lost connection, and the two retries between them."""
    session = connect(**options)
    sandbox.inject(faults.throttled(retry_after=3))
    sandbox.inject(faults.lost)
    session.show(REFERENCE_JOB)

    attempts, retries = ours(caplog), ours(caplog, logging.WARNING)
    about = {"operation": "show_short_job", "job_id": REFERENCE_JOB}
    found = [fields(record) for record in (*attempts, *retries)]
    assert all(0 < each["seconds"] < 60 for each in found[:3])
    request_ids = [each.pop("request_id") for each in found]
    assert [{**each, "seconds": None} for each in found] == [
        {**about, "attempt": attempt, "status": status, "seconds": None}
        for attempt, status in ((1, 429), (2, None), (3, 200), (1, 429), (2, None))
    ]
    assert request_ids[0] in attempts[0].getMessage()
    assert request_ids[2] in attempts[2].getMessage()
    assert (request_ids[1], request_ids[3], request_ids[4]) == (None, request_ids[0], None)


def test_assessment(
    connect: Connect, options: dict[str, Any], sandbox: Sandbox, recording: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Each step has its operation, and all but the first two have the job's ID: the upload too."""
    sandbox.inject_upload(faults.upload_lost)
    job = connect(**options).do("assess", recording, timeout=60)

    attempts = [fields(record) for record in ours(caplog)]
    polls = [each for each in attempts if each["operation"] == "show_short_job"]
    steps = [(each["operation"], each["job_id"], each["attempt"], each["status"]) for each in attempts]
    assert steps[: -len(polls)] == [
        ("show_tenant_duration_cfg", None, 1, 200),
        ("create_short_job", None, 1, 200),
        ("upload", job.job_id, 1, None),
        ("upload", job.job_id, 2, 200),
        ("commit_short_job", job.job_id, 1, 200),
    ]
    assert {each["job_id"] for each in polls} == {job.job_id}
    (created,) = ours(caplog, logging.INFO)
    assert (fields(created)["job_id"], fields(created)["operation"]) == (job.job_id, "create_short_job")


def test_rejected_upload(
    connect: Connect, raw_options: dict[str, Any], server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Object storage has a header of its own for the request ID."""
    server.answer(b"", "403 Forbidden", "x-obs-request-id: 0000018B")
    with pytest.raises(UploadError):
        connect(**raw_options).do(
            "upload", f"{server.url}/a.zip?Signature=the-signature-of-the-url", io.BytesIO(b"zip")
        )

    (record,) = ours(caplog)
    assert fields(record) | {"seconds": None} == {
        "operation": "upload",
        "job_id": None,
        "attempt": 1,
        "status": 403,
        "request_id": "0000018B",
        "seconds": None,
    }
    assert "the-signature-of-the-url" not in repr(vars(record))


def test_failed_poll(
    connect: Connect, options: dict[str, Any], sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.inject(faults.status(500, "MSS.00000001"))
    connect(**options).wait(REFERENCE_JOB, timeout=600)

    (record,) = ours(caplog, logging.WARNING)
    assert "a poll failed, still waiting" in record.getMessage()
    about = fields(record)
    assert (about["job_id"], about["status"], about["operation"]) == (REFERENCE_JOB, 500, "show_short_job")
    assert about["request_id"] in record.getMessage()


def test_every_record_has_every_field(
    connect: Connect,
    options: dict[str, Any],
    sandbox: Sandbox,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Those of the authentication too, such as that of a clock that was corrected: a format may name them all."""
    sandbox.clock_offset = timedelta(hours=1)
    connect(**options).show(REFERENCE_JOB)
    sandbox.clock_offset = timedelta()
    monkeypatch.setattr(configuration, "_logged", set())  # each region is logged once
    MetaStudio(**options | {"endpoint": None, "region": "cn-nowhere-1"}).close()

    formatter = logging.Formatter(" ".join(f"%({name})s" for name in FIELDS))
    clock, region = ours(caplog, logging.WARNING)
    assert formatter.format(clock).startswith(f"show_short_job {REFERENCE_JOB} 1 401 ")
    assert formatter.format(region) == "None None None None None None"


def test_no_secret(
    connect: Connect, options: dict[str, Any], sandbox: Sandbox, recording: Path, caplog: pytest.LogCaptureFixture
) -> None:
    temporary = sandbox.temporary_credentials
    wrong = Credentials(sandbox.credentials.ak, f"not-the-secret-key-{connect}")
    connect(**options | {"credentials": temporary}).do("assess", recording, timeout=60)
    with pytest.raises(MetaStudioError):
        connect(**options | {"credentials": wrong}).show(REFERENCE_JOB)
    del options["credentials"]
    connect(**options, auth=TokenAuth(sandbox.token)).show(REFERENCE_JOB)

    shown = "\n".join(json.dumps(vars(record), default=repr) for record in caplog.records)
    secrets = (str(temporary.sk), str(temporary.security_token), str(wrong.sk), sandbox.token, "Signature=")
    assert shown.count('"request_id"') >= 8
    assert [secret for secret in secrets if secret in shown] == []


@pytest.fixture
def _factory_with_request_id() -> Iterator[None]:
    """A record factory that sets one of the names, as services do for their own requests."""
    before = logging.getLogRecordFactory()

    def make(*arguments: Any, **options: Any) -> logging.LogRecord:
        record = before(*arguments, **options)
        record.request_id = "the service's own"
        return record

    logging.setLogRecordFactory(make)
    yield
    logging.setLogRecordFactory(before)


@pytest.mark.usefixtures("_factory_with_request_id")
def test_record_factory_keeps_its_names(
    connect: Connect, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    assert connect(**options).show(REFERENCE_JOB).job_id == REFERENCE_JOB

    (record,) = ours(caplog)
    assert (record.__dict__["request_id"], ": 200, request ID" in record.getMessage()) == ("the service's own", True)
