"""Results on standard output: tables for people, JSON lines or CSV for programs."""

import csv
import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import IO, Any, Final, Self

import typer
from rich.console import RenderableType
from rich.text import Text

from . import output

#: Characters that would move the cursor, change colours or reverse the direction of text.
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x0c\x0e-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


class Format(StrEnum):
    """The format of results."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def default_format() -> Format:
    """Return the default format: a table on a terminal, JSON otherwise."""
    return Format.TABLE if output.out.is_terminal else Format.JSON


class Results:
    """Writes results in a format. CSV is written at the end, when all columns are known."""

    def __init__(self, form: Format) -> None:
        self.form, self._rows = form, list[dict[str, Any]]()

    def add(self, data: dict[str, Any], shown: RenderableType) -> None:
        """Write a result: `data` for programs, `shown` for people."""
        if self.form is Format.JSON:
            output.json_line(data)
        elif self.form is Format.CSV:
            self._rows.append(dict(_flat(data)))
        else:
            output.out.print(shown, soft_wrap=isinstance(shown, Text))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._rows:
            text = io.StringIO()
            writer = csv.DictWriter(
                text, dict.fromkeys(name for row in self._rows for name in row), lineterminator="\n"
            )
            writer.writeheader()
            writer.writerows(self._rows)
            typer.echo(_shown(text.getvalue()), nl=False)


def _flat(data: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in data.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _shown(text: str) -> str:
    """Replace control characters on a terminal; leave text for a file or a pipe unchanged."""
    return _CONTROLS.sub("\ufffd", text) if output.out.is_terminal else text


class _Stdout(io.TextIOWrapper):
    def write(self, text: str) -> int:
        return super().write(_shown(text))


@contextmanager
def utf8(bom: bool) -> Iterator[IO[str]]:
    """Yield standard output as UTF-8, regardless of the locale, and without translating line endings."""
    stdout = _Stdout(sys.stdout.buffer, "utf-8-sig" if bom else "utf-8", "replace", newline="")
    try:
        yield stdout
    finally:
        stdout.flush()
        stdout.detach()
