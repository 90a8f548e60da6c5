"""Export of a journal as a table, with a row for each recording."""

import csv
import json
import os
import re
from collections.abc import Iterator
from itertools import chain
from typing import IO, Any, Final

from metastudio import ShortJob, metrics
from metastudio.metrics import METRICS

from .reading import read
from .row import Row

_FORMULA: Final = re.compile(r"[=+@\t\r]|-[^0-9.]")
_ABOUT: Final = ("path", "language", "job_id", "state", "error")
_FIELDS: Final = ("actual", "expected", "status", "suggestion")
_MEASURED: Final = tuple(f"{metric}_{field}" for metric in METRICS for field in _FIELDS)


def rows(journal: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """Yield a dictionary for each recording of a journal, sorted by path: `pandas.DataFrame(rows("a.journal"))`.

    `state` is the state of the job, or else the stage of the recording. A manifest column whose name is already taken
    gets the prefix `manifest_`.

    Raises:
        JournalError: The file cannot be read or is not a journal.
    """
    for row in read(journal):
        yield _about(row) | _measured(row) | _own(row)


def write_csv(journal: str | os.PathLike[str], file: IO[str], *, for_excel: bool = False) -> None:
    """Write the rows as CSV. Every row has the columns of all manifests.

    With `for_excel`, a string that looks like a formula gets an apostrophe in front, so that Excel does not run it.
    """
    own = dict.fromkeys(chain.from_iterable(_own(row) for row in read(journal)))
    writer = csv.DictWriter(file, (*_ABOUT, *_MEASURED, *own))
    writer.writeheader()
    for row in rows(journal):
        writer.writerow({name: _cell(value, for_excel) for name, value in row.items()})


def write_json_lines(journal: str | os.PathLike[str], file: IO[str]) -> None:
    """Write the rows as JSON objects, one per line."""
    for row in rows(journal):
        file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _about(row: Row) -> dict[str, Any]:
    state = (row.job or {}).get("state") or row.stage.value
    return dict(zip(_ABOUT, (row.path, row.language, row.job_id, state, row.error), strict=True))


def _measured(row: Row) -> dict[str, Any]:
    found = {} if row.job is None else metrics(ShortJob.from_dict(row.job))
    return {f"{metric}_{field}": getattr(found.get(metric), field, None) for metric in METRICS for field in _FIELDS}


def _own(row: Row) -> dict[str, Any]:
    ours = {*_ABOUT, *_MEASURED}
    return {
        f"manifest_{name}" if name in ours or name.startswith("manifest_") else name: value
        for name, value in row.columns.items()
    }


def _cell(value: object, for_excel: bool) -> object:
    if isinstance(value, dict | list):
        value = json.dumps(value, ensure_ascii=False)
    return f"'{value}" if for_excel and isinstance(value, str) and _FORMULA.match(value) else value
