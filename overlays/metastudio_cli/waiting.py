"""`metastudio wait`: a live table for people, a JSON line for each change for programs."""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from time import monotonic
from typing import Any

import attrs
import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from metastudio import AsyncMetaStudio, MetaStudioError, Outcome, ShortJob, ShortJobFailed, WaitTimeout
from metastudio.errors import printable

from . import render

SHOWN = 15  # rows of the live table: those that changed last


@attrs.define
class Progress:
    """What is known of the jobs that are waited for."""

    job_ids: list[str]
    timeout: float
    rate: float
    jobs: dict[str, ShortJob] = attrs.field(factory=dict)
    outcomes: dict[str, Outcome] = attrs.field(factory=dict)
    _started: float = attrs.field(factory=monotonic)

    @property
    def unfinished(self) -> list[str]:
        """The jobs of which it is not known what became."""
        return [job_id for job_id in self.job_ids if job_id not in self.outcomes]

    def update(self, job: ShortJob) -> None:
        """Take a change; the last one goes to the end."""
        job_id = str(job.job_id)
        self.jobs.pop(job_id, None)
        self.jobs[job_id] = job

    def exit_code(self) -> int:
        """Return 0, or what went wrong: 1 for an error of the service, 3 for a failed job, 4 for the time."""
        kinds = {type(outcome.error) for outcome in self.outcomes.values()} - {type(None)}
        if kinds - {ShortJobFailed, WaitTimeout}:
            return 1
        return 3 if ShortJobFailed in kinds else 4 if kinds else 0

    def __rich__(self) -> RenderableType:
        left = max(0, self._started + self.timeout - monotonic())
        states = Counter(str(job.state) for job in self.jobs.values())
        counts = ", ".join(f"{count} {state}" for state, count in states.most_common()) or "no answer yet"
        return Group(
            render.overview(list(self.jobs.values())[-SHOWN:]),
            Text(
                f"{len(self.outcomes)} of {len(self.job_ids)} finished ({printable(counts)}); "
                f"at most {self.rate:g} requests a second; {left:.0f} s left"
            ),
        )


def wait(
    progress: Progress, as_json: bool, out: Console, complain: Callable[[MetaStudioError, str], None], **options: Any
) -> None:
    """Wait for all jobs of `progress`, and show each change.

    Raises:
        MetaStudioError: A refusal that concerns all of them.
        KeyboardInterrupt: `progress` has what is unfinished.
    """

    def on_update(job: ShortJob) -> None:
        progress.update(job)
        if as_json:
            typer.echo(json.dumps(job.to_dict()))

    async def main() -> None:
        async with AsyncMetaStudio(**options) as studio:
            outcomes = studio.short_jobs.wait_many(
                progress.job_ids, timeout=progress.timeout, rate=progress.rate, on_update=on_update
            )
            async for outcome in outcomes:
                progress.outcomes[outcome.job_id] = outcome
                if outcome.error:
                    complain(outcome.error, f"{outcome.job_id}: ")

    if as_json:
        asyncio.run(main())
    else:
        with Live(progress, console=out):
            asyncio.run(main())
