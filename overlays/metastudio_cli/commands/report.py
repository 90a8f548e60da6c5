"""`metastudio report`."""

from pathlib import Path
from typing import Annotated

import typer

from metastudio_batch import report as batch_report
from metastudio_cli import output, render


def report(
    journals: Annotated[
        list[Path], typer.Argument(metavar="JOURNAL", help="What `metastudio assess --journal` wrote; the newest last.")
    ],
    page: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="The HTML file to write.")],
    by: Annotated[
        str | None, typer.Option(metavar="COLUMN", help="Group by a column of the manifest; else by folder.")
    ] = None,
    lang: Annotated[
        str | None, typer.Option(metavar="zh|en", help="Language in which the page opens; else that of the locale.")
    ] = None,
) -> None:
    """Write a page with the verdicts of journals: which recordings are out of range, and in which metrics."""
    if lang is not None:
        render.use_language(lang)
    with output.exit_codes():
        batch_report(*journals, by=by, lang=render.chosen_language()).write(page)
    output.say(f"Wrote {page}")
