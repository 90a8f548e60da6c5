"""Looks for secrets in everything that a test printed, logged and raised.

A secret is whatever the package wrapped as one (`Secret`) since the test began. The errors are those that were made,
caught or not: their text, their pickle, and their traceback printed with locals, down to the last cause.
"""

import pickle
from collections.abc import Generator
from pathlib import Path
from traceback import TracebackException
from typing import Any

import pytest

from huaweicloud_auth.credentials import Secret
from metastudio.errors import MetaStudioError

SHORTEST = 8  # "SK" would be found in many a word
_TESTS = Path(__file__).parents[1]
_secrets: set[str] = set()
_errors: list[MetaStudioError] = []


def _new_secret(cls: type[Secret], value: str) -> Secret:
    _secrets.add(str(value))
    return str.__new__(cls, value)


def _new_error(cls: type[MetaStudioError], *args: Any, **kwargs: Any) -> MetaStudioError:
    error = Exception.__new__(cls, *args)
    _errors.append(error)
    return error


Secret.__new__ = _new_secret  # type: ignore[assignment,method-assign]  # this is how they are seen
MetaStudioError.__new__ = _new_error  # type: ignore[assignment,method-assign]  # likewise


def shown(error: BaseException) -> str:
    """Return everything that an error shows, except the frames of the tests, which hold the secrets themselves."""
    parts = [str(error), repr(error), repr(vars(error)), repr(pickle.dumps(error))]
    trace: TracebackException | None = TracebackException.from_exception(error, capture_locals=True)
    while trace is not None:
        parts += [repr(frame.locals) for frame in trace.stack if not _is_of_tests(frame.filename)]
        parts += trace.format_exception_only()
        trace = trace.__cause__ or trace.__context__
    return "\n".join(parts)


def _is_of_tests(filename: str) -> bool:
    return Path(filename).is_relative_to(_TESTS)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if call.when == "teardown":
        everything = "\n".join([text for _, text in report.sections] + [shown(error) for error in _errors])
        found = [secret for secret in _secrets if len(secret) >= SHORTEST and secret in everything]
        _secrets.clear()
        _errors.clear()
        if found:
            report.outcome = "failed"
            report.longrepr = f"{item.nodeid} showed {len(found)} secrets"
    return report
