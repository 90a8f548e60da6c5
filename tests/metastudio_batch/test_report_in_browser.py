"""The page of a report in a real browser."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_core_python.selenium import Axe
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from metastudio.metrics import METRICS
from metastudio_batch import Stage, report
from support import HANGS_AFTER
from support.browser import Browser, browser
from support.journals import Writer, assessed, failed, metric, write

pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=alert(1)>\u202egpj.wav"


@pytest.fixture(scope="module")
def started() -> Iterator[Browser]:
    with browser() as running:
        yield running


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with something of everything."""
    folder = tmp_path_factory.mktemp("report")

    def older(put: Writer) -> None:
        put("again.wav", assessed(snr=metric(1, "9")))

    def newer(put: Writer) -> None:
        put("again.wav", assessed(), mic="A")
        put("b10.wav", assessed(snr=metric(-1, "10")), mic="A")
        put("b9.wav", assessed(snr=metric(1, "9.5"), speed=metric(1)), mic="A")
        put("gone.wav", failed(), mic="B")
        put("going.wav", {"stage": Stage.COMMITTED})
        put("some.wav", assessed(reverb=None, sound=metric(7)))
        script = metric(1, "<script>alert(2)</script>", suggestion="<b>一</b>", suggestion_en="<b>one</b>")
        put(HOSTILE, assessed(dnsmos_bak=script, speed=metric(1), sound=metric(1)))

    journals = write(folder / "a.journal", older), write(folder / "b.journal", newer)
    path = folder / "report.html"
    report(*journals, by="mic").write(path)
    return path


@pytest.fixture
def opened(started: Browser, page: Path) -> Iterator[Browser]:
    """The page; at the end nothing was requested but the page, and the console is empty."""
    started.logs("performance")
    started.logs("browser")
    started.open(page)
    yield started
    messages = [json.loads(each["message"])["message"] for each in started.logs("performance")]
    requests = [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
    assert [url for url in requests if url not in {page.as_uri(), "data:,"}] == []
    assert started.logs("browser") == []


def shown(page: Browser) -> list[str]:
    """Return the names of the recordings that are seen, from the top."""
    names: list[str] = page.run(
        "return [...document.querySelectorAll('#matrix > tbody > tr:not([hidden], .details) bdi:first-of-type')]"
        ".filter((name) => name.closest('th')).map((name) => name.textContent)"
    )
    return names


def click(page: Browser, selector: str) -> None:
    page.driver.find_element(By.CSS_SELECTOR, selector).click()


def test_opens_the_worst_first(opened: Browser) -> None:
    assert shown(opened) == [
        "gone.wav",
        HOSTILE.replace("\u202e", "\\u202e"),
        "b9.wav",
        "b10.wav",
        "some.wav",
        "going.wav",
        "again.wav",
    ]
    assert opened.run("return document.getElementById('shown').value") == "7"


def test_hostile_strings_are_text(opened: Browser) -> None:
    """In the tables, and in what a row opens to."""
    click(opened, "#matrix tbody tr:nth-child(2) .open")

    assert opened.run("return document.querySelectorAll('main img, main script, main b b, #matrix b').length") == 0
    details = opened.driver.find_element(By.CSS_SELECTOR, ".details").text
    assert "<script>alert(2)</script>" in details
    assert "<b>one</b>" in details


def test_sort(opened: Browser) -> None:
    """By name as people count, both ways; by a metric the worst first, then by number."""
    click(opened, "#matrix thead th:first-child button")
    by_name = shown(opened)
    click(opened, "#matrix thead th:first-child button")
    assert shown(opened) == by_name[::-1]
    assert by_name.index("b9.wav") + 1 == by_name.index("b10.wav")

    click(opened, f"#matrix thead th:nth-child({3 + METRICS.index('snr')}) button")

    assert shown(opened)[:2] == ["b9.wav", "b10.wav"]
    assert {*shown(opened)[-2:]} == {"gone.wav", "going.wav"}
    sorted_by = opened.run(
        "return [...document.querySelectorAll('[aria-sort]')].map((th) => [th.textContent, th.ariaSort])"
    )
    assert sorted_by == [["snr", "ascending"]]


def test_filter(opened: Browser) -> None:
    click(opened, "#category input[value='out-of-range']")
    assert len(shown(opened)) == 3
    click(opened, f"#exceeded input[value='{METRICS.index('snr')}']")
    assert shown(opened) == ["b9.wav", "b10.wav"]
    click(opened, f"#exceeded input[value='{METRICS.index('speed')}']")
    assert shown(opened) == ["b9.wav"]
    assert opened.run("return document.getElementById('shown').value") == "1"


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("B10", ["b10.wav"]),
        ("NO AUDIO", ["gone.wav"]),
        ("一", [HOSTILE.replace("\u202e", "\\u202e")]),
        ("mss.", ["gone.wav"]),
        ("$", []),
    ],
)
def test_search(wanted: str, found: list[str], opened: Browser) -> None:
    """In names, codes, reasons and both suggestions; letters of either case."""
    opened.driver.find_element(By.ID, "search").send_keys(wanted)

    assert shown(opened) == found


def test_row_opens_by_keyboard(opened: Browser) -> None:
    """It tells what the service returned; it is closed again, and goes away with its row."""
    button = opened.driver.find_element(By.CSS_SELECTOR, "#matrix tbody tr:nth-child(3) .open")
    opened.run("arguments[0].focus()", button)
    ActionChains(opened.driver).send_keys(Keys.ENTER).perform()

    details = opened.driver.find_element(By.CSS_SELECTOR, ".details")
    assert button.get_attribute("aria-expanded") == "true"
    assert button.get_attribute("aria-controls") == details.get_attribute("id")
    text = details.text
    assert all(
        part in text
        for part in ("0123", "1790000000 (2026-09-21", "if in seconds", "9.5", "3-5", "Record again.", "mic")
    )
    opened.driver.find_element(By.ID, "search").send_keys("again.wav")
    assert not details.is_displayed()
    opened.driver.find_element(By.ID, "search").clear()
    opened.run("document.getElementById('filters').dispatchEvent(new Event('input'))")
    assert details.is_displayed()
    opened.run("arguments[0].focus()", button)
    ActionChains(opened.driver).send_keys(Keys.SPACE).perform()
    assert not details.is_displayed()


def test_language_switch(opened: Browser) -> None:
    """Every word has both; suggestions are in the language that is shown."""
    click(opened, "#matrix tbody tr:nth-child(3) .open")
    english = opened.driver.find_element(By.TAG_NAME, "body").text
    click(opened, "#switch")
    chinese = opened.driver.find_element(By.TAG_NAME, "body").text

    assert opened.run("return document.documentElement.lang") == "zh"
    assert "Record again." in english
    assert "请重新录音。" not in english
    assert "请重新录音。" in chinese
    assert "Record again." not in chinese
    click(opened, "#switch")
    assert opened.driver.find_element(By.TAG_NAME, "body").text == english


@pytest.mark.parametrize(
    "view",
    [{}, {"prefers_color_scheme": "dark"}, {"width": 360}, {"media": "print"}],
    ids=["light", "dark", "narrow", "print"],
)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_axe_finds_nothing(view: dict[str, Any], language: str, opened: Browser, page: Path) -> None:
    media = view.get("media", "")
    opened.open(page, **{name: value for name, value in view.items() if name != "media"})
    opened.emulate(media, **{name: value for name, value in view.items() if name == "prefers_color_scheme"})
    if language == "zh":
        opened.run("document.getElementById('switch').click()")
    opened.run("document.querySelector('#matrix tbody tr:nth-child(3) .open').click()")

    found = Axe().run(opened.driver)

    assert [(each["id"], each["nodes"][0]["html"]) for each in found["violations"]] == []
    assert len(found["passes"]) > 20


def test_screen_readers_see_a_table(opened: Browser) -> None:
    """Though each row is a grid: rows, headers, and the status of a cell in words."""

    def seen(*roles: str) -> list[str]:
        tree = opened.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
        nodes = [node for node in tree if not node["ignored"] and node["role"]["value"] in roles]
        return [" ".join(node.get("name", {}).get("value", "").split()) for node in nodes]

    # The tree has a row once it is drawn.
    drawn = WebDriverWait(opened.driver, HANGS_AFTER)
    drawn.until(lambda _: any(name.endswith("b9.wav") for name in seen("rowheader")))
    assert seen("columnheader").count("snr") == 2, "of the matrix, and of the takes"
    assert "out of range +1 9.5" in seen("cell", "gridcell")
    assert len(seen("row")) > 20


def test_dark_and_print_colours(opened: Browser, page: Path) -> None:
    def background() -> str:
        return str(opened.run("return getComputedStyle(document.documentElement).backgroundColor"))

    assert background() == "rgb(255, 255, 255)"
    opened.open(page, prefers_color_scheme="dark")
    assert background() == "rgb(22, 25, 29)"
    opened.emulate("print", prefers_color_scheme="dark")
    assert background() == "rgb(255, 255, 255)"
    assert not opened.driver.find_element(By.ID, "filters").is_displayed()


def test_printed(opened: Browser) -> None:
    """On paper the page has some pages, and no control."""
    printed = base64.b64decode(opened.driver.execute_cdp_cmd("Page.printToPDF", {})["data"])

    assert printed.startswith(b"%PDF")
    assert 1 <= printed.count(b"/Type /Page\n") <= 6


@pytest.mark.parametrize("width", [360, 1200])
def test_page_fits_screen(width: int, opened: Browser, page: Path) -> None:
    opened.open(page, width=width)
    opened.run("document.querySelector('#matrix tbody tr:nth-child(3) .open').click()")

    assert opened.run("return document.documentElement.scrollWidth") <= width


def test_tables_without_scripts(opened: Browser, page: Path) -> None:
    """All of them are there, and nothing that needs a script is."""
    opened.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        opened.open(page)
        matrix = opened.driver.find_element(By.ID, "matrix").text
        controls = [each.is_displayed() for each in opened.driver.find_elements(By.CSS_SELECTOR, ".scripted, .open")]
    finally:
        opened.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})

    assert "b9.wav" in matrix
    assert "9.5" in matrix
    assert controls == [False, False]


def test_frame_of_a_notebook(started: Browser, page: Path, tmp_path: Path) -> None:
    notebook = tmp_path / "notebook.html"
    notebook.write_text(report(page.with_name("b.journal"))._repr_html_(), "utf-8")

    started.open(notebook)

    started.driver.switch_to.frame(0)
    assert len(shown(started)) == 7
    assert started.run("return document.documentElement.className") == "js"
    started.driver.switch_to.default_content()


def test_five_thousand_recordings(started: Browser, tmp_path: Path) -> None:
    """It opens, scrolls to the last, and sorts; `scripts/benchmark report` measures how fast."""

    def rows(put: Writer) -> None:
        for number in range(5001):
            put(f"{number:04}.wav", assessed(snr=metric(number % 3 - 1, f"{number}")))

    path = tmp_path / "report.html"
    report(write(tmp_path / "a.journal", rows)).write(path)
    started.open(path)

    assert len(shown(started)) == 5000
    last = started.driver.find_element(By.CSS_SELECTOR, "#matrix tbody tr:last-child")
    started.run("arguments[0].scrollIntoView()", last)
    top = "return arguments[0].getBoundingClientRect().top"
    WebDriverWait(started.driver, HANGS_AFTER).until(lambda _: 0 <= started.run(top, last) < 900)  # in a frame or two
    assert "4996.wav" in last.text
    assert "5000 worst of 5001" in started.driver.find_element(By.CSS_SELECTOR, ".warning").text
    started.run("document.querySelector('#matrix thead button').click()")
    assert shown(started)[:2] == ["0000.wav", "0001.wav"]
