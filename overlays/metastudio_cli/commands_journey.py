"""The subcommands from a recording to its verdict: `assess` for all steps, and one for each of them."""

import sys
from pathlib import Path
from typing import Annotated, Final

import attrs
import typer

from huaweicloud_auth import Secret

from . import output, render
from .assessing import Assessment, UploadBar
from .options import Endpoint, JobId, Json, Language, Project, Region, User, connected


def assess(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="The recording: a WAV, or a zip with the recording in it.")
    ] = None,
    language: Language = "CN",
    timeout: Annotated[float, typer.Option(help="Seconds to wait for the verdict, after the upload.")] = 600.0,
    finish: Annotated[
        str | None, typer.Option(metavar="JOB_ID", help="Go on with a job whose recording was uploaded, without FILE.")
    ] = None,
    app_user_id: User = None,
    region: Region = None,
    endpoint: Endpoint = None,
    project_id: Project = None,
    as_json: Json = False,
) -> None:
    """Assess a recording: check it, create a job, upload, commit, wait, and show the verdict.

    The job ID is printed on stderr as soon as there is a job. Exit codes: 2 if the recording cannot be used, 3 if the
    job failed, 4 if the time ran out, 130 if interrupted.
    """
    if (file is None) == (finish is None):
        raise typer.BadParameter("give a FILE, or --finish JOB_ID")
    shown = Assessment(output.screen(), output.is_for_programs(as_json), job_id=finish)
    try:
        with connected(region, endpoint, project_id, app_user_id) as studio, shown:
            if finish is not None:
                job = studio.short_jobs.finish(finish, timeout=timeout, on_update=shown.update)
            elif file is not None:
                job = studio.short_jobs.assess(
                    file, language=language, timeout=timeout, on_update=shown.update, on_progress=shown.progress
                )
            shown.verdict(job)
    except KeyboardInterrupt:
        output.say("metastudio: interrupted")
        raise typer.Exit(130) from None
    finally:
        shown.say_how_to_go_on()


def create(
    language: Language = "CN",
    app_user_id: User = None,
    show_url: Annotated[bool, typer.Option("--show-url", help="Show the upload URL on a terminal, too.")] = False,
    region: Region = None,
    endpoint: Endpoint = None,
    project_id: Project = None,
    as_json: Json = False,
) -> None:
    """Create a short job; print its ID, and the URL that its recording is to be uploaded to.

    The URL is a secret: who has it can upload. A terminal shows *** unless --show-url is given; JSON has it in full.
    """
    with connected(region, endpoint, project_id, app_user_id) as studio:
        created = studio.short_jobs.create(language=language)
    if output.is_for_programs(as_json):
        output.json_line(created.to_dict())
    else:
        hidden = {} if show_url else {"data_uploading_url": "***"}
        output.out.print(render.fields(created.to_dict() | hidden), soft_wrap=True)


def upload(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="The URL that `create` printed; - reads it from standard input.")
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A zip with the recording in it.")],
    region: Region = None,
    endpoint: Endpoint = None,
    project_id: Project = None,
    as_json: Json = False,
) -> None:
    """Upload a file as it is to the URL of a job that was created.

    The URL is a secret. As an argument it is kept in the shell's history; with - it is read from standard input.
    """
    url = Secret(sys.stdin.readline().strip() if url == "-" else url)
    with connected(region, endpoint, project_id) as studio, UploadBar(output.screen()) as bar:
        studio.short_jobs.upload(url, file, on_progress=bar.progress)
    if output.is_for_programs(as_json):
        output.json_line({"uploaded": str(file), "bytes": file.stat().st_size})


def commit(
    job_id: JobId,
    app_user_id: User = None,
    region: Region = None,
    endpoint: Endpoint = None,
    project_id: Project = None,
    as_json: Json = False,
) -> None:
    """Start a job whose recording was uploaded."""
    with connected(region, endpoint, project_id, app_user_id) as studio:
        studio.short_jobs.commit(job_id)
    if output.is_for_programs(as_json):
        output.json_line({"committed": job_id})


def limits(region: Region = None, endpoint: Endpoint = None, project_id: Project = None, as_json: Json = False) -> None:
    """Show how long a recording must and may be, in seconds."""
    with connected(region, endpoint, project_id) as studio:
        found = attrs.asdict(studio.short_jobs.limits())
    if output.is_for_programs(as_json):
        output.json_line(found)
    else:
        output.out.print(render.fields(found))


COMMANDS: Final = (assess, create, upload, commit, limits)
