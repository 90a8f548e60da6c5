"""The subcommands from a recording to its verdict: `assess` for all steps, and one for each of them."""

import os
import sys
from pathlib import Path
from typing import Annotated, Final

import attrs
import typer

from huaweicloud_auth import Secret
from metastudio import MetaStudio
from metastudio_batch import export as batch_export
from metastudio_batch import find
from metastudio_batch import shard as part_of

from . import batching, output, render
from .assessing import Assessment, UploadBar
from .dry_run import dry_run as checked
from .options import Endpoint, JobId, Json, Keys, Language, Project, Region, Shard, User, connected, quota, sharding


def assess(
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH...",
            help="A recording: a WAV, or a zip with the recording in it. With --journal: recordings, folders, globs, "
            "and manifests (.csv, .jsonl).",
        ),
    ] = None,
    language: Language = "CN",
    timeout: Annotated[
        float | None, typer.Option(help="Seconds to wait for a verdict, after the upload; 600, or 3600 with --journal.")
    ] = None,
    finish: Annotated[
        str | None, typer.Option(metavar="JOB_ID", help="Go on with a job whose recording was uploaded, without PATH.")
    ] = None,
    journal: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Assess many; the same command goes on after an interruption.")
    ] = None,
    uploads: Annotated[int, typer.Option(min=1, help="Uploads at the same time, with --journal.")] = 4,
    shard: Shard = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the recordings; send nothing.")] = False,
    app_user_id: User = None,
    region: Region = None,
    endpoint: Endpoint = None,
    project_id: Project = None,
    credentials: Keys = None,
    as_json: Json = False,
) -> None:
    """Assess a recording: check it, create a job, upload, commit, wait, and show the verdict. With --journal: many.

    The job ID is printed on stderr as soon as there is a job. Exit codes: 2 if a recording cannot be used, 3 if a job
    failed, 4 if the time ran out, 130 if interrupted.
    """
    several, programs = paths or [], output.is_for_programs(as_json)
    client = {
        "region": region,
        "endpoint": endpoint,
        "project_id": project_id,
        "credentials": credentials,
        "app_user_id": app_user_id,
    }
    if (not several) == (finish is None):
        raise typer.BadParameter("give PATH, or --finish JOB_ID")
    if finish is not None and (journal is not None or shard is not None or dry_run):
        raise typer.BadParameter("--finish is for one job: without --journal, --shard and --dry-run")
    number, of = sharding(shard)
    recordings = part_of(find(several), number, of)
    if dry_run:
        with output.exit_codes():
            unusable = checked(recordings, quota(region, endpoint) / of, programs)
        raise typer.Exit(2 if unusable else 0)
    if journal is not None:
        wanted = {"language": language, "uploads": uploads, "timeout": 3600.0 if timeout is None else timeout}
        batching.assess(recordings, journal, programs, wanted, quota_share=1 / of, **client)
    elif of > 1 or len(several) > 1 or any(map(os.path.isdir, several)):
        raise typer.BadParameter("several recordings need --journal FILE, where each step is written down")
    else:
        with connected(**client) as studio:
            _assess_one(studio, several, finish, language, 600.0 if timeout is None else timeout, programs)


def _assess_one(
    studio: MetaStudio, several: list[str], finish: str | None, language: str, timeout: float, as_json: bool
) -> None:
    shown = Assessment(output.screen(), as_json, job_id=finish)
    try:
        with output.exit_codes(), shown:
            if finish is not None:
                job = studio.short_jobs.finish(finish, timeout=timeout, on_update=shown.update)
            else:
                job = studio.short_jobs.assess(
                    several[0], language=language, timeout=timeout, on_update=shown.update, on_progress=shown.progress
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
    credentials: Keys = None,
    as_json: Json = False,
) -> None:
    """Create a short job; print its ID, and the URL that its recording is to be uploaded to.

    The URL is a secret: who has it can upload. A terminal shows *** unless --show-url is given; JSON has it in full.
    """
    with connected(region, endpoint, project_id, credentials, app_user_id) as studio:
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
    credentials: Keys = None,
    as_json: Json = False,
) -> None:
    """Upload a file as it is to the URL of a job that was created.

    The URL is a secret. As an argument it is kept in the shell's history; with - it is read from standard input.
    """
    url = Secret(sys.stdin.readline().strip() if url == "-" else url)
    with connected(region, endpoint, project_id, credentials) as studio, UploadBar(output.screen()) as bar:
        studio.short_jobs.upload(url, file, on_progress=bar.progress)
    if output.is_for_programs(as_json):
        output.json_line({"uploaded": str(file), "bytes": file.stat().st_size})


def commit(
    job_id: JobId,
    app_user_id: User = None,
    region: Region = None,
    endpoint: Endpoint = None,
    project_id: Project = None,
    credentials: Keys = None,
    as_json: Json = False,
) -> None:
    """Start a job whose recording was uploaded."""
    with connected(region, endpoint, project_id, credentials, app_user_id) as studio:
        studio.short_jobs.commit(job_id)
    if output.is_for_programs(as_json):
        output.json_line({"committed": job_id})


def limits(
    region: Region = None,
    endpoint: Endpoint = None,
    project_id: Project = None,
    credentials: Keys = None,
    as_json: Json = False,
) -> None:
    """Show how long a recording must and may be, in seconds."""
    with connected(region, endpoint, project_id, credentials) as studio:
        found = attrs.asdict(studio.short_jobs.limits())
    if output.is_for_programs(as_json):
        output.json_line(found)
    else:
        output.out.print(render.fields(found))


def export(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="What `metastudio assess --journal` wrote.")],
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV, the default.")] = False,
    as_json_lines: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")] = False,
    bom: Annotated[bool, typer.Option("--bom", help="Begin with a byte order mark, for Excel.")] = False,
) -> None:
    """Write a row for each recording of a journal to standard output: its verdict, metric by metric."""
    if as_csv and as_json_lines:
        raise typer.BadParameter("give --csv or --jsonl, not both")
    with output.exit_codes(), output.utf8(bom) as stdout:
        if as_json_lines:
            batch_export.write_json_lines(journal, stdout)
        else:
            batch_export.write_csv(journal, stdout, for_excel=bom)


COMMANDS: Final = (assess, create, upload, commit, limits, export)
