"""The recordings of a batch, from discovery to commit."""

import asyncio
import hashlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

import attrs

from metastudio import MetaStudioError, RecordingError, RecordingLimits
from metastudio.assess import NOT_COMMITTED
from metastudio.operations import unknown_limits
from metastudio.recordings import Packed, prepare

from .finding import Found
from .journey import Journey, Shared, cause, ends_batch, with_retries
from .outcomes import outcome
from .row import Row, Stage

P = ParamSpec("P")
T = TypeVar("T")


@attrs.define(eq=False)
class Journeys(Shared):
    """Takes recordings up to their commit.

    Attributes:
        threads: The threads that read recordings, separate from those that read for uploads.
        stopping: Set when the batch ends, to stop reading recordings.
    """

    threads: Executor
    stopping: threading.Event
    _limits: RecordingLimits | None = None
    _limits_lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)

    async def take(self, item: Row | Found) -> None:
        """Take a recording up to its commit; deliver the outcome again if it had ended in an earlier run."""
        row, body = (item, None) if isinstance(item, Row) else await self._identified(item)
        if row is None:
            return
        self.ledger.enter(row)
        if row.stage in {Stage.FINISHED, Stage.FAILED}:
            await self.deliver(outcome(row))
        elif row.stage == Stage.COMMITTED:
            await self.wait_for(row, age=time.time() - row.since)
        else:
            await self._advance(Journey(self, row, body))

    async def _identified(self, found: Found) -> tuple[Row | None, Packed | None]:
        """Return a recording's row and the body to upload; None for the row if nothing is left to do."""
        do, journal = self.ledger.do, self.ledger.journal
        size, mtime_ns = await self._in_thread(_size_and_time, found.file)
        row, body = await do(journal.known, found, size, mtime_ns), None
        if row is None or row.stage in {Stage.NEW, Stage.CREATED}:
            limits = await self._known_limits()
            try:
                body, sha256 = await self._in_thread(_packed, found.file, limits, self.stopping)
                row = await do(journal.claim, found, sha256, size, mtime_ns)
            except RecordingError as error:
                row = await self._unusable(found, error, is_there=mtime_ns != 0)
        return None if row is None or await do(journal.is_resumed, row) else row, body

    async def _in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.threads, partial(function, *args, **kwargs))

    async def _unusable(self, found: Found, error: RecordingError, *, is_there: bool) -> Row | None:
        """Deliver the error of an unusable recording; if its file was deleted after the upload, return its row."""
        journal = self.ledger.journal
        if not is_there and (row := await self.ledger.do(journal.ended, found)):
            return row
        row = await self.ledger.do(journal.claim, found, "", 0, 0, Stage.UNUSABLE)
        self.ledger.enter(row)
        row = await self.ledger.save(row, Stage.UNUSABLE, error=str(error))
        await self.deliver(outcome(row, error=error))
        return None

    async def _known_limits(self) -> RecordingLimits:
        async with self._limits_lock:
            if self._limits is None:
                with unknown_limits():
                    self._limits = await with_retries(self.jobs.limits)
                self._limits = self._limits or RecordingLimits()
        return self._limits

    async def _advance(self, journey: Journey) -> None:
        try:
            await with_retries(journey.go_on)
        except MetaStudioError as error:
            if ends_batch(why := cause(error)):
                raise why from why.__cause__
            never_ran = journey.row.stage == Stage.UPLOADED and await self._never_ran(journey.row)
            changes = {"stage": Stage.NEW, "job_id": None} if never_ran else {}
            row = await self.ledger.save(journey.row, error=str(error), **changes)
            await self.deliver(outcome(row, error=error))

    async def _never_ran(self, row: Row) -> bool:
        """Return whether a job never ran after its commit was rejected: then its recording may get another job."""
        try:
            job = await self.jobs.show(str(row.job_id), app_user_id=row.app_user_id)
        except MetaStudioError:
            return False
        return job.state in NOT_COMMITTED


def _size_and_time(file: str) -> tuple[int, int]:
    """Return a file's size and modification time; both are 0 if it cannot be found."""
    try:
        found = Path(file).stat()
    except (OSError, ValueError):  # reading the file raises the error that explains it
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _packed(file: str, limits: RecordingLimits, stopping: threading.Event) -> tuple[Packed, str]:
    digest = hashlib.sha256()

    def take(piece: bytes) -> None:
        if stopping.is_set():
            raise InterruptedError  # the result is no longer needed
        digest.update(piece)

    return prepare(file, limits, take), digest.hexdigest()
