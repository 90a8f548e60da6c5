"""The fixtures. pytest always loads this module, so it imports nothing heavy."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from . import Sandbox
    from .fast_clock import FastClock


@pytest.fixture
def metastudio_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator["Sandbox"]:
    """A running sandbox; the environment points at it: `MetaStudio()` and `MetaStudio(region=…)` use it."""
    from . import Sandbox  # noqa: PLC0415  # only if a test uses it; the error says what to install
    from .environment import UNWANTED  # noqa: PLC0415

    for name in UNWANTED:
        monkeypatch.delenv(name, raising=False)
    with Sandbox() as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        yield sandbox


@pytest.fixture
def metastudio_fast_clock(metastudio_sandbox: "Sandbox") -> Iterator["FastClock"]:
    """Virtual waiting: clients that the test creates skip the time between polls and retries, and jobs advance by it.

    Its `skipped` is the number of seconds that all clients have skipped.
    """
    from .fast_clock import fast  # noqa: PLC0415  # as above

    with fast(metastudio_sandbox.advance) as clock:
        yield clock
