"""Journals as a batch leaves them, written at once."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs

from metastudio.metrics import METRICS
from metastudio_batch import Found, Stage
from metastudio_batch.journal import Journal

ENDPOINT = "https://metastudio.cn-north-4.myhuaweicloud.com"


def metric(status: object = 0, actual: object = "4.1", expected: object = "3-5", **changes: object) -> dict[str, Any]:
    """Return a metric as the service returns it."""
    suggestions = {"suggestion": "请重新录音。", "suggestion_en": "Record again."} if status else {}
    return {"status": status, "actual": actual, "expected": expected, **suggestions, **changes}


def assessed(**metrics: dict[str, Any] | None) -> dict[str, Any]:
    """Return what a row has once its recording is assessed; every metric is in range but those that are given."""
    result = {name: metric() for name in METRICS} | metrics
    job = {"job_id": "0123", "state": "SUCCEED", "create_time": 1_790_000_000, "assess_result": result}
    return {"stage": Stage.FINISHED, "job_id": "0123", "job": job}


def failed(code: str | None = "MSS.20020012", reason: str | None = "no audio") -> dict[str, Any]:
    """Return what a row has once its job has failed."""
    return {"stage": Stage.FAILED, "job": {"state": "FAILED", "job_failed_code": code, "job_failed_reason": reason}}


class Writer:
    """Writes rows into a journal; each row of a path has another content than the one before."""

    def __init__(self, journal: Journal) -> None:
        self._journal, self._number = journal, 0

    def __call__(self, path: str, changes: dict[str, Any], *, language: str = "CN", **columns: Any) -> None:
        self._number += 1
        found = Found(path, f"/recordings/{path}", language, None, columns)
        row = self._journal.claim(found, f"content {self._number}", 1, 1)
        self._journal.save(attrs.evolve(row, since=1_790_000_000.0, **changes))


def write(path: Path, rows: Callable[[Writer], None], endpoint: str = ENDPOINT) -> Path:
    """Write a journal; nothing of it survives a power failure, so that five thousand rows take a second."""
    with closing(Journal(path, endpoint, "p")) as journal:
        journal._db.execute("PRAGMA synchronous = OFF")
        journal._db.execute("BEGIN")
        rows(Writer(journal))
        journal._db.execute("COMMIT")
    return path
