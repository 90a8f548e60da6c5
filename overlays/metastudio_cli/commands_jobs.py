"""The subcommands about jobs that are there: `show` and `wait`."""

from typing import Annotated, Final

import typer

from metastudio import AuthenticationError, ConfigurationError, MetaStudioError, PermissionDeniedError

from . import output, render, waiting
from .options import Endpoint, JobIds, Json, Keys, Project, Region, connected


def show(
    job_ids: JobIds,
    region: Region = None,
    endpoint: Endpoint = None,
    project_id: Project = None,
    credentials: Keys = None,
    as_json: Json = False,
) -> None:
    """Show the details of short jobs. One that cannot be shown does not keep the others from being shown."""
    failed = False
    with connected(region, endpoint, project_id, credentials) as studio:
        for job_id in job_ids:
            try:
                job = studio.short_jobs.show(job_id)
            except (ConfigurationError, AuthenticationError, PermissionDeniedError):
                raise  # the next one would fare no better, and failed authentications lock a key
            except MetaStudioError as error:
                output.complain(error, f"{job_id}: ")
                failed = True
            else:
                if output.is_for_programs(as_json):
                    output.json_line(job.to_dict())
                else:
                    output.out.print(render.short_job(job))
    if failed:
        raise typer.Exit(1)


def wait(
    job_ids: JobIds,
    timeout: Annotated[float, typer.Option(help="Seconds for all of them.")] = 600.0,
    rate: Annotated[float, typer.Option(help="Requests a second, for all of them together.")] = 10.0,
    region: Region = None,
    endpoint: Endpoint = None,
    project_id: Project = None,
    credentials: Keys = None,
    as_json: Json = False,
) -> None:
    """Wait until short jobs are finished: a live table, or a JSON line for each change.

    Exit codes: 3 if a job failed, 4 if the time ran out, 130 if interrupted.
    """
    progress = waiting.Progress(list(dict.fromkeys(job_ids)), timeout, rate)
    options = {"region": region, "endpoint": endpoint, "project_id": project_id, "credentials": credentials}
    try:
        with output.exit_codes():
            waiting.wait(progress, output.is_for_programs(as_json), output.screen(), output.complain, **options)
    except KeyboardInterrupt:
        output.say(" ".join(("metastudio: interrupted; unfinished:", *progress.unfinished)))
        raise typer.Exit(130) from None
    raise typer.Exit(progress.exit_code())


COMMANDS: Final = (show, wait)
