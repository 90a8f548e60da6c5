"""The types, as a service sees them: with `mypy --strict`, its own defaults, and the package as it is installed."""

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).with_name("typing_examples.py")
#: What a wrong use begins with.
PREAMBLE = """
import httpx
from metastudio import (
    AkSkAuth, AsyncMetaStudio, Credentials, JobState, MetaStudio, MetaStudioError, ShortJob, ShortJobFailed, TokenAuth,
    WaitTimeout,
)
from metastudio_client.api.short_jobs import show_short_job

studio, a_studio = MetaStudio(), AsyncMetaStudio()
job: ShortJob = studio.short_jobs.show("job")

"""
#: Wrong uses, and the code of mypy's error.
WRONG = {
    'MetaStudio("cn-north-4")': "call-arg",  # positional
    'AsyncMetaStudio("cn-north-4")': "call-arg",
    'MetaStudio(regoin="cn-north-4")': "call-arg",
    'MetaStudio(credentials=("AK", "SK"))': "arg-type",
    'MetaStudio(credentials=lambda: "SK")': "arg-type",
    'MetaStudio(auth=("user", "password"))': "arg-type",
    'MetaStudio(timeout="5")': "arg-type",
    "MetaStudio(max_retries=1.5)": "arg-type",
    'MetaStudio(verify="ca.pem")': "arg-type",
    "MetaStudio(transport=httpx.AsyncHTTPTransport())": "arg-type",
    "AsyncMetaStudio(transport=httpx.HTTPTransport())": "arg-type",
    'Credentials("AK")': "call-arg",
    'Credentials("AK", b"SK")': "arg-type",
    'Credentials("AK", "SK").sk = "another"': "misc",
    'AkSkAuth("AK", "SK")': "arg-type",
    "TokenAuth(lambda: None)": "arg-type",
    "studio.short_jobs.show()": "call-arg",
    "studio.short_jobs.show(26)": "arg-type",
    'studio.short_jobs.show("job", 3)': "call-arg",
    'studio.short_jobs.wait("job")': "call-arg",
    'studio.short_jobs.wait("job", 600)': "call-arg",
    'studio.short_jobs.wait("job", timeout=9, on_update=lambda: None)': "arg-type",
    'studio.short_jobs.wait("job", timeout=9, success=3)': "arg-type",
    'studio.short_jobs.wait_many(["job"], timeout=9)': "attr-defined",  # there is none for threads
    'a_studio.short_jobs.show("job").state': "attr-defined",  # not awaited
    "a_studio.close()": "attr-defined",
    "with a_studio: pass": "attr-defined",
    "number: int = job.state": "assignment",
    "job.state + 1": "operator",
    "job.state > 3": "operator",
    "job.state == 3": "comparison-overlap",
    "job.state.lower()": "union-attr",  # it may be missing
    "text: str = job.job_id": "assignment",
    "job.assess_result.snr": "union-attr",
    'job.assess_result["snr"]': "index",
    "job.status": "attr-defined",
    "JobState.SUCCEEDED": "attr-defined",
    "MetaStudioError().status_code": "attr-defined",
    "ShortJobFailed(job).job.sate": "attr-defined",
    'WaitTimeout("job", 9, None).job.state': "union-attr",
    'show_short_job.sync("p", "job")': "call-arg",
    'show_short_job.sync("p", "job", client=studio)': "arg-type",
    'show_short_job.sync("p", "job", client=studio.client).state': "union-attr",  # or an error, to the generator
}


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """What mypy says of the examples and of each wrong use; all in one run, which is most of the time."""
    directory = tmp_path_factory.mktemp("typing")
    (directory / EXAMPLES.name).write_text(EXAMPLES.read_text("utf-8"), "utf-8")
    for number, wrong in enumerate(WRONG):
        (directory / f"wrong_{number}.py").write_text(f"{PREAMBLE}{wrong}\n", "utf-8")
    # No configuration and no MYPYPATH: the packages are found as installed ones, and have to say that they are typed.
    options = ("--strict", "--config-file=", "--cache-dir", str(directory / "cache"), "--no-error-summary")
    result = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "."],
        cwd=directory,
        env={name: value for name, value in os.environ.items() if not name.startswith("MYPY")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (result.returncode, result.stderr) == (1, ""), result.stdout + result.stderr
    found = defaultdict(list)
    for line in result.stdout.splitlines():
        name, _, message = line.partition(":")
        if ": note: " not in message:
            found[name].append(message)
    return found


def test_typical_uses_are_accepted(reported: dict[str, list[str]]) -> None:
    assert reported[EXAMPLES.name] == []


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_use_is_rejected(reported: dict[str, list[str]], wrong: str) -> None:
    lines = reported[f"wrong_{list(WRONG).index(wrong)}.py"]
    codes = [re.findall(r"\[([\w-]+)]$", line) for line in lines]
    last = PREAMBLE.count("\n") + 1

    assert [WRONG[wrong]] in codes, lines
    assert all(line.startswith(f"{last}:") for line in lines), lines
