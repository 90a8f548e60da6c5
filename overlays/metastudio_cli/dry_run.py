"""`metastudio assess --dry-run`: check recordings and estimate the time without sending a request."""

from collections.abc import Iterable
from typing import Any

from metastudio import ConfigurationError, RecordingError
from metastudio.recordings import check
from metastudio_batch import Found

from . import output, render


def dry_run(recordings: Iterable[Found], rate: float, as_json: bool) -> int:
    """Check the header of each recording and print its problems, then the totals. Nothing is sent.

    Args:
        recordings: The recordings to check.
        rate: How many jobs may be created per second.
        as_json: Whether the output is for programs rather than people.

    Returns:
        The number of unusable recordings.
    """
    sums = {"recordings": 0, "unusable": 0, "bytes": 0, "seconds": 0.0, "of_unknown_length": 0}
    files: dict[str, str] = {}
    for each in recordings:
        if files.setdefault(each.path, each.file) != each.file:
            raise ConfigurationError(f"two recordings are named {each.path!r}: pass a folder that contains both")
        sums["recordings"] += 1
        try:
            size, seconds, warnings = check(each.file)
        except RecordingError as error:
            sums["unusable"] += 1
            _print({"path": each.path, "error": str(error)}, as_json)
            continue
        sums["bytes"] += size
        sums["seconds"] += seconds or 0.0
        sums["of_unknown_length"] += seconds is None
        if warnings:
            _print({"path": each.path, "warnings": list(warnings)}, as_json)
    usable = sums["recordings"] - sums["unusable"]
    _print(sums | {"hours_at_the_quota": round(usable / rate / 3600, 2)}, as_json)
    return int(sums["unusable"])


def _print(fields: dict[str, Any], as_json: bool) -> None:
    if as_json:
        output.json_line(fields)
    else:
        output.out.print(render.fields(fields), soft_wrap=True)
