"""`metastudio sign`."""

from datetime import UTC, datetime
from typing import Annotated

import httpx
import typer

from huaweicloud_auth import request as signed_request
from metastudio import ConfigurationError, Credentials, configuration
from metastudio_cli import output, sign_report
from metastudio_cli.options import Shared


def sign(
    shared: Shared,
    url: Annotated[str, typer.Argument(metavar="URL", help="The URL, percent-encoded exactly as it is sent.")],
    method: Annotated[str, typer.Option("--request", "-X", help="The HTTP method.")] = "GET",
    header: Annotated[list[str] | None, typer.Option("--header", "-H", metavar="NAME:VALUE")] = None,
    data: Annotated[str, typer.Option("--data", "-d", help="The body.")] = "",
    refusal: Annotated[
        str, typer.Option(help="Error message of a rejected request: show where its canonical request differs.")
    ] = "",
) -> None:
    """Show how a request is signed, and a curl command that sends it, to debug a rejected signature."""
    with output.exit_codes():
        request = sign_report.request(method, url, header or [], data)
        place = configuration.find_place(shared.credentials, None)
        key, used = configuration.find_identity(shared.credentials, None, place)
        key = key() if callable(key) and not isinstance(key, httpx.Auth) else key
        if not isinstance(key, Credentials):
            raise ConfigurationError("signing needs a key pair, but the credentials are a token: set a key pair")
        project = configuration.find_project_id(shared.project_id, place, used)
        canonical = signed_request.sign(request, key, project, datetime.now(UTC))
    typer.echo(sign_report.report(request, canonical, refusal))
