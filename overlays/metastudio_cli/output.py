"""The output of the command: results on stdout, errors and logs on stderr."""

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

#: The library's argument names in error messages, which are replaced by the command's options.
_OPTION: Final = re.compile(
    r"\b(region|endpoint|project_id|credentials|app_user_id|language|rate)(=…|(?= must be| or endpoint|, not both))"
)
_WORDS: Final = {
    "METASTUDIO_CREDENTIALS, or credentials as a string, must be": "--credentials, or METASTUDIO_CREDENTIALS, must be",
    "job_id must be": "JOB_ID must be",
}


class _Console(Console):
    """A console that is a terminal only if its stream is one, whatever FORCE_COLOR and similar variables say."""

    @property
    def is_terminal(self) -> bool:
        """Whether the stream is a terminal."""
        return bool(getattr(self.file, "isatty", lambda: False)())


def _console(*, stderr: bool = False) -> Console:
    forced = os.environ.get("FORCE_COLOR") and not os.environ.get("NO_COLOR")
    return _Console(stderr=stderr, color_system="standard" if forced else "auto", highlight=False)


out = _console()
err = _console(stderr=True)
is_quiet = False


def set_up(*, quiet: bool, no_color: bool, verbose: bool) -> None:
    """Apply the options for all output."""
    global is_quiet  # noqa: PLW0603  # one process, one command
    is_quiet = quiet
    out.no_color = err.no_color = no_color or out.no_color
    if verbose:
        logging.basicConfig(format="%(asctime)s %(message)s", handlers=[Log()], force=True)
        for name in ("metastudio", "huaweicloud_auth"):
            logging.getLogger(name).setLevel(logging.DEBUG)


@contextmanager
def exit_codes() -> Iterator[None]:
    """Print an error that is raised, and exit with its code."""
    try:
        yield
    except MetaStudioError as error:
        complain(error)
        raise typer.Exit(exit_code(error)) from None


def exit_code(error: MetaStudioError) -> int:
    """Return the exit code of an error; a recording that changed during its upload counts as unusable."""
    if isinstance(error, ConfigurationError | JournalError) or isinstance(error.__cause__, ConfigurationError):
        return 2
    return 3 if isinstance(error, ShortJobFailed) else 4 if isinstance(error, WaitTimeout) else 1


def screen() -> Console:
    """Return the console for live views: stderr, so that other output appears above them, or else stdout."""
    return err if err.is_terminal else out


@contextmanager
def live(view: RenderableType) -> Iterator[None]:
    """Show a view and redraw it as it changes; restore the cursor even if starting it is interrupted."""
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
    """Print an error on stderr: what happened, and if there is a hint, what to do on a second line."""
    hint = error.hint if isinstance(error, APIStatusError) else None
    what = str(error).removesuffix(f" - {hint}")
    err.print(Text(_worded(f"metastudio: {about}{what}"), "red"), soft_wrap=True)
    if hint:
        err.print(Text(_worded(f"  {hint}")), soft_wrap=True)


def wrong_usage(message: str, command: str) -> None:
    """Print what is wrong with the arguments, and the help command."""
    err.print(Text(f"metastudio: {printable(message)}", "red"), soft_wrap=True)
    err.print(Text(f"  See {command} --help"), soft_wrap=True)


def _worded(text: str) -> str:
    """Return a message of the library with the command's option names."""
    for theirs, ours in _WORDS.items():
        text = text.replace(theirs, ours)
    return _OPTION.sub(lambda match: "--" + match[1].replace("_", "-"), text)


def say(line: str, style: str = "") -> None:
    """Print a line on stderr, without markup or wrapping; do nothing if the command is quiet."""
    if not is_quiet:
        err.print(Text(line, style), soft_wrap=True)


class Log(logging.Handler):
    """A handler that logs through the console: a plain stream would write into the live view."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        err.print(Text(printable(self.format(record), 2000)), soft_wrap=True)
