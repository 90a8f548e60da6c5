"""The whole journey of a short job in the sandbox: create, upload, commit, show. Asked with plain httpx."""

import hashlib
import io
import threading
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import httpx
import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkmetastudio.v1 import (
    CommitShortJobRequest,
    CreateShortJobReq,
    CreateShortJobRequest,
    MetaStudioClient,
    ShowShortJobRequest,
)

from huaweicloud_auth import AkSkAuth
from metastudio_sandbox import Sandbox, contract, faults, recordings
from metastudio_sandbox.faults import UploadFault
from support import HANGS_AFTER

ZIP = {"Content-Type": "application/zip"}
WANTED = {"job_type": "VOICE_ASSESS", "language": "CN"}
WAV = recordings.wav(1, rate=8000)


class Time:
    """The sandbox's clock, which a test puts forward."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


class Journey:
    """The operations, asked of a sandbox."""

    def __init__(self, **options: Any) -> None:
        self.time = Time()
        self.sandbox = Sandbox(now=self.time, duration=timedelta(seconds=30), **options).start()
        auth = AkSkAuth(self.sandbox.credentials, self.sandbox.project_id, now=self.time)
        self._client = httpx.Client(base_url=self.sandbox.url, auth=auth)

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        return self._client.request(
            method, f"/v1/{self.sandbox.project_id}/voice-training-manage/user/{path}", **options
        )

    def create(self, **options: Any) -> tuple[str, str]:
        answer = self.ask("POST", "short-jobs", json=WANTED, **options)
        assert answer.status_code == 200, answer.text
        assert answer.json().keys() == {"job_id", "data_uploading_url"}
        return answer.json()["job_id"], answer.json()["data_uploading_url"]

    def commit(self, job_id: str) -> tuple[int, str]:
        answer = self.ask("POST", f"short-jobs/{job_id}")
        return answer.status_code, answer.json()["error_code"] if answer.content else ""

    def show(self, job_id: str) -> dict[str, Any]:
        shown: dict[str, Any] = self.ask("GET", f"short-jobs/{job_id}").json()
        return shown

    def assessed(self, upload: bytes) -> dict[str, Any]:
        """Return the job that `upload` was sent for, when it has ended."""
        job_id, url = self.create()
        assert put(url, upload).status_code == 200
        assert self.commit(job_id) == (200, "")
        self.time.now += timedelta(seconds=30)
        return self.show(job_id)

    def close(self) -> None:
        self._client.close()
        self.sandbox.stop()


@pytest.fixture
def start() -> Iterator[Callable[..., Journey]]:
    """Return a function that starts a sandbox with options."""
    started: list[Journey] = []

    def starting(**options: Any) -> Journey:
        started.append(Journey(**options))
        return started[-1]

    yield starting
    for each in started:
        each.close()


@pytest.fixture
def journey(start: Callable[..., Journey]) -> Journey:
    return start()


def zipped(*files: tuple[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    with zipfile.ZipFile(buffer := io.BytesIO(), "w", compression) as archive:
        for name, data in files:
            archive.writestr(name, data)
    return buffer.getvalue()


RECORDING = zipped(("recording.wav", WAV))


def put(url: str, content: Any = RECORDING, headers: dict[str, str] = ZIP, method: str = "PUT") -> httpx.Response:
    with httpx.Client(trust_env=False) as client:
        return client.request(method, url, content=content, headers=headers)


def error(answer: httpx.Response) -> tuple[int, str, str]:
    assert answer.headers["Content-Type"].startswith("application/xml")
    tree = ElementTree.fromstring(answer.content)
    assert (tree.tag, [part.tag for part in tree]) == ("Error", ["Code", "Message", "RequestId", "HostId"])
    return answer.status_code, tree.findtext("Code", ""), tree.findtext("Message", "")


def test_job_states_follow_clock(journey: Journey) -> None:
    job_id, url = journey.create(headers={"X-App-UserId": "user-1"})
    assert journey.sandbox.jobs[job_id]["state"] == journey.show(job_id)["state"] == "CREATING"
    stored = put(url)
    assert (stored.status_code, stored.content) == (200, b"")
    assert stored.headers["ETag"] == f'"{hashlib.md5(RECORDING).hexdigest()}"'
    journey.time.now += timedelta(hours=1)
    assert journey.sandbox.jobs[job_id]["state"] == journey.show(job_id)["state"] == "UPLOADING"

    committed = int(journey.time.now.timestamp())
    assert journey.commit(job_id) == (200, "")
    seen = []
    for _ in range(4):
        seen.append((journey.show(job_id)["state"], journey.sandbox.jobs[job_id]["lastupdate_time"] - committed))
        assert journey.commit(job_id) == (400, "MSS.00000003"), "it was committed"
        journey.time.now += timedelta(seconds=10)

    assert seen == [("SYSTEM_AUDITING", 0), ("WAITING", 10), ("PROCESSING", 20), ("SUCCEED", 30)]
    assert journey.show(job_id) == journey.sandbox.jobs[job_id]
    assert journey.show(job_id)["create_time"] == committed - 3600
    assert "user-1" not in str(journey.show(job_id))
    assert journey.sandbox._service.jobs.tasks[job_id].app_user_id == "user-1"


def test_job_ends_without_polls(journey: Journey) -> None:
    """A job ends although nobody queried it in between; a clock that is set back changes nothing."""
    job = journey.assessed(RECORDING)
    assert job["state"] == "SUCCEED"

    journey.sandbox.clock_offset = timedelta(minutes=-2)
    assert journey.sandbox.jobs[job["job_id"]] == job


def test_state_set_by_test_is_kept(journey: Journey) -> None:
    job_id, url = journey.create()
    put(url)
    journey.commit(job_id)
    journey.sandbox.move_job(job_id, "FAILED")
    journey.time.now += timedelta(hours=1)

    assert journey.show(job_id)["state"] == "FAILED"
    assert journey.commit(journey.sandbox.add_job("UPLOADING")) == (400, "MSS.00000003"), "nothing was uploaded"


@pytest.mark.parametrize("job_id", [None, "unknown"])
def test_commit_needs_an_upload(journey: Journey, job_id: str | None) -> None:
    """A job that does not exist, or has no recording, cannot be committed."""
    assert journey.commit(job_id or journey.create()[0]) == (400, "MSS.00000003")


def test_create_needs_a_type(journey: Journey) -> None:
    before = len(journey.sandbox.jobs)
    answer = journey.ask("POST", "short-jobs", json={"language": "CN"})

    assert (answer.status_code, answer.json()["error_code"]) == (400, "MSS.00000003")
    assert len(journey.sandbox.jobs) == before


CORRUPT = RECORDING.replace(WAV[100:110], bytes(10), 1)


@pytest.mark.parametrize(
    ("upload", "code"),
    [
        (b"no zip", "MSS.20020013"),
        (b"", "MSS.20020013"),
        (RECORDING[: len(RECORDING) // 2], "MSS.20020013"),
        (CORRUPT, "MSS.20020013"),
        (zipped(("notes.txt", WAV)), "MSS.20020012"),
        (zipped(), "MSS.20020012"),
    ],
    ids=["no zip", "empty", "half", "corrupt", "no audio", "no file"],
)
def test_bad_upload_fails_job(journey: Journey, upload: bytes, code: str) -> None:
    job = journey.assessed(upload)

    assert (job["state"], job["job_failed_code"]) == ("FAILED", code)
    assert job["job_failed_reason"].startswith("Invented")
    assert "assess_result" not in job


def test_verdict_depends_on_recording(journey: Journey) -> None:
    """The verdict has each metric of the contract, and its values follow from the recording."""
    first = journey.assessed(RECORDING)["assess_result"]
    same = journey.assessed(zipped(("Other.WAV", WAV), compression=zipfile.ZIP_DEFLATED))["assess_result"]
    other = journey.assessed(zipped(("recording.wav", recordings.wav(1, rate=8000, seed=1))))["assess_result"]

    assert first == same != other
    assert first.keys() == contract.load()["components"]["schemas"]["AssessResult"]["properties"].keys()
    metrics = [value for name, value in first.items() if name != "suggestion"]
    assert {metric["status"] for metric in metrics} <= {-1, 0, 1}
    texts = [first["suggestion"]] + [metric[name] for metric in metrics for name in metric if name != "status"]
    assert all("invented" in text.lower() for text in texts)


@pytest.mark.parametrize(
    ("limits", "answer"),
    [
        ((10, 600), {"short_assess_min": 10, "short_assess_max": 600}),
        ((None, 5), {"short_assess_max": 5}),
        ((None, None), {}),
    ],
)
def test_limits(start: Callable[..., Journey], limits: Any, answer: dict[str, int]) -> None:
    assert start(limits=limits).ask("GET", "tenant-duration-cfg").json() == answer


def test_upload_url_names_port_and_expiry(start: Callable[..., Journey]) -> None:
    journey = start(upload_url_life=timedelta(hours=2))
    journey.sandbox.clock_offset = timedelta(minutes=5)
    url = urlsplit(journey.create()[1])

    assert url.hostname == "127.0.0.1"
    assert url.port != urlsplit(journey.sandbox.url).port
    query = parse_qs(url.query)
    assert query.keys() == {"AWSAccessKeyId", "Expires", "Signature"}
    assert int(query["Expires"][0]) == int((journey.time.now + timedelta(hours=2, minutes=5)).timestamp())


UNWANTED = [
    "Authorization",
    "X-Auth-Token",
    "X-Security-Token",
    "X-Sdk-Date",
    "X-App-UserId",
    "Content-MD5",
    "x-obs-acl",
]


@pytest.mark.parametrize(
    ("method", "headers"),
    [("PUT", ZIP | {name: "x"}) for name in UNWANTED]
    + [("POST", ZIP), ("GET", ZIP), ("PUT", {}), ("PUT", {"Content-Type": "application/zip; charset=utf-8"})],
)
def test_upload_must_match_signature(journey: Journey, method: str, headers: dict[str, str]) -> None:
    job_id, url = journey.create()

    assert error(put(url, headers=headers, method=method))[:2] == (403, "SignatureDoesNotMatch")
    assert journey.commit(job_id) == (400, "MSS.00000003"), "nothing was stored"
    assert put(url).status_code == 200


@pytest.mark.parametrize("part", ["AWSAccessKeyId=", "Expires=", "Signature=", ".zip"])
def test_signature_covers_each_part_of_url(journey: Journey, part: str) -> None:
    _, url = journey.create()

    assert error(put(url.replace(part, f"{part}1", 1)))[:2] == (403, "SignatureDoesNotMatch")
    assert error(put(url.partition("?")[0]))[:2] == (403, "AccessDenied")


def test_chunked_upload_is_rejected(journey: Journey) -> None:
    _, url = journey.create()

    assert error(put(url, iter([RECORDING])))[:2] == (411, "MissingContentLength")


def test_upload_url_expires(journey: Journey) -> None:
    _, url = journey.create()
    journey.time.now += timedelta(hours=24, seconds=-1)
    assert put(url).status_code == 200

    journey.time.now += timedelta(seconds=1)
    assert error(put(url)) == (403, "AccessDenied", "Request has expired")


def test_another_upload_overwrites_until_the_commit(journey: Journey) -> None:
    job_id, url = journey.create()
    for upload in (RECORDING, b"no zip"):
        put(url, upload)
    journey.commit(job_id)
    assert put(url).status_code == 200
    journey.time.now += timedelta(seconds=30)

    assert journey.show(job_id)["job_failed_code"] == "MSS.20020013"


def test_upload_url_can_be_single_use(start: Callable[..., Journey]) -> None:
    _, url = start(upload_once=True).create()

    assert error(put(url, headers={}))[1] == "SignatureDoesNotMatch"
    assert put(url).status_code == 200
    assert error(put(url))[:2] == (403, "AccessDenied")


def test_exchanges_have_uploads_without_secret(journey: Journey) -> None:
    job_id, url = journey.create()
    put(url)

    seen = journey.sandbox.exchanges[-1]
    assert (seen.method, seen.target, seen.status) == ("PUT", f"/short-jobs/{job_id}.zip", 200)
    assert seen.headers["content-type"] == "application/zip"
    assert parse_qs(urlsplit(url).query)["Signature"][0] not in repr(journey.sandbox.exchanges)


@pytest.mark.parametrize(
    ("fault", "stored"), [(faults.upload_cut, False), (faults.upload_lost, True)], ids=["cut", "lost"]
)
def test_upload_that_loses_its_connection(journey: Journey, fault: UploadFault, stored: bool) -> None:
    job_id, url = journey.create()
    journey.sandbox.inject_upload(fault)
    with pytest.raises((httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError)):
        put(url, bytes(2**24))

    assert journey.sandbox.exchanges[-1].status == (200 if stored else 0)
    assert journey.sandbox.jobs[job_id]["state"] == ("UPLOADING" if stored else "CREATING")
    assert put(url).status_code == 200


def test_storage_errors(journey: Journey) -> None:
    job_id, url = journey.create()
    journey.sandbox.inject_upload(faults.upload_error(503, "SlowDown"), times=2)
    journey.sandbox.inject_upload(faults.upload_expired)

    assert [error(put(url))[:2] for _ in range(3)] == [(503, "SlowDown")] * 2 + [(403, "AccessDenied")]
    assert journey.sandbox.jobs[job_id]["state"] == "CREATING", "nothing was stored"
    assert put(url).status_code == 200
    with pytest.raises(TypeError, match="upload_slow is not a fault"):
        journey.sandbox.inject_upload(faults.upload_slow)  # type: ignore[arg-type]  # that is what it says


def test_stop_cuts_slow_upload(journey: Journey) -> None:
    _, url = journey.create()
    journey.sandbox.inject_upload(faults.upload_slow(3600))
    errors: list[type[Exception]] = []

    def upload() -> None:
        with pytest.raises(httpx.TransportError) as caught:
            httpx.put(url, content=RECORDING, headers=ZIP, timeout=None, trust_env=False)
        errors.append(caught.type)

    slow = threading.Thread(target=upload)
    slow.start()
    while journey.sandbox.exchanges[-1].status == 0 or journey.sandbox.exchanges[-1].method != "PUT":
        pass
    journey.sandbox.stop()
    slow.join(HANGS_AFTER)  # the upload itself would take an hour

    assert errors
    with pytest.raises(httpx.ConnectError):
        put(url)


def test_lost_is_executed_and_throttled_is_not(journey: Journey) -> None:
    """A request whose response is lost was executed; one that is throttled was not."""
    sandbox, before = journey.sandbox, len(journey.sandbox.jobs)
    sandbox.inject(faults.throttled())
    assert journey.ask("POST", "short-jobs", json=WANTED).status_code == 429
    assert len(sandbox.jobs) == before
    sandbox.inject(faults.lost)
    with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
        journey.ask("POST", "short-jobs", json=WANTED)
    assert len(sandbox.jobs) == before + 1, "an orphan"

    for fault in (faults.lost, faults.cut):
        job_id, url = journey.create()
        put(url)
        sandbox.inject(faults.status(503, "APIGW.0613"))
        assert journey.commit(job_id) == (503, "APIGW.0613")
        assert sandbox.jobs[job_id]["state"] == "UPLOADING"
        sandbox.inject(fault)
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            journey.commit(job_id)
        assert sandbox.jobs[job_id]["state"] == "SYSTEM_AUDITING"


def test_error_after_execution(journey: Journey) -> None:
    """A request may be executed although its response is an error."""
    job_id, url = journey.create()
    put(url)
    journey.sandbox.inject(faults.status(504, "APIGW.0201", executed=True))

    assert journey.commit(job_id) == (504, "APIGW.0201")
    assert journey.sandbox.jobs[job_id]["state"] == "SYSTEM_AUDITING"


# From Python 3.12 on, the official signer's clock is deprecated.
@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
def test_official_sdk_makes_the_journey(journey: Journey) -> None:
    sandbox = journey.sandbox
    credentials = BasicCredentials(sandbox.credentials.ak, str(sandbox.credentials.sk), sandbox.project_id)
    sdk = MetaStudioClient.new_builder().with_credentials(credentials).with_endpoint(sandbox.url).build()
    sdk.get_http_client()._session.trust_env = False

    created = sdk.create_short_job(CreateShortJobRequest("user-1", CreateShortJobReq("VOICE_ASSESS", "EN")))
    assert put(created.data_uploading_url).status_code == 200
    assert sdk.commit_short_job(CommitShortJobRequest(job_id=created.job_id)).status_code == 200
    journey.time.now += timedelta(seconds=30)
    shown = sdk.show_short_job(ShowShortJobRequest(job_id=created.job_id))

    assert (shown.job_id, shown.state) == (created.job_id, "SUCCEED")
    assert shown.assess_result.snr.status in {-1, 0, 1}
    assert sandbox._service.jobs.tasks[created.job_id].language == "EN"
    sdk.close()
    sdk.get_http_client().executor.shutdown()
