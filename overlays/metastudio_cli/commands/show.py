"""`metastudio show`."""

import typer

from metastudio import AuthenticationError, ConfigurationError, MetaStudioError, PermissionDeniedError
from metastudio_cli import output, render
from metastudio_cli.arguments import expanded
from metastudio_cli.options import JobIds, Shared


def show(job_ids: JobIds, shared: Shared) -> None:
    """Show the details of short jobs. One that cannot be shown does not keep the others from being shown."""
    failed = False
    with shared.connected() as studio, shared.results() as results:
        for job_id in expanded(job_ids):
            try:
                job = studio.short_jobs.show(job_id)
            except (ConfigurationError, AuthenticationError, PermissionDeniedError):
                raise  # the next one would fare no better, and failed authentications lock a key
            except MetaStudioError as error:
                output.complain(error, f"{job_id}: ")
                failed = True
            else:
                results.add(job.to_dict(), render.short_job(job))
    if failed:
        raise typer.Exit(1)
