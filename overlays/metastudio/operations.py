"""What `ShortJobs` and `AsyncShortJobs` share: the user, the paces, and the validation of responses."""

from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from logging import WARNING
from typing import Any, TypeVar, cast

from huaweicloud_auth import Secret
from huaweicloud_auth.log import write
from metastudio_client.models import CreatedShortJob, CreateShortJobRequest, ShortJob, TenantDurationCfg

from . import validation
from .assess import Step, Steps
from .errors import APIResponseValidationError, APIStatusError, AuthenticationError, ConfigurationError, MetaStudioError
from .limits import RecordingLimits
from .log import error_fields, log
from .pace import Pace
from .polling import Goal, Wait
from .recordings import Packed

T = TypeVar("T")


class Operations:
    """The base of `ShortJobs` and `AsyncShortJobs`.

    Attributes:
        paces: The paces of `create`, `commit` and `show`, which all waits and assessments of the client share.
    """

    def __init__(self, app_user_id: str | None, paces: dict[str, Pace]) -> None:
        self._app_user_id, self.paces = app_user_id, paces
        self._known_limits: RecordingLimits | None = None

    def _user(self, app_user_id: str | None) -> str | None:
        return self._app_user_id if app_user_id is None else validation.header_value("app_user_id", app_user_id)


def creation(job_type: str, language: str) -> CreateShortJobRequest:
    """Return the body that creates a job. The service may accept values that the contract does not list."""
    validation.strings("job_type and language", [job_type, language])
    return CreateShortJobRequest(job_type=job_type, language=language)


def secret(created: CreatedShortJob) -> CreatedShortJob:
    """Return `created` with its upload URL as a `Secret`."""
    created.data_uploading_url = Secret(created.data_uploading_url)
    return created


def wrong_creation(created: CreatedShortJob) -> str | None:
    """Return what is wrong with the response to a create request, or None."""
    if not isinstance(created.job_id, str) or not isinstance(created.data_uploading_url, str):
        return "the response lacks job_id or data_uploading_url"
    try:
        validation.path_id("job_id", created.job_id)
    except ConfigurationError as error:
        return str(error)
    return None


def wrong_job(job_id: str, job: ShortJob) -> str | None:
    """Return what is wrong with the response to a query for `job_id`, or None."""
    if job.state is not None and not isinstance(job.state, str):  # the generator accepts anything in an open enum
        return "the state is not a string"
    if job.job_id is not None and str(job.job_id).lower() != job_id.lower():
        return "the response is about another job"
    return None


def recording_limits(response: TenantDurationCfg) -> RecordingLimits:
    """Return the limits of a recording; None for a limit that the response lacks."""
    return RecordingLimits(response.short_assess_min, response.short_assess_max)


def on(jobs: Operations) -> Callable[[Step], Any]:
    """Return a function that performs a step with `jobs`."""
    return lambda step: getattr(jobs, step.method)(**step.arguments)


def run(perform: Callable[[Step], Any], steps: Steps[T]) -> T:
    """Perform steps with `perform`, and return their result. Errors of a step are thrown into the generator."""
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
    """Run steps like `run`, with an async `perform`."""
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
    """Log the warnings of a recording, and return it."""
    for warning in body.warnings:
        write(log, WARNING, "Recording %s: %s", body.name, warning)
    return body


@contextmanager
def unknown_limits() -> Iterator[None]:
    """Log an error of the service, and continue without limits. Raise authentication errors."""
    try:
        yield
    except AuthenticationError:
        raise
    except (APIStatusError, APIResponseValidationError) as error:
        write(log, WARNING, "The recording limits are unknown: %s", error, **error_fields(error))


def waits(job_ids: Iterable[str], goal: Goal, clock: Callable[[], float]) -> list[Wait]:
    """Return a wait for each job."""
    return [Wait(validation.path_id("job_id", job_id), goal, clock) for job_id in job_ids]
