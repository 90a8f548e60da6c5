"""`metastudio doctor`."""

from typing import Final

import attrs
import typer
from rich.text import Text

from metastudio_cli.check import Check, Settings
from metastudio_cli.checks import checks
from metastudio_cli.options import Shared

_STYLES: Final = {"ok": "green", "note": "yellow", "wrong": "bold red"}


def doctor(shared: Shared) -> None:
    """Check the configuration, from the key pair to the permission, and suggest fixes.

    The checks are read-only. They stop at the first failure, since failed authentications lock a key.

    Exit codes: 0 no problem found, 2 a check failed.
    """
    failed = False
    settings = Settings(shared.region, shared.endpoint, shared.project_id, shared.credentials)
    with shared.results() as results:
        for check in checks(settings):
            failed = failed or check.verdict == "wrong"
            results.add(attrs.asdict(check), _shown(check))
    raise typer.Exit(2 if failed else 0)


def _shown(check: Check) -> Text:
    line = Text.assemble((f"{check.verdict:5}", _STYLES[check.verdict]), f"  {check.name:11}  {check.found}")
    return line.append(f"\n{'':20}{check.advice}", "dim") if check.advice else line
