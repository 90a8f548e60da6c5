"""The journal: an SQLite file with a row for each recording, from which an interrupted batch resumes.

Each change is on disk before the next step begins: SQLite uses a rollback journal and `synchronous=FULL`.
"""

import json
import os
import sqlite3
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from typing import Any, Final

import attrs

from metastudio import ConfigurationError
from metastudio.validation import header_value

from . import journal_file
from .finding import Found
from .journal_file import JournalError, connected, explained, shown
from .row import COLUMNS, Row, Stage, row_of

_SCHEMA: Final = (
    "CREATE TABLE service (endpoint TEXT NOT NULL, project_id TEXT NOT NULL)",
    """CREATE TABLE recordings (
        id INTEGER PRIMARY KEY, path TEXT NOT NULL, sha256 TEXT NOT NULL, language TEXT NOT NULL,
        app_user_id TEXT NOT NULL, file BLOB NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
        columns TEXT NOT NULL, stage TEXT NOT NULL, job_id TEXT, job TEXT, error TEXT, since REAL NOT NULL,
        UNIQUE (path, sha256, language, app_user_id))""",
    "CREATE INDEX by_stage ON recordings (stage)",
    f"PRAGMA application_id = {journal_file.APPLICATION}",
    f"PRAGMA user_version = {journal_file.VERSION}",
)
#: The work of this run. SQLite keeps it in a temporary file: there may be a million recordings.
_PLAN: Final = (
    "CREATE TEMP TABLE resumed (id INTEGER PRIMARY KEY)",
    """CREATE TEMP TABLE plan (
        path TEXT, language TEXT, app_user_id TEXT, file BLOB, columns TEXT, UNIQUE (path, language, app_user_id))""",
)
_KEY: Final = "path, language, app_user_id"
_SAME_KEY: Final = f"({_KEY}) = (?, ?, ?)"
#: In these stages the job is running, or may be: the recording never gets a second job.
_RUNNING: Final = f"'{Stage.UPLOADED}', '{Stage.COMMITTED}'"
_PAGE: Final = 500
_NEVER_RAN: Final = f"'{Stage.NEW}', '{Stage.CREATED}', '{Stage.UNUSABLE}'"


class Journal:
    """An open journal.

    Args:
        path: The file; it is created if it does not exist.
        endpoint: The endpoint of the jobs.
        project_id: The project of the jobs.

    Raises:
        JournalError: Another process uses the file, it is not a journal, or it belongs to another version, endpoint or
            project.
    """

    def __init__(self, path: str | os.PathLike[str], endpoint: str, project_id: str) -> None:
        self._path = journal_file.checked(path)
        with explained(self._path), ExitStack() as opened:
            opened.enter_context(journal_file.locked(self._path))
            journal_file.make(self._path)
            self._db = opened.enter_context(connected(self._path))
            self._db.execute("PRAGMA synchronous = FULL")
            if self._execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
                self._make(endpoint, project_id)
            journal_file.check(self._db, self._path)
            self._check_service(endpoint, project_id)
            for statement in _PLAN:
                self._execute(statement)
            self._opened = opened.pop_all()

    def _make(self, endpoint: str, project_id: str) -> None:
        with self._db:
            self._execute("BEGIN")
            for statement in _SCHEMA:
                self._execute(statement)
            self._execute("INSERT INTO service VALUES (?, ?)", endpoint, project_id)

    def _check_service(self, endpoint: str, project_id: str) -> None:
        there, project = self._execute("SELECT endpoint, project_id FROM service").fetchone()
        if (there, project) != (endpoint, project_id):
            raise JournalError(
                f"the journal {shown(self._path)} belongs to project {project} at {there}, but the client uses project "
                f"{project_id} at {endpoint}: a job can be found only where it was created; use another journal"
            )

    def _execute(self, statement: str, *values: Any) -> sqlite3.Cursor:
        with explained(self._path):
            return self._db.execute(statement, values)

    def close(self) -> None:
        """Close the file and release its lock."""
        self._opened.close()

    def plan(self, recordings: Iterable[Found], language: str, app_user_id: str | None) -> int:
        """Plan the recordings and the jobs still running; return their number. Raise if two files share a name."""
        self._execute(f"INSERT INTO resumed SELECT id FROM recordings WHERE stage IN ({_RUNNING})")
        self._execute("BEGIN")
        for each in recordings:
            user = app_user_id if each.app_user_id is None else header_value("app_user_id", each.app_user_id)
            spoken = language if each.language is None else header_value("language", each.language)
            self._put(attrs.evolve(each, language=spoken, app_user_id=user))
        self._execute("COMMIT")
        (total,) = self._execute(
            "SELECT (SELECT count(*) FROM plan) + (SELECT count(*) FROM resumed JOIN recordings USING (id) "
            f"WHERE ({_KEY}) NOT IN (SELECT {_KEY} FROM plan))"
        ).fetchone()
        return int(total)

    def _put(self, found: Found) -> None:
        values = *_key(found), os.fsencode(found.file), _json(found.columns)
        if self._execute("INSERT OR IGNORE INTO plan VALUES (?, ?, ?, ?, ?)", *values).rowcount:
            return
        (other,) = self._execute(f"SELECT file FROM plan WHERE {_SAME_KEY}", *_key(found)).fetchone()
        if other != values[3]:
            both, name = f"{shown(found.file)} and {shown(os.fsdecode(other))}", shown(found.path)
            raise ConfigurationError(f"{both} would both be named {name}: pass a folder that contains both")

    def to_do(self) -> Iterator[Row | Found]:
        """Yield the plan: first the rows whose jobs are running, then the recordings."""
        for (number,) in self._pages("resumed", "id", (-1,)):
            yield self.row(number)
        for path, language, app_user_id, file, columns in self._pages("plan", _KEY, ("", "", "")):
            yield Found(path, os.fsdecode(file), language, app_user_id, json.loads(columns))

    def _pages(self, table: str, key: str, last: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a table by its key, in pages: no statement stays open between two of them."""
        marks = ", ".join("?" * len(last))
        statement = f"SELECT * FROM {table} WHERE ({key}) > ({marks}) ORDER BY {key} LIMIT {_PAGE}"
        while page := self._execute(statement, *last).fetchall():
            yield from page
            last = page[-1][: len(last)]

    def row(self, number: int) -> Row:
        """Return the current content of a row."""
        return row_of(self._execute(f"SELECT {COLUMNS} FROM recordings WHERE id = ?", number).fetchone())

    def is_resumed(self, row: Row) -> bool:
        """Return whether a row is one of those that `to_do` yields first."""
        return self._execute("SELECT 1 FROM resumed WHERE id = ?", row.id).fetchone() is not None

    def known(self, found: Found, size: int, mtime_ns: int) -> Row | None:
        """Return the row of a file whose size and time are unchanged, so that its content need not be read."""
        return self._seen(found, size, mtime_ns, "sha256 != '' AND size = ? AND mtime_ns = ?", size, mtime_ns)

    def ended(self, found: Found) -> Row | None:
        """Return the newest row of a recording whose job has run or may run; its file may be gone."""
        statement = (
            f"SELECT {COLUMNS} FROM recordings WHERE {_SAME_KEY} AND stage NOT IN ({_NEVER_RAN}) ORDER BY id DESC"
        )
        selected = self._execute(statement, *_key(found)).fetchone()
        return selected and row_of(selected)

    def claim(self, found: Found, sha256: str, size: int, mtime_ns: int, stage: Stage = Stage.NEW) -> Row:
        """Return the row of a recording with this content; insert one in `stage` if there is none.

        Delete the rows of its earlier contents whose jobs never ran.
        """
        statement = f"DELETE FROM recordings WHERE {_SAME_KEY} AND sha256 != ? AND stage IN ({_NEVER_RAN})"
        self._execute(statement, *_key(found), sha256)
        statement = (
            f"INSERT OR IGNORE INTO recordings ({_KEY}, sha256, file, size, mtime_ns, columns, stage, since) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        about = os.fsencode(found.file), size, mtime_ns, _json(found.columns)
        self._execute(statement, *_key(found), sha256, *about, stage, time.time())
        row = self._seen(found, size, mtime_ns, "sha256 = ?", sha256)
        assert row is not None  # noqa: S101  # inserted above, if it was missing
        return row

    def _seen(self, found: Found, size: int, mtime_ns: int, which: str, *values: Any) -> Row | None:
        """Return one of a recording's rows, and update what the row says about the file."""
        statement = f"SELECT {COLUMNS} FROM recordings WHERE {_SAME_KEY} AND {which} ORDER BY id DESC"
        selected = self._execute(statement, *_key(found), *values).fetchone()
        if selected is None:
            return None
        row, file = row_of(selected), (os.fsencode(found.file), size, mtime_ns, _json(found.columns))
        statement = "UPDATE recordings SET file = ?, size = ?, mtime_ns = ?, columns = ? WHERE id = ?"
        self._execute(f"{statement} AND (file, size, mtime_ns, columns) != (?, ?, ?, ?)", *file, row.id, *file)
        return attrs.evolve(row, file=found.file, columns=found.columns)

    def save(self, row: Row) -> None:
        """Write the stage of a recording, its job and its error."""
        job = None if row.job is None else _json(row.job)
        statement = "UPDATE recordings SET stage = ?, job_id = ?, job = ?, error = ?, since = ? WHERE id = ?"
        self._execute(statement, row.stage, row.job_id, job, row.error, row.since, row.id)


def _key(found: Found) -> tuple[str, str | None, str]:
    return found.path, found.language, found.app_user_id or ""


def _json(value: object) -> str:
    return json.dumps(value)  # ASCII, since the service may send lone surrogates
