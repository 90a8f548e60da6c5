"""Short jobs: the only caller of generated endpoints. An operation is one short method here, once for each loop."""

from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Iterable
from contextlib import aclosing
from functools import partial
from typing import Any

from metastudio_client.api.short_jobs import show_short_job
from metastudio_client.models import ShortJob

from . import validation, wait_many
from .calls import AsyncCaller, Call, Caller
from .polling import FAILURE_STATES, SUCCESS_STATES, Goal, OnUpdate, Outcome, Pace, Wait


class ShortJobs:
    """The short jobs of one project; `studio.short_jobs`."""

    def __init__(self, caller: Caller, project_id: str, app_user_id: str | None) -> None:
        self._caller, self._project_id, self._app_user_id = caller, project_id, app_user_id

    def show(self, job_id: str, *, max_retries: int | None = None, total_timeout: float | None = None) -> ShortJob:
        """Return a short job's details.

        Args:
            job_id: The job's ID.
            max_retries: For this call, instead of the client's.
            total_timeout: Seconds for this call with its retries, instead of the client's.

        Raises:
            ConfigurationError: An argument is malformed; nothing was sent.
            APIConnectionError: No response came back.
            APIStatusError: The gateway or the service rejected the request; the subclass tells how.
            APIResponseValidationError: The response is not a short job.
        """
        return self._show(job_id, self._caller.new(max_retries, total_timeout))

    def wait(
        self,
        job_id: str,
        *,
        timeout: float,
        on_update: OnUpdate | None = None,
        success: Collection[str] = SUCCESS_STATES,
        failure: Collection[str] = FAILURE_STATES,
    ) -> ShortJob:
        """Poll a short job until it is finished, and return it.

        Polls at once, then at growing intervals of up to 30 seconds. A poll that fails may be repeated.

        Args:
            job_id: The job's ID.
            timeout: Seconds; nothing is sent after them.
            on_update: Called with the job whenever a response differs from the last one.
            success: The states in which the job is returned.
            failure: The states in which `ShortJobFailed` is raised, unless they are in `success`. Every other state
                means that the job is running.

        Raises:
            ShortJobFailed: The job ended in a state of failure.
            WaitTimeout: It did not finish in time; has the last response.
            MetaStudioError: What `show` raises, where polling again would not help.
        """
        (wait,) = _waits([job_id], Goal(timeout, success, failure, on_update), self._caller.clock)
        while wait.seconds_left() > 0:
            job = None
            with wait.forgiving():
                job = self._show(job_id, self._caller.within(wait.seconds_left()))
            if job is not None and wait.take(job):
                return job
            self._caller.sleep(wait.delay())
        raise wait.timed_out()  # the sleep took longer than it should have

    def _show(self, job_id: str, call: Call) -> ShortJob:
        job_id = validation.path_id("job_id", job_id)
        operation = partial(show_short_job.sync, self._project_id, job_id, x_app_user_id=self._app_user_id)
        return self._caller.run(operation, ShortJob, call, partial(_wrong, job_id))


class AsyncShortJobs:
    """The short jobs of one project; `studio.short_jobs`."""

    def __init__(self, caller: AsyncCaller, project_id: str, app_user_id: str | None) -> None:
        self._caller, self._project_id, self._app_user_id = caller, project_id, app_user_id

    async def show(
        self, job_id: str, *, max_retries: int | None = None, total_timeout: float | None = None
    ) -> ShortJob:
        """Return a short job's details; see `ShortJobs.show`."""
        return await self._show(job_id, self._caller.new(max_retries, total_timeout))

    async def wait(
        self,
        job_id: str,
        *,
        timeout: float,  # noqa: ASYNC109  # the last response must survive it: asyncio.timeout would lose it
        on_update: OnUpdate | None = None,
        success: Collection[str] = SUCCESS_STATES,
        failure: Collection[str] = FAILURE_STATES,
    ) -> ShortJob:
        """Poll a short job until it is finished, and return it; see `ShortJobs.wait`."""
        (wait,) = _waits([job_id], Goal(timeout, success, failure, on_update), self._caller.clock)
        while wait.seconds_left() > 0:
            job = None
            with wait.forgiving():
                job = await self._show(job_id, self._caller.within(wait.seconds_left()))
            if job is not None and wait.take(job):
                return job
            await self._caller.sleep(wait.delay())
        raise wait.timed_out()  # as above

    async def wait_many(
        self,
        job_ids: Iterable[str],
        *,
        timeout: float,  # noqa: ASYNC109  # as above
        rate: float = 10.0,
        max_in_flight: int = 16,
        on_update: OnUpdate | None = None,
        success: Collection[str] = SUCCESS_STATES,
        failure: Collection[str] = FAILURE_STATES,
    ) -> AsyncGenerator[Outcome, None]:
        """Wait for many short jobs; yield the outcome of each, as it comes.

        One job's failure does not touch the others. A refusal of the key, the token or the permission ends it for all:
        it is raised, and what was not yielded by then is unfinished. So it is when the iteration is left early.

        Args:
            job_ids: The jobs' IDs; one that is there twice is waited for once.
            timeout: Seconds for all of them.
            rate: Requests a second for all of them together (another call has a pace of its own). The default assumes a
                quota of 10 a second, which the service documents for other queries in most regions, not for this one.
            max_in_flight: How many requests may be under way at the same time.
            on_update: Called with a job whenever a response differs from its last one.
            success: As for `wait`.
            failure: As for `wait`.

        Raises:
            ConfigurationError: An argument is malformed; nothing was sent.
            AuthenticationError: The key or token was refused.
            PermissionDeniedError: The key or token may not query short jobs.
        """
        ids = dict.fromkeys(validation.strings("job_ids", job_ids))
        waits = _waits(ids, Goal(timeout, success, failure, on_update), self._caller.clock)
        pace, in_flight = Pace(validation.number("rate", rate)), validation.count("max_in_flight", max_in_flight, 1)
        async with aclosing(wait_many.outcomes(self._poll, waits, pace, in_flight)) as all_:
            async for outcome in all_:
                yield outcome

    async def _poll(self, wait: Wait) -> ShortJob:
        # No retries below this: a poll that fails goes back into the queue, and keeps to the pace.
        return await self._show(wait.job_id, self._caller.within(wait.seconds_left(), max_retries=0))

    def _show(self, job_id: str, call: Call) -> Coroutine[Any, Any, ShortJob]:
        job_id = validation.path_id("job_id", job_id)
        operation = partial(show_short_job.asyncio, self._project_id, job_id, x_app_user_id=self._app_user_id)
        return self._caller.run(operation, ShortJob, call, partial(_wrong, job_id))


def _wrong(job_id: str, job: ShortJob) -> str | None:
    if job.state is not None and not isinstance(job.state, str):  # the generator lets anything into an open enum
        return "the state is not a string"
    if job.job_id is not None and str(job.job_id).lower() != job_id.lower():
        return "the response is about another job"
    return None


def _waits(job_ids: Iterable[str], goal: Goal, clock: Callable[[], float]) -> list[Wait]:
    return [Wait(validation.path_id("job_id", job_id), goal, clock) for job_id in job_ids]
