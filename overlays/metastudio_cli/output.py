"""Where the command writes: results on stdout, errors and logs on stderr."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

import typer
from rich.console import Console
from rich.text import Text

from metastudio import ConfigurationError, MetaStudioError, ShortJobFailed, WaitTimeout
from metastudio_batch import JournalError

out = Console()
err = Console(stderr=True)


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


def is_for_programs(as_json: bool) -> bool:
    """Tell whether stdout gets JSON: it was asked for, or nobody looks."""
    return as_json or not out.is_terminal


def screen() -> Console:
    """Return where people see what changes: stderr, so that all the rest is printed above it; else stdout."""
    return err if err.is_terminal else out


def json_line(data: dict[str, Any]) -> None:
    """Print one JSON line on stdout."""
    typer.echo(json.dumps(data))


@contextmanager
def utf8(bom: bool) -> Iterator[IO[str]]:
    """Return standard output for a file: UTF-8 whatever the locale, line ends as they are written."""
    stdout = io.TextIOWrapper(sys.stdout.buffer, "utf-8-sig" if bom else "utf-8", "replace", newline="")
    try:
        yield stdout
    finally:
        stdout.flush()
        stdout.detach()


def complain(error: MetaStudioError, about: str = "") -> None:
    """Print an error on stderr."""
    say(f"metastudio: {about}{error}", "red")


def say(line: str, style: str = "") -> None:
    """Print a line on stderr as it is: nothing in it is markup or an emoji's name, and it is not wrapped."""
    err.print(Text(line, style), soft_wrap=True)


class Log(logging.Handler):
    """Through the console, which knows of the live table; a stream would write into it."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        say(self.format(record))
