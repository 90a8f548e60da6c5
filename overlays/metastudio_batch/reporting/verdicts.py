"""The verdict of one recording: how it stands, and what the status of each metric says."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import attrs

from metastudio import AssessProperty, ShortJob, metrics
from metastudio.metrics import METRICS
from metastudio_batch.row import Row, Stage


class Standing(StrEnum):
    """How a recording stands, the worst first."""

    FAILED = "failed"
    OUT_OF_RANGE = "out-of-range"
    INCOMPLETE = "incomplete"
    UNFINISHED = "unfinished"
    PASSED = "passed"


class Kind(StrEnum):
    """What the status of a metric says. Which way -1 and 1 point is not documented."""

    MINUS = "m"
    PLUS = "x"
    OTHER = "q"
    MISSING = "n"
    PASSED = "p"


#: The types of single values are not validated: a list is no status, and is not hashable.
_KINDS: Final = {"-1": Kind.MINUS, "0": Kind.PASSED, "1": Kind.PLUS}
OUT_OF_RANGE: Final = (Kind.MINUS, Kind.PLUS)


@attrs.frozen
class Verdict:
    """A row of a journal, read.

    Attributes:
        row: The row.
        job: The job's last response; an empty one where there is none.
        metrics: The metrics that the response has.
        kinds: What the status of each metric of the contract says.
        standing: How the recording stands.
    """

    row: Row
    job: ShortJob
    metrics: Mapping[str, AssessProperty]
    kinds: Mapping[str, Kind]
    standing: Standing

    @property
    def exceeded(self) -> int:
        """The number of metrics that are out of range."""
        return sum(kind in OUT_OF_RANGE for kind in self.kinds.values())

    @property
    def badness(self) -> tuple[Any, ...]:
        """Sort key: the worst first, then by path."""
        return [*Standing].index(self.standing), -self.exceeded, self.row.path, self.row.id


def verdict(row: Row) -> Verdict:
    """Return what a row says."""
    job = ShortJob.from_dict(row.job or {})
    found = metrics(job)
    kinds = {name: _kind(found.get(name)) for name in METRICS}
    return Verdict(row, job, found, kinds, _standing(row.stage, {*kinds.values()}))


def _kind(metric: AssessProperty | None) -> Kind:
    if metric is None or metric.status is None:
        return Kind.MISSING
    return _KINDS.get(str(metric.status), Kind.OTHER)


def _standing(stage: Stage, kinds: set[Kind]) -> Standing:
    if stage in {Stage.FAILED, Stage.UNUSABLE}:
        return Standing.FAILED
    if stage is not Stage.FINISHED:
        return Standing.UNFINISHED
    if kinds & {*OUT_OF_RANGE}:
        return Standing.OUT_OF_RANGE
    return Standing.PASSED if kinds == {Kind.PASSED} else Standing.INCOMPLETE
