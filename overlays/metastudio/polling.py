"""Which states end a wait, and when to poll next, for sync and async. Pure: it neither sleeps nor sends."""

import random as random_numbers
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from logging import WARNING
from typing import Final, TypeAlias

import attrs

from huaweicloud_auth.log import write
from metastudio_client.models import JobState, ShortJob

from . import validation
from .errors import (
    APIConnectionError,
    APIResponseValidationError,
    AuthenticationError,
    ConfigurationError,
    CredentialsError,
    InternalServerError,
    MetaStudioError,
    PermissionDeniedError,
    RateLimitError,
    ShortJobFailed,
    WaitTimeout,
)
from .log import error_fields, log
from .pace import Pace
from .retries import MAX_RETRY_AFTER, is_permanent, retry_after

#: Documented by name.
SUCCESS_STATES: Final[frozenset[str]] = frozenset({JobState.SUCCEED})
#: FAILED is documented. That jobs do not leave the other two by themselves is inferred.
FAILURE_STATES: Final[frozenset[str]] = frozenset({JobState.FAILED, JobState.SPLIT_FAILED, JobState.AUDIT_FAILED})

FIRST_INTERVAL: Final = 2.0  # seconds between the first two polls
INTERVAL_GROWTH: Final = 1.5
MAX_INTERVAL: Final = 30.0
#: Seconds from the last poll to the deadline, so that the response arrives in time.
LAST_POLL: Final = 1.0
#: A wait continues after these errors: another poll may succeed. Any other error would occur again.
PASSING: Final = (APIConnectionError, APIResponseValidationError, InternalServerError, RateLimitError)

_FATAL: Final = (AuthenticationError, PermissionDeniedError, ConfigurationError, CredentialsError)

OnUpdate: TypeAlias = Callable[[ShortJob], object]


def is_fatal(error: MetaStudioError) -> bool:
    """Return whether an error would fail every other job too."""
    return isinstance(error, _FATAL) or is_permanent(error)


class Goal:
    """When a wait ends; validated once for all jobs.

    Args:
        timeout: Seconds until `WaitTimeout`.
        success: The states in which a job has finished.
        failure: The states in which it has failed. Any other state means that it is running.
        on_update: Called with a job whenever its response has changed.
    """

    def __init__(
        self, timeout: float, success: Collection[str], failure: Collection[str], on_update: OnUpdate | None
    ) -> None:
        self.timeout = validation.number("timeout", timeout)
        self.success = frozenset(validation.strings("success", success))
        self.failure = frozenset(validation.strings("failure", failure))
        self.on_update = None if on_update is None else validation.function("on_update", on_update)


@attrs.define(eq=False, repr=False)
class Wait:
    """The state of a wait for one job.

    Attributes:
        job_id: The job's ID.
        goal: When the wait ends.
        job: The last response.
        lost: The error of the last poll, if it failed.
        polls: The number of polls.
    """

    job_id: str
    goal: Goal
    clock: Callable[[], float]
    random: Callable[[], float] = random_numbers.random
    job: ShortJob | None = None
    lost: MetaStudioError | None = None
    polls: int = 0
    _started: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._started = self.clock()

    def seconds_left(self) -> float:
        """Return the seconds left of `timeout`."""
        return self._started + self.goal.timeout - self.clock()

    def take(self, job: ShortJob) -> bool:
        """Store a response, and call `on_update` if it has changed; return whether the job is in a success state.

        Raises:
            ShortJobFailed: The job is in a failure state.
        """
        if job.job_id is None:  # any field may be missing, but `on_update` needs the ID
            job.job_id = self.job_id
        changed, self.job, self.lost = job != self.job, job, None
        if changed and self.goal.on_update:
            self.goal.on_update(job)
        if job.state in self.goal.success:
            return True
        if job.state in self.goal.failure:
            raise ShortJobFailed(job)
        return False

    def turn(self, pace: Pace) -> float:
        """Reserve the next slot of `pace`; return the seconds until it, or until the last possible poll."""
        return min(pace.go(self.clock()), max(0.0, self.seconds_left() - LAST_POLL))

    @contextmanager
    def forgiving(self, pace: Pace | None = None) -> Iterator[None]:
        """Suppress the error of a failed poll if another one may succeed; report the result to `pace`."""
        sent = self.clock()
        try:
            yield
        except PASSING as error:
            if is_permanent(error):
                raise
            fields = error_fields(error) | {"operation": "show_short_job", "job_id": self.job_id}
            write(log, WARNING, "Short job %s: a poll failed, still waiting: %s", self.job_id, error, **fields)
            self.lost = error
            if pace and isinstance(error, RateLimitError):
                pace.throttled(sent, self.clock(), retry_after(error))
        else:
            if pace:
                pace.answered()

    def delay(self) -> float:
        """Return the seconds until the next poll.

        Raises:
            WaitTimeout: The timeout has passed. The error has the last response; its cause is the last failed poll.
        """
        left = self.seconds_left() - LAST_POLL
        if left <= 0:
            raise self.timed_out()
        requested = retry_after(self.lost) or 0.0
        interval = self.interval()
        self.polls += 1
        return min(left, max(interval * (1 + self.random()) / 2, min(requested, MAX_RETRY_AFTER)))

    def interval(self) -> float:
        """Return the maximum seconds until the next poll. Random jitter shortens them by up to a half."""
        return min(MAX_INTERVAL, FIRST_INTERVAL * INTERVAL_GROWTH ** min(self.polls, 20))

    def timed_out(self) -> WaitTimeout:
        """Return the error for a wait that timed out; its cause is the last failed poll."""
        error = WaitTimeout(self.job_id, self.goal.timeout, self.job)
        error.__cause__ = self.lost
        return error


@attrs.frozen
class Finished:
    """The outcome of a job that finished.

    Attributes:
        job_id: The job's ID.
        job: Its last response.
    """

    job_id: str
    job: ShortJob
    error: None = None


@attrs.frozen
class Failed:
    """The outcome of a job that failed, timed out or could not be queried.

    Attributes:
        job_id: The job's ID.
        job: Its last response, if there was one.
        error: `ShortJobFailed`, `WaitTimeout` or the error of the query.
    """

    job_id: str
    job: ShortJob | None
    error: MetaStudioError


#: The outcome of one of many jobs. If `error` is None, `job` is not None.
Outcome: TypeAlias = Finished | Failed
