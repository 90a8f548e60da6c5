"""`metastudio commit`."""

from metastudio_cli.options import JobId, Shared


def commit(job_id: JobId, shared: Shared) -> None:
    """Commit a short job after its recording was uploaded, so that it starts."""
    with shared.connected() as studio:
        studio.short_jobs.commit(job_id)
    if shared.is_for_programs:
        with shared.results() as results:
            results.add({"committed": job_id}, "")
