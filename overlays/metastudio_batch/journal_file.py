"""The file of a journal: opening, locking and errors."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from metastudio import MetaStudioError
from metastudio.errors import printable

#: SQLite's `application_id` and `user_version`, in the header of the file.
APPLICATION: Final = 0x4D53_4A4C
VERSION: Final = 1
#: Seconds to wait for a reader, which locks the file for one page of rows.
_BUSY_TIMEOUT: Final = 30.0


class JournalError(MetaStudioError):
    """The journal cannot be opened, read or written. Its content is safe: fix the cause, then start again."""


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn errors of SQLite and the file system into a `JournalError`."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise JournalError(f"the journal {shown(path)} cannot be used: {error}") from error


@contextmanager
def connected(path: str, timeout: float = _BUSY_TIMEOUT) -> Iterator[sqlite3.Connection]:
    """Open an existing file; any thread may use the connection, but only one at a time."""
    uri = f"{Path(path).absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        yield connection
    finally:
        connection.close()


def make(path: str) -> None:
    """Create a file that only its owner can read. Never open an existing one: closing it would release its locks."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def checked(path: str | os.PathLike[str]) -> str:
    """Return the real path of a journal, which need not exist yet; links are resolved.

    Raises:
        JournalError: The path is malformed or is not that of a file.
    """
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str) or "\0" in os.fspath(path):
        raise JournalError(f"journal must be a file path, not {printable(repr(path), 80)}")
    real = os.path.realpath(path)  # Path.resolve raises for a loop
    if not os.fspath(path) or (os.path.lexists(real) and not Path(real).is_file()):
        raise JournalError(f"the journal {shown(os.fspath(path))} must be a file or a path that does not exist yet")
    return real


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Lock a journal against writes by other processes, which may still read it. The lock ends with the process.

    Raises:
        JournalError: Another batch has the lock.
    """
    beside = f"{path}-lock"
    make(beside)
    with connected(beside, timeout=0) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise JournalError(f"the journal {shown(path)} is in use by another batch: wait until it ends") from None
        yield


def check(connection: sqlite3.Connection, path: str) -> None:
    """Validate the type and the version of a file.

    Raises:
        JournalError: It is not a journal, or a journal of another version.
    """
    (application,), (version,) = (
        connection.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
    )
    if application != APPLICATION:
        raise JournalError(f"{shown(path)} is not a journal: pass a journal or a path that does not exist yet")
    if version != VERSION:
        raise JournalError(
            f"the journal {shown(path)} has version {version}, but this release reads {VERSION}: use the release that "
            "wrote it, or another journal"
        )


def shown(path: str) -> str:
    """Return a path as messages show it."""
    return printable(repr(path), 200)
