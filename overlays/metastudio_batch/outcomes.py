"""What a batch yields for each of its recordings."""

from typing import Any, TypeAlias

import attrs

from metastudio import MetaStudioError, ShortJob, ShortJobFailed

from .row import Row, Stage


@attrs.frozen(kw_only=True)
class _Outcome:
    """What both have.

    Attributes:
        path: The recording's name in the journal.
        file: Where it is.
        language: Its language.
        app_user_id: Sent as `X-App-UserId`, or None.
        columns: What else a manifest says of it.
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
        job_id: Its job.
        job: The job's last response.
    """

    job_id: str
    job: ShortJob
    error: None = None


@attrs.frozen(kw_only=True)
class Failed(_Outcome):
    """A recording that cannot be used, or whose job failed, timed out or could not be carried to its end.

    Attributes:
        job_id: Its job, if there is one.
        job: The job's last response, if there was one.
        error: `RecordingError`, `ShortJobFailed`, `WaitTimeout`, `AssessmentInterrupted`, or the service's error. After
            the last three, another run of the batch goes on with the recording.
    """

    job_id: str | None
    job: ShortJob | None
    error: MetaStudioError


#: The outcome of one recording: where `error` is None, `job` is there.
Outcome: TypeAlias = Finished | Failed


def outcome(row: Row, job: ShortJob | None = None, error: MetaStudioError | None = None) -> Outcome:
    """Return the outcome of a row; that of an earlier run has its job in the row."""
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
