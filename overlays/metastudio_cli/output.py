"""Where the command writes: results on stdout, errors and logs on stderr."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.text import Text

from metastudio import ConfigurationError, MetaStudioError

out = Console()
err = Console(stderr=True)


@contextmanager
def exit_codes() -> Iterator[None]:
    """End the command with the exit code of what is raised."""
    try:
        yield
    except ConfigurationError as error:
        complain(error)
        raise typer.Exit(2) from None
    except MetaStudioError as error:
        complain(error)
        raise typer.Exit(1) from None


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
