"""Batches against the sandbox, in virtual time: each recording gets one verdict, whatever comes between."""

import asyncio
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import aclosing, closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar
from zipfile import ZipFile

import attrs
import pytest

from metastudio import (
    AkSkAuth,
    AssessmentInterrupted,
    AsyncMetaStudio,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    Credentials,
    PermissionDeniedError,
    RecordingError,
    ShortJobFailed,
    UploadError,
    WaitTimeout,
)
from metastudio_batch import Batch, Failed, Finished, Found, JournalError, Outcome, Row, Stage, assess_many, rows
from metastudio_sandbox import Sandbox, faults, recordings
from support.virtual_time import Loop

T = TypeVar("T")
START = datetime.now(UTC)  # upload URLs expire by the machine's clock
WAV = recordings.wav(seconds=11, rate=8000)


class Stop(Exception):  # noqa: N818  # as if the process ended here
    pass


@attrs.define
class Place:
    """A folder of recordings, its journal, and the sandbox that assesses them."""

    folder: Path
    journal: Path
    sandbox: Sandbox
    loop: Loop
    commits: Counter[str]  # how often each job was committed, whatever was answered

    def add(self, *names: str, content: bytes | None = None) -> None:
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(WAV + os.fsencode(name) if content is None else content)

    def studio(self, credentials: Credentials | None = None, **options: Any) -> AsyncMetaStudio:
        now = lambda: START + timedelta(seconds=self.loop.time() - 1000)  # noqa: E731
        auth = AkSkAuth(credentials or self.sandbox.credentials, self.sandbox.project_id, now=now)
        return AsyncMetaStudio(endpoint=self.sandbox.url, project_id=self.sandbox.project_id, auth=auth, **options)

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        # Not asyncio.Runner, which would close the loop: a test has several runs.
        return self.loop.run_until_complete(main)

    def assess(self, given: Any = None, **options: Any) -> dict[str, Outcome]:
        """Run a batch to its end; return the outcomes by path."""

        async def main() -> list[Outcome]:
            async with self.studio() as studio:
                wanted = self.folder if given is None else given
                return [each async for each in assess_many(studio, wanted, journal=self.journal, **options)]

        outcomes = self.run(main())
        assert len({each.path for each in outcomes}) == len(outcomes), "one outcome for each"
        return {each.path: each for each in outcomes}

    def stop_at(self, stage: Stage, act: Callable[[Row], object] | None = None) -> None:
        """Run a batch until a recording reaches a stage; then act, or stop as if the process ended."""

        def on_change(row: Row) -> None:
            if row.stage == stage:
                raise Stop

        async def main() -> None:
            async with self.studio() as studio:
                batch = Batch(studio, self.folder, journal=self.journal, uploads=1, on_change=on_change)
                async with aclosing(batch.outcomes()) as outcomes:
                    async for _ in outcomes:
                        pass

        with pytest.raises(Stop):
            self.run(main())

    def sent(self) -> Counter[str]:
        """Return how often each step was sent."""
        kinds = {"PUT": "upload", "GET": "show"}
        return Counter(
            kinds.get(each.method) or ("create" if each.target.endswith("/short-jobs") else "commit")
            for each in self.sandbox.exchanges
            if "tenant-duration-cfg" not in each.target
        )

    def stages(self) -> list[str]:
        with closing(sqlite3.connect(self.journal)) as connection:
            return [stage for (stage,) in connection.execute("SELECT stage FROM recordings ORDER BY path")]


@pytest.fixture
def place(tmp_path: Path, commits: Counter[str]) -> Iterator[Place]:
    loop = Loop()
    now = lambda: START + timedelta(seconds=loop.time() - 1000)  # noqa: E731
    (tmp_path / "recordings").mkdir()
    with Sandbox(now=now, duration=timedelta(seconds=60), validate=False) as sandbox:
        yield Place(tmp_path / "recordings", tmp_path / "a.journal", sandbox, loop, commits)
    loop.close()


def test_each_recording_has_one_outcome(place: Place) -> None:
    """Good ones, one whose job fails, and one that cannot be used."""
    place.add(*(f"{number}.wav" for number in range(12)), "sub/a.wav")
    place.add("bad.wav", content=b"nothing")
    with ZipFile(place.folder / "text.zip", "w") as archive:
        archive.writestr("notes.txt", "no sound")

    outcomes = place.assess([place.folder, place.folder / "text.zip"])

    failed, unusable = outcomes.pop("text.zip"), outcomes.pop("bad.wav")
    assert len(outcomes) == 13
    for outcome in outcomes.values():
        assert isinstance(outcome, Finished)
        assert outcome.job.state == "SUCCEED"
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, ShortJobFailed)
    assert failed.job is not None
    assert failed.job.job_failed_code == "MSS.20020012"
    assert isinstance(unusable.error, RecordingError)
    assert place.sent() - Counter(show=1000) == Counter(create=14, upload=14, commit=14)


def test_finished_recording_costs_no_request(place: Place) -> None:
    """The same outcomes again, from the journal."""
    place.add("a.wav", "b.wav")
    first = place.assess()
    sent = place.sent()

    again = place.assess()

    assert again == first
    assert place.sent() == sent


@pytest.mark.parametrize(
    ("stage", "jobs"), [(Stage.CREATED, 2), (Stage.UPLOADED, 1), (Stage.COMMITTED, 1), (Stage.FINISHED, 1)]
)
def test_interrupted_batch_continues(stage: Stage, jobs: int, place: Place) -> None:
    """Only an upload that was not finished needs another job: the first one never ran."""
    place.add("a.wav")
    place.stop_at(stage)

    outcomes = place.assess()

    assert outcomes["a.wav"].error is None
    assert place.sent()["create"] == jobs
    assert list(place.commits.values()) == [1]


def test_unrecorded_commit_is_not_repeated(place: Place) -> None:
    """The process ended between the commit and the journal: the job is queried first."""
    place.add("a.wav")
    place.stop_at(Stage.COMMITTED)
    with closing(sqlite3.connect(place.journal)) as connection, connection:
        connection.execute("UPDATE recordings SET stage = 'uploaded'")

    assert place.assess()["a.wav"].error is None
    assert list(place.commits.values()) == [1]


def test_deleted_recording_keeps_verdict(place: Place) -> None:
    """Its job is in the journal, and runs."""
    place.add("a.wav", "b.wav")
    place.stop_at(Stage.COMMITTED)
    for file in place.folder.iterdir():
        file.unlink()
    place.add("c.wav")

    outcomes = place.assess()

    assert {path for path, outcome in outcomes.items() if outcome.error is None} >= {"c.wav"}
    assert place.commits.keys() <= {outcome.job_id for outcome in outcomes.values()}


def test_manifest_of_deleted_recordings(place: Place) -> None:
    """What had its verdict keeps it; the rest cannot be used."""
    place.add("a.wav")
    manifest = place.folder / "all.csv"
    manifest.write_text("path,speaker\na.wav,ann\nb.wav,bob\n")
    place.assess(manifest)
    (place.folder / "a.wav").unlink()

    outcomes = place.assess(manifest)

    assert outcomes["a.wav"].error is None
    assert isinstance(outcomes["b.wav"].error, RecordingError)


def test_changed_recording_is_assessed_again(place: Place) -> None:
    """The new take is assessed, and the old verdict stays."""
    place.add("a.wav")
    first = place.assess()["a.wav"]
    place.add("a.wav", content=recordings.wav(seconds=12, rate=8000, seed=2))

    second = place.assess()["a.wav"]

    assert second.job_id != first.job_id
    assert [row["job_id"] for row in rows(place.journal)] == [first.job_id, second.job_id]


def test_touched_file_is_not_assessed_again(place: Place) -> None:
    place.add("a.wav")
    first = place.assess()
    os.utime(place.folder / "a.wav", (1, 1))

    assert place.assess() == first
    assert place.sent()["create"] == 1


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more")


def change(path: Path) -> None:
    path.write_bytes(path.read_bytes()[::-1])


@pytest.mark.parametrize("spoil", [Path.unlink, grow, change])
def test_recording_changed_during_read(spoil: Callable[[Path], None], place: Place) -> None:
    """It fails alone, nothing is committed for it, and the next run takes it as it is then."""
    place.add("a.wav", "b.wav")

    def on_change(row: Row) -> None:
        if row.stage == Stage.CREATED and row.path == "a.wav" and row.error is None:
            spoil(Path(row.file))

    async def main() -> dict[str, Outcome]:
        async with place.studio() as studio:
            batch = Batch(studio, place.folder, journal=place.journal, on_change=on_change)
            return {each.path: each async for each in batch.outcomes()}

    outcomes = place.run(main())

    error = outcomes["a.wav"].error
    assert isinstance(error, AssessmentInterrupted)
    assert isinstance(error.__cause__, RecordingError)
    assert outcomes["b.wav"].error is None
    assert len(place.commits) == 1
    place.add("a.wav")
    assert place.assess()["a.wav"].error is None


def test_batch_continues_while_caller_is_busy(place: Place) -> None:
    place.add("bad.wav", content=b"nothing")
    place.add(*(f"{number}.wav" for number in range(5)))

    async def main() -> None:
        async with place.studio() as studio:
            async for _ in assess_many(studio, place.folder, journal=place.journal):
                await asyncio.sleep(600)
                assert Counter(place.stages()) == {"unusable": 1, "finished": 5}
                return

    place.run(main())


def test_break_leaves_nothing_running(place: Place) -> None:
    """No task, and the journal can be used by the next one."""
    place.add(*(f"{number}.wav" for number in range(5)))

    async def main() -> int:
        async with place.studio() as studio:
            async with aclosing(assess_many(studio, place.folder, journal=place.journal)) as outcomes:
                async for _ in outcomes:
                    break
            return len(asyncio.all_tasks())

    assert place.run(main()) == 1
    assert all(outcome.error is None for outcome in place.assess().values())
    assert set(place.commits.values()) == {1}


def test_second_batch_on_the_same_journal(place: Place) -> None:
    place.add("a.wav", "b.wav")

    async def main() -> None:
        async with place.studio() as studio:
            async for _ in assess_many(studio, place.folder, journal=place.journal):
                with pytest.raises(JournalError, match="is in use"):
                    await anext(assess_many(studio, place.folder, journal=place.journal))

    place.run(main())


def test_refused_key_ends_the_batch(place: Place) -> None:
    """It would fail every recording, and lock the key."""
    place.add(*(f"{number}.wav" for number in range(30)))
    wrong = Credentials(place.sandbox.credentials.ak, "wrong")

    async def main() -> None:
        async with place.studio(wrong) as studio:
            async for _ in assess_many(studio, place.folder, journal=place.journal):
                pass

    with pytest.raises(AuthenticationError):
        place.run(main())
    assert len(place.sandbox.exchanges) <= 5
    assert place.sent()["create"] == 0


def test_job_that_takes_too_long(place: Place) -> None:
    """It is left in the journal, and the next run waits for the same job."""
    place.add("a.wav")

    late = place.assess(timeout=30)["a.wav"]

    assert isinstance(late.error, WaitTimeout)
    assert place.stages() == ["committed"]
    assert place.assess()["a.wav"].job_id == late.job_id
    assert place.sent()["create"] == 1


def test_each_step_has_language_and_user(place: Place) -> None:
    """Those of the manifest, else those of the batch; and its other columns are kept."""
    place.add("a.wav", "b.wav")
    manifest = place.folder / "all.jsonl"
    lines = [{"path": "a.wav", "language": "EN", "app_user_id": "u-1", "speaker": "ann"}, {"path": "b.wav"}]
    manifest.write_text("\n".join(map(json.dumps, lines)))

    outcomes = place.assess(manifest, app_user_id="u-2")

    users = {"a.wav": "u-1", "b.wav": "u-2"}
    assert {path: (each.language, each.app_user_id) for path, each in outcomes.items()} == {
        "a.wav": ("EN", "u-1"),
        "b.wav": ("CN", "u-2"),
    }
    assert outcomes["a.wav"].columns == {"speaker": "ann"}
    tasks = place.sandbox._service.jobs.tasks
    for path, outcome in outcomes.items():
        job_id = str(outcome.job_id)
        seen = [each.headers.get("x-app-userid") for each in place.sandbox.exchanges if each.target.endswith(job_id)]
        assert set(seen) == {users[path]}
        assert tasks[job_id].language == outcome.language


EVERY_FAULT = [
    faults.status(500, "APIGW.0601"),
    faults.status(502, "APIGW.0201"),
    faults.status(500, "APIGW.0705", executed=True),
    faults.throttled(),
    faults.throttled(2),
    faults.html(502),
    faults.html(200),
    faults.lost,
    faults.cut,
    faults.changed(state=3, job_id=None),
]
EVERY_UPLOAD_FAULT = [
    faults.upload_cut,
    faults.upload_lost,
    faults.upload_error(500, "InternalError"),
    faults.upload_error(503, "SlowDown"),
    faults.upload_error(400, "RequestTimeout"),
    faults.upload_expired,
]


def test_batch_survives_many_failures(place: Place) -> None:
    """In every way that the sandbox knows: each recording has its verdict, and no job runs twice."""
    place.add(*(f"{number}.wav" for number in range(40)))
    place.sandbox.inject_randomly(EVERY_FAULT, probability=0.2, seed=1)
    place.sandbox._storage.faults.randomly(EVERY_UPLOAD_FAULT, 0.2, 1)

    outcomes = place.assess()

    left = {path for path, outcome in outcomes.items() if outcome.error is not None}
    assert {type(outcomes[path].error) for path in left} <= {AssessmentInterrupted}
    outcomes |= place.assess()
    assert [outcome.error for outcome in outcomes.values()] == [None] * 40
    assert len({outcome.job_id for outcome in outcomes.values()}) == 40
    assert set(place.commits.values()) == {1}


def test_failed_upload_keeps_its_job(place: Place) -> None:
    """The storage is down for longer than an upload is repeated: the job waits for it."""
    place.add("a.wav")
    place.sandbox.inject_upload(faults.upload_error(503, "SlowDown"), times=8)

    assert place.assess()["a.wav"].error is None
    assert place.sent()["create"] == 1


def test_rejected_upload_fails_alone(place: Place) -> None:
    place.add("a.wav", "b.wav")
    place.sandbox.inject_upload(faults.upload_error(403, "SignatureDoesNotMatch"))

    outcomes = place.assess(uploads=1)

    errors = [outcome.error for outcome in outcomes.values() if outcome.error]
    assert [type(error.__cause__) for error in errors] == [UploadError]
    assert all(outcome.error is None for outcome in place.assess().values())


def test_journal_has_no_upload_url(place: Place) -> None:
    """They are secrets: who has one can upload."""
    place.add("a.wav", "b.wav")
    place.stop_at(Stage.UPLOADED)

    signature = next(each.target for each in place.sandbox.exchanges if each.method == "PUT")

    assert b"Signature" not in place.journal.read_bytes()
    assert "***" in signature or "Signature" not in signature


@pytest.mark.parametrize(
    "wrong",
    [
        {"uploads": 0},
        {"timeout": -1},
        {"language": 3},
        {"app_user_id": "用户"},
        {"recordings": "no.wav"},
    ],
)
def test_arguments_are_validated(wrong: dict[str, Any], place: Place) -> None:
    place.add("a.wav")
    given = wrong.pop("recordings", place.folder)

    with pytest.raises(ConfigurationError):
        place.assess(given, **wrong)
    assert not place.sandbox.exchanges


def test_found_recordings_can_be_given(place: Place) -> None:
    place.add("a.wav")

    assert place.assess([Found("mine", str(place.folder / "a.wav"))])["mine"].error is None


def test_batch_after_one_that_failed(place: Place) -> None:
    """In the same process: nothing of the first holds the journal, whatever keeps its error."""
    place.add(*(f"{number}.wav" for number in range(600)))
    place.sandbox.inject(faults.status(403, "APIGW.0302"), times=2)  # the first is for the limits

    with pytest.raises(PermissionDeniedError) as caught:
        place.assess()

    assert caught.value.__traceback__ is not None
    place.add("only.wav")
    assert place.assess(place.folder / "only.wav")["only.wav"].error is None


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_non_unicode_name_is_assessed(place: Place) -> None:
    place.add(os.fsdecode(b"\xff.wav"))

    (outcome,) = place.assess().values()

    assert (outcome.path, outcome.error) == ("\\xff.wav", None)
    assert Path(outcome.file).exists()
    assert place.assess() == {outcome.path: outcome}


def test_commit_that_is_always_rejected(place: Place) -> None:
    """Its job never ran: the next run gives the recording another one."""
    place.add("a.wav")
    place.stop_at(Stage.UPLOADED)
    (job_id,) = place.sandbox._service.jobs.tasks
    place.sandbox._service.jobs.tasks[job_id].outcome = None  # the object is gone

    failed = place.assess()["a.wav"]

    assert isinstance(failed.error, AssessmentInterrupted)
    assert isinstance(failed.error.__cause__, BadRequestError)
    assert place.stages() == ["new"]
    assert place.assess()["a.wav"].error is None
    assert place.sent()["create"] == 2


def test_running_job_of_deleted_recording(place: Place) -> None:
    """One outcome, though its manifest still names it."""
    place.add("a.wav")
    manifest = place.folder / "all.csv"
    manifest.write_text("path\na.wav\n")
    place.stop_at(Stage.COMMITTED)
    (place.folder / "a.wav").unlink()

    assert place.assess(manifest)["a.wav"].error is None
    assert place.stages() == ["finished"]


def test_limits_are_queried_until_known(place: Place) -> None:
    """Else one lost response would let every recording through that is too short."""
    place.add("a.wav")
    place.add("short.wav", content=recordings.wav(seconds=1))
    place.sandbox.inject(faults.status(500, "APIGW.0601"), times=5)

    outcomes = place.assess()

    assert isinstance(outcomes["short.wav"].error, RecordingError)
    assert outcomes["a.wav"].error is None


def test_finding_recordings_can_be_cancelled(place: Place) -> None:
    """However many there are."""

    async def main() -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task

        def endless() -> Iterator[Found]:
            for number in count():
                yield Found(f"{number}.wav", f"{number}.wav")
                if number == 1000:
                    loop.call_soon_threadsafe(task.cancel)

        async with place.studio() as studio:
            async for _ in assess_many(studio, endless(), journal=place.journal):
                pass

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())


@pytest.mark.parametrize("given", [3, None, b"a.wav", [None], [b"a.wav"], "", "a\0b", "x" * 300, "x" * 300 + "/*.wav"])
def test_invalid_recordings_raise(given: Any, place: Place) -> None:
    place.add("a.wav")

    with pytest.raises(ConfigurationError):
        place.assess([None] if given is None else given)
    assert not place.sandbox.exchanges


@pytest.mark.parametrize("given", [3, None, b"a.journal", "a\0b", "", "."])
def test_invalid_journal_raises(given: Any, place: Place) -> None:
    place.add("a.wav")
    place.journal = given

    with pytest.raises(JournalError):
        place.assess()


@pytest.mark.parametrize("path", ["x" * 300 + ".wav", "nowhere/a.wav", "all.csv/a.wav", "."])
def test_manifest_with_a_path_that_cannot_be(path: str, place: Place) -> None:
    """The others are assessed."""
    place.add("a.wav")
    manifest = place.folder / "all.csv"
    manifest.write_text(f"path\na.wav\n{path}\n")

    outcomes = place.assess(manifest)

    assert outcomes.pop("a.wav").error is None
    assert [type(outcome.error) for outcome in outcomes.values()] == [RecordingError]
