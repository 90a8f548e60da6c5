"""The outcome that a batch yields for each recording."""

from typing import Any, TypeAlias

import attrs

from metastudio import MetaStudioError, ShortJob, ShortJobFailed

from .row import Row, Stage


@attrs.frozen(kw_only=True)
class _Outcome:
    """The attributes of every outcome.

    Attributes:
        path: The recording's name in the journal.
        file: Where its file is.
        language: CN or EN.
        app_user_id: Sent as `X-App-UserId`, or None.
        columns: Additional columns of the manifest.
    """

    path: str
    file: str
    language: str
    app_user_id: str | None
    columns: dict[str, Any]


@attrs.frozen(kw_only=True)
class Finished(_Outcome):
    """A recording that was assessed.

    Attributes:
        job_id: The ID of its job.
        job: The last response about the job.
    """

    job_id: str
    job: ShortJob
    error: None = None


@attrs.frozen(kw_only=True)
class Failed(_Outcome):
    """A recording that cannot be used, or whose job failed, timed out or was interrupted by an error.

    Attributes:
        job_id: The ID of its job, or None.
        job: The last response about the job, or None.
        error: `RecordingError`, `ShortJobFailed`, `WaitTimeout`, `AssessmentInterrupted`, or the service's error. After
            the last three, the next run of the batch continues with the recording.
    """

    job_id: str | None
    job: ShortJob | None
    error: MetaStudioError


#: The outcome of one recording: if `error` is None, `job` is set.
Outcome: TypeAlias = Finished | Failed


def outcome(row: Row, job: ShortJob | None = None, error: MetaStudioError | None = None) -> Outcome:
    """Return the outcome of a row; after an earlier run, the job is taken from the row."""
    if job is None and row.job is not None:
        job = ShortJob.from_dict(row.job)
    fields: dict[str, Any] = {
        name: getattr(row, name) for name in ("path", "file", "language", "app_user_id", "columns", "job_id")
    }
    if row.stage == Stage.FINISHED and job is not None:
        return Finished(**fields, job=job)
    if error is None:
        error = ShortJobFailed(job or ShortJob(job_id=row.job_id))
    return Failed(**fields, job=job, error=error)
