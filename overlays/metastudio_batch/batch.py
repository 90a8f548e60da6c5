"""A batch of recordings: creates, uploads, commits and polls run concurrently, each at its own pace."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from functools import partial
from itertools import takewhile
from typing import Final

from metastudio import AsyncMetaStudio, ConfigurationError, MetaStudioError, ShortJobFailed
from metastudio.polling import FAILURE_STATES, SUCCESS_STATES, Goal
from metastudio.validation import count, header_value

from .finding import Found, Recordings, find
from .journal import Journal
from .journeys import Journeys
from .ledger import Ledger
from .outcomes import Outcome, outcome
from .polls import JobWait, Polls
from .row import Row, Stage

#: How many outcomes are buffered; the batch waits when the caller is further behind.
_MAX_OUTCOMES: Final = 1000
#: Workers beyond the number of uploads: they read recordings and commit jobs while others upload.
_EXTRA_WORKERS: Final = 12


async def assess_many(
    studio: AsyncMetaStudio,
    recordings: Recordings,
    *,
    journal: str | os.PathLike[str],
    language: str = "CN",
    uploads: int = 4,
    timeout: float = 3600.0,  # noqa: ASYNC109  # for each recording
    app_user_id: str | None = None,
) -> AsyncGenerator[Outcome, None]:
    """Assess many recordings and yield each outcome as soon as it is known.

    After an interruption, the same call resumes the batch: recordings that had ended are yielded again without a
    request. The batch keeps running while the caller processes an outcome.

    Args:
        studio: The client.
        recordings: Paths, folders, globs and manifests (`.csv`, `.jsonl`), or what `find` yields.
        journal: The file that records each step; it is created if it does not exist.
        language: CN or EN; a manifest can override it for a recording.
        uploads: How many uploads may run at the same time.
        timeout: Seconds to wait for each verdict, after the commit.
        app_user_id: Sent as `X-App-UserId` instead of the client's; a manifest can override it for a recording.

    Raises:
        ConfigurationError: An argument or a manifest is malformed; nothing was sent.
        JournalError: The journal cannot be used.
        MetaStudioError: An error that would fail every recording: the key or the token was rejected, a permission is
            missing, or a certificate cannot be verified. Recordings not yielded by then are unfinished.
    """
    batch = Batch(
        studio,
        recordings,
        journal=journal,
        language=language,
        uploads=uploads,
        timeout=timeout,
        app_user_id=app_user_id,
    )
    async with aclosing(batch.outcomes()) as outcomes:
        async for each in outcomes:
            yield each


class Batch:
    """A batch whose progress can be observed; see `assess_many` for the other arguments.

    Args:
        on_change: Called with the row of a recording after each change was written to the journal.

    Attributes:
        total: The number of recordings; 0 until they are counted.
        uploading: The uploads in progress: bytes sent and bytes in total, by path.
    """

    def __init__(
        self,
        studio: AsyncMetaStudio,
        recordings: Recordings,
        *,
        journal: str | os.PathLike[str],
        language: str = "CN",
        uploads: int = 4,
        timeout: float = 3600.0,
        app_user_id: str | None = None,
        on_change: Callable[[Row], object] | None = None,
    ) -> None:
        if not isinstance(studio, AsyncMetaStudio):
            raise ConfigurationError("studio must be an AsyncMetaStudio: a batch runs on asyncio")
        self._language = header_value("language", language)
        self._user = studio.app_user_id if app_user_id is None else header_value("app_user_id", app_user_id)
        self._uploads = count("uploads", uploads, 1)
        self._goal = Goal(timeout, SUCCESS_STATES, FAILURE_STATES, None)
        self._studio, self._recordings, self._journal, self._on_change = studio, recordings, journal, on_change
        self._outcomes: asyncio.Queue[Outcome | None] = asyncio.Queue()
        self._room = asyncio.Semaphore(_MAX_OUTCOMES)
        self.total = 0
        self.uploading: dict[str, tuple[int, int]] = {}
        self._ledger: Ledger | None = None
        self._stopping = threading.Event()

    @property
    def counts(self) -> dict[Stage, int]:
        """The number of recordings in each stage, without those that this run has not reached yet."""
        return dict(self._ledger.counts) if self._ledger else {}

    async def outcomes(self) -> AsyncGenerator[Outcome, None]:
        """Run the batch and yield each outcome as soon as it is known."""
        async with self._opened() as ledger:
            to_do = await ledger.do(self._planned, ledger.journal)
            running = asyncio.create_task(self._run(ledger, to_do))
            running.add_done_callback(lambda _: self._outcomes.put_nowait(None))
            try:
                while (outcome := await self._outcomes.get()) is not None:
                    self._room.release()
                    yield outcome
                await running
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[Ledger]:
        loop, studio = asyncio.get_running_loop(), self._studio
        with ThreadPoolExecutor(1, "metastudio-journal") as thread, ThreadPoolExecutor(2, "metastudio-read") as readers:
            project = await studio.find_project_id()
            journal = await loop.run_in_executor(thread, Journal, self._journal, studio.endpoint, project)
            self._ledger, self._readers = Ledger(journal, thread, self._on_change), readers
            try:
                yield self._ledger
            finally:
                self._stopping.set()
                await loop.run_in_executor(thread, journal.close)

    def _planned(self, journal: Journal) -> Iterator[Row | Found]:
        recordings = takewhile(lambda _: not self._stopping.is_set(), find(self._recordings))
        self.total = journal.plan(recordings, self._language, self._user)
        return journal.to_do()

    async def _run(self, ledger: Ledger, to_do: Iterator[Row | Found]) -> None:
        jobs, slots = self._studio.short_jobs, asyncio.Semaphore(self._uploads)
        polls = Polls(jobs.show, jobs.paces["show"], partial(_ended, ledger, self._deliver))
        journeys = Journeys(
            jobs, ledger, polls, slots, self._goal, self._deliver, self.uploading, self._readers, self._stopping
        )
        failure: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(polls.run(group))
                async with asyncio.TaskGroup() as workers:
                    for _ in range(self._uploads + _EXTRA_WORKERS):
                        workers.create_task(self._work(ledger, to_do, journeys))
                polls.close()
        except BaseExceptionGroup as several:
            failure = _first(several)
        if failure is not None:
            raise failure  # outside the except block, which would replace its context

    async def _work(self, ledger: Ledger, to_do: Iterator[Row | Found], journeys: Journeys) -> None:
        while (item := await ledger.do(next, to_do, None)) is not None:
            await journeys.take(item)

    async def _deliver(self, outcome: Outcome) -> None:
        await self._room.acquire()
        self._outcomes.put_nowait(outcome)


async def _ended(
    ledger: Ledger, deliver: Callable[[Outcome], Awaitable[None]], wait: JobWait, error: MetaStudioError | None
) -> None:
    """Record and deliver the outcome of a job; the next run continues with a job that timed out."""
    stage = Stage.FINISHED if error is None else Stage.FAILED if isinstance(error, ShortJobFailed) else None
    job = None if stage is None or wait.job is None else wait.job.to_dict()
    row = await ledger.save(wait.row, stage, job=job, error=None if error is None else str(error))
    await deliver(outcome(row, wait.job, error))


def _first(several: BaseExceptionGroup[BaseException]) -> BaseException:
    first = several.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first
