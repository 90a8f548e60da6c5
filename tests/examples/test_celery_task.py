"""The Celery task, run eagerly: its retries follow at once."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request

import celery_task
from metastudio import MetaStudio, PermissionDeniedError
from metastudio_sandbox import Sandbox, faults
from metastudio_sandbox.faults import Answer
from support.virtual_time import Clock


async def good(_: Request, answer: Answer) -> Any:
    """Spoil nothing."""
    return answer()


@pytest.fixture(autouse=True)
def _virtual_time(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the task's clients sleep in virtual time, and not retry: only the task does. Its jobs end by its retry."""
    made = 0

    def studio() -> MetaStudio:
        nonlocal made
        made += 1
        sandbox._service.jobs.duration = timedelta(hours=1) if made == 1 else timedelta()
        client, clock = MetaStudio(max_retries=0), Clock()
        client.short_jobs._caller.clock, client.short_jobs._caller.sleep = clock, clock.sleep
        return client

    monkeypatch.setattr(celery_task, "MetaStudio", studio)


def lose_upload(sandbox: Sandbox) -> None:
    sandbox.inject_upload(faults.upload_cut)


def throttle(request: int) -> Callable[[Sandbox], None]:
    """Return what throttles one of the requests: limits, create, commit, show."""

    def inject(sandbox: Sandbox) -> None:
        for _ in range(request):
            sandbox.inject(good)
        sandbox.inject(faults.throttled(3600))

    return inject


def time_out(_: Sandbox) -> None:
    """Leave the job running, for longer than the task waits."""


@pytest.mark.parametrize(
    ("interrupt", "created"),
    [(throttle(1), 1), (lose_upload, 2), (throttle(2), 1), (time_out, 1)],
    ids=["create", "upload", "commit", "wait"],
)
def test_retry_creates_no_second_job_that_runs(
    sandbox: Sandbox, recording: Path, interrupt: Callable[[Sandbox], None], created: int
) -> None:
    """Wherever the first attempt ends, one job runs; there is another one only if nothing was uploaded to the first."""
    before = set(sandbox.jobs)
    interrupt(sandbox)

    result = celery_task.assess.apply(args=[str(recording)])

    jobs = [job for job_id, job in sandbox.jobs.items() if job_id not in before]
    (job,) = [job for job in jobs if job["state"] == "SUCCEED"]
    metrics = {name: value["status"] for name, value in job["assess_result"].items() if isinstance(value, dict)}
    assert (result.get(), len(jobs)) == (metrics, created)


def test_missing_permission_is_not_retried(sandbox: Sandbox, recording: Path) -> None:
    sandbox.inject(good)
    sandbox.inject(faults.status(403, "APIGW.0302"))

    with pytest.raises(PermissionDeniedError):
        celery_task.assess.apply(args=[str(recording)]).get()

    assert [each.status for each in sandbox.exchanges] == [200, 403]
