"""The file of a journal: opened, locked, and what goes wrong with it."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from metastudio import MetaStudioError
from metastudio.errors import printable

#: In the head of the file: what it is, and in which version.
APPLICATION: Final = 0x4D53_4A4C
VERSION: Final = 1
#: Seconds to wait for a reader, who holds a lock for one page of rows.
_PATIENCE: Final = 30.0


class JournalError(MetaStudioError):
    """The journal cannot be opened, read or written. Nothing in it is lost: mend the cause, and start again."""


@contextmanager
def explained(path: str) -> Iterator[None]:
    """Turn what goes wrong with the file into a `JournalError`."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise JournalError(f"the journal {shown(path)} cannot be used: {error}") from error


@contextmanager
def connected(path: str, timeout: float = _PATIENCE) -> Iterator[sqlite3.Connection]:
    """Open a file that exists; it may be used in another thread, but in one at a time."""
    uri = f"{Path(path).absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(uri, uri=True, timeout=timeout, isolation_level=None, check_same_thread=False)
    try:
        yield connection
    finally:
        connection.close()


def make(path: str) -> None:
    """Make a file that only its owner can read, unless it exists: to open one and close it would lose its locks."""
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def checked(path: str | os.PathLike[str]) -> str:
    """Return where a journal is, or can be; through a link, it is the same journal.

    Raises:
        JournalError: Something else is there.
    """
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str) or "\0" in os.fspath(path):
        raise JournalError(f"journal must be the path of a file, not {printable(repr(path), 80)}")
    real = os.path.realpath(path)  # Path.resolve raises for a loop
    if not os.fspath(path) or (os.path.lexists(real) and not Path(real).is_file()):
        raise JournalError(f"the journal {shown(os.fspath(path))} must be a file, or not exist")
    return real


@contextmanager
def locked(path: str) -> Iterator[None]:
    """Keep other processes from writing to a journal; they may read it. The lock ends with the process, even if killed.

    Raises:
        JournalError: Another one has it.
    """
    beside = f"{path}-lock"
    make(beside)
    with connected(beside, timeout=0) as lock:
        try:
            lock.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            raise JournalError(f"the journal {shown(path)} is in use: wait until that batch has ended") from None
        yield


def check(connection: sqlite3.Connection, path: str) -> None:
    """Validate what a file says it is.

    Raises:
        JournalError: It is another kind of file, or of another version.
    """
    (application,), (version,) = (
        connection.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
    )
    if application != APPLICATION:
        raise JournalError(f"{shown(path)} is not a journal: give another file, or one that does not exist")
    if version != VERSION:
        raise JournalError(
            f"the journal {shown(path)} has version {version}, and this release reads {VERSION}: take the release that "
            "wrote it, or another journal"
        )


def shown(path: str) -> str:
    """Return a path as a message shows it."""
    return printable(repr(path), 200)
