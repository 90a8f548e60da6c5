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
        str, typer.Argument(metavar="URL", help="The upload URL from `create`; - reads it from standard input.")
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A zip that contains the recording.")],
    shared: Shared,
) -> None:
    """Upload a file, unchanged, to the URL of a short job.

    The URL is a secret: use - to keep it out of the shell's history.
    """
    url = Secret(sys.stdin.readline().strip() if url == "-" else url)
    with shared.connected() as studio, UploadBar(output.screen()) as bar:
        studio.short_jobs.upload(url, file, on_progress=bar.progress)
    if shared.is_for_programs:
        with shared.results() as results:
            results.add({"uploaded": str(file), "bytes": file.stat().st_size}, "")
