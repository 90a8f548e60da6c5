"""`metastudio doctor`."""

from typing import Final

import attrs
import typer
from rich.text import Text

from metastudio_cli.check import Asked, Check
from metastudio_cli.checks import checks
from metastudio_cli.options import Shared

_STYLES: Final = {"ok": "green", "note": "yellow", "wrong": "bold red"}


def doctor(shared: Shared) -> None:
    """Check everything that a call needs, from the keys to the permission, and say what to do. It only reads.

    It stops at the first check that fails, since failed authentications lock a key. Exit codes: 0 all is well, 2 not.
    """
    failed = False
    asked = Asked(shared.region, shared.endpoint, shared.project_id, shared.credentials)
    with shared.results() as results:
        for check in checks(asked):
            failed = failed or check.verdict == "wrong"
            results.add(attrs.asdict(check), _shown(check))
    raise typer.Exit(2 if failed else 0)


def _shown(check: Check) -> Text:
    line = Text.assemble((f"{check.verdict:5}", _STYLES[check.verdict]), f"  {check.name:11}  {check.found}")
    return line.append(f"\n{'':20}{check.advice}", "dim") if check.advice else line
