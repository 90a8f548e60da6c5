"""Parsing of arguments: durations, shards and lists from files; and completion of paths."""

import glob
import os
import re
import sys
from pathlib import Path
from typing import Final

import typer

_UNITS: Final = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_DURATION: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd]?)")


def files(incomplete: str) -> list[str]:
    """Complete a path. It is a string, since `Path("")` would mean the current folder."""
    found = glob.glob(glob.escape(incomplete) + "*")  # noqa: PTH207  # it keeps a prefix such as ./
    return [path + "/" * os.path.isdir(path) for path in sorted(found)]  # noqa: PTH112  # as above


def duration(text: str) -> float:
    """Return the seconds of a duration such as 90, 90s, 10m or 2h."""
    found = _DURATION.fullmatch(text)
    if found is None or not float(found[1]):
        raise typer.BadParameter("a duration must look like 90, 90s, 10m, 2h or 1d")
    return float(found[1]) * _UNITS[found[2]]


def expanded(values: list[str]) -> list[str]:
    """Return arguments with `-` replaced by the lines of standard input, and `@FILE` by the lines of a file."""
    return [each for value in values for each in _lines(value)]


def _lines(value: str) -> list[str]:
    try:
        if value == "-":
            text = sys.stdin.read()
        elif value.startswith("@"):
            text = Path(value[1:]).read_text("utf-8-sig")
        else:
            return [value]
    except (OSError, UnicodeDecodeError) as error:
        raise typer.BadParameter(f"cannot read {value}: {getattr(error, 'strerror', None) or 'not UTF-8'}") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


def sharding(shard: str | None) -> tuple[int, int]:
    """Parse `K/N` and return both numbers; without a shard, 1 and 1."""
    if shard is None:
        return 1, 1
    numbers = re.fullmatch("([0-9]{1,6})/([0-9]{1,6})", shard)
    number, of = map(int, numbers.groups()) if numbers else (0, 0)
    if not 1 <= number <= of:
        raise typer.BadParameter("--shard must look like 1/4: the first of four parts")
    return number, of
