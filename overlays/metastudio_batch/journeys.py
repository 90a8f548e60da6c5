"""The recordings of a batch, from being found to their commit."""

import asyncio
import hashlib
import time
from functools import partial
from pathlib import Path
from typing import cast

import attrs

from metastudio import MetaStudioError, RecordingError, RecordingLimits
from metastudio.assess import Step
from metastudio.operations import on
from metastudio.recordings import Packed, prepare

from .finding import Found
from .journey import Journey, Shared, cause, is_fatal, patiently
from .outcomes import outcome
from .row import Row, Stage


@attrs.define(eq=False)
class Journeys(Shared):
    """Carries one recording after the other as far as its commit."""

    _limits: RecordingLimits | None = None
    _limits_lock: asyncio.Lock = attrs.field(factory=asyncio.Lock)

    async def take(self, item: Row | Found) -> None:
        """Carry a recording as far as its commit; one that has ended before is delivered again."""
        row, body = (item, None) if isinstance(item, Row) else await self._identified(item)
        if row is None:
            return
        self.ledger.enter(row)
        if row.stage in {Stage.FINISHED, Stage.FAILED}:
            await self.deliver(outcome(row))
        elif row.stage == Stage.COMMITTED:
            await self.wait_for(row, age=time.time() - row.since)
        else:
            await self._carry(Journey(self, row, body))

    async def _identified(self, found: Found) -> tuple[Row | None, Packed | None]:
        """Return a recording's row, and what is to be uploaded; no row where nothing is left to do."""
        do, journal = self.ledger.do, self.ledger.journal
        size, mtime_ns = await asyncio.to_thread(_size_and_time, found.file)
        row, body = await do(journal.known, found, size, mtime_ns), None
        if row is None or row.stage in {Stage.NEW, Stage.CREATED}:
            limits = await self._known_limits()
            try:
                body, sha256 = await asyncio.to_thread(_packed, found.file, limits)
            except RecordingError as error:
                return await self._unusable(found, error), None
            row = await do(journal.claim, found, sha256, size, mtime_ns)
        return None if await do(journal.is_resumed, row) else row, body

    async def _unusable(self, found: Found, error: RecordingError) -> Row | None:
        """Deliver a recording that cannot be used; return the row of one that has had a verdict before it vanished."""
        journal = self.ledger.journal
        is_gone = isinstance(error.__cause__, FileNotFoundError) or not await asyncio.to_thread(Path(found.file).exists)
        if is_gone and (row := await self.ledger.do(journal.ended, found)):
            return row
        row = await self.ledger.do(journal.claim, found, "", 0, 0, Stage.UNUSABLE)
        self.ledger.enter(row)
        row = await self.ledger.save(row, Stage.UNUSABLE, error=str(error))
        await self.deliver(outcome(row, error=error))
        return None

    async def _known_limits(self) -> RecordingLimits:
        async with self._limits_lock:
            limits = self._limits or await patiently(partial(on(self.jobs), Step("_recording_limits", {})))
            self._limits = cast("RecordingLimits", limits)
            return self._limits

    async def _carry(self, journey: Journey) -> None:
        try:
            await patiently(journey.go_on)
        except MetaStudioError as error:
            if is_fatal(why := cause(error)):
                raise why from why.__cause__
            row = await self.ledger.save(journey.row, error=str(error))
            await self.deliver(outcome(row, error=error))


def _size_and_time(file: str) -> tuple[int, int]:
    try:
        found = Path(file).stat()
    except OSError:  # whoever reads it will say why
        return 0, 0
    return found.st_size, found.st_mtime_ns


def _packed(file: str, limits: RecordingLimits) -> tuple[Packed, str]:
    digest = hashlib.sha256()
    return prepare(file, limits, digest.update), digest.hexdigest()
