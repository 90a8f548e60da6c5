"""The subcommands about who is asking: `doctor` and `whoami`."""

from typing import Final

import attrs
import httpx
import typer
from rich.text import Text

from huaweicloud_auth.projects import caller_identity
from metastudio import ConfigurationError, configuration

from . import doctor as doctors
from . import output, render
from .options import Endpoint, Json, Keys, Project, Region

_STYLES: Final = {"ok": "green", "note": "yellow", "wrong": "bold red"}


def doctor(
    region: Region = None,
    endpoint: Endpoint = None,
    project_id: Project = None,
    credentials: Keys = None,
    as_json: Json = False,
) -> None:
    """Check everything that a call needs, from the keys to the permission, and say what to do. It only reads.

    It stops at the first check that fails, since failed authentications lock a key. Exit codes: 0 all is well, 2 not.
    """
    failed, programs = False, output.is_for_programs(as_json)
    for check in doctors.checks(doctors.Asked(region, endpoint, project_id, credentials)):
        failed = failed or check.verdict == "wrong"
        if programs:
            output.json_line(attrs.asdict(check))
        else:
            _print(check)
    raise typer.Exit(2 if failed else 0)


def _print(check: doctors.Check) -> None:
    line = Text.assemble((f"{check.verdict:5}", _STYLES[check.verdict]), f"  {check.name:11}  {check.found}")
    output.out.print(line, soft_wrap=True)
    if check.advice:
        output.out.print(Text(f"{'':20}{check.advice}", "dim"), soft_wrap=True)


def whoami(region: Region = None, credentials: Keys = None, as_json: Json = False) -> None:
    """Show which account and user a key pair belongs to, as STS has it."""
    with output.exit_codes():
        place = configuration.find_place(credentials, None)
        _, found_region = configuration.find_endpoint(region, None, place)
        identity = configuration.find_identity(credentials, None, place)
        if isinstance(identity, httpx.Auth):
            raise ConfigurationError("STS tells who a key pair belongs to; this is a token")
        found = caller_identity(identity, found_region or "")
    if output.is_for_programs(as_json):
        output.json_line(found)
    else:
        output.out.print(render.fields(found))


COMMANDS: Final = (doctor, whoami)
