"""`metastudio wait`: a live table for people, or a JSON line per change for programs."""

import asyncio
from collections import Counter
from contextlib import nullcontext
from itertools import islice
from threading import Lock
from time import monotonic
from typing import Any

import attrs
from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from metastudio import AsyncMetaStudio, Outcome, ShortJob, ShortJobFailed, WaitTimeout
from metastudio.errors import printable

from . import output, render
from .results import Format, Results

SHOWN = 15  # rows of the live table: the jobs that changed last
_AROUND = 8  # lines that are not rows: the table's head, the summary, and a line below


@attrs.define
class Progress:
    """The progress of all jobs.

    rich renders it in another thread, hence the lock, and again after each printed line, hence the counters.
    """

    job_ids: list[str]
    timeout: float
    rate: float
    jobs: dict[str, ShortJob] = attrs.field(factory=dict)
    outcomes: dict[str, Outcome] = attrs.field(factory=dict)
    _states: Counter[str] = attrs.field(factory=Counter)
    _ends: Counter[str] = attrs.field(factory=Counter)
    _started: float = attrs.field(factory=monotonic)
    _lock: Lock = attrs.field(factory=Lock)

    @property
    def unfinished(self) -> list[str]:
        """The jobs without an outcome."""
        return [job_id for job_id in self.job_ids if job_id not in self.outcomes]

    def update(self, job: ShortJob) -> None:
        """Record a change of a job, and move the job to the end."""
        job_id = str(job.job_id)
        with self._lock:
            if job_id in self.jobs:
                self._states[_state(self.jobs.pop(job_id))] -= 1
            self._states[_state(job)] += 1
            self.jobs[job_id] = job

    def end(self, outcome: Outcome) -> None:
        """Record the outcome of a job."""
        self.outcomes[outcome.job_id] = outcome
        match outcome.error:
            case None | ShortJobFailed():
                self._ends["finished"] += 1
            case WaitTimeout():
                self._ends["timed out"] += 1
            case _:
                self._ends["got an error"] += 1

    def exit_code(self) -> int:
        """Return 0, or the code of the worst error: 1 for the service, 3 for a failed job, 4 for a timeout."""
        kinds = {type(outcome.error) for outcome in self.outcomes.values()} - {type(None)}
        if kinds - {ShortJobFailed, WaitTimeout}:
            return 1
        return 3 if ShortJobFailed in kinds else 4 if kinds else 0

    def __rich_console__(self, console: Console, _: ConsoleOptions) -> RenderResult:
        with self._lock:
            latest = list(islice(reversed(self.jobs.values()), max(1, min(SHOWN, console.height - _AROUND))))
            states = (+self._states).most_common()  # + drops states without a job
        left = max(0, self._started + self.timeout - monotonic())
        counts = ", ".join(f"{count} {state}" for state, count in states) or "no response yet"
        others = "".join(f", {self._ends[end]} {end}" for end in ("timed out", "got an error") if self._ends[end])
        yield render.overview(reversed(latest))
        yield Text(f"{self._ends['finished']} of {len(self.job_ids)} finished{others} ({printable(counts)})")
        yield Text(f"at most {self.rate:g} requests per second; {left:.0f} s left", no_wrap=True, overflow="ellipsis")


def _state(job: ShortJob) -> str:
    return str(job.state or "without a state")


def wait(progress: Progress, results: Results, states: dict[str, Any], **options: Any) -> None:
    """Wait for all jobs of `progress`, and show each change.

    The live table stays at the bottom of the screen: other output must use the same console to appear above it.
    Programs get a line for each change, and another one for each job that did not succeed.

    Raises:
        MetaStudioError: An error that would fail every job.
        KeyboardInterrupt: `progress` has the unfinished jobs.
    """
    is_live = results.form is Format.TABLE and not output.is_quiet and output.screen().is_terminal

    def on_update(job: ShortJob) -> None:
        progress.update(job)
        if results.form is Format.JSON:
            output.json_line(job.to_dict())

    def end(outcome: Outcome) -> None:
        progress.end(outcome)
        if outcome.error:
            output.complain(outcome.error, "" if outcome.job_id in str(outcome.error) else f"{outcome.job_id}: ")
        if results.form is Format.JSON and outcome.error:
            kind = type(outcome.error).__name__
            output.json_line({"job_id": outcome.job_id, "error": str(outcome.error), "kind": kind})
        if results.form is Format.CSV:
            job = outcome.job.to_dict() if outcome.job else {"job_id": outcome.job_id}
            results.add(job | ({"error": str(outcome.error)} if outcome.error else {}), "")

    async def main() -> None:
        async with AsyncMetaStudio(**options) as studio:
            outcomes = studio.short_jobs.wait_many(
                progress.job_ids, timeout=progress.timeout, rate=progress.rate, on_update=on_update, **states
            )
            async for outcome in outcomes:
                end(outcome)

    with output.live(progress) if is_live else nullcontext():
        asyncio.run(main())
    if results.form is Format.TABLE and not is_live:
        output.out.print(render.overview(progress.jobs.values()))
