"""The fixture `metastudio_sandbox`. pytest always loads this module, so it imports nothing heavy."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from . import Sandbox


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
