"""Counts over all recordings: categories, metrics, suggestions, failures, groups."""

import os
from collections import Counter
from pathlib import PurePosixPath
from typing import Any, Final, NamedTuple

from metastudio.metrics import METRICS
from metastudio_batch.row import Row

from .strips import Returned, Values, values
from .verdicts import OUT_OF_RANGE, Category, Status, Verdict

#: A table of counts has this many lines; the page says how many more there are.
MOST_LINES: Final = 50


class Line(NamedTuple):
    """A line of a table of counts.

    Attributes:
        key: What was counted.
        times: How often.
        out_of_range: How often with a metric that is out of range.
    """

    key: tuple[Any, ...]
    times: int
    out_of_range: int = 0


class Overview:
    """Counts recordings one by one. Memory grows with the number of distinct strings, not of recordings.

    Args:
        by: A column of a manifest to group by; None groups by folder.
    """

    def __init__(self, by: str | None) -> None:
        self._by = by
        self.categories = Counter[Category]()
        self.languages = Counter[str]()
        self.columns: set[str] = set()
        self.since: list[float] = []
        self._statuses = Counter[tuple[str, Status]]()
        self._returned: dict[str, Returned] = {name: Counter() for name in METRICS}
        self._suggestions, self._wanted = Counter[tuple[Any, ...]](), Counter[tuple[Any, ...]]()
        self._failures = Counter[tuple[Any, ...]]()
        self._groups: dict[str, Counter[Category]] = {}

    def add(self, verdict: Verdict) -> None:
        """Count a recording."""
        row = verdict.row
        self.categories[verdict.category] += 1
        self.languages[row.language] += 1
        self.columns.update(row.columns)
        times = [*self.since, row.since]
        self.since = [min(times), max(times)]
        self._groups.setdefault(self._group(row), Counter())[verdict.category] += 1
        if verdict.category in {Category.FAILED, Category.UNFINISHED}:
            job = verdict.job
            reason = _string(job.job_failed_reason) or row.error
            self._failures[verdict.category, row.stage.value, _string(job.job_failed_code), reason] += 1
        if row.job is not None:
            self._measure(verdict)

    def _group(self, row: Row) -> str:
        """Return the group of a recording: the value of its column, or its folder."""
        if self._by is None:
            return os.fspath(PurePosixPath(row.path).parent)
        return str(row.columns.get(self._by, ""))

    def _measure(self, verdict: Verdict) -> None:
        for name, status in verdict.statuses.items():
            metric = verdict.metrics.get(name)
            if verdict.job.assess_result is not None:
                self._statuses[name, status] += 1
            if metric is None:
                continue
            if (actual := _string(metric.actual)) is not None:
                self._returned[name][_string(metric.expected), actual, status] += 1
            suggestion = name, _string(metric.suggestion_en), _string(metric.suggestion)
            if suggestion[1:] != (None, None):
                self._suggestions[suggestion] += 1
                self._wanted[suggestion] += status in OUT_OF_RANGE

    @property
    def total(self) -> int:
        """The number of recordings."""
        return self.categories.total()

    def metrics(self) -> list[tuple[str, dict[Status, int], float | None]]:
        """Return how often each status occurs per metric, and the share that is in range."""
        lines = []
        for name in METRICS:
            counts = {status: self._statuses[name, status] for status in Status}
            known = sum(counts.values()) - counts[Status.MISSING]
            lines.append((name, counts, counts[Status.PASSED] / known if known else None))
        return lines

    def suggestions(self) -> list[Line]:
        """Return the suggestions, sorted by how often their metric is out of range."""
        lines = [Line(key, count, self._wanted[key]) for key, count in self._suggestions.items()]
        return sorted(lines, key=lambda line: (-line.out_of_range, -line.times, str(line.key)))

    def failures(self) -> list[Line]:
        """Return the codes and reasons of recordings without a verdict, the most frequent first."""
        return [Line(*counted) for counted in self._failures.most_common()]

    def groups(self) -> list[tuple[str, Counter[Category]]]:
        """Return the groups, the smallest pass rate first."""
        return sorted(self._groups.items(), key=lambda group: (group[1][Category.PASSED] / group[1].total(), group[0]))

    def values(self) -> dict[str, Values]:
        """Return the values of each metric that has any."""
        return {name: values(returned) for name, returned in self._returned.items() if returned}


def _string(value: object) -> str | None:
    """Return a field as a string. The types of single values are not validated."""
    return None if value is None or value == "" else str(value)
