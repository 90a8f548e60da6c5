"""The subcommands.

Exit codes: 0 done, 1 the service said no or did not answer, 2 wrong use or configuration, 3 a job failed, 4 timed out,
130 interrupted.
"""

import json
import logging
import signal
import sys
import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from huaweicloud_auth import request as signed_request
from huaweicloud_auth import sources
from metastudio import (
    AuthenticationError,
    ConfigurationError,
    MetaStudio,
    MetaStudioError,
    PermissionDeniedError,
    __version__,
)

from . import output, render, sign_report, waiting

if TYPE_CHECKING:
    from metastudio_sandbox import Sandbox

app = typer.Typer(
    help="Query Huawei Cloud MetaStudio's short jobs. Keys come from the environment: HUAWEICLOUD_SDK_AK, "
    "HUAWEICLOUD_SDK_SK, HUAWEICLOUD_SDK_PROJECT_ID, METASTUDIO_REGION.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks show locals
    context_settings={"help_option_names": ["-h", "--help"]},
)
Region = Annotated[str | None, typer.Option(help="Region; or METASTUDIO_REGION.")]
Endpoint = Annotated[str | None, typer.Option(help="Endpoint instead of a region; or METASTUDIO_ENDPOINT.")]
ProjectId = Annotated[str | None, typer.Option(help="Project ID; or HUAWEICLOUD_SDK_PROJECT_ID.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object a line, as when the output is not a terminal.")]


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is sent and answered.")] = False,
) -> None:
    if verbose:
        logging.basicConfig(format="%(asctime)s %(message)s", handlers=[output.Log()])
        for name in ("metastudio", "huaweicloud_auth"):
            logging.getLogger(name).setLevel(logging.DEBUG)
    if version:
        typer.echo(f"metastudio {__version__}")
        raise typer.Exit


@app.command()
def show(
    job_ids: Annotated[list[str], typer.Argument(metavar="JOB_ID...", help="Short jobs to show.")],
    region: Region = None,
    endpoint: Endpoint = None,
    project_id: ProjectId = None,
    as_json: AsJson = False,
) -> None:
    """Show the details of short jobs. One that cannot be shown does not keep the others from being shown."""
    failed = False
    with output.exit_codes(), MetaStudio(region=region, endpoint=endpoint, project_id=project_id) as studio:
        for job_id in job_ids:
            try:
                job = studio.short_jobs.show(job_id)
            except (ConfigurationError, AuthenticationError, PermissionDeniedError):
                raise  # the next one would fare no better, and failed authentications lock a key
            except MetaStudioError as error:
                output.complain(error, f"{job_id}: ")
                failed = True
            else:
                if as_json or not output.out.is_terminal:
                    typer.echo(json.dumps(job.to_dict()))
                else:
                    output.out.print(render.short_job(job))
    if failed:
        raise typer.Exit(1)


@app.command()
def wait(
    job_ids: Annotated[list[str], typer.Argument(metavar="JOB_ID...", help="Short jobs to wait for.")],
    timeout: Annotated[float, typer.Option(help="Seconds for all of them.")] = 600.0,
    rate: Annotated[float, typer.Option(help="Requests a second, for all of them together.")] = 10.0,
    region: Region = None,
    endpoint: Endpoint = None,
    project_id: ProjectId = None,
    as_json: AsJson = False,
) -> None:
    """Wait until short jobs are finished: a live table, or a JSON line for each change.

    Exit codes: 3 if a job failed, 4 if the time ran out, 130 if interrupted.
    """
    progress = waiting.Progress(list(dict.fromkeys(job_ids)), timeout, rate)
    options = {"region": region, "endpoint": endpoint, "project_id": project_id}
    try:
        with output.exit_codes():
            screen = output.err if output.err.is_terminal else output.out
            waiting.wait(progress, as_json or not output.out.is_terminal, screen, output.complain, **options)
    except KeyboardInterrupt:
        output.say(" ".join(("metastudio: interrupted; unfinished:", *progress.unfinished)))
        raise typer.Exit(130) from None
    raise typer.Exit(progress.exit_code())


@app.command()
def sign(
    url: Annotated[str, typer.Argument(help="The URL, percent-encoded as it is to be sent.")],
    method: Annotated[str, typer.Option("--request", "-X", help="The HTTP method.")] = "GET",
    header: Annotated[list[str] | None, typer.Option("--header", "-H", metavar="NAME:VALUE")] = None,
    data: Annotated[str, typer.Option("--data", "-d", help="The body.")] = "",
    project_id: ProjectId = None,
    refusal: Annotated[str, typer.Option(help="The text of a refusal: show where its canonical request differs.")] = "",
) -> None:
    """Print how a request is signed, and a curl command that sends it: to find out why a signature is refused."""
    with output.exit_codes():
        request = sign_report.request(method, url, header or [], data)
        project = project_id or sources.find_project_id()
        canonical = signed_request.sign(request, sources.find_credentials(), project, datetime.now(UTC))
    typer.echo(sign_report.report(request, canonical, refusal))


@app.command()
def sandbox(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of 127.0.0.1; 0 takes a free one.")] = 0,
) -> None:
    """Serve a stand-in of the service on this machine until interrupted, and print the environment to export."""
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


@app.command()
def demo() -> None:
    """Query a job in each state from the sandbox, and show what went over the wire."""
    with _sandbox_class()() as service:
        studio = MetaStudio(endpoint=service.url, project_id=service.project_id, credentials=service.credentials)
        with output.exit_codes(), studio:
            jobs = [studio.short_jobs.show(job_id) for job_id in service.jobs]
        output.out.print(render.overview(jobs))
        output.out.print(render.short_job(next(job for job in jobs if job.assess_result)))
        output.out.print(render.exchange(service.exchanges[0]))
        verified = sum(exchange.status == 200 for exchange in service.exchanges)
        output.out.print(f"{verified} of {len(jobs)} requests were signed, sent to {service.url} and verified.")


def _sandbox_class() -> "type[Sandbox]":
    try:
        from metastudio_sandbox import Sandbox  # noqa: PLC0415  # what it needs may not be installed
    except ModuleNotFoundError as error:
        output.say(f"metastudio: {error}", "red")
        raise typer.Exit(2) from None
    return Sandbox
