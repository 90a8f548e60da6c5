"""`metastudio create`."""

from typing import Annotated

import typer

from metastudio_cli import output, render
from metastudio_cli.options import Language, Shared


def create(
    shared: Shared,
    language: Language = "CN",
    show_url: Annotated[bool, typer.Option("--show-url", help="Show the upload URL on a terminal.")] = False,
) -> None:
    """Create a short job and print its ID and its upload URL.

    The URL is a secret: anyone who has it can upload.
    A terminal shows *** unless --show-url is set; JSON and CSV contain the URL.
    """
    with shared.connected() as studio:
        created = studio.short_jobs.create(language=language)
    if shared.is_for_programs:
        with shared.results() as results:
            results.add(created.to_dict(), "")
    else:
        hidden = {} if show_url else {"data_uploading_url": "***"}
        output.out.print(render.fields(created.to_dict() | hidden), soft_wrap=True)
