"""The formatter that docs/logging.md shows."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from huaweicloud_auth.log import FIELDS
from support.samples import REFERENCE_JOB
from support.sessions import Connect

PAGE = Path(__file__).parents[2] / "docs" / "logging.md"


def test_formatter_writes_all_fields(
    connect: Connect, options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    example = PAGE.read_text("utf-8").partition("```python\n")[2].partition("\n\n\nhandler")[0]
    namespace: dict[str, Any] = {}
    exec(example, namespace)
    caplog.set_level(logging.DEBUG, "metastudio")
    connect(**options).show(REFERENCE_JOB)

    (record,) = [each for each in caplog.records if each.name == "metastudio"]
    line = json.loads(namespace["JsonLines"]().format(record))
    assert line.keys() == {"time", "level", "message", *FIELDS}
    assert (line["status"], line["job_id"], line["message"]) == (200, REFERENCE_JOB, record.getMessage())
