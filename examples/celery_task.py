"""Assess a recording in a Celery task: `celery --workdir examples --app celery_task worker`."""

import os
import sys

from celery import Celery, Task

from metastudio import (
    APIConnectionError,
    AssessmentInterrupted,
    InternalServerError,
    MetaStudio,
    MetaStudioError,
    RateLimitError,
    WaitTimeout,
    metrics,
)

app = Celery("metastudio", broker=os.environ.get("CELERY_BROKER_URL"))
#: The same may succeed later.
PASSING = (APIConnectionError, InternalServerError, RateLimitError, WaitTimeout)


@app.task(bind=True, max_retries=10, default_retry_delay=60)  # type: ignore[untyped-decorator]  # Celery has no types
def assess(self: Task, recording: str, job_id: str | None = None) -> dict[str, int | None]:
    """Return the status of each metric. A retry goes on with the same job, if its recording was uploaded.

    If a worker is killed, the ID of its job is in the log only. So tasks are acknowledged when they begin, which is
    Celery's default: with `acks_late`, the recording might be assessed twice.
    """
    try:
        with MetaStudio() as studio:
            jobs = studio.short_jobs
            job = jobs.finish(job_id, timeout=600) if job_id else jobs.assess(recording, timeout=600)
    except MetaStudioError as error:
        cause: BaseException | None = error
        if isinstance(error, AssessmentInterrupted):  # a job to which nothing was uploaded never runs (inferred)
            cause, job_id = error.__cause__, None if error.step == "upload" else error.job_id
        if isinstance(error, WaitTimeout):
            job_id = error.job_id
        if not isinstance(cause, PASSING):
            raise
        raise self.retry(exc=error, args=(recording, job_id)) from error
    return {name: metric.status for name, metric in metrics(job).items()}


if __name__ == "__main__":
    print(assess.apply(args=sys.argv[1:]).get())  # in this process, without a broker
