"""`metastudio sandbox`."""

import sys
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from metastudio_cli import output

if TYPE_CHECKING:
    from metastudio_sandbox import Sandbox


def sandbox(
    host: Annotated[str, typer.Option(help="Host name or address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the service; 0 picks a free one.")] = 0,
    storage_port: Annotated[int, typer.Option(min=0, max=65535, help="Port of its object storage.")] = 0,
) -> None:
    """Serve a sandbox of the service and print the environment variables to export.

    It runs until it is interrupted (Ctrl-C).
    """
    kind = sandbox_class()
    try:
        started = kind(host=host, port=port, storage_port=storage_port).start()
    except (OSError, UnicodeError) as error:  # UnicodeError: a name that cannot be encoded
        output.say(f"metastudio: cannot listen on {host}:{port}: {error}", "red")
        raise typer.Exit(2) from None
    try:
        _warn_unless_loopback(host)
        typer.echo("\n".join(f"export {name}='{value}'" for name, value in started.environment.items()))
        sys.stdout.flush()
        for job_id, job in started.jobs.items():
            output.say(f"{job_id}  {job['state']}")
        output.say("Serving these jobs until interrupted (Ctrl-C).")
        threading.Event().wait()
    except KeyboardInterrupt:
        started.stop()


def _warn_unless_loopback(host: str) -> None:
    from metastudio_sandbox.hosts import is_loopback  # noqa: PLC0415  # as below

    if not is_loopback(host):
        output.say(
            f"metastudio: warning: {host} is not loopback. The sandbox has no TLS, and it prints its keys: "
            "anyone who reaches the port can use it. Serve it only in a network that you trust.",
            "yellow",
        )


def sandbox_class() -> "type[Sandbox]":
    """Return the sandbox class; if its extra is missing, print how to install it and exit."""
    try:
        from metastudio_sandbox import Sandbox  # noqa: PLC0415  # its dependencies may not be installed
    except ModuleNotFoundError as error:
        output.say(f"metastudio: {error}", "red")
        raise typer.Exit(2) from None
    return Sandbox
