"""`metastudio assess`."""

import os
from pathlib import Path
from typing import Annotated

import typer

from metastudio import MetaStudio
from metastudio_batch import find
from metastudio_batch import shard as part_of
from metastudio_cli import batching, output, process
from metastudio_cli.arguments import expanded, files, sharding
from metastudio_cli.assessing import Assessment
from metastudio_cli.dry_run import dry_run as checked
from metastudio_cli.options import Language, Shard, Shared


def assess(
    shared: Shared,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH",
            autocompletion=files,
            help="A recording: a WAV, or a zip that contains one. With --journal: any number of recordings, folders, "
            "globs and manifests (.csv, .jsonl).",
        ),
    ] = None,
    language: Language = "CN",
    finish: Annotated[
        str | None, typer.Option(metavar="JOB_ID", help="Continue a job whose recording was uploaded, instead of PATH.")
    ] = None,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Assess many recordings; FILE records each step, so that the same command can resume.",
        ),
    ] = None,
    uploads: Annotated[int, typer.Option(min=1, help="Number of parallel uploads, with --journal.")] = 4,
    shard: Shard = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the recordings without sending a request.")] = False,
) -> None:
    """Assess a recording and show the verdict; with --journal, assess many.

    The steps are: check the recording, create a job, upload, commit, wait.
    The job ID is printed on stderr as soon as the job exists.

    PATH can be - for a list on standard input, or @FILE for a list in a file.
    --timeout limits the wait after the commit; default: 10 minutes, or 1 hour with --journal.

    Exit codes: 2 unusable recording, 3 failed job, 4 timeout, 130 interrupted.
    """
    several, programs = expanded(paths or []), shared.is_for_programs
    if (not several) == (finish is None):
        raise typer.BadParameter("use either PATH or --finish JOB_ID")
    if finish is not None and (journal is not None or shard is not None or dry_run):
        raise typer.BadParameter("--finish cannot be combined with --journal, --shard or --dry-run")
    number, of = sharding(shard)
    recordings = part_of(find(several), number, of)
    if dry_run:
        with output.exit_codes():
            unusable = checked(recordings, shared.quota() / of, programs)
        raise typer.Exit(2 if unusable else 0)
    if journal is not None:
        wanted = {"language": language, "uploads": uploads, "timeout": shared.timeout or 3600.0}
        batching.assess(recordings, journal, programs, wanted, quota_share=1 / of, **shared.client)
    elif of > 1 or len(several) > 1 or any(map(os.path.isdir, several)):
        raise typer.BadParameter("several recordings need --journal FILE, which records each step")
    else:
        with shared.connected() as studio:
            _assess_one(studio, several, finish, language, shared.timeout or 600.0, programs)


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
        raise typer.Exit(process.interrupted()) from None
    finally:
        shown.say_how_to_go_on()
