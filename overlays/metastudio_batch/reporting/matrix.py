"""The recordings of a report as its page has them: a row of cells each, and what a row opens to."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePath
from typing import Any, Final, NamedTuple
from unicodedata import category
from urllib.parse import quote

from metastudio import AssessProperty

from .verdicts import Kind, Standing, Verdict

#: What hides in a string or turns its direction: control and format characters, half characters, private ones.
_HIDDEN: Final = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_JOINERS: Final = "\n\u200c\u200d"  # a line break, and what some scripts and emoji need
_LONGEST: Final = 1000
_LONGEST_CELL: Final = 24
_MAX_SECONDS: Final = 2**31


class Cell(NamedTuple):
    """A metric of a recording."""

    kind: Kind
    actual: str


class Line(NamedTuple):
    """A recording in the matrix."""

    path: str
    link: str
    standing: Standing
    exceeded: int
    state: str
    reason: str
    cells: list[Cell]


class Strings:
    """Numbers strings, so that each is in the page once."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def __call__(self, value: object) -> int | None:
        """Return the number of a string, or None where there is none."""
        return None if value is None or value == "" else self._numbers.setdefault(visible(value), len(self._numbers))

    def all(self) -> list[str]:
        """Return the strings in the order of their numbers."""
        return [*self._numbers]


def visible(value: object, longest: int = _LONGEST) -> str:
    """Return a value as text in which every character can be seen, of at most `longest` characters."""
    text = str(value)
    text = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(c if c in _JOINERS or category(c) not in _HIDDEN else f"\\u{ord(c):04x}" for c in text)


def line(verdict: Verdict, folder: Path | None) -> Line:
    """Return the line of a recording; without a verdict it has a reason instead of cells."""
    row, job = verdict.row, verdict.job
    cells = [Cell(kind, _actual(verdict.metrics.get(name))) for name, kind in verdict.kinds.items()]
    return Line(
        path=visible(row.path),
        link=link(row.file, folder),
        standing=verdict.standing,
        exceeded=verdict.exceeded,
        state=visible(job.job_failed_code or row.stage.value, 40),
        reason=visible(job.job_failed_reason or row.error or "", 200),
        cells=[] if job.assess_result is None else cells,
    )


def link(file: str, folder: Path | None) -> str:
    """Return the URL of a file: relative where it is below `folder`, so that both can be moved together."""
    path = PurePath(os.path.abspath(file))  # noqa: PTH100  # Path.resolve would follow links
    if folder is not None and path.is_relative_to(folder):
        return "./" + quote(os.fsencode(path.relative_to(folder).as_posix()))
    return path.as_uri()


def details(verdicts: Sequence[Verdict], strings: Strings) -> dict[str, Any]:
    """Return what the row of a recording opens to; the newest of its verdicts is the last."""
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
        "metrics": [_metric(verdict.metrics.get(name), strings) for name in verdict.kinds],
    }


_FIELDS: Final = ("expected", "actual", "status", "suggestion_en", "suggestion")


def _metric(metric: AssessProperty | None, strings: Strings) -> list[int | None] | None:
    return None if metric is None else [strings(getattr(metric, field)) for field in _FIELDS]


def utc(seconds: float) -> str:
    """Return a time as people read it."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S} UTC"


def _time(value: object) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < _MAX_SECONDS:
        return None if value is None else str(value)
    return f"{value} ({utc(value)}, if in seconds)"  # no page states the unit


def _actual(metric: AssessProperty | None) -> str:
    return "" if metric is None or metric.actual is None else visible(metric.actual, _LONGEST_CELL)
