"""The option `--live-write`, and the table of answers after a run.

`tests/conftest.py` imports both hooks: a conftest.py beside this file is read too late for an option, and by
pytest-xdist only in its workers, which print nothing.
"""

import re
from collections.abc import Iterator
from typing import Final

import pytest

#: The name under which an answer is among a report's `user_properties`, which xdist's workers send home.
ANSWER: Final = "answer of the service"
NOTE: Final = (
    "The table holds no key, token or signature, and IDs are cut. Read it, then send it to the maintainers in an issue."
)
_LONGEST_QUESTION: Final = 60

Row = tuple[str, str]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--live-write`."""
    parser.addoption(
        "--live-write",
        action="store_true",
        help="with -m live: also create one short job and have a generated recording of 20 seconds assessed",
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was asked and answered, if anything was."""
    reports = [
        each for every in terminalreporter.stats.values() for each in every if isinstance(each, pytest.TestReport)
    ]
    rows = [*answers(reports), *(failures(reports) if terminalreporter.config.getoption("markexpr") == "live" else [])]
    if not rows:
        return
    terminalreporter.section("answers of the service")
    terminalreporter.write_line(NOTE)
    terminalreporter.write_line("")
    for line in table(rows):
        terminalreporter.write_line(line)


def answers(reports: list[pytest.TestReport]) -> Iterator[Row]:
    """Yield each question with its answer, in the order in which they were asked."""
    for report in sorted(reports, key=lambda each: each.start):
        if report.when == "teardown":  # the last of a test's three, which has all of them
            yield from ((str(value[0]), str(value[1])) for name, value in _properties(report) if name == ANSWER)


def failures(reports: list[pytest.TestReport]) -> Iterator[Row]:
    """Yield the tests that failed, each with the kind of its error only: the message may hold a secret."""
    for report in reports:
        if report.failed:
            crash = getattr(report.longrepr, "reprcrash", None)
            kind = re.match(r"[\w.]*", crash.message) if crash else None
            yield f"({report.nodeid.rpartition('::')[2]})", f"failed: {kind[0] if kind else 'see above'}"


def _properties(report: pytest.TestReport) -> Iterator[tuple[str, list[str]]]:
    for name, value in report.user_properties:
        if isinstance(value, list | tuple):
            yield name, [str(each) for each in value]


def table(rows: list[Row]) -> Iterator[str]:
    """Yield the lines of a table that reads well as plain text, and is one in Markdown as well."""
    rows = [(_cell(question), _cell(answer)) for question, answer in rows]
    width = min(_LONGEST_QUESTION, max(len(question) for question, _ in rows))
    yield f"{'question':{width}} | answer"
    yield f"{'-' * width} | {'-' * len('answer')}"
    for question, answer in rows:
        yield f"{question:{width}} | {answer}"


def _cell(text: str) -> str:
    return text.replace("|", r"\|")
