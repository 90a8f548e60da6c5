"""The steps from a recording to its verdict, without I/O: `ShortJobs` and `AsyncShortJobs` perform them."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from logging import INFO
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar

from huaweicloud_auth.log import write
from metastudio_client.models import CreatedShortJob, JobState, ShortJob

from .errors import (
    APIConnectionError,
    BadRequestError,
    InternalServerError,
    MetaStudioError,
    ShortJobFailed,
    WaitTimeout,
)
from .journey_errors import AssessmentInterrupted, UploadError
from .log import log
from .polling import OnUpdate
from .retries import backoff, is_permanent
from .upload_body import Body, OnProgress

T = TypeVar("T")

#: The states of a job that is not committed yet.
NOT_COMMITTED: Final = (JobState.CREATING, JobState.UPLOADING)
#: The maximum number of attempts to commit, if responses are lost.
_COMMITS: Final = 3


class Step(NamedTuple):
    """A method of `ShortJobs` or `AsyncShortJobs`, and its arguments."""

    method: str
    arguments: dict[str, Any]


#: Yields steps, and is sent what each returns, or thrown what it raises.
Steps: TypeAlias = Generator[Step, Any, T]


class _Sent:
    """Tracks whether an attempt before the last one sent the whole recording."""

    def __init__(self, on_progress: OnProgress | None) -> None:
        self.earlier = self._whole = False
        self._on_progress = on_progress

    def __call__(self, sent: int, total: int) -> None:
        self.earlier = self.earlier or (sent == 0 and self._whole)
        self._whole = sent == total
        if self._on_progress:
            self._on_progress(sent, total)


def assessing(
    body: Body,
    language: str,
    app_user_id: str | None,
    timeout: float,
    on_update: OnUpdate | None,
    on_progress: OnProgress | None,
) -> Steps[ShortJob]:
    """Create a job, upload the recording, commit, and wait for the verdict."""
    sent = _Sent(on_progress)
    create = Step("_create_paced", {"language": language, "app_user_id": app_user_id})
    created: CreatedShortJob = yield create
    _log("Short job %s was created", created)
    with _at("upload", str(created.job_id)):
        is_uploaded = yield from _uploading(created, body, sent)
        if not is_uploaded:
            created = yield create
            _log("The upload URL had expired: short job %s was created", created)
    if not is_uploaded:
        with _at("upload", str(created.job_id)):
            yield _upload(created, body, sent)
    return (yield from _committed_and_waited(str(created.job_id), app_user_id, timeout, on_update))


def _uploading(created: CreatedShortJob, body: Body, sent: _Sent) -> Steps[bool]:
    """Upload the recording; return whether that is done. If not, the URL has expired, and a new job is needed."""
    try:
        yield _upload(created, body, sent)
    except UploadError as error:
        if not error.is_expired:
            raise
        return sent.earlier  # an earlier attempt may have succeeded, and used up the URL
    return True


def finishing(job_id: str, app_user_id: str | None, timeout: float, on_update: OnUpdate | None) -> Steps[ShortJob]:
    """Continue after the upload: commit the job if it is not committed yet, then wait."""
    with _at("commit", job_id):
        job: ShortJob = yield Step("show", {"job_id": job_id, "app_user_id": app_user_id})
    if job.state in NOT_COMMITTED:
        return (yield from _committed_and_waited(job_id, app_user_id, timeout, on_update))
    return (yield from _waited(job_id, app_user_id, timeout, on_update))


def committing(job_id: str, app_user_id: str | None) -> Steps[None]:
    """Commit a job; if the response is lost, query the job before a retry."""
    arguments = {"job_id": job_id, "app_user_id": app_user_id}
    for made in range(1, _COMMITS + 1):
        try:
            yield Step("_commit_paced", arguments)
        except (APIConnectionError, BadRequestError, InternalServerError) as error:
            if is_permanent(error):
                raise
            job: ShortJob = yield Step("show", arguments)
            if job.state is not None and job.state not in NOT_COMMITTED:
                return
            if made == _COMMITS or isinstance(error, BadRequestError):
                raise
            yield Step("_pause", {"seconds": backoff(made, 1.0)})
        else:
            return


def _committed_and_waited(
    job_id: str, app_user_id: str | None, timeout: float, on_update: OnUpdate | None
) -> Steps[ShortJob]:
    with _at("commit", job_id):
        yield from committing(job_id, app_user_id)
    return (yield from _waited(job_id, app_user_id, timeout, on_update))


def _waited(job_id: str, app_user_id: str | None, timeout: float, on_update: OnUpdate | None) -> Steps[ShortJob]:
    arguments = {"job_id": job_id, "app_user_id": app_user_id, "timeout": timeout, "on_update": on_update}
    with _at("wait", job_id):
        job: ShortJob = yield Step("wait", arguments)
    return job


def _upload(created: CreatedShortJob, body: Body, sent: _Sent) -> Step:
    about = {"url": created.data_uploading_url, "job_id": str(created.job_id)}
    return Step("_upload", {**about, "body": body, "on_progress": sent})


def _log(message: str, created: CreatedShortJob) -> None:
    write(log, INFO, message, created.job_id, operation="create_short_job", job_id=created.job_id)


@contextmanager
def _at(step: str, job_id: str) -> Iterator[None]:
    """Raise errors as `AssessmentInterrupted` with the step, except `ShortJobFailed` and `WaitTimeout`."""
    try:
        yield
    except (ShortJobFailed, WaitTimeout):
        raise
    except MetaStudioError as error:
        raise AssessmentInterrupted(step, job_id) from error
