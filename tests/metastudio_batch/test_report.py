"""What a report says, read from its page; tests/metastudio_batch/test_report_in_browser.py uses it."""

import json
import math
import re
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from metastudio import ConfigurationError
from metastudio.metrics import METRICS
from metastudio_batch import JournalError, Stage, report
from metastudio_batch.reporting.strips import Band, Returned, band, number, values
from support.journals import Writer, assessed, failed, metric, write
from support.terminal import run


class Page(HTMLParser):
    """The tables of a page by caption, a list of cells for each row; without what is only in the other language."""

    def __init__(self, html: str, language: str = "en") -> None:
        super().__init__()
        self.language, self.stack = language, list[tuple[str, dict[str, str | None]]]()
        self.tables: dict[str, list[list[str]]] = {}
        self.classes: list[list[str]] = []
        self.links: list[str] = []
        self._rows: list[list[str]] = []
        self._caption = self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag in {"meta", "link", "input", "wbr", "rect", "path"}:
            return
        self.stack.append((tag, given))
        if tag == "table":
            self._rows, self._caption = [], ""
        elif tag == "tr":
            self._rows.append([])
            self.classes.append([])
        elif tag in {"td", "th"}:
            self._rows[-1].append("")
            self.classes[-1].append(given.get("class") or "")
        elif tag == "a":
            self.links.append(given["href"] or "")

    def handle_endtag(self, tag: str) -> None:
        if tag in {"rect", "path"}:
            return
        assert self.stack.pop()[0] == tag
        if tag == "table":
            self.tables[self._caption.split(".")[0].strip()] = self._rows

    def handle_data(self, data: str) -> None:
        tags = {tag for tag, _ in self.stack}
        if any(tag == "span" and given.get("lang", self.language) != self.language for tag, given in self.stack):
            return
        if "caption" in tags:
            self._caption += data
        elif tags & {"td", "th"}:
            self._rows[-1][-1] += data
        elif not tags & {"style", "script", "title"}:
            self.text += data


def page_of(*journals: Path, language: str = "en", **options: Any) -> Page:
    return Page(report(*journals, **options).html(), language)


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    return lambda rows, name="a.journal", **options: write(tmp_path / name, rows, **options)


def test_first_lines_count_the_outcomes(make: Callable[..., Path]) -> None:
    def rows(put: Writer) -> None:
        put("a.wav", assessed())
        put("b.wav", assessed())
        put("c.wav", assessed(snr=metric(-1)), language="EN")
        put("d.wav", failed())
        put("e.wav", {"stage": Stage.UNUSABLE, "error": "no WAV"})
        put("f.wav", {"stage": Stage.COMMITTED})
        put("g.wav", assessed(speed=None))

    summary = " ".join(page_of(make(rows)).text.split())

    assert "7 recordings: 2 passed everything 1 out of range 1 incomplete verdict 2 failed 1 unfinished" in summary
    assert "Language CN (6), EN (1)" in summary
    assert "region cn-north-4" in summary
    assert "2026-09-21 14:13:20 UTC" in summary
    assert "Units are not documented." in summary


def test_matrix_shows_worst_first(make: Callable[..., Path]) -> None:
    def rows(put: Writer) -> None:
        put("a.wav", assessed())
        put("b.wav", assessed(snr=metric(1, "7 dB"), speed=metric(-1, "2"), sound=metric(3, "?"), reverb=None))
        put("c.wav", assessed(snr=metric([0], "1"), speed=metric(True)))
        put("d.wav", assessed(snr=metric(-1)))
        put("e.wav", failed())
        put("f.wav", {"stage": Stage.COMMITTED, "error": "late"})

    page = page_of(make(rows))
    heads, *lines = page.tables["The worst first"]

    assert heads == ["Recording", "Outcome", *METRICS]
    assert [line[:2] for line in lines] == [
        ["e.wav", "MSS.20020012"],
        ["b.wav", "2 out of range"],
        ["d.wav", "1 out of range"],
        ["c.wav", "incomplete"],
        ["f.wav", "committed"],
        ["a.wav", "passed"],
    ]
    assert [lines[0][2], lines[4][2]] == ["no audio", "late"]
    shown = dict(zip(heads, zip(lines[1], page.classes[2], strict=True), strict=True))
    assert [shown[name] for name in ("speed", "snr", "sound", "reverb", "dnsmos_bak")] == [
        ("2", "m"),
        ("7 dB", "x"),
        ("?", "q"),
        ("", "n"),
        ("4.1", "p"),
    ]


def test_takes_are_before_and_after(make: Callable[..., Path]) -> None:
    """Of one path in a journal, and of one that occurs in an earlier journal; the newest is the verdict."""

    def older(put: Writer) -> None:
        put("a.wav", assessed(snr=metric(1, "9")))
        put("b.wav", assessed(snr=metric(1, "8")))
        put("b.wav", assessed(snr=metric(0, "7")))
        put("only-there.wav", assessed())
        put("failed-first.wav", failed())
        put("e.wav", assessed())
        put("e.wav", assessed())

    def newer(put: Writer) -> None:
        put("a.wav", assessed(snr=metric(0, "3")))
        put("a.wav", assessed(snr=metric(-1, "2")), language="EN")
        put("failed-first.wav", assessed())
        put("e.wav", {"stage": Stage.COMMITTED})

    journals = make(older), make(newer, "b.journal")
    tables = page_of(*journals).tables
    heads, *takes = tables["Recordings that have an earlier verdict"]
    snr = 2 + METRICS.index("snr")

    assert [(line[0], line[snr - len(heads)]) for line in takes] == [
        ("a.wav", "9"),
        ("after", "3"),
        ("b.wav", "8"),
        ("after", "7"),
    ]
    paths = sorted((line[0], line[1]) for line in tables["The worst first"][1:])
    assert paths == [
        ("a.wav", "1 out of range"),
        ("a.wav", "passed"),
        ("b.wav", "passed"),
        ("e.wav", "committed"),
        ("failed-first.wav", "passed"),
        ("only-there.wav", "passed"),
    ]


def test_frequencies(make: Callable[..., Path]) -> None:
    def rows(put: Writer) -> None:
        put("x/a.wav", assessed(snr=metric(1), speed=metric(0, suggestion="好", suggestion_en="Fine.")), mic="A")
        put("x/b.wav", assessed(snr=metric(-1), speed=None), mic="B")
        put("y/c.wav", assessed(snr=metric(1)), mic="A")
        put("y/d.wav", failed(), mic="A")
        put("y/e.wav", failed(), mic="B")
        put("z.wav", {"stage": Stage.UNUSABLE, "error": "no WAV"})

    journal = make(rows)
    tables = page_of(journal).tables

    assert tables["How often the service returned each of them"][1:] == [
        ["Record again.", "snr", "3", "3"],
        ["Fine.", "speed", "0", "1"],
    ]
    assert tables["Failure codes and reasons"][1:] == [
        ["MSS.20020012", "no audio", "failed", "failed", "2"],
        ["-", "no WAV", "failed", "unusable", "1"],
    ]
    rates = {line[0]: line[1:] for line in tables["Recordings with a verdict"]}
    assert rates["snr"] == ["0", "1", "2", "0", "0", "0.0 %"]
    assert rates["speed"] == ["2", "0", "0", "1", "0", "100.0 %"]
    folders = tables["Recordings of each group, the smallest share of those that passed first"]
    assert [[line[0], line[6]] for line in folders[1:]] == [[".", "1"], ["x", "2"], ["y", "3"]]
    grouped = page_of(journal, by="mic").tables[
        "Recordings of each group, the smallest share of those that passed first"
    ]
    assert [[line[0], *line[2:4], line[4], line[6]] for line in grouped[1:]] == [
        ["-", "0", "0", "1", "1"],
        ["A", "2", "0", "1", "3"],
        ["B", "1", "0", "1", "2"],
    ]


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("4.1", 4.1),
        ("invented: -4.1 dB", -4.1),
        ("\u22124", -4),
        ("85%", 85),
        ("3-5", None),
        ("1,5", None),
        ("1.2.3", None),
        ("m2", None),
        ("", None),
        ("1e999", None),
        ("好", None),
    ],
)
def test_number_that_a_string_has(text: str, read: float | None) -> None:
    assert number(text) == read


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("3-5", 3, 5),
        ("[-3, 5] dB", -3, 5),
        ("3\uff5e5", 3, 5),
        ("3 < x ≤ 5", 3, 5),
        (">= 3", 3, math.inf),
        ("≥3", 3, math.inf),
        ("3 < x", 3, math.inf),
        ("\uff1c5", -math.inf, 5),
        ("5 > x", -math.inf, 5),
    ],
)
def test_band_that_a_string_tells(text: str, low: float, high: float) -> None:
    assert band(text) == Band(low, high)


@pytest.mark.parametrize("text", ["5", "5-3", "<3 or >5", "1-2-3", "good", ">", "[3,5]"])
def test_unknown_range_has_no_band(text: str) -> None:
    assert band(text) is None


def test_strip_for_each_expected_range() -> None:
    """On one axis; a value that is no number leaves strings and no axis."""
    returned: Returned = Returned({("0-10", "0", "p"): 1, ("0-10", "20", "x"): 3, (">15", "18", "p"): 2})

    first, second = values(returned).strips

    assert (first.expected, first.times, first.low, first.middle, first.high) == ("0-10", 4, 0, 20, 20)
    assert first.ticks == {"p": "M20 0v8", "x": "M980 0v8"}
    assert first.band == (20, 480)
    assert (second.expected, second.ticks, second.band) == (">15", {"p": "M884 0v8"}, (740, 260))
    unread = values(returned + Returned({("0-10", "n/a", "p"): 5}))
    assert (unread.strips, unread.strings) == ([], [("n/a", 5), ("20", 3), ("18", 2), ("0", 1)])


def test_hidden_characters_are_shown(make: Callable[..., Path]) -> None:
    """Markup is text, and what turns the direction of a line or ends it is written out."""
    name = "<b>\u202egpj.wav"

    page = page_of(
        make(lambda put: put(name, assessed(snr=metric(1, "<i>1</i>\u2066", suggestion_en="</script>\x1b[2J"))))
    )

    line = page.tables["The worst first"][1]
    assert line[0] == "<b>\\u202egpj.wav"
    assert "<i>1</i>\\u2066" in line
    assert page.tables["How often the service returned each of them"][1][0] == "</script>\\u001b[2J"


def test_links_are_relative_below_the_page(make: Callable[..., Path], tmp_path: Path) -> None:
    """So that a folder with its page can be moved; the name of a file is never taken for a scheme."""
    journal = make(lambda put: put("javascript:alert(1) #?.wav", assessed()))

    (above,) = Page(report(journal).html("/recordings")).links
    (elsewhere,) = Page(report(journal).html(tmp_path)).links

    assert above == "./javascript%3Aalert%281%29%20%23%3F.wav"
    assert unquote(elsewhere) == "file:///recordings/javascript:alert(1) #?.wav"


def test_page_size(make: Callable[..., Path]) -> None:
    def rows(put: Writer) -> None:
        for take in range(200):
            every = {name: metric(take % 3 - 1, f"{take / 7:.2f}", "3.0-5.0 dB") for name in METRICS}
            put(f"speaker-{take % 7}/take-{take:04}.wav", assessed(**every), speaker=f"说话人{take}")

    page = report(make(rows)).html()

    assert page.count('<tr><th scope="row"><a href=') == 200
    assert len(page.encode()) < 300_000


def test_more_recordings_than_a_browser_likes(make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The page has the worst, counts all, and says where the others are."""
    monkeypatch.setattr("metastudio_batch.reporting.page.MOST_RECORDINGS", 2)

    def rows(put: Writer) -> None:
        for name in "abc":
            put(name, assessed())
        put("d", failed())

    page = page_of(make(rows))

    assert [line[0] for line in page.tables["The worst first"][1:]] == ["d", "a"]
    text = " ".join(page.text.split())
    assert "4 recordings: 3 passed everything" in text
    assert "The table has the 2 worst of 4 recordings" in text
    assert "metastudio export JOURNAL" in text


def test_data_of_the_page_ends_no_script(make: Callable[..., Path]) -> None:
    html = report(make(lambda put: put("a", failed(reason="</script><script>alert(1)</script>")))).html()

    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', html, re.DOTALL)
    assert data is not None
    assert "</script><script>alert(1)</script>" in json.loads(data[1])["strings"]
    assert html.count("<script") == 2


def test_chinese_page(make: Callable[..., Path]) -> None:
    """Both languages are in each page; the service's own suggestion is the Chinese one."""
    page = page_of(make(lambda put: put("a", assessed(snr=metric(1)))), lang="zh", language="zh")

    assert "官方文档未说明各指标的单位。" in page.text
    assert page.tables["服务返回各条建议的次数。"][1][0] == "请重新录音。"


def test_notebook_shows_a_frame_of_its_own(make: Callable[..., Path]) -> None:
    made = report(make(lambda put: put('"><b>', assessed())))

    shown = made._repr_html_()

    assert shown.startswith('<iframe sandbox="allow-scripts" ')
    assert shown.count("<") == 2, "all of the page is the value of an attribute"


@pytest.mark.parametrize(
    ("options", "message"),
    [({"by": "mic"}, "no manifest has the column 'mic' to group by; columns: room"), ({"lang": "fr"}, "en or zh")],
)
def test_invalid_arguments_raise(options: dict[str, str], message: str, make: Callable[..., Path]) -> None:
    with pytest.raises(ConfigurationError, match=message):
        report(make(lambda put: put("a", assessed(), room="1")), **options)


def test_missing_journal_raises(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="give at least one journal"):
        report()
    with pytest.raises(JournalError):
        report(tmp_path / "nowhere")


def test_missing_extra_raises(make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)

    with pytest.raises(ConfigurationError, match=r"pip install \"metastudio\[report\]\""):
        report(make(lambda put: put("a", assessed())))


def test_journal_is_not_overwritten(make: Callable[..., Path], tmp_path: Path) -> None:
    journal = make(lambda put: put("a", assessed()))
    link = tmp_path / "link"
    link.symlink_to(journal)
    before = journal.read_bytes()

    for path in (journal, link):
        with pytest.raises(ConfigurationError, match="is a journal"):
            report(journal).write(path)
    with pytest.raises(ConfigurationError, match="the report cannot be written"):
        report(journal).write(tmp_path / "nowhere" / "report.html")
    assert journal.read_bytes() == before


def test_command(make: Callable[..., Path], tmp_path: Path) -> None:
    """In the language of the locale; it says where the page is."""
    journal, page = make(lambda put: put("a", assessed(), mic="A")), tmp_path / "report.html"

    result = run("report", str(journal), "-o", str(page), "--by", "mic", env={"LC_ALL": "zh_CN.UTF-8"})

    assert (result.returncode, result.stderr.strip()) == (0, f"Wrote {page}")
    assert '<html lang="zh">' in page.read_text("utf-8")
    wrong = run("report", str(journal), "-o", str(page), "--by", "nothing")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)
