"""What both classes of short jobs share: the user, the paces, and what is wrong with a response."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

from huaweicloud_auth import Secret
from metastudio_client.models import CreatedShortJob, CreateShortJobRequest, ShortJob, TenantDurationCfg

from . import validation
from .assess import Step, Steps
from .errors import APIResponseValidationError, APIStatusError, AuthenticationError, ConfigurationError, MetaStudioError
from .limits import RecordingLimits
from .log import log
from .pace import Pace
from .polling import Goal, Wait
from .recordings import Packed

T = TypeVar("T")


class Operations:
    """The base of `ShortJobs` and `AsyncShortJobs`.

    Attributes:
        paces: How often `create`, `commit` and `show` are sent by all waits and assessments of the client.
    """

    def __init__(self, app_user_id: str | None, paces: dict[str, Pace]) -> None:
        self._app_user_id, self.paces = app_user_id, paces
        self._known_limits: RecordingLimits | None = None

    def _user(self, app_user_id: str | None) -> str | None:
        return self._app_user_id if app_user_id is None else validation.header_value("app_user_id", app_user_id)


def creation(job_type: str, language: str) -> CreateShortJobRequest:
    """Return the body of a creation; both values are open: the service may know others than the contract."""
    validation.strings("job_type and language", [job_type, language])
    return CreateShortJobRequest(job_type=job_type, language=language)


def secret(created: CreatedShortJob) -> CreatedShortJob:
    """Return what was created, with its upload URL as a `Secret`."""
    created.data_uploading_url = Secret(created.data_uploading_url)
    return created


def wrong_creation(created: CreatedShortJob) -> str | None:
    """Say what is wrong with the response to a creation."""
    if not isinstance(created.job_id, str) or not isinstance(created.data_uploading_url, str):
        return "the response has no job_id, or no data_uploading_url"
    try:
        validation.path_id("job_id", created.job_id)
    except ConfigurationError as error:
        return str(error)
    return None


def wrong_job(job_id: str, job: ShortJob) -> str | None:
    """Say what is wrong with the response to a query for `job_id`."""
    if job.state is not None and not isinstance(job.state, str):  # the generator lets anything into an open enum
        return "the state is not a string"
    if job.job_id is not None and str(job.job_id).lower() != job_id.lower():
        return "the response is about another job"
    return None


def recording_limits(response: TenantDurationCfg) -> RecordingLimits:
    """Return the limits of a recording; None for one that the service does not tell."""
    return RecordingLimits(response.short_assess_min, response.short_assess_max)


def on(jobs: Operations) -> Callable[[Step], Any]:
    """Return a function that performs a step with `jobs`."""
    return lambda step: getattr(jobs, step.method)(**step.arguments)


def run(perform: Callable[[Step], Any], steps: Steps[T]) -> T:
    """Run steps to their end, each performed by `perform`; what a step raises is told to them."""
    try:
        step = next(steps)
        while True:
            try:
                result = perform(step)
            except MetaStudioError as error:
                step = steps.throw(error)
            else:
                step = steps.send(result)
    except StopIteration as end:
        return cast("T", end.value)


async def run_async(perform: Callable[[Step], Awaitable[Any]], steps: Steps[T]) -> T:
    """Run steps as `run` does, where `perform` is async."""
    try:
        step = next(steps)
        while True:
            try:
                result = await perform(step)
            except MetaStudioError as error:
                step = steps.throw(error)
            else:
                step = steps.send(result)
    except StopIteration as end:
        return cast("T", end.value)


def warn(body: Packed) -> Packed:
    """Log what may be wrong with a recording, and return it."""
    for warning in body.warnings:
        log.warning("Recording %s: %s", body.name, warning)
    return body


@contextmanager
def unknown_limits() -> Iterator[None]:
    """Go on without the limits where the service does not tell them; what fails everything else is raised."""
    try:
        yield
    except AuthenticationError:
        raise
    except (APIStatusError, APIResponseValidationError) as error:
        log.warning("The limits of a recording are not known: %s", error)


def waits(job_ids: Iterable[str], goal: Goal, clock: Callable[[], float]) -> list[Wait]:
    """Return a wait for each job."""
    return [Wait(validation.path_id("job_id", job_id), goal, clock) for job_id in job_ids]
