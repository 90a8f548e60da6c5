"""`metastudio show`."""

import typer

from metastudio import AuthenticationError, ConfigurationError, MetaStudioError, PermissionDeniedError
from metastudio_cli import output, render
from metastudio_cli.arguments import expanded
from metastudio_cli.options import JobIds, Shared


def show(job_ids: JobIds, shared: Shared) -> None:
    """Show the details of short jobs.

    If one of them cannot be shown, the others still are.
    """
    failed = False
    with shared.connected() as studio, shared.results() as results:
        for job_id in expanded(job_ids):
            try:
                job = studio.short_jobs.show(job_id)
            except (ConfigurationError, AuthenticationError, PermissionDeniedError):
                raise  # every other job would fail too, and failed authentications lock a key
            except MetaStudioError as error:
                output.complain(error, f"{job_id}: ")
                failed = True
            else:
                results.add(job.to_dict(), render.short_job(job))
    if failed:
        raise typer.Exit(1)
