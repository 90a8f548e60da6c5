"""`metastudio wait`."""

from typing import Annotated, Final

import typer

from metastudio.polling import FAILURE_STATES, SUCCESS_STATES
from metastudio_cli import output, process, waiting
from metastudio_cli.arguments import expanded
from metastudio_cli.options import JobIds, Shared, States

_NAMED: Final = 10  # how many unfinished jobs are listed; the rest is only counted


def wait(
    job_ids: JobIds,
    shared: Shared,
    rate: Annotated[float, typer.Option(help="Requests per second, for all jobs together.")] = 10.0,
    success: States = None,
    failure: States = None,
) -> None:
    """Wait until short jobs have ended, and show each change.

    A terminal shows a live table; programs get a JSON line for each change and each error.
    --success and --failure replace the default states in which a job has succeeded or failed; both can be repeated.
    --timeout limits the wait for all jobs together; default: 10 minutes.

    Exit codes: 3 failed job, 4 timeout, 130 interrupted.
    """
    ids = list(dict.fromkeys(expanded(job_ids)))
    progress = waiting.Progress(ids, shared.timeout or 600.0, rate)
    states = {"success": success or SUCCESS_STATES, "failure": failure or FAILURE_STATES}
    try:
        with output.exit_codes(), shared.results() as results:
            waiting.wait(progress, results, states, **shared.client)
    except KeyboardInterrupt:
        output.err.print(_interrupted(progress.unfinished), markup=False, soft_wrap=True)
        raise typer.Exit(process.interrupted()) from None
    raise typer.Exit(progress.exit_code())


def _interrupted(unfinished: list[str]) -> str:
    more = f" and {len(unfinished) - _NAMED} more" if len(unfinished) > _NAMED else ""
    named = " ".join(unfinished[:_NAMED])
    return f"metastudio: interrupted; unfinished: {named}{more}. To continue, run the same command again"
