"""One recording of a batch: `metastudio.assess` decides the steps; each is journaled before the next begins."""

import asyncio
from collections.abc import Awaitable, Callable
from logging import WARNING
from typing import Any, Final, TypeVar, cast

import attrs

from huaweicloud_auth.log import write
from metastudio import (
    AssessmentInterrupted,
    AsyncShortJobs,
    CreatedShortJob,
    MetaStudioError,
    RecordingError,
    UploadError,
)
from metastudio.assess import Step, Steps, assessing, finishing
from metastudio.log import error_fields, log
from metastudio.operations import on, run_async
from metastudio.polling import PASSING, Goal, is_fatal
from metastudio.recordings import Packed
from metastudio.retries import is_permanent

from .journal_file import JournalError
from .ledger import Ledger
from .outcomes import Outcome
from .polls import JobWait, Polls
from .row import Row, Stage

T = TypeVar("T")

#: Seconds between the attempts of a failed step; after the last one, the recording is left for the next run.
_PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0)


@attrs.define(eq=False)
class Shared:
    """What all recordings of a batch share.

    Attributes:
        jobs: The client's short jobs.
        ledger: The journal.
        polls: Polls the committed jobs.
        slots: Limits how many uploads run at the same time.
        goal: When a wait is over.
        deliver: Delivers an outcome; it waits if the caller is too far behind.
        uploading: The uploads in progress: bytes sent and bytes in total, by path.
    """

    jobs: AsyncShortJobs
    ledger: Ledger
    polls: Polls
    slots: asyncio.Semaphore
    goal: Goal
    deliver: Callable[[Outcome], Awaitable[None]]
    uploading: dict[str, tuple[int, int]]

    async def wait_for(self, row: Row, age: float | None = None) -> None:
        """Start polling a job that was committed just now, or `age` seconds ago by an earlier run."""
        clock, expected, job_id = asyncio.get_running_loop().time, self.polls.expected, str(row.job_id)
        committed = clock() - max(0.0, age or 0.0)
        wait = JobWait(
            job_id=job_id,
            goal=self.goal,
            clock=clock,
            row=row,
            committed=committed,
            expected=expected,
            is_resumed=age is not None,
        )
        await self.polls.add(wait)


class Journey:
    """The steps of one recording, up to its commit."""

    def __init__(self, shared: Shared, row: Row, body: Packed | None) -> None:
        self.row = row
        self._shared, self._body, self._on_jobs = shared, body, on(shared.jobs)
        self._created: CreatedShortJob | None = None
        self._kept: CreatedShortJob | None = None  # for the next attempt, if the upload failed
        self._holds_slot = False

    async def go_on(self) -> None:
        """Run the remaining steps up to the commit."""
        try:
            await run_async(self._perform, self._steps())
        except MetaStudioError:
            self._kept = self._created if self.row.stage == Stage.CREATED else None
            raise
        finally:
            self._release_slot()

    def _steps(self) -> Steps[Any]:
        row, timeout = self.row, self._shared.goal.timeout
        if self._body is None or row.stage == Stage.UPLOADED:
            return finishing(str(row.job_id), row.app_user_id, timeout, None)
        return assessing(self._body, row.language, row.app_user_id, timeout, None, self._progress)

    async def _perform(self, step: Step) -> Any:
        if step.method == "_create_paced":
            return await self._create(step)
        if step.method == "_commit_paced" and self.row.stage == Stage.CREATED:
            self._release_slot()
            self.row = await self._shared.ledger.save(self.row, Stage.UPLOADED)
        if step.method == "wait":
            self.row = await self._shared.ledger.save(self.row, Stage.COMMITTED, error=None)
            return await self._shared.wait_for(self.row)
        return await self._on_jobs(step)

    async def _create(self, step: Step) -> CreatedShortJob:
        """Create a job once its upload can start; reuse the one whose upload failed in an earlier attempt."""
        if not self._holds_slot:
            await self._shared.slots.acquire()
            self._holds_slot = True
        created, self._kept = self._kept, None
        if created is None:
            created = self._created = cast("CreatedShortJob", await self._on_jobs(step))
            self.row = await self._shared.ledger.save(self.row, Stage.CREATED, job_id=created.job_id)
        return created

    def _progress(self, sent: int, total: int) -> None:
        if self._holds_slot:  # a thread may still be reading for an upload that has failed
            self._shared.uploading[self.row.path] = sent, total

    def _release_slot(self) -> None:
        self._shared.uploading.pop(self.row.path, None)
        if self._holds_slot:
            self._holds_slot = False
            self._shared.slots.release()


async def with_retries(call: Callable[[], Awaitable[T]]) -> T:
    """Call and retry with growing pauses, as long as the error is transient."""
    for pause in _PAUSES:
        try:
            return await call()
        except MetaStudioError as error:
            if not _is_transient(cause(error)):
                raise
            job_id = getattr(error, "job_id", None)
            write(log, WARNING, "Retrying in %.0f s: %s", pause, error, **error_fields(cause(error)), job_id=job_id)
        await asyncio.sleep(pause)
    return await call()


def cause(error: MetaStudioError) -> MetaStudioError:
    """Return the error that interrupted an assessment, or `error` itself."""
    inner = error.__cause__
    return inner if isinstance(error, AssessmentInterrupted) and isinstance(inner, MetaStudioError) else error


def _is_transient(error: MetaStudioError) -> bool:
    if isinstance(error, UploadError):
        return error.is_passing
    return isinstance(error, PASSING) and not is_permanent(error)


def ends_batch(error: MetaStudioError) -> bool:
    """Return whether an error would fail every other recording too."""
    return isinstance(error, JournalError) or (is_fatal(error) and not isinstance(error, RecordingError))
