"""Rendering for people. Fields and metrics are not listed here: everything in a response is shown."""

import os
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from huaweicloud_auth import signing
from metastudio import JobState, ShortJob
from metastudio.errors import printable

if TYPE_CHECKING:
    from metastudio_sandbox import Exchange

_STYLES: Final = {JobState.SUCCEED: "bold green", JobState.FAILED: "bold red"}
#: From this width (a panel on a terminal of 80 columns), metrics are shown as a table with a column for each field.
_WIDE: Final = 76
#: For each language: the field with its suggestion, and the field of the other language.
_SUGGESTIONS: Final = {"zh": ("suggestion", "suggestion_en"), "en": ("suggestion_en", "suggestion")}
_language = ""


def use_language(language: str) -> None:
    """Show suggestions in `zh` or `en`, regardless of the locale."""
    global _language  # noqa: PLW0603  # one process, one command
    if language not in _SUGGESTIONS:
        raise typer.BadParameter("--lang must be zh or en")
    _language = language


def chosen_language() -> str:
    """Return `zh` or `en`: as `--lang` says, else as the locale does."""
    locale = next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(name)), "")
    return _language or ("zh" if locale.lower().startswith("zh") else "en")


def short_job(job: ShortJob) -> RenderableType:
    """Return a panel with a job's fields, then a table for each group of metrics."""
    return Panel(Group(*_parts(job.to_dict())), title=_text("job_id", job.job_id or "short job"), title_align="left")


def state(job: ShortJob) -> Text:
    """Return a job's state."""
    return _text("state", job.state or None)


def fields(data: Mapping[str, object]) -> Text:
    """Return one line for each field; long values, such as URLs, are not cut."""
    lines = (Text.assemble((printable(name), "dim"), "  ", _text(name, value, 20_000)) for name, value in data.items())
    return Text("\n").join(lines)


def overview(jobs: Iterable[ShortJob]) -> RenderableType:
    """Return one line for each job: its ID, its state and a message, which is cut to fit."""
    table = Table(box=SIMPLE_HEAD, expand=True)
    table.add_column("job_id", no_wrap=True, min_width=36)
    table.add_column("state", no_wrap=True, min_width=len(max(JobState, key=len)))
    table.add_column("message", no_wrap=True, overflow="ellipsis", ratio=1)
    for job in jobs:
        data = job.to_dict()
        message = data.get("job_failed_reason") or data.get("assess_result", {}).get("suggestion")
        table.add_row(_text("", job.job_id or None), _text("state", job.state or None), _text("", message))
    return table


def exchange(seen: "Exchange") -> RenderableType:
    """Return one request as it was sent, and the stages of its signature."""
    headers = "".join(f"\n{name}: {printable(value, 400)}" for name, value in seen.headers.items())
    parts = [Panel(Text.assemble((f"{seen.method} {seen.target}", "bold"), headers), title="on the wire")]
    if seen.canonical_request is not None:
        to_sign = signing.string_to_sign(seen.canonical_request, seen.headers["x-sdk-date"])
        parts.append(Panel(Text(seen.canonical_request), title="canonical request"))
        parts.append(Panel(Text(to_sign), title="string to sign; its last line is the hash of the canonical request"))
    return Group(*parts)


def _parts(data: dict[str, Any]) -> Iterator[RenderableType]:
    plain = {name: value for name, value in data.items() if not isinstance(value, dict)}
    rows = {name: value for name, value in data.items() if isinstance(value, dict)}
    if plain:
        grid = Table.grid(padding=(0, 2))
        for name, value in plain.items():
            grid.add_row(Text(printable(name), style="dim"), _text(name, value))
        yield grid
    metrics = {name: row for name, row in rows.items() if not any(isinstance(each, dict) for each in row.values())}
    if metrics:
        yield _Metrics(metrics)
    for name in rows.keys() - metrics.keys():
        yield Text(f"\n{printable(name)}", style="bold")
        yield from _parts(rows[name])


class _Metrics:
    """A table of metrics; on a narrow terminal, a block for each metric."""

    def __init__(self, rows: dict[str, dict[str, Any]]) -> None:
        wanted, other = _SUGGESTIONS[chosen_language()]
        columns = list(dict.fromkeys(column for row in rows.values() for column in row))
        self.columns = [column for column in columns if column != other or wanted not in columns]
        self.rows = rows

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._table() if options.max_width >= _WIDE else self._blocks()

    def _table(self) -> Table:
        table = Table(box=SIMPLE_HEAD)
        for column in ("", *self.columns):
            head = Text(printable(column))
            table.add_column(head, overflow="fold", min_width=min(head.cell_len, 20), no_wrap=column == "")
        for name, row in self.rows.items():
            table.add_row(Text(printable(name)), *(_text(column, row.get(column)) for column in self.columns))
        return table

    def _blocks(self) -> Table:
        grid = Table.grid(padding=(0, 2))
        for name, row in self.rows.items():
            grid.add_row(Text(printable(name), style="bold"))
            for column in self.columns:
                grid.add_row(Text(f"  {printable(column)}", style="dim"), _text(column, row.get(column)))
        return grid


def _text(name: str, value: object, limit: int = 2000) -> Text:
    if value is None or value == "":
        return Text("-", style="dim")
    shown = printable(str(value), limit)
    if name.endswith("_time") and isinstance(value, int) and 0 < value < 2**31:
        # The unit is not documented.
        shown += f"  ({datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC, if in seconds)"
    if name == "status" and value in (-1, 1):
        # Which of them means too low is not documented. A tuple, since a value in a response may be unhashable.
        return Text(f"out of range ({shown})", style="yellow")
    return Text(shown, style=_STYLES.get(value, "") if isinstance(value, JobState) else "")
