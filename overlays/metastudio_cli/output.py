"""Where the command writes: results on stdout, errors and logs on stderr."""

import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import typer
from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from metastudio import APIStatusError, ConfigurationError, MetaStudioError, ShortJobFailed, WaitTimeout
from metastudio.errors import printable
from metastudio_batch import JournalError

#: How the library calls what is an option here.
_OPTION: Final = re.compile(
    r"\b(region|endpoint|project_id|credentials|app_user_id|language|rate)(=…|(?= must be| or endpoint|, not both))"
)
_WORDS: Final = {
    "METASTUDIO_CREDENTIALS, or credentials as a string, must be": "--credentials, or METASTUDIO_CREDENTIALS, must be",
    "job_id must be": "JOB_ID must be",
}


class _Console(Console):
    """Is a terminal where its stream is one, whatever the environment says of colours."""

    @property
    def is_terminal(self) -> bool:
        """Tell whether somebody looks at it."""
        return bool(getattr(self.file, "isatty", lambda: False)())


def _console(*, stderr: bool = False) -> Console:
    forced = os.environ.get("FORCE_COLOR") and not os.environ.get("NO_COLOR")
    return _Console(stderr=stderr, color_system="standard" if forced else "auto", highlight=False)


out = _console()
err = _console(stderr=True)
is_quiet = False


def set_up(*, quiet: bool, no_color: bool, verbose: bool) -> None:
    """Take the options that concern all output."""
    global is_quiet  # noqa: PLW0603  # one process, one command
    is_quiet = quiet
    out.no_color = err.no_color = no_color or out.no_color
    if verbose:
        logging.basicConfig(format="%(asctime)s %(message)s", handlers=[Log()], force=True)
        for name in ("metastudio", "huaweicloud_auth"):
            logging.getLogger(name).setLevel(logging.DEBUG)


@contextmanager
def exit_codes() -> Iterator[None]:
    """End the command with the exit code of what is raised."""
    try:
        yield
    except MetaStudioError as error:
        complain(error)
        raise typer.Exit(exit_code(error)) from None


def exit_code(error: MetaStudioError) -> int:
    """Return the exit code of an error; a recording that changed during its upload is one that cannot be used."""
    if isinstance(error, ConfigurationError | JournalError) or isinstance(error.__cause__, ConfigurationError):
        return 2
    return 3 if isinstance(error, ShortJobFailed) else 4 if isinstance(error, WaitTimeout) else 1


def screen() -> Console:
    """Return where people see what changes: stderr, so that all the rest is printed above it; else stdout."""
    return err if err.is_terminal else out


@contextmanager
def live(view: RenderableType) -> Iterator[None]:
    """Show a view on the screen, drawn anew as it changes; the cursor is shown again even if its start is cut short."""
    drawn = Live(view, console=screen())
    try:
        drawn.start(refresh=True)
        yield
    finally:
        drawn.stop()


def json_line(data: dict[str, Any]) -> None:
    """Print one JSON line on stdout."""
    typer.echo(json.dumps(data))


def complain(error: MetaStudioError, about: str = "") -> None:
    """Print an error on stderr: what happened, and on a second line what to do."""
    hint = error.hint if isinstance(error, APIStatusError) else None
    what = str(error).removesuffix(f" - {hint}")
    err.print(Text(_worded(f"metastudio: {about}{what}"), "red"), soft_wrap=True)
    if hint:
        err.print(Text(_worded(f"  {hint}")), soft_wrap=True)


def wrong_use(message: str, command: str) -> None:
    """Print what is wrong with the arguments, and where to look."""
    err.print(Text(f"metastudio: {printable(message)}", "red"), soft_wrap=True)
    err.print(Text(f"  See {command} --help"), soft_wrap=True)


def _worded(text: str) -> str:
    """Return a message of the library in the words of the command."""
    for theirs, ours in _WORDS.items():
        text = text.replace(theirs, ours)
    return _OPTION.sub(lambda match: "--" + match[1].replace("_", "-"), text)


def say(line: str, style: str = "") -> None:
    """Print a line on stderr as it is, unless it is to be quiet: nothing in it is markup, and it is not wrapped."""
    if not is_quiet:
        err.print(Text(line, style), soft_wrap=True)


class Log(logging.Handler):
    """Through the console, which knows of the live table; a stream would write into it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        err.print(Text(printable(self.format(record), 2000)), soft_wrap=True)
