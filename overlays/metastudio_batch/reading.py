"""Read journals, also while a batch writes to them."""

import heapq
import os
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Final

from .journal_file import check, checked, connected, explained
from .row import COLUMNS, Row, row_of

_PAGE: Final = 500  # rows per read: a running batch waits for one page at most


def read(journal: str | os.PathLike[str]) -> Iterator[Row]:
    """Yield the rows of a journal, sorted by path, then by age.

    Raises:
        JournalError: The file cannot be read or is not a journal.
    """
    path = os.fspath(journal)
    statement = f"SELECT {COLUMNS} FROM recordings WHERE (path, id) > (?, ?) ORDER BY path, id LIMIT {_PAGE}"  # noqa: S608  # ours
    with explained(path), connected(checked(path)) as connection:
        check(connection, path)
        last: tuple[str, int] = ("", 0)
        while page := [row_of(selected) for selected in connection.execute(statement, last).fetchall()]:
            yield from page
            last = page[-1].path, page[-1].id


def endpoint(journal: str | os.PathLike[str]) -> str:
    """Return the endpoint to which the jobs of a journal belong.

    Raises:
        JournalError: The file cannot be read or is not a journal.
    """
    path = os.fspath(journal)
    with explained(path), connected(checked(path)) as connection:
        check(connection, path)
        (found,) = connection.execute("SELECT endpoint FROM service").fetchone()
    return str(found)


def read_takes(journals: Sequence[str | os.PathLike[str]]) -> Iterator[list[Row]]:
    """Yield the rows of each recording, the newest last. The rows of a later journal are newer.

    A recording is identified by its path, language and app user ID.
    """
    path = attrgetter("path")
    for _, same_path in groupby(heapq.merge(*map(read, journals), key=path), path):
        takes: dict[tuple[str, str | None], list[Row]] = {}
        for row in same_path:
            takes.setdefault((row.language, row.app_user_id), []).append(row)
        yield from takes.values()
