"""`AsyncShortJobs`: the async version of `ShortJobs`, with `wait_many`."""

import asyncio
from collections.abc import AsyncGenerator, Collection, Iterable
from contextlib import aclosing
from functools import partial
from types import NoneType

from huaweicloud_auth import Secret
from metastudio_client.api.short_jobs import (
    commit_short_job,
    create_short_job,
    show_short_job,
    show_tenant_duration_cfg,
)
from metastudio_client.models import CreatedShortJob, CreateShortJobRequest, ShortJob, TenantDurationCfg

from . import operations, validation, wait_many
from .assess import assessing, committing, finishing
from .attempt import Call
from .calls import AsyncCaller
from .limits import RecordingLimits
from .operations import Operations, on
from .pace import Pace
from .polling import FAILURE_STATES, SUCCESS_STATES, Goal, OnUpdate, Outcome, Wait
from .recording_source import Recording
from .recordings import prepare
from .upload import AsyncUploader
from .upload_body import Body, File, OnProgress, Source


class AsyncShortJobs(Operations):
    """The short jobs of one project, `studio.short_jobs`: the async version of `ShortJobs`."""

    def __init__(
        self,
        caller: AsyncCaller,
        uploader: AsyncUploader,
        app_user_id: str | None,
        paces: dict[str, Pace],
    ) -> None:
        super().__init__(app_user_id, paces)
        self._caller, self._uploader = caller, uploader

    async def show(
        self,
        job_id: str,
        *,
        app_user_id: str | None = None,
        max_retries: int | None = None,
        total_timeout: float | None = None,
    ) -> ShortJob:
        """Return a short job's details; see `ShortJobs.show`."""
        return await self._show(job_id, app_user_id, self._caller.new(max_retries, total_timeout))

    async def create(
        self, *, job_type: str = "VOICE_ASSESS", language: str = "CN", app_user_id: str | None = None
    ) -> CreatedShortJob:
        """Create a short job; see `ShortJobs.create`."""
        body, call = operations.creation(job_type, language), self._caller.new(repeatable=True)
        return await self._create(body, self._user(app_user_id), call)

    async def upload(self, url: str, file: Source, *, on_progress: OnProgress | None = None) -> None:
        """Upload a file unchanged; see `ShortJobs.upload`."""
        url = Secret(url)  # first, for tracebacks with locals
        await self._upload(url, File(file), on_progress)

    async def commit(self, job_id: str, *, app_user_id: str | None = None) -> None:
        """Start a job whose recording was uploaded; see `ShortJobs.commit`."""
        await operations.run_async(on(self), committing(validation.path_id("job_id", job_id), self._user(app_user_id)))

    async def limits(self) -> RecordingLimits:
        """Return the minimum and maximum length of a recording, in seconds."""
        found = await self._caller.run(show_tenant_duration_cfg.asyncio, TenantDurationCfg, self._caller.new())
        return operations.recording_limits(found)

    async def assess(
        self,
        recording: Recording,
        *,
        language: str = "CN",
        timeout: float,  # noqa: ASYNC109  # asyncio.timeout would lose the last response
        app_user_id: str | None = None,
        on_update: OnUpdate | None = None,
        on_progress: OnProgress | None = None,
    ) -> ShortJob:
        """Assess a recording; see `ShortJobs.assess`."""
        goal = Goal(timeout, SUCCESS_STATES, FAILURE_STATES, on_update)
        user, body = self._user(app_user_id), operations.warn(await asyncio.to_thread(prepare, recording))
        body.check_length(await self._recording_limits())
        steps = assessing(body, language, user, goal.timeout, on_update, on_progress)
        return await operations.run_async(on(self), steps)

    async def finish(
        self,
        job_id: str,
        *,
        timeout: float,  # noqa: ASYNC109  # as above
        app_user_id: str | None = None,
        on_update: OnUpdate | None = None,
    ) -> ShortJob:
        """Continue a job whose recording was uploaded; see `ShortJobs.finish`."""
        goal, user = Goal(timeout, SUCCESS_STATES, FAILURE_STATES, on_update), self._user(app_user_id)
        steps = finishing(validation.path_id("job_id", job_id), user, goal.timeout, on_update)
        return await operations.run_async(on(self), steps)

    async def wait(
        self,
        job_id: str,
        *,
        timeout: float,  # noqa: ASYNC109  # as above
        app_user_id: str | None = None,
        on_update: OnUpdate | None = None,
        success: Collection[str] = SUCCESS_STATES,
        failure: Collection[str] = FAILURE_STATES,
    ) -> ShortJob:
        """Poll a short job until it is finished, and return it; see `ShortJobs.wait`."""
        (wait,) = operations.waits([job_id], Goal(timeout, success, failure, on_update), self._caller.clock)
        while wait.seconds_left() > 0:
            await self._pause(wait.turn(self.paces["show"]))
            job = None
            with wait.forgiving(self.paces["show"]):
                job = await self._show(job_id, app_user_id, self._caller.within(wait.seconds_left()))
            if job is not None and wait.take(job):
                return job
            await self._pause(wait.delay())
        raise wait.timed_out()  # the sleep took longer than requested

    async def wait_many(
        self,
        job_ids: Iterable[str],
        *,
        timeout: float,  # noqa: ASYNC109  # as above
        rate: float | None = None,
        app_user_id: str | None = None,
        max_in_flight: int = 16,
        on_update: OnUpdate | None = None,
        success: Collection[str] = SUCCESS_STATES,
        failure: Collection[str] = FAILURE_STATES,
    ) -> AsyncGenerator[Outcome, None]:
        """Wait for many short jobs, and yield the outcome of each as soon as it is known.

        A job that fails does not affect the others. A refusal of the key, the token or the permission ends the wait
        for all: it is raised, and the jobs that were not yielded by then are unfinished.

        Args:
            job_ids: The jobs' IDs.
            timeout: Seconds for all of them.
            rate: Requests per second for all of them. Defaults to the client's pace, which all its waits share.
            app_user_id: Sent as `X-App-UserId`, instead of the client's.
            max_in_flight: How many requests may be in flight at the same time.
            on_update: Called with a job whenever its response has changed.
            success: As for `wait`.
            failure: As for `wait`.

        Raises:
            AuthenticationError, PermissionDeniedError: The key or token was refused, or may not query short jobs.
        """
        ids = dict.fromkeys(validation.strings("job_ids", job_ids))
        waits = operations.waits(ids, Goal(timeout, success, failure, on_update), self._caller.clock)
        pace = self.paces["show"] if rate is None else Pace(validation.number("rate", rate))
        poll, in_flight = partial(self._poll, app_user_id), validation.count("max_in_flight", max_in_flight, 1)
        time = self._caller.clock, self._caller.sleep
        async with aclosing(wait_many.outcomes(poll, waits, pace, in_flight, *time)) as all_:
            async for outcome in all_:
                yield outcome

    async def _poll(self, app_user_id: str | None, wait: Wait) -> ShortJob:
        # No retries here: a failed poll goes back into the queue, and follows the pace.
        return await self._show(wait.job_id, app_user_id, self._caller.within(wait.seconds_left(), max_retries=0))

    async def _show(self, job_id: str, app_user_id: str | None, call: Call) -> ShortJob:
        job_id, user = validation.path_id("job_id", job_id), self._user(app_user_id)
        operation = partial(show_short_job.asyncio, job_id=job_id, x_app_user_id=user)
        return await self._caller.run(operation, ShortJob, call, partial(operations.wrong_job, job_id))

    async def _create(self, body: CreateShortJobRequest, app_user_id: str | None, call: Call) -> CreatedShortJob:
        operation = partial(create_short_job.asyncio, body=body, x_app_user_id=app_user_id)
        return operations.secret(await self._caller.run(operation, CreatedShortJob, call, operations.wrong_creation))

    async def _create_paced(self, language: str, app_user_id: str | None) -> CreatedShortJob:
        call = self._caller.new(repeatable=True, pace=self.paces["create"])
        return await self._create(operations.creation("VOICE_ASSESS", language), app_user_id, call)

    async def _upload(self, url: Secret, body: Body, on_progress: OnProgress | None, job_id: str | None = None) -> None:
        await self._uploader.upload(url, body, on_progress, job_id)

    async def _commit_paced(self, job_id: str, app_user_id: str | None) -> None:
        operation = partial(commit_short_job.asyncio, job_id=job_id, x_app_user_id=app_user_id)
        await self._caller.run(operation, NoneType, self._caller.new(pace=self.paces["commit"]))

    async def _recording_limits(self) -> RecordingLimits:
        if self._known_limits is None:
            with operations.unknown_limits():
                self._known_limits = await self.limits()
        return self._known_limits or RecordingLimits()

    async def _pause(self, seconds: float) -> None:
        if seconds > 0:
            await self._caller.sleep(seconds)
