"""Short jobs: the only caller of generated endpoints. An operation is one short method here, once for each loop."""

import asyncio
import random as random_numbers
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import aclosing, contextmanager
from functools import partial
from time import monotonic, sleep
from typing import TypedDict, TypeVar

import attrs

from metastudio_client import Client
from metastudio_client.api.short_jobs import show_short_job
from metastudio_client.models import ShortJob
from metastudio_client.types import UNSET, Unset

from . import checks, many
from .errors import MetaStudioError
from .retries import Attempts
from .transport import Attempt, current_attempt, validation_error
from .waiting import FAILURE_STATES, SUCCESS_STATES, OnUpdate, Outcome, Pace, Wait

T = TypeVar("T")


class _Arguments(TypedDict):
    project_id: str
    job_id: str
    client: Client
    x_app_user_id: str | Unset


@attrs.define(kw_only=True)
class _Resource:
    """What both loops share: the checked arguments of a call, and what decides about its retries and its end."""

    client: Client = attrs.field(repr=False)
    project_id: str
    app_user_id: str | None
    max_retries: int
    total_timeout: float
    random: Callable[[], float] = random_numbers.random

    def _arguments(self, job_id: str) -> _Arguments:
        return {
            "project_id": self.project_id,
            "job_id": checks.path_id("job_id", job_id),
            "client": self.client,
            "x_app_user_id": UNSET if self.app_user_id is None else self.app_user_id,
        }

    def _attempts(self, clock: Callable[[], float], max_retries: int | None, total_timeout: float | None) -> Attempts:
        return Attempts(
            max_retries=self.max_retries if max_retries is None else checks.count("max_retries", max_retries),
            total_timeout=self.total_timeout
            if total_timeout is None
            else checks.number("total_timeout", total_timeout),
            clock=clock,
            random=self.random,
        )

    def _attempts_of(self, wait: Wait, max_retries: int | None = None) -> Attempts:
        left = max(0.001, min(self.total_timeout, wait.seconds_left()))
        return self._attempts(wait.clock, max_retries, left)

    def _wait(
        self,
        clock: Callable[[], float],
        job_id: str,
        timeout: float,
        on_update: OnUpdate | None,
        success: Collection[str],
        failure: Collection[str],
    ) -> Wait:
        job_id, timeout = checks.path_id("job_id", job_id), checks.number("timeout", timeout)
        return Wait(job_id, timeout, frozenset(success), frozenset(failure), on_update, clock, self.random)


@attrs.define(kw_only=True)
class ShortJobs(_Resource):
    """The short jobs of one project; `studio.short_jobs`."""

    clock: Callable[[], float] = monotonic
    sleep: Callable[[float], None] = sleep

    def show(self, job_id: str, *, max_retries: int | None = None, total_timeout: float | None = None) -> ShortJob:
        """Return a short job's details.

        Args:
            job_id: The job's ID.
            max_retries: For this call, instead of the client's.
            total_timeout: Seconds for this call with its retries, instead of the client's.

        Raises:
            ConfigurationError: An argument is malformed; nothing was sent.
            APIConnectionError: No answer came back.
            APIStatusError: The gateway or the service said no; the subclass tells how.
            APIResponseValidationError: The answer is not a short job.
        """
        return self._show(job_id, self._attempts(self.clock, max_retries, total_timeout))

    def wait(
        self,
        job_id: str,
        *,
        timeout: float,
        on_update: OnUpdate | None = None,
        success: Collection[str] = SUCCESS_STATES,
        failure: Collection[str] = FAILURE_STATES,
    ) -> ShortJob:
        """Ask for a short job until it is finished, and return it.

        Asks at once, then at growing intervals of up to 30 seconds. An answer that is lost does not end the wait.

        Args:
            job_id: The job's ID.
            timeout: Seconds; nothing is asked after them.
            on_update: Called with the job whenever an answer differs from the last one.
            success: The states in which the job is returned.
            failure: The states in which `ShortJobFailed` is raised. Every other state means that the job is running.

        Raises:
            ShortJobFailed: The job ended in a state of failure.
            WaitTimeout: It did not finish in time; has the last answer.
            MetaStudioError: What `show` raises, where asking again would not help.
        """
        wait = self._wait(self.clock, job_id, timeout, on_update, success, failure)
        while True:
            with wait.forgiving():
                wait.take(self._show(job_id, self._attempts_of(wait)))
            if wait.finished:
                return wait.result()
            self.sleep(wait.delay())

    def _show(self, job_id: str, attempts: Attempts) -> ShortJob:
        return self._run(partial(show_short_job.sync, **self._arguments(job_id)), ShortJob, attempts)

    def _run(self, send: Callable[[], object], kind: type[T], attempts: Attempts) -> T:
        while True:
            try:
                with _attempt(attempts):
                    return _expect(kind, send())
            except MetaStudioError as error:
                delay = attempts.delay(error)
            self.sleep(delay)


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


@attrs.define(kw_only=True)
class AsyncShortJobs(_Resource):
    """The short jobs of one project; `studio.short_jobs`. Time is the event loop's."""

    clock: Callable[[], float] = _loop_time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def show(
        self, job_id: str, *, max_retries: int | None = None, total_timeout: float | None = None
    ) -> ShortJob:
        """Return a short job's details; see `ShortJobs.show`."""
        return await self._show(job_id, self._attempts(self.clock, max_retries, total_timeout))

    async def wait(
        self,
        job_id: str,
        *,
        timeout: float,  # noqa: ASYNC109  # the last answer must survive it: asyncio.timeout would lose it
        on_update: OnUpdate | None = None,
        success: Collection[str] = SUCCESS_STATES,
        failure: Collection[str] = FAILURE_STATES,
    ) -> ShortJob:
        """Ask for a short job until it is finished, and return it; see `ShortJobs.wait`."""
        wait = self._wait(self.clock, job_id, timeout, on_update, success, failure)
        while True:
            with wait.forgiving():
                wait.take(await self._show(job_id, self._attempts_of(wait)))
            if wait.finished:
                return wait.result()
            await self.sleep(wait.delay())

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
        """Wait for many short jobs; yield what became of each, as it comes.

        One job's failure does not touch the others. A refusal of the key, the token or the permission ends it for all:
        it is raised, and what was not yielded by then is unfinished. So it is when the iteration is left early.

        Args:
            job_ids: The jobs' IDs; one that is there twice is waited for once.
            timeout: Seconds for all of them.
            rate: Requests a second for all of them together. The default assumes a quota of 10 a second, which the
                service documents for other queries in most regions, not for this one.
            max_in_flight: How many requests may be under way at the same time.
            on_update: Called with a job whenever an answer differs from its last one.
            success: As for `wait`.
            failure: As for `wait`.

        Raises:
            ConfigurationError: An argument is malformed; nothing was sent.
            AuthenticationError: The key or token was refused.
            PermissionDeniedError: It is not allowed to ask for short jobs.
        """
        ids = dict.fromkeys(job_ids)
        waits = [self._wait(self.clock, job_id, timeout, on_update, success, failure) for job_id in ids]
        pace = Pace(checks.number("rate", rate))
        async with aclosing(
            many.outcomes(self._ask, waits, pace, checks.count("max_in_flight", max_in_flight, 1))
        ) as all_:
            async for outcome in all_:
                yield outcome

    async def _ask(self, wait: Wait) -> None:
        # No retries below this: a question that is lost goes back into the queue, and keeps to the pace.
        with wait.forgiving():
            wait.take(await self._show(wait.job_id, self._attempts_of(wait, max_retries=0)))

    async def _show(self, job_id: str, attempts: Attempts) -> ShortJob:
        return await self._run(partial(show_short_job.asyncio, **self._arguments(job_id)), ShortJob, attempts)

    async def _run(self, send: Callable[[], Awaitable[object]], kind: type[T], attempts: Attempts) -> T:
        while True:
            try:
                with _attempt(attempts):
                    return _expect(kind, await send())
            except MetaStudioError as error:
                delay = attempts.delay(error)
            await self.sleep(delay)


@contextmanager
def _attempt(attempts: Attempts) -> Iterator[None]:
    """Tell the border how long an attempt may take; turn what generated code raises on a wrong shape into our error."""
    attempt = Attempt(attempts.made + 1, attempts.seconds_left)
    token = current_attempt.set(attempt)
    try:
        yield
    except MetaStudioError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        if attempt.response is None:  # nothing was read yet: not the answer's fault
            raise
        raise validation_error(attempt.response, "the answer does not have the shape of the contract") from error
    finally:
        current_attempt.reset(token)


def _expect(kind: type[T], answer: object) -> T:
    if not isinstance(answer, kind):  # a 2xx that the contract does not describe
        raise TypeError(f"{type(answer).__name__} is not a {kind.__name__}")
    return answer
