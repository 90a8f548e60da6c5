"""A report on journals: one self-contained HTML page."""

import base64
import hashlib
import heapq
import os
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Final

from metastudio import ConfigurationError
from metastudio._version import __version__
from metastudio.errors import printable
from metastudio.metrics import METRICS
from metastudio_batch.journal_file import checked, shown
from metastudio_batch.reading import endpoint, read_takes

from . import matrix
from .overview import MOST_LINES, Overview
from .verdicts import Category, Status, Verdict, verdict

if TYPE_CHECKING:
    from jinja2 import Template

#: Above this number, the page has only the worst recordings: a browser would be too slow.
MOST_RECORDINGS: Final = 5000
_MOST_TAKES: Final = 500
_REGION: Final = re.compile(r"https://metastudio\.([a-z0-9-]+)\.myhuaweicloud\.com")


def report(*journals: str | os.PathLike[str], by: str | None = None, lang: str = "en") -> "Report":
    """Return a report on one or more journals. A notebook displays it.

    Args:
        *journals: Files that `assess_many` or `metastudio assess --journal` wrote. If several have a recording, the
            last one has its current verdict, and the others have earlier verdicts.
        by: The manifest column to group recordings by; None groups them by folder.
        lang: The language in which the page opens: `en` or `zh`. A button on the page switches it.

    Raises:
        ConfigurationError: An argument cannot be used, or the extra `report` is not installed.
        JournalError: A journal cannot be read.
    """
    if not journals:
        raise ConfigurationError("give at least one journal")
    if lang not in {"en", "zh"}:
        raise ConfigurationError(f"lang must be en or zh, not {printable(repr(lang), 60)}")
    return Report(journals, by, lang)


class Report:
    """A report on journals. Create it with `report`."""

    def __init__(self, journals: Sequence[str | os.PathLike[str]], by: str | None, lang: str) -> None:
        self._template = _template()
        self._journals, self._by, self._lang = [checked(each) for each in journals], by, lang
        self._regions = [*dict.fromkeys(_region(endpoint(each)) for each in self._journals)]
        self._overview = Overview(by)
        self._worst = heapq.nsmallest(MOST_RECORDINGS, self._counted(), key=lambda takes: takes[-1].sort_key)
        if by is not None and by not in self._overview.columns:
            known = ", ".join(sorted(self._overview.columns)) or "none"
            raise ConfigurationError(printable(f"no manifest has the column {by!r} to group by; columns: {known}"))

    def _counted(self) -> Iterator[list[Verdict]]:
        for rows in read_takes(self._journals):
            verdicts = [verdict(row) for row in rows]
            self._overview.add(verdicts[-1])
            yield verdicts

    def html(self, folder: str | os.PathLike[str] | None = None) -> str:
        """Return the page.

        Args:
            folder: Where the page will be written. Links to recordings below it are relative, so that both can move.
        """
        place = None if folder is None else Path(os.path.abspath(folder))  # noqa: PTH100  # resolve() follows links
        style, script, strings = _asset("style.css"), _asset("script.js"), matrix.Strings()
        takes = [pair for pair in map(_pair, self._worst) if pair is not None]
        return self._template.render(
            policy=f"default-src 'none'; img-src data:; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
            "base-uri 'none'; form-action 'none'",
            style=style,
            script=script,
            lang=self._lang,
            by=self._by,
            regions=self._regions,
            version=__version__,
            made=matrix.utc(datetime.now(UTC).timestamp()),
            overview=self._overview,
            categories=Category,
            statuses=Status,
            metrics=METRICS,
            most_lines=MOST_LINES,
            lines=[matrix.line(verdicts[-1], place) for verdicts in self._worst],
            takes=[[matrix.line(each, place) for each in pair] for pair in takes[:_MOST_TAKES]],
            takes_left_out=max(0, len(takes) - _MOST_TAKES),
            data={"rows": [matrix.details(each, strings) for each in self._worst], "strings": strings.all()},
        )

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the page to a file.

        Raises:
            ConfigurationError: The file is one of the journals, or cannot be written.
        """
        file = os.fspath(path)
        if os.path.realpath(file) in self._journals:
            raise ConfigurationError(f"{shown(file)} is a journal: give another file for the report")
        page = self.html(Path(file).parent)
        try:
            Path(file).write_text(page, "utf-8")
        except OSError as error:
            raise ConfigurationError(f"the report cannot be written: {error}") from error

    def _repr_html_(self) -> str:
        """Return the page in an iframe, so that its styles do not mix with those of the notebook."""
        return (
            '<iframe sandbox="allow-scripts" style="width:100%;height:640px;border:0" '
            f'title="metastudio report" srcdoc="{escape(self.html())}"></iframe>'
        )


def _pair(verdicts: list[Verdict]) -> tuple[Verdict, Verdict] | None:
    """Return the previous and the current verdict of a recording, if it has both."""
    assessed = [each for each in verdicts if each.job.assess_result is not None]
    return None if len(assessed) < 2 or assessed[-1] is not verdicts[-1] else (assessed[-2], assessed[-1])


def _region(service: str) -> str:
    found = _REGION.fullmatch(service)
    return found[1] if found else service


def _template() -> "Template":
    try:
        from jinja2 import Environment, StrictUndefined  # noqa: PLC0415  # the extra may not be installed
    except ModuleNotFoundError as error:
        if error.name != "jinja2":
            raise
        raise ConfigurationError('a report needs an extra: pip install "metastudio[report]"') from error
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    environment.filters |= {"visible": matrix.visible, "time": matrix.utc}
    return environment.from_string(_asset("page.html.jinja"))


def _asset(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text("utf-8")


def _hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
