"""`metastudio export`."""

from pathlib import Path
from typing import Annotated

import typer

from metastudio_batch import export as batch_export
from metastudio_cli import output, results


def export(
    journal: Annotated[Path, typer.Argument(metavar="JOURNAL", help="A file written by `assess --journal`.")],
    as_csv: Annotated[bool, typer.Option("--csv", help="Write CSV (default).")] = False,
    as_json_lines: Annotated[bool, typer.Option("--jsonl", help="Write JSON, one object per line.")] = False,
    bom: Annotated[
        bool, typer.Option("--bom", help="For Excel: begin with a byte order mark, and escape formulas in CSV.")
    ] = False,
) -> None:
    """Export a journal to standard output: a row for each recording, with every metric."""
    if as_csv and as_json_lines:
        raise typer.BadParameter("use either --csv or --jsonl, not both")
    with output.exit_codes(), results.utf8(bom) as stdout:
        if as_json_lines:
            batch_export.write_json_lines(journal, stdout)
        else:
            batch_export.write_csv(journal, stdout, for_excel=bom)
