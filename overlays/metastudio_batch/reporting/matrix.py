"""The rows of a report's matrix, and the details that a row opens to."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any, Final, NamedTuple
from unicodedata import category
from urllib.parse import quote

from metastudio import AssessProperty

from .verdicts import Category, Status, Verdict

#: Categories of invisible characters, and of those that change the direction of text.
_HIDDEN: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_JOINERS: Final = "\n\u200c\u200d"  # line breaks, and joiners that some scripts and emoji need
_LONGEST: Final = 1000
_LONGEST_CELL: Final = 24
_MAX_SECONDS: Final = 2**31


class Cell(NamedTuple):
    """A metric of a recording."""

    status: Status
    actual: str


class Line(NamedTuple):
    """A recording in the matrix."""

    path: str
    link: str
    category: Category
    exceeded: int
    state: str
    reason: str
    cells: list[Cell]


class Strings:
    """Numbers strings, so that the page has each of them once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __call__(self, value: object) -> int | None:
        """Return the number of a string; None for an empty or missing value."""
        return None if value is None or value == "" else self._numbers.setdefault(visible(value), len(self._numbers))

    def all(self) -> list[str]:
        """Return all strings, ordered by number."""
        return [*self._numbers]


def visible(value: object, longest: int = _LONGEST) -> str:
    """Return a value as a string of at most `longest` characters, with invisible characters escaped."""
    text = str(value)
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(c if c in _JOINERS or category(c) not in _HIDDEN else f"\\u{ord(c):04x}" for c in text)


def line(verdict: Verdict, folder: Path | None) -> Line:
    """Return the row of a recording. Without a verdict, it has a reason instead of cells."""
    row, job = verdict.row, verdict.job
    cells = [Cell(status, _actual(verdict.metrics.get(name))) for name, status in verdict.statuses.items()]
    return Line(
        path=visible(row.path),
        link=link(row.file, folder),
        category=verdict.category,
        exceeded=verdict.exceeded,
        state=visible(job.job_failed_code or row.stage.value, 40),
        reason=visible(job.job_failed_reason or row.error or "", 200),
        cells=[] if job.assess_result is None else cells,
    )


def link(file: str, folder: Path | None) -> str:
    """Return the URL of a file: relative if it is below `folder`, so that both can be moved together."""
    path = PurePath(os.path.abspath(file))  # noqa: PTH100  # Path.resolve would follow links
    if folder is not None and path.is_relative_to(folder):
        return "./" + quote(os.fsencode(path.relative_to(folder).as_posix()))
    return path.as_uri()


def details(verdicts: Sequence[Verdict], strings: Strings) -> dict[str, Any]:
    """Return the details of a recording. Its newest verdict comes last."""
    verdict = verdicts[-1]
    job, row, result = verdict.job, verdict.row, verdict.job.assess_result
    facts = {
        "job": strings(row.job_id),
        "language": strings(row.language),
        "user": strings(row.app_user_id),
        "created": strings(_time(job.create_time)),
        "updated": strings(_time(job.lastupdate_time)),
        "since": strings(utc(row.since)),
        "error": strings(row.error or job.job_failed_reason),
        "suggestion": strings(None if result is None else result.suggestion),
        "takes": strings(len(verdicts)) if len(verdicts) > 1 else None,
    }
    return {name: number for name, number in facts.items() if number is not None} | {
        "columns": [[strings(name), strings(value)] for name, value in row.columns.items()],
        "metrics": [_metric(verdict.metrics.get(name), strings) for name in verdict.statuses],
    }


_FIELDS: Final = ("expected", "actual", "status", "suggestion_en", "suggestion")


def _metric(metric: AssessProperty | None, strings: Strings) -> list[int | None] | None:
    return None if metric is None else [strings(getattr(metric, field)) for field in _FIELDS]


def utc(seconds: float) -> str:
    """Return a time as a readable string."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _time(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < _MAX_SECONDS:
        return None if value is None else str(value)
    return f"{value} ({utc(value)}, if in seconds)"  # no page states the unit


def _actual(metric: AssessProperty | None) -> str:
    return "" if metric is None or metric.actual is None else visible(metric.actual, _LONGEST_CELL)
