"""`metastudio limits`."""

import attrs

from metastudio_cli import render
from metastudio_cli.options import Shared


def limits(shared: Shared) -> None:
    """Show the minimum and maximum length of a recording, in seconds."""
    with shared.connected() as studio:
        found = attrs.asdict(studio.short_jobs.limits())
    with shared.results() as results:
        results.add(found, render.fields(found))
