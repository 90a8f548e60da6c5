"""The test suite of a team that uses the fixtures: with xdist, with warnings as errors, and with anyio."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.slow

SUITE: Final = """
import os

import pytest

from metastudio import AsyncMetaStudio, MetaStudio, RateLimitError, WaitTimeout
from metastudio_sandbox import faults, recordings


def assess(region=None):
    with MetaStudio(region=region) as studio:
        return studio.short_jobs.assess(recordings.wav(seconds=12), timeout=60)


@pytest.mark.parametrize("number", range(6))
def test_sync(metastudio_sandbox, number):
    assert assess().state == "SUCCEED"
    assert len(metastudio_sandbox.jobs) == 17, "no other test's jobs"


@pytest.mark.parametrize("region", ["cn-north-4", "cn-east-3", "ap-southeast-3"])
def test_region(metastudio_sandbox, metastudio_fast_clock, region):
    assert assess(region).state == "SUCCEED"


@pytest.mark.parametrize("number", range(3))
def test_fault(metastudio_sandbox, number):
    metastudio_sandbox.inject(faults.throttled(retry_after=3600))
    with MetaStudio() as studio, pytest.raises(RateLimitError):
        studio.short_jobs.show("j")


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.anyio
@pytest.mark.parametrize("number", range(3))
async def test_async(metastudio_sandbox, metastudio_fast_clock, number):
    async with AsyncMetaStudio() as studio:
        assert (await studio.short_jobs.assess(recordings.wav(seconds=12), timeout=60)).state == "SUCCEED"
        with pytest.raises(WaitTimeout):
            await studio.short_jobs.wait(metastudio_sandbox.add_job("WAITING"), timeout=600)


def test_worker():
    assert os.environ["PYTEST_XDIST_WORKER"] in {"gw0", "gw1"}
    assert "METASTUDIO_ENDPOINT" not in os.environ, "a fixture of another test left it"
"""


def test_suite_passes_with_xdist_and_warnings_as_errors(tmp_path: Path) -> None:
    (tmp_path / "test_service.py").write_text(SUITE, "utf-8")
    command = [sys.executable, "-W", "error", "-m", "pytest", "-n", "2", "-W", "error", "--strict-markers"]
    # Neither the repository's own settings nor those of the run that this test belongs to.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    result = subprocess.run(
        [*command, "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert "16 passed" in result.stdout
    assert "warning" not in result.stdout
