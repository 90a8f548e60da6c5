"""Access to the journal of a running batch: in its own thread, with a count of the stages."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, ParamSpec, TypeVar

import attrs

from .journal import Journal
from .row import Row, Stage

P = ParamSpec("P")
T = TypeVar("T")


class Ledger:
    """Writes to a journal without blocking the event loop.

    Args:
        journal: An open journal.
        thread: The only thread that uses it.
        on_change: Called with a row after each change was written to disk.

    Attributes:
        counts: The number of this run's recordings in each stage.
    """

    def __init__(self, journal: Journal, thread: ThreadPoolExecutor, on_change: Callable[[Row], object] | None) -> None:
        self.journal, self.counts = journal, Counter[Stage]()
        self._thread, self._on_change = thread, on_change

    async def do(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a method of the journal in the journal's thread."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, partial(function, *args, **kwargs))

    def enter(self, row: Row) -> None:
        """Count a row when this run reaches it."""
        self.counts[row.stage] += 1

    async def save(self, row: Row, stage: Stage | None = None, **changes: Any) -> Row:
        """Save a row's new stage and other changes; return the changed row."""
        since = row.since if stage is None else time.time()
        changed = attrs.evolve(row, stage=stage or row.stage, since=since, **changes)
        await self.do(self.journal.save, changed)
        self.counts[row.stage] -= 1
        self.counts[changed.stage] += 1
        if self._on_change:
            self._on_change(changed)
        return changed
