"""`metastudio export`."""

from pathlib import Path
from typing import Annotated

import typer

from metastudio_batch import export as batch_export
from metastudio_cli import output, results


def export(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="What `metastudio assess --journal` wrote.")],
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV, the default.")] = False,
    as_json_lines: Annotated[bool, typer.Option("--jsonl", help="One JSON object a line.")] = False,
    bom: Annotated[bool, typer.Option("--bom", help="Begin with a byte order mark, for Excel.")] = False,
) -> None:
    """Write a row for each recording of a journal to standard output: its verdict, metric by metric."""
    if as_csv and as_json_lines:
        raise typer.BadParameter("give --csv or --jsonl, not both")
    with output.exit_codes(), results.utf8(bom) as stdout:
        if as_json_lines:
            batch_export.write_json_lines(journal, stdout)
        else:
            batch_export.write_csv(journal, stdout, for_excel=bom)
