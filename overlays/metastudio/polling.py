"""Which states end a wait, and when to poll next: one core for both loops. Pure: it sleeps and sends nothing."""

import random as random_numbers
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

import attrs

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
from .log import log
from .pace import Pace
from .retries import MAX_RETRY_AFTER, is_permanent, retry_after

#: Documented by name.
SUCCESS_STATES: Final[frozenset[str]] = frozenset({JobState.SUCCEED})
#: FAILED is documented; that the other two do not move on by themselves is inferred.
FAILURE_STATES: Final[frozenset[str]] = frozenset({JobState.FAILED, JobState.SPLIT_FAILED, JobState.AUDIT_FAILED})

FIRST_INTERVAL: Final = 2.0  # seconds between the first two polls
INTERVAL_GROWTH: Final = 1.5
MAX_INTERVAL: Final = 30.0
#: The last poll is sent this long before the deadline, so that its response comes in time.
LAST_POLL: Final = 1.0
#: A wait goes on after these: it has the time to poll again. Every other error would come again.
PASSING: Final = (APIConnectionError, APIResponseValidationError, InternalServerError, RateLimitError)

_FATAL: Final = (AuthenticationError, PermissionDeniedError, ConfigurationError, CredentialsError)

OnUpdate: TypeAlias = Callable[[ShortJob], object]


def is_fatal(error: MetaStudioError) -> bool:
    """Tell whether an error would fail every other job too."""
    return isinstance(error, _FATAL) or is_permanent(error)


class Goal:
    """When a wait is over: validated once, for all jobs.

    Args:
        timeout: Seconds until `WaitTimeout`.
        success: The states in which a job has finished.
        failure: The states in which it has failed; every other one means that it is running.
        on_update: Called with a job whenever a response differs from its last one.
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
    """What is known of one job while it is waited for.

    Attributes:
        job_id: The job.
        goal: When it is over.
        job: The last response.
        lost: The error of the last poll, if it failed.
        polls: How many there were.
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
        """Return how much of `timeout` is left."""
        return self._started + self.goal.timeout - self.clock()

    def take(self, job: ShortJob) -> bool:
        """Take a response, and tell `on_update` if it differs; return whether the job is in a state of success.

        Raises:
            ShortJobFailed: The job is in a state of failure.
        """
        if job.job_id is None:  # every field may be missing; whoever is told must know which job it is
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
        """Take the next place of `pace`; return the seconds until it, or until the last poll that is possible."""
        return min(pace.go(self.clock()), max(0.0, self.seconds_left() - LAST_POLL))

    @contextmanager
    def forgiving(self, pace: Pace | None = None) -> Iterator[None]:
        """Let a failed poll pass, where another one may help; tell `pace` how it ended."""
        sent = self.clock()
        try:
            yield
        except PASSING as error:
            if is_permanent(error):
                raise
            log.warning("Short job %s: a poll failed, the wait goes on: %s", self.job_id, error)
            self.lost = error
            if pace and isinstance(error, RateLimitError):
                pace.throttled(sent, self.clock(), retry_after(error))
        else:
            if pace:
                pace.answered()

    def delay(self) -> float:
        """Return the seconds until the next poll.

        Raises:
            WaitTimeout: The time is up; it has the last response, and the last failed poll as its cause.
        """
        left = self.seconds_left() - LAST_POLL
        if left <= 0:
            raise self.timed_out()
        asked = retry_after(self.lost) or 0.0
        interval = self.interval()
        self.polls += 1
        return min(left, max(interval * (1 + self.random()) / 2, min(asked, MAX_RETRY_AFTER)))

    def interval(self) -> float:
        """Return the seconds until the next poll at most; they are shortened by up to a half, at random."""
        return min(MAX_INTERVAL, FIRST_INTERVAL * INTERVAL_GROWTH ** min(self.polls, 20))

    def timed_out(self) -> WaitTimeout:
        """Return the error for a wait whose time is up; the last failed poll is its cause."""
        error = WaitTimeout(self.job_id, self.goal.timeout, self.job)
        error.__cause__ = self.lost
        return error


@attrs.frozen
class Finished:
    """One of many jobs that finished.

    Attributes:
        job_id: The job.
        job: Its last response.
    """

    job_id: str
    job: ShortJob
    error: None = None


@attrs.frozen
class Failed:
    """One of many jobs that failed, timed out or could not be queried.

    Attributes:
        job_id: The job.
        job: Its last response, if there was one.
        error: `ShortJobFailed`, `WaitTimeout` or what the service rejected the request with.
    """

    job_id: str
    job: ShortJob | None
    error: MetaStudioError


#: The outcome of one of many jobs: where `error` is None, `job` is there.
Outcome: TypeAlias = Finished | Failed
