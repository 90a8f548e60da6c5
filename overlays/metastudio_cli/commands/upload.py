"""`metastudio upload`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from huaweicloud_auth import Secret
from metastudio_cli import output
from metastudio_cli.assessing import UploadBar
from metastudio_cli.options import Shared


def upload(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="The URL that `create` printed; - reads it from standard input.")
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A zip with the recording in it.")],
    shared: Shared,
) -> None:
    """Upload a file as it is to the URL of a job that was created.

    The URL is a secret. As an argument it is kept in the shell's history; with - it is read from standard input.
    """
    url = Secret(sys.stdin.readline().strip() if url == "-" else url)
    with shared.connected() as studio, UploadBar(output.screen()) as bar:
        studio.short_jobs.upload(url, file, on_progress=bar.progress)
    if shared.is_for_programs:
        with shared.results() as results:
            results.add({"uploaded": str(file), "bytes": file.stat().st_size}, "")
