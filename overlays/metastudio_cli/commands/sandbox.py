"""`metastudio sandbox`."""

import sys
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from metastudio_cli import output

if TYPE_CHECKING:
    from metastudio_sandbox import Sandbox


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 picks a free one.")] = 0,
) -> None:
    """Serve a sandbox of the service on this machine and print the environment variables to export.

    It runs until it is interrupted (Ctrl-C).
    """
    kind = sandbox_class()
    try:
        started = kind(port=port).start()
    except OSError as error:
        output.say(f"metastudio: cannot listen on 127.0.0.1:{port}: {error}", "red")
        raise typer.Exit(2) from None
    typer.echo("\n".join(f"export {name}='{value}'" for name, value in started.environment.items()))
    sys.stdout.flush()
    for job_id, job in started.jobs.items():
        output.say(f"{job_id}  {job['state']}")
    output.say("Serving these jobs until interrupted (Ctrl-C).")
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        started.stop()


def sandbox_class() -> "type[Sandbox]":
    """Return the sandbox class; if its extra is missing, print how to install it and exit."""
    try:
        from metastudio_sandbox import Sandbox  # noqa: PLC0415  # its dependencies may not be installed
    except ModuleNotFoundError as error:
        output.say(f"metastudio: {error}", "red")
        raise typer.Exit(2) from None
    return Sandbox
