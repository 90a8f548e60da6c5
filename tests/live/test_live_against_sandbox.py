"""The live tests themselves, run against the sandbox as somebody with an account runs them: in a process of their own.

That process is the repository's own pytest, so `tests/conftest.py` must have the hooks of `live.hooks`.
"""

import os
import re
import subprocess
import sys
from collections import Counter
from itertools import takewhile
from pathlib import Path

import attrs
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from metastudio_sandbox import Sandbox, faults
from metastudio_sandbox.assessment import Outcome
from metastudio_sandbox.faults import Answer

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "live-tests.md"
ONE_FILE = "tests/live/test_live.py"
#: Of the environment, what the live tests would read, and what an outer pytest leaves there.
NOT_PASSED_ON = ("HUAWEICLOUD_SDK_", "HW_", "METASTUDIO_", "PYTEST_")


@attrs.frozen
class Run:
    """A run that has ended."""

    status: int
    output: str

    @property
    def table(self) -> str:
        return table_of(self.output)

    @property
    def questions(self) -> list[str]:
        return questions_of(self.output)


def run(sandbox: Sandbox, *options: str, **variables: str) -> Run:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(NOT_PASSED_ON)}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options]
    environment = kept | sandbox.environment | variables
    result = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=250, check=False
    )
    return Run(result.returncode, result.stdout + result.stderr)


def table_of(text: str) -> str:
    """Return the table in an output or a page, without its head."""
    _, _, table = text.partition("\nquestion ")
    lines = table.splitlines()[2:]
    return "\n".join(takewhile(lambda line: " | " in line, lines))


def questions_of(text: str) -> list[str]:
    """Return the first column of the table."""
    return [line.partition(" | ")[0].strip() for line in table_of(text).splitlines()]


def keys_of(sandbox: Sandbox) -> set[str]:
    storage = sandbox._storage.keys
    return {sandbox.credentials.ak, str(sandbox.credentials.sk), storage.ak, str(storage.sk), sandbox.token}


def shown(sandbox: Sandbox, output: str) -> set[str]:
    """Return the secrets and the whole IDs that an output shows."""
    hidden = keys_of(sandbox) | {sandbox.project_id} | set(sandbox.jobs)
    return {each for each in hidden if each in output} | set(re.findall(r"Signature=[^*\s]\S*", output))


def methods(sandbox: Sandbox) -> Counter[str]:
    return Counter(seen.method for seen in sandbox.exchanges)


@pytest.mark.parametrize("options", [(), ("-n", "2", "--dist", "loadfile")], ids=["as pytest", "as scripts/test"])
def test_each_question_has_a_response(options: tuple[str, ...]) -> None:
    """From the root of the repository, where nothing names the folder of the live tests."""
    with Sandbox() as sandbox:
        ran = run(sandbox, "-m", "live", "--live-write", *options, METASTUDIO_LIVE_JOB_ID=sandbox.add_job())

        assert ran.status == 0, ran.output
        assert "skipped" not in ran.output
        assert ran.questions == questions_of(PAGE.read_text("utf-8"))
        assert shown(sandbox, ran.output) == set()
        sent = methods(sandbox)
        assert (sent["POST"], sent["PUT"]) == (2, 1)  # create and commit, and the upload


def test_live_write_is_needed_to_write() -> None:
    with Sandbox() as sandbox:
        without = run(sandbox, "-m", "live", ONE_FILE)
        sent = len(sandbox.exchanges)
        ran = run(sandbox, "-m", "live", ONE_FILE, METASTUDIO_LIVE_JOB_ID=sandbox.add_job())

        assert (without.status, ran.status) == (0, 0), without.output + ran.output
        assert methods(sandbox).keys() == {"GET"}
        assert f"{sent} `GET` requests, and {len(sandbox.exchanges) - 2 * sent} more with" in PAGE.read_text("utf-8")
        assert len(ran.questions) > len(without.questions) > 20
        assert shown(sandbox, ran.output) == set()


@pytest.mark.parametrize("options", [(), ("--live-write",), ("-m", "live and not slow", "--live-write")], ids=str)
def test_live_marker_is_needed_to_send(options: tuple[str, ...]) -> None:
    with Sandbox() as sandbox:
        ran = run(sandbox, ONE_FILE, *options, METASTUDIO_LIVE_JOB_ID=sandbox.add_job())

        assert ran.status == 0, ran.output
        assert not sandbox.exchanges
        assert ran.questions == []


@pytest.mark.parametrize("wrong", ["HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"])
def test_wrong_key_is_refused_once(wrong: str) -> None:
    with Sandbox() as sandbox:
        ran = run(sandbox, "-m", "live", "--live-write", ONE_FILE, **{wrong: "INVENTED-AND-WRONG"})

        assert ran.status == 1, ran.output
        assert [seen.status for seen in sandbox.exchanges] == [401]
        assert "| 401 APIGW.0301" in ran.table
        assert "(test_credentials_are_accepted)" in ran.table
        assert "INVENTED-AND-WRONG" not in ran.table  # the gateway quotes an access key that it does not know
        assert shown(sandbox, ran.table) == set()


def test_quoted_request_is_not_published() -> None:
    async def quoting(request: Request, answer: Answer) -> Response:
        quoted = f"{request.url} {dict(request.headers)} {sandbox.credentials.ak} {sandbox.credentials.sk!s}"
        return JSONResponse({"error_code": "MSS.00000003", "error_msg": quoted}, status_code=400)

    with Sandbox() as sandbox:
        sandbox.inject(quoting, times=1000)
        ran = run(sandbox, "-m", "live", ONE_FILE, METASTUDIO_LIVE_JOB_ID=sandbox.add_job())

        assert f"/v1/{sandbox.project_id[:4]}…/voice" in ran.table
        assert shown(sandbox, ran.table) == set()


def test_failed_job_is_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service may find no voice in the generated recording."""

    async def failed(*_: object) -> Outcome:
        return Outcome("FAILED", {"job_failed_code": "MSS.20020011", "job_failed_reason": "no voice"})

    monkeypatch.setattr("metastudio_sandbox.assessment.outcome", failed)
    with Sandbox() as sandbox:
        ran = run(sandbox, "-m", "live", "--live-write", "-k", "recording_is_assessed", ONE_FILE)

        assert ran.status == 0, ran.output
        assert re.search(r"^verdict: job_failed_code +\| MSS.20020011$", ran.output, re.MULTILINE)


def test_rejected_upload_is_reported_without_url() -> None:
    with Sandbox() as sandbox:
        sandbox.inject_upload(faults.upload_error(403, "SignatureDoesNotMatch"))
        ran = run(sandbox, "-m", "live", "--live-write", "-k", "recording_is_assessed", ONE_FILE)

        assert ran.status == 1
        assert re.search(r"^upload +\| 403 SignatureDoesNotMatch: .* \(UploadError\), after", ran.output, re.MULTILINE)
        assert "failed: metastudio.journey_errors.UploadError" in ran.output
        assert shown(sandbox, ran.table) == set()
        assert not [each for each in keys_of(sandbox) if each in ran.output]
        assert "Signature=" not in ran.output
        assert methods(sandbox)["PUT"] == 1


def test_unknown_state_is_failure() -> None:
    with Sandbox() as sandbox:
        job_id = sandbox.add_job("A_STATE_OF_TOMORROW")
        ran = run(sandbox, "-m", "live", ONE_FILE, METASTUDIO_LIVE_JOB_ID=job_id)

        assert ran.status == 1
        assert re.search(r"^A job: state and type +\| A_STATE_OF_TOMORROW, VOICE_ASSESS$", ran.output, re.MULTILINE)
        assert shown(sandbox, ran.table) == set()
