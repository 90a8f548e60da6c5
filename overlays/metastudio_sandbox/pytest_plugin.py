"""The fixture `metastudio_sandbox`. pytest always loads this module, so it imports nothing heavy."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from . import Sandbox


@pytest.fixture
def metastudio_sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator["Sandbox"]:
    """A running sandbox; the environment points at it, so that `MetaStudio()` needs no arguments."""
    from . import Sandbox  # noqa: PLC0415  # only if a test uses it; the error says what to install

    for name in ("METASTUDIO_REGION", "METASTUDIO_AUTH_TOKEN", "HUAWEICLOUD_SDK_SECURITY_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with Sandbox() as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        yield sandbox
