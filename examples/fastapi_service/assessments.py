"""What happens after the response: upload, commit, wait, deliver. What is interrupted goes on at the next start."""

import asyncio
import logging
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from itertools import chain, repeat
from typing import BinaryIO, Final

import httpx

from metastudio import (
    AssessmentInterrupted,
    AsyncShortJobs,
    BadRequestError,
    MetaStudioError,
    ShortJob,
    ShortJobFailed,
    metrics,
)

from .store import Assessment, Store

log = logging.getLogger("uvicorn.error")  # which uvicorn shows, whatever its name
#: Seconds before a job is taken up again when MetaStudio or the webhook failed; the last one is repeated.
PAUSES: Final = (1, 5, 30, 300)
#: Seconds for uploads to end at shutdown: Kubernetes, for example, kills 30 seconds after SIGTERM.
GRACE: Final = 20
#: Seconds before a job that is still running is logged; it is waited for again.
LONG: Final = 3600


class Assessments:
    """Runs the assessments of this process. It has to be made on the event loop."""

    def __init__(self, jobs: AsyncShortJobs, store: Store, http: httpx.AsyncClient, webhook: str | None) -> None:
        self._jobs, self._store, self._http, self._webhook = jobs, store, http, webhook
        self._uploads: set[asyncio.Task[None]] = set()
        self._waits: set[asyncio.Task[None]] = set()
        for job_id in store.unfinished():
            log.info("Assessment %s goes on", job_id)
            _spawn(self._finish(job_id), self._waits)

    async def start(self, packed: BinaryIO, language: str, resources: AsyncExitStack) -> Assessment:
        """Create a job for a packed recording. If that succeeds, `resources` are closed after the upload."""
        created = await self._jobs.create(language=language)
        assessment = Assessment(job_id=str(created.job_id), state="CREATING")
        self._store.save(assessment)  # before anything else
        log.info("Assessment %s was created", assessment.job_id)
        upload = self._upload(assessment.job_id, str(created.data_uploading_url), packed, resources.pop_all())
        _spawn(upload, self._uploads)
        return assessment

    async def aclose(self) -> None:
        """Let uploads end, for a while. What was uploaded goes on at the next start."""
        if self._uploads:
            await asyncio.wait(self._uploads, timeout=GRACE)
        tasks = self._uploads | self._waits
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        log.info("To go on at the next start: %s", ", ".join(self._store.unfinished()) or "none")

    async def _upload(self, job_id: str, url: str, packed: BinaryIO, resources: AsyncExitStack) -> None:
        async with resources:
            try:
                await self._jobs.upload(url, packed)
            except MetaStudioError as error:  # it may have arrived all the same: the commit tells
                log.error("Assessment %s: %s", job_id, error)
        _spawn(self._finish(job_id), self._waits)

    async def _finish(self, job_id: str) -> None:
        """Wait for the verdict and deliver it, however often one of them fails."""
        for pause in chain(PAUSES, repeat(PAUSES[-1])):
            try:
                assessment = await self._verdict(job_id)
                await self._deliver(assessment)
            except (MetaStudioError, httpx.HTTPError) as error:
                said = error if isinstance(error, MetaStudioError) else type(error).__name__  # not the webhook's URL
                log.error("Assessment %s goes on in %d s: %s", job_id, pause, said)
                await asyncio.sleep(pause)
            else:
                log.info("Assessment %s ended: %s", job_id, assessment.state)
                self._store.save(assessment, is_done=True)
                return

    async def _verdict(self, job_id: str) -> Assessment:
        def save(job: ShortJob) -> None:
            self._store.save(_assessment(job_id, job))

        try:  # commits too, if that is still to do
            return _assessment(job_id, await self._jobs.finish(job_id, timeout=LONG, on_update=save))
        except ShortJobFailed as failed:
            return _assessment(job_id, failed.job)
        except AssessmentInterrupted as interrupted:
            cause = interrupted.__cause__
            if not isinstance(cause, BadRequestError):
                raise
            # A process that was killed during an upload leaves such a job (inferred); the recording went with it.
            reason = f"MetaStudio rejected the job ({cause.error_code}): submit the recording again"
            return Assessment(job_id=job_id, state="REJECTED", reason=reason)

    async def _deliver(self, assessment: Assessment) -> None:
        if self._webhook:
            response = await self._http.post(self._webhook, json=assessment.model_dump(mode="json"))
            response.raise_for_status()


def _spawn(work: Coroutine[object, object, None], tasks: set[asyncio.Task[None]]) -> None:
    task = asyncio.create_task(work)
    tasks.add(task)  # the event loop alone does not keep it alive
    task.add_done_callback(tasks.discard)


def _assessment(job_id: str, job: ShortJob) -> Assessment:
    reason = ": ".join(str(each) for each in (job.job_failed_code, job.job_failed_reason) if each) or None
    found = {name: metric.to_dict() for name, metric in metrics(job).items()}
    return Assessment(job_id=job_id, state=job.state, metrics=found, reason=reason)
