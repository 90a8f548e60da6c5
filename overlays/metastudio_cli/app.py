"""The command and its subcommands.

Exit codes: 0 success, 1 the service rejected a request or did not respond, 2 wrong usage or configuration, 3 a job
failed, 4 timed out, 130 interrupted, 143 terminated.
"""

import sys
from collections.abc import Callable
from typing import Any, Final

import typer
from typer.core import TyperCommand

from . import output, process
from .commands.assess import assess
from .commands.commit import commit
from .commands.create import create
from .commands.demo import demo
from .commands.doctor import doctor
from .commands.export import export
from .commands.limits import limits
from .commands.report import report
from .commands.sandbox import sandbox
from .commands.show import show
from .commands.sign import sign
from .commands.upload import upload
from .commands.wait import wait
from .commands.whoami import whoami
from .options import Verbose, Version, with_shared

app = typer.Typer(
    help="Assess recordings with Huawei Cloud MetaStudio's short jobs. The key pair and the region come from the "
    "environment: HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK, METASTUDIO_REGION. `metastudio doctor` checks them.",
    pretty_exceptions_enable=False,  # they would print local variables
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(invoke_without_command=True)
def _root(context: typer.Context, version: Version = False, verbose: Verbose = False) -> None:  # noqa: ARG001  # as in options
    output.set_up(quiet=False, no_color=False, verbose=verbose)
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit


class _Command(TyperCommand):
    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the arguments, then `[OPTIONS]`. The context is click's, which newer typer versions bundle."""
        return [*(_usage(each) for each in self.get_params(ctx) if each.param_type_name == "argument"), "[OPTIONS]"]


def _usage(argument: Any) -> str:
    name = str(argument.metavar or argument.name)
    return (name if argument.required else f"[{name}]") + ("..." if argument.nargs == -1 else "")


_CONNECTING: Final[list[Callable[..., None]]] = [
    assess,
    show,
    wait,
    create,
    upload,
    commit,
    limits,
    doctor,
    whoami,
    sign,
]
_OTHERS: Final[list[Callable[..., None]]] = [export, report, sandbox, demo]

for _command in (*(with_shared(each) for each in _CONNECTING), *_OTHERS):
    app.command(cls=_Command)(_command)


def run() -> None:
    """Run the command; print two lines on stderr for wrong usage, and one for an interruption."""
    with process.prepared():
        try:
            sys.exit(app(standalone_mode=False))
        except Exception as error:  # click's exceptions; newer typer versions bundle them under private names
            if isinstance(error, RuntimeError) and type(error).__name__ == "Abort":
                output.say("metastudio: interrupted")
                sys.exit(process.interrupted())
            if not hasattr(error, "format_message"):
                raise
            context = getattr(error, "ctx", None)
            output.wrong_usage(error.format_message(), context.command_path if context else "metastudio")
            sys.exit(2)
