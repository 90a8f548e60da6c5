"""The command and its subcommands.

Exit codes: 0 done, 1 the service rejected a request or did not respond, 2 wrong use or configuration, 3 a job failed,
4 timed out, 130 interrupted.
"""

import logging
from typing import Annotated

import typer

from metastudio import __version__

from . import commands_identity, commands_jobs, commands_journey, commands_tools, output

app = typer.Typer(
    help="Assess recordings with Huawei Cloud MetaStudio's short jobs. Keys come from the environment: "
    "HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK, HUAWEICLOUD_SDK_PROJECT_ID, METASTUDIO_REGION.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks show locals
    context_settings={"help_option_names": ["-h", "--help"]},
)


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


for _module in (commands_journey, commands_jobs, commands_identity, commands_tools):
    for _command in _module.COMMANDS:
        app.command()(_command)
