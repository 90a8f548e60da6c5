"""The assessments, on disk: a job cannot be found again without its ID."""

import sqlite3
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

#: One process at a time: a second one would take up the same jobs. For it, this raises `sqlite3.OperationalError`.
OPEN: Final = """
    PRAGMA locking_mode = EXCLUSIVE;
    BEGIN EXCLUSIVE;
    CREATE TABLE IF NOT EXISTS assessments (job_id TEXT PRIMARY KEY, content TEXT, is_done INTEGER);
    COMMIT;
"""


class Assessment(BaseModel):
    """What this service says about an assessment, in responses and to the webhook."""

    job_id: str
    state: str | None
    metrics: dict[str, dict[str, Any]] = {}
    reason: str | None = None  # why it failed


class Store:
    """One table. What a method has saved is on disk when it returns."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, timeout=0, isolation_level=None)  # each statement is committed
        self._database.executescript(OPEN)

    def save(self, assessment: Assessment, *, is_done: bool = False) -> None:
        """Keep the latest of an assessment; it is done when nothing is left to do at the next start."""
        row = assessment.job_id, assessment.model_dump_json(), is_done
        self._database.execute("INSERT OR REPLACE INTO assessments VALUES (?, ?, ?)", row)

    def find(self, job_id: str) -> Assessment | None:
        """Return an assessment, or None."""
        row = self._database.execute("SELECT content FROM assessments WHERE job_id = ?", (job_id,)).fetchone()
        return Assessment.model_validate_json(row[0]) if row else None

    def unfinished(self) -> list[str]:
        """Return the IDs of the jobs that are not done."""
        return [job_id for (job_id,) in self._database.execute("SELECT job_id FROM assessments WHERE NOT is_done")]

    def close(self) -> None:
        """Leave the database to the next process."""
        self._database.close()
