"""The verdict of a recording: its category, and the status of each metric."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import attrs

from metastudio import AssessProperty, ShortJob, metrics
from metastudio.metrics import METRICS
from metastudio_batch.row import Row, Stage


class Category(StrEnum):
    """The category of a recording, the worst first."""

    FAILED = "failed"
    OUT_OF_RANGE = "out-of-range"
    INCOMPLETE = "incomplete"
    UNFINISHED = "unfinished"
    PASSED = "passed"


class Status(StrEnum):
    """The status of a metric. The direction of -1 and 1 is not documented."""

    MINUS = "m"
    PLUS = "x"
    OTHER = "q"
    MISSING = "n"
    PASSED = "p"


#: By string: the types of single values are not validated, and a list is not hashable.
_STATUSES: Final = {"-1": Status.MINUS, "0": Status.PASSED, "1": Status.PLUS}
OUT_OF_RANGE: Final = (Status.MINUS, Status.PLUS)


@attrs.frozen
class Verdict:
    """A row of a journal, and its verdict.

    Attributes:
        row: The row.
        job: The job's last response; empty if there is none.
        metrics: The metrics that the response has.
        statuses: The status of each metric of the contract.
        category: The category of the recording.
    """

    row: Row
    job: ShortJob
    metrics: Mapping[str, AssessProperty]
    statuses: Mapping[str, Status]
    category: Category

    @property
    def exceeded(self) -> int:
        """The number of metrics that are out of range."""
        return sum(status in OUT_OF_RANGE for status in self.statuses.values())

    @property
    def sort_key(self) -> tuple[Any, ...]:
        """Sort key: the worst first, then by path."""
        return [*Category].index(self.category), -self.exceeded, self.row.path, self.row.id


def verdict(row: Row) -> Verdict:
    """Return the verdict of a row."""
    job = ShortJob.from_dict(row.job or {})
    found = metrics(job)
    statuses = {name: _status(found.get(name)) for name in METRICS}
    return Verdict(row, job, found, statuses, _category(row.stage, {*statuses.values()}))


def _status(metric: AssessProperty | None) -> Status:
    if metric is None or metric.status is None:
        return Status.MISSING
    return _STATUSES.get(str(metric.status), Status.OTHER)


def _category(stage: Stage, statuses: set[Status]) -> Category:
    if stage in {Stage.FAILED, Stage.UNUSABLE}:
        return Category.FAILED
    if stage is not Stage.FINISHED:
        return Category.UNFINISHED
    if statuses & {*OUT_OF_RANGE}:
        return Category.OUT_OF_RANGE
    return Category.PASSED if statuses == {Status.PASSED} else Category.INCOMPLETE
