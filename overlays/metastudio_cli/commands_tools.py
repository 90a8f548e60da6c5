"""The subcommands for trying things out: `sign`, `sandbox` and `demo`."""

import signal
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Final

import typer

from huaweicloud_auth import request as signed_request
from huaweicloud_auth import sources
from metastudio import ConfigurationError, Credentials, MetaStudio

from . import output, render, sign_report
from .assessing import Assessment
from .options import Project

if TYPE_CHECKING:
    from metastudio_sandbox import Sandbox

SNIPPET: Final = """\
from metastudio import MetaStudio, metrics
with MetaStudio() as studio:  # keys, project and region come from the environment
    job = studio.short_jobs.assess("recording.wav", timeout=600)
for name, metric in metrics(job).items():
    print(name, metric.actual, metric.suggestion_en)"""


def sign(
    url: Annotated[str, typer.Argument(metavar="URL", help="The URL, percent-encoded as it is to be sent.")],
    method: Annotated[str, typer.Option("--request", "-X", help="The HTTP method.")] = "GET",
    header: Annotated[list[str] | None, typer.Option("--header", "-H", metavar="NAME:VALUE")] = None,
    data: Annotated[str, typer.Option("--data", "-d", help="The body.")] = "",
    project_id: Project = None,
    refusal: Annotated[str, typer.Option(help="The text of a refusal: show where its canonical request differs.")] = "",
) -> None:
    """Print how a request is signed, and a curl command that sends it: to find out why a signature is refused."""
    with output.exit_codes():
        request = sign_report.request(method, url, header or [], data)
        project = project_id or sources.find_project_id()
        if not isinstance(credentials := sources.find_credentials(), Credentials):
            raise ConfigurationError("only a key pair signs")
        canonical = signed_request.sign(request, credentials, project, datetime.now(UTC))
    typer.echo(sign_report.report(request, canonical, refusal))


def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of 127.0.0.1; 0 takes a free one.")] = 0,
) -> None:
    """Serve a sandbox of the service on this machine until interrupted, and print the environment to export."""
    sandbox_class = _sandbox_class()
    try:
        started = sandbox_class(port=port).start()
    except OSError as error:
        output.say(f"metastudio: cannot listen on 127.0.0.1:{port}: {error}", "red")
        raise typer.Exit(2) from None
    typer.echo("\n".join(f"export {name}='{value}'" for name, value in started.environment.items()))
    sys.stdout.flush()
    for job_id, job in started.jobs.items():
        output.say(f"{job_id}  {job['state']}")
    output.say("Serving these jobs until interrupted (Ctrl-C).")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        started.stop()


def demo() -> None:
    """Assess a recording of 20 s against the sandbox, and show the verdict and what went over the wire."""
    with _sandbox_class()() as service, output.exit_codes():
        _assess_against(service)
        output.out.print("\nThe five lines of Python that do the same:\n", style="bold")
        output.out.print(SNIPPET, markup=False, soft_wrap=True)
        output.out.print("\nThe request that created the job:\n", style="bold")
        signed = [each for each in service.exchanges if f"/{service.project_id}/" in each.target]  # no upload
        output.out.print(render.exchange(next(each for each in signed if each.method == "POST")))
        verified = sum(each.status < 300 and each.canonical_request is not None for each in signed)
        said = f"{verified} of {len(signed)} requests were signed, sent to {service.url} and verified."
        output.out.print(said, soft_wrap=True)


def _assess_against(service: "Sandbox") -> None:
    from metastudio_sandbox import recordings  # noqa: PLC0415  # as below

    shown = Assessment(output.out, as_json=False)
    studio = MetaStudio(endpoint=service.url, project_id=service.project_id, credentials=service.credentials)
    with TemporaryDirectory() as folder, studio, shown:
        recording = Path(folder) / "recording.wav"
        recording.write_bytes(recordings.wav(seconds=20))
        output.out.print(
            f"Assessing {recording.name} (20 s) with a sandbox of the service at {service.url}\n", soft_wrap=True
        )
        shown.verdict(
            studio.short_jobs.assess(recording, timeout=60, on_update=shown.update, on_progress=shown.progress)
        )


def _sandbox_class() -> "type[Sandbox]":
    try:
        from metastudio_sandbox import Sandbox  # noqa: PLC0415  # what it needs may not be installed
    except ModuleNotFoundError as error:
        output.say(f"metastudio: {error}", "red")
        raise typer.Exit(2) from None
    return Sandbox


COMMANDS: Final = (sign, sandbox, demo)
