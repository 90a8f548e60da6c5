"""`metastudio assess --journal`: a live view for people, or a JSON line per change for programs."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import aclosing, nullcontext
from datetime import timedelta
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, Final

import attrs
import typer
from rich.console import Console, ConsoleOptions, RenderResult
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from metastudio import AsyncMetaStudio, RecordingError, ShortJobFailed, WaitTimeout
from metastudio.errors import printable
from metastudio.pace import Pace
from metastudio_batch import Batch, Found, Outcome, Row, Stage

from . import output, process

_RATE_OVER: Final = 60.0  # seconds
_SUMMARY: Final = 4  # lines
_ENDED: Final = (Stage.FINISHED, Stage.FAILED, Stage.UNUSABLE)


@attrs.define(eq=False)
class Progress:
    """The progress of a batch. rich renders it in another thread."""

    as_json: bool
    batch: Batch | None = None
    paces: dict[str, Pace] = attrs.field(factory=dict)
    _errors: Counter[type] = attrs.field(factory=Counter)
    _ends: deque[float] = attrs.field(factory=deque)
    _lock: Lock = attrs.field(factory=Lock)

    def change(self, row: Row) -> None:
        """Record a change of a recording; print it for programs."""
        if row.stage in _ENDED:
            with self._lock:
                self._ends.append(monotonic())
                self._forget()
        if self.as_json:
            fields = {"path": row.path, "language": row.language, "stage": row.stage, "job_id": row.job_id}
            output.json_line(fields | {"error": row.error, "job": row.job})

    def end(self, outcome: Outcome) -> None:
        """Record an outcome; print its error."""
        if outcome.error is not None:
            inner = outcome.error.__cause__
            self._errors[RecordingError if isinstance(inner, RecordingError) else type(outcome.error)] += 1
            output.complain(outcome.error, f"{printable(outcome.path, 200)}: ")

    def exit_code(self) -> int:
        """Return 0, or the code of the worst error: of the service, a recording, a failed job or a timeout."""
        kinds = set(self._errors)
        if kinds - {RecordingError, ShortJobFailed, WaitTimeout}:
            return 1
        return 2 if RecordingError in kinds else 3 if ShortJobFailed in kinds else 4 if kinds else 0

    def summary(self) -> str:
        """Return how many recordings are done, and how they ended."""
        counts = self.batch.counts if self.batch else {}
        ended = sum(counts.get(stage, 0) for stage in _ENDED)
        parts = ", ".join(f"{counts.get(stage, 0)} {stage}" for stage in _ENDED if counts.get(stage))
        return f"{ended} of {self.batch.total if self.batch else 0} recordings done" + (f": {parts}" if parts else "")

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.batch is None:
            return
        uploads = list(self.batch.uploading.items())[: max(0, console.height - _SUMMARY - 1)]
        if uploads:
            table = Table.grid(padding=(0, 1))
            table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
            table.add_column(width=20)
            for path, (sent, total) in uploads:
                table.add_row(Text(printable(path, 200)), ProgressBar(total or 1, sent))
            yield table
        counts = self.batch.counts
        in_progress = ", ".join(
            f"{counts[stage]} {stage}" for stage in Stage if counts.get(stage) and stage not in _ENDED
        )
        for line in (self.summary(), in_progress or "nothing in progress", self._speed(), self._throttled()):
            yield Text(line, no_wrap=True, overflow="ellipsis")

    def _forget(self) -> None:
        while self._ends and self._ends[0] < monotonic() - _RATE_OVER:
            self._ends.popleft()

    def _speed(self) -> str:
        with self._lock:
            self._forget()
            ends, since = len(self._ends), self._ends[0] if self._ends else 0.0
        if ends < 2 or self.batch is None:
            return "rate and time left: not known yet"
        rate = ends / max(1.0, monotonic() - since)
        left = (self.batch.total - sum(self.batch.counts.get(stage, 0) for stage in _ENDED)) / rate
        return f"{rate:.1f} recordings per second, about {timedelta(seconds=round(left))} left"

    def _throttled(self) -> str:
        slowed = (
            f"{name} at {pace.speed:.1f} of {pace.rate:g} per second"
            for name, pace in self.paces.items()
            if pace.speed < 0.99 * pace.rate
        )
        return f"throttled: {', '.join(slowed) or 'nothing'}"


def assess(recordings: Iterable[Found], journal: Path, as_json: bool, wanted: dict[str, Any], **client: Any) -> None:
    """Assess recordings, then exit with the code of the worst error.

    Args:
        recordings: The recordings to assess.
        journal: The file that records each step.
        as_json: Whether the output is for programs rather than people.
        wanted: Other arguments of `Batch`.
        client: Arguments of the client.
    """
    progress = Progress(as_json)

    async def main() -> None:
        async with AsyncMetaStudio(**client) as studio:
            batch = Batch(studio, recordings, journal=journal, on_change=progress.change, **wanted)
            progress.batch, progress.paces = batch, studio.short_jobs.paces
            live = nullcontext() if as_json or output.is_quiet else output.live(progress)
            async with aclosing(batch.outcomes()) as outcomes:
                with live:
                    async for outcome in outcomes:
                        progress.end(outcome)

    try:
        with output.exit_codes():
            asyncio.run(main())
    except KeyboardInterrupt:
        output.say(f"metastudio: interrupted; {progress.summary()}. To continue, run the same command again")
        raise typer.Exit(process.interrupted()) from None
    output.say(f"{progress.summary()}. To see the verdicts: metastudio export {journal}")
    raise typer.Exit(progress.exit_code())
