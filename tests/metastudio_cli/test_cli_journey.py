"""The commands from a recording to its verdict, as processes of their own."""

import asyncio
import json
import os
import re
import signal
import subprocess
import zipfile
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response

from metastudio import AssessmentInterrupted, ConfigurationError
from metastudio_cli.output import exit_code
from metastudio_sandbox import Sandbox, faults, recordings
from support import HANGS_AFTER
from support.terminal import COMMAND, TERMINAL, invoke, run, run_on_a_terminal, screen

WAV = recordings.wav(seconds=12)
CREATED = re.compile(r"^metastudio: Short job (\S+) was created$", re.MULTILINE)
GO_ON = re.compile(r"^To continue, run with the same options: metastudio (assess --finish \S+)$", re.MULTILINE)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """One for each test: its requests are counted."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def endless() -> Iterator[Sandbox]:
    """One whose jobs do not end by themselves."""
    with Sandbox(duration=timedelta(hours=1)) as running:
        yield running


@pytest.fixture
def wav(tmp_path: Path) -> str:
    path = tmp_path / "ann.wav"
    path.write_bytes(WAV)
    return str(path)


def zipped(path: Path, name: str) -> str:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, WAV)
    return str(path)


def states(stdout: str) -> list[str]:
    return [json.loads(line)["state"] for line in stdout.splitlines()]


def created_jobs(sandbox: Sandbox) -> int:
    return sum(each.method == "POST" and each.target.endswith("/short-jobs") for each in sandbox.exchanges)


def only(found: list[str]) -> str:
    assert len(found) == 1, found
    return found[0]


def interrupted(sandbox: Sandbox, *arguments: str, after: str, seen: Callable[[], bool] = lambda: True) -> str:
    """Interrupt a command once a line with `after` is on stderr; return stderr."""
    env = os.environ | sandbox.environment
    with subprocess.Popen([COMMAND, *arguments], env=env, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        lines = [process.stderr.readline()]
        while lines[-1] and after not in lines[-1]:
            lines.append(process.stderr.readline())
        while not seen():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=HANGS_AFTER)
        assert process.returncode == 130, rest
    return "".join(lines) + rest


def test_assess_on_a_terminal(sandbox: Sandbox, wav: str) -> None:
    """It shows the bar, the states and the verdict."""
    shown = "\n".join(screen(run_on_a_terminal("assess", wav, env=sandbox.environment | TERMINAL)))

    job_id = only(CREATED.findall(shown))
    order = [f"{job_id} was created", "upload", "SUCCEED\n", job_id, "suggestion", "Invented: ", "suggestion_en", "snr"]
    places = [0]
    for each in order:
        places.append(shown.index(each, places[-1]))
    assert re.search(r"^upload ━+ 1\.2/1\.2 MB ", shown, re.MULTILINE)
    assert sandbox.jobs[job_id]["state"] == "SUCCEED"


def test_assess_prints_json_lines_to_a_pipe(sandbox: Sandbox, wav: str) -> None:
    result = run("assess", wav, "--language", "EN", "--app-user-id", "u-1", env=sandbox.environment)

    assert result.returncode == 0, result.stderr
    job_id = only(CREATED.findall(result.stderr))
    assert result.stderr == f"metastudio: Short job {job_id} was created\n"
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(lines) > 1
    assert lines[-1] == sandbox.jobs[job_id]
    assert states(result.stdout)[-1] == "SUCCEED"
    created = next(each for each in sandbox.exchanges if each.method == "POST")
    assert created.headers["x-app-userid"] == "u-1"


def test_assess_json_on_a_terminal(sandbox: Sandbox, wav: str, tmp_path: Path) -> None:
    with (tmp_path / "errors").open("wb") as errors:
        shown = run_on_a_terminal("assess", "--json", wav, env=sandbox.environment | TERMINAL, errors=errors)

    assert states(shown)[-1] == "SUCCEED"


def test_verbose_assess_repeats_nothing(sandbox: Sandbox, wav: str) -> None:
    result = run("--verbose", "assess", wav, env=sandbox.environment)

    assert result.returncode == 0
    assert result.stderr.count("was created") == 1
    assert re.search(r" POST \S+/short-jobs: 200, request ID ", result.stderr)


def test_warnings_of_assessment_are_shown(sandbox: Sandbox, wav: str) -> None:
    sandbox.inject(faults.status(403, "APIGW.0302"))

    result = run("assess", wav, env=sandbox.environment)

    assert result.returncode == 0
    assert result.stderr.startswith("metastudio: The recording limits are unknown: 403 APIGW.0302")


def test_warnings_of_recording_are_shown(endless: Sandbox, tmp_path: Path) -> None:
    path = tmp_path / "ann.wav"
    path.write_bytes(recordings.wav(seconds=12, rate=8000))

    result = run("assess", str(path), "--timeout", "0.5", env=endless.environment)

    assert re.search(r"\Ametastudio: [^\n]*8000 Hz[^\n]*\nmetastudio: Short job \S+ was created\n", result.stderr)


@pytest.mark.parametrize(
    ("recording", "said"),
    [(recordings.wav(seconds=3), "at least 10 s"), (b"", "is empty"), (None, "does not exist")],
)
def test_unusable_recording_exits_with_2(sandbox: Sandbox, tmp_path: Path, recording: bytes | None, said: str) -> None:
    """No job is created."""
    path = tmp_path / "ann.wav"
    if recording is not None:
        path.write_bytes(recording)

    result = invoke("assess", str(path), env=sandbox.environment)

    assert (result.returncode, result.stdout) == (2, "")
    assert said in result.stderr
    assert created_jobs(sandbox) == 0


def test_recording_changed_in_upload_exits_with_2() -> None:
    error = AssessmentInterrupted("upload", "j")
    assert exit_code(error) == 1
    error.__cause__ = ConfigurationError("it changed")
    assert exit_code(error) == 2


@pytest.mark.parametrize("arguments", [[], ["ann.wav", "--finish", "j"]])
def test_assess_takes_either_a_file_or_a_job(sandbox: Sandbox, arguments: list[str]) -> None:
    result = invoke("assess", *arguments, env=sandbox.environment)

    assert (result.returncode, "--finish JOB_ID" in result.stderr) == (2, True)
    assert not sandbox.exchanges


def test_job_that_failed_exits_with_3(sandbox: Sandbox, tmp_path: Path) -> None:
    file = zipped(tmp_path / "notes.zip", "notes.txt")

    result = invoke("assess", file, env=sandbox.environment)
    shown = run_on_a_terminal("assess", file, env=sandbox.environment | TERMINAL, code=3)

    assert (result.returncode, states(result.stdout)[-1]) == (3, "FAILED")
    assert "ended in FAILED (MSS.20020012" in result.stderr
    assert "To continue" not in result.stderr
    assert "job_failed_reason" in shown, "people get the table of a failed job as well"


def test_timeout_exits_with_4(endless: Sandbox, wav: str) -> None:
    """The command that it prints continues the assessment."""
    result = run("assess", wav, "--timeout", "3", env=endless.environment)

    assert result.returncode == 4
    job_id = only(CREATED.findall(result.stderr))
    command = only(GO_ON.findall(result.stderr)).split()
    assert command[-1] == job_id
    endless.move_job(job_id, "SUCCEED")
    finished = run(*command, env=endless.environment)
    assert (finished.returncode, finished.stderr, states(finished.stdout)) == (0, "", ["SUCCEED"])
    assert created_jobs(endless) == 1


async def good(_: Request, answer: faults.Answer) -> Response:
    return answer()


def test_rejected_commit_exits_with_1(sandbox: Sandbox, wav: str) -> None:
    """The command that it prints continues the assessment."""
    sandbox.inject(good, times=2)  # the limits, and the creation
    sandbox.inject(faults.status(400, "MSS.1"))

    result = run("assess", wav, env=sandbox.environment)

    assert result.returncode == 1
    assert "failed at the commit: 400 MSS.1" in result.stderr
    finished = run(*only(GO_ON.findall(result.stderr)).split(), env=sandbox.environment)
    assert (finished.returncode, states(finished.stdout)[-1]) == (0, "SUCCEED")
    assert created_jobs(sandbox) == 1


def test_rejected_upload_exits_with_1(sandbox: Sandbox, wav: str) -> None:
    """The command that it prints starts again."""
    sandbox.inject_upload(faults.upload_error(403, "SignatureDoesNotMatch"))

    result = run("assess", wav, env=sandbox.environment)

    assert result.returncode == 1
    job_id = only(CREATED.findall(result.stderr))
    assert f"Short job {job_id} has no recording. To start again: metastudio assess FILE\n" in result.stderr
    assert not GO_ON.search(result.stderr)


def test_interrupted_wait_prints_next_command(endless: Sandbox, wav: str) -> None:
    def is_committed() -> bool:
        return any(each.target.count("/short-jobs/") and each.method == "GET" for each in list(endless.exchanges))

    errors = interrupted(endless, "assess", wav, after="was created", seen=is_committed)

    assert errors.count("metastudio: interrupted\n") == 1
    assert only(GO_ON.findall(errors)).endswith(only(CREATED.findall(errors)))


def test_interrupted_finish_prints_next_command(endless: Sandbox) -> None:
    job_id = endless.add_job("WAITING")

    errors = interrupted(endless, "-v", "assess", "--finish", job_id, after=f"/short-jobs/{job_id}: 200")

    assert only(GO_ON.findall(errors)) == f"assess --finish {job_id}"


def test_interrupted_upload_names_job(sandbox: Sandbox, tmp_path: Path) -> None:
    """More than the sockets hold, and nobody reads it."""
    path = tmp_path / "long.wav"
    path.write_bytes(recordings.wav(seconds=500))

    async def stuck(_: Request, answer: Callable[[], Awaitable[Response]]) -> Response:
        await asyncio.sleep(60)
        return await answer()

    sandbox.inject_upload(stuck)
    errors = interrupted(
        sandbox, "assess", str(path), after="was created", seen=lambda: sandbox.exchanges[-1].method == "PUT"
    )

    assert f"Short job {only(CREATED.findall(errors))} has no recording." in errors
    assert not GO_ON.search(errors)


def test_each_step_has_a_command(sandbox: Sandbox, tmp_path: Path) -> None:
    file = zipped(tmp_path / "ann.zip", "ann.wav")

    created = run("create", "--app-user-id", "u-1", env=sandbox.environment)
    job = json.loads(created.stdout)
    uploaded = subprocess.run(
        [COMMAND, "upload", "-", file],
        env=os.environ | sandbox.environment,
        input=job["data_uploading_url"] + "\n",
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER,
        check=False,
    )
    assert sandbox.jobs[job["job_id"]]["state"] == "UPLOADING"
    committed = run("commit", job["job_id"], "--app-user-id", "u-1", env=sandbox.environment)
    waited = run("wait", job["job_id"], env=sandbox.environment)

    assert (uploaded.returncode, committed.returncode, uploaded.stderr, committed.stderr) == (0, 0, "", "")
    assert json.loads(uploaded.stdout) == {"uploaded": str(file), "bytes": Path(file).stat().st_size}
    assert json.loads(committed.stdout) == {"committed": job["job_id"]}
    assert (created.stderr, waited.returncode, states(waited.stdout)[-1]) == ("", 0, "SUCCEED")
    users = [each.headers.get("x-app-userid") for each in sandbox.exchanges]
    assert users[:3] == ["u-1", None, "u-1"]


def test_create_hides_url_on_a_terminal(sandbox: Sandbox) -> None:
    narrow = sandbox.environment | TERMINAL | {"COLUMNS": "60"}

    hidden = run_on_a_terminal("create", env=narrow)
    shown = run_on_a_terminal("create", "--show-url", env=narrow)

    assert "Signature" not in hidden
    assert "data_uploading_url  ***" in "\n".join(screen(hidden))
    assert re.search(
        r"data_uploading_url  http://127\S+/short-jobs/\S+&Signature=\S+$", "\n".join(screen(shown)).strip()
    )


def test_create_json_has_url(sandbox: Sandbox) -> None:
    job = json.loads(run_on_a_terminal("create", "--json", env=sandbox.environment | TERMINAL))

    assert "Signature=" in job["data_uploading_url"]


def test_upload_shows_bar_on_a_terminal(sandbox: Sandbox, tmp_path: Path) -> None:
    job = json.loads(invoke("create", env=sandbox.environment).stdout)
    file = zipped(tmp_path / "ann.zip", "ann.wav")

    shown = run_on_a_terminal("upload", job["data_uploading_url"], file, env=sandbox.environment | TERMINAL)

    assert "1.2/1.2 MB" in "\n".join(screen(shown))
    assert "Signature" not in shown


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (faults.upload_expired, 1, "the upload was rejected: 403 AccessDenied"),
        (None, 2, "the file cannot be read"),
    ],
)
def test_upload_exit_codes(
    sandbox: Sandbox, tmp_path: Path, fault: faults.UploadFault | None, code: int, said: str
) -> None:
    url = json.loads(invoke("create", env=sandbox.environment).stdout)["data_uploading_url"]
    file = tmp_path / "ann.zip"
    if fault:
        zipped(file, "ann.wav")
        sandbox.inject_upload(fault)

    result = invoke("upload", url, str(file), env=sandbox.environment)

    assert (result.returncode, said in result.stderr) == (code, True), result.stderr
    assert "Signature" not in result.stderr


def test_commit_without_upload(sandbox: Sandbox) -> None:
    job_id = json.loads(invoke("create", env=sandbox.environment).stdout)["job_id"]

    result = invoke("commit", job_id, env=sandbox.environment)

    assert (result.returncode, result.stderr.startswith("metastudio: 400 ")) == (1, True)


def test_limits_are_shown() -> None:
    with Sandbox(limits=(7, None)) as sandbox:
        printed = invoke("limits", env=sandbox.environment)
        shown = run_on_a_terminal("limits", env=sandbox.environment | TERMINAL)

    assert json.loads(printed.stdout) == {"shortest": 7, "longest": None}
    assert "\n".join(screen(shown)).split() == ["shortest", "7", "longest", "-"]


@pytest.fixture(scope="module")
def demo() -> subprocess.CompletedProcess[str]:
    return run("demo", env={"COLUMNS": "120"})


def test_demo_shows_the_journey(demo: subprocess.CompletedProcess[str]) -> None:
    assert demo.returncode == 0, demo.stderr
    job_id = only(CREATED.findall(demo.stderr))
    order = ("20 s", "SUCCEED\n", job_id, "dnsmos_bak", "five lines", "assess(", "POST /v1/", "canonical request")
    places = [0]
    for each in order:
        places.append(demo.stdout.index(each, places[-1]))
    assert "SDK-HMAC-SHA256 Access=SANDBOX" in demo.stdout


def test_demo_counts_requests(demo: subprocess.CompletedProcess[str]) -> None:
    last = re.fullmatch(
        r"(\d+) of \1 requests were signed, sent to http://127\.0\.0\.1:\d+ and verified\.",
        demo.stdout.splitlines()[-1],
    )

    assert last
    assert int(last[1]) >= 5, "the limits, the creation, the commit and at least two polls"


def test_five_lines_of_demo_do_the_same(
    demo: subprocess.CompletedProcess[str], sandbox: Sandbox, tmp_path: Path
) -> None:
    lines = demo.stdout[demo.stdout.index("from metastudio import") :].splitlines()[:5]
    (tmp_path / "recording.wav").write_bytes(recordings.wav(seconds=20))
    (tmp_path / "lines.py").write_text("\n".join(lines), "utf-8")

    python = Path(COMMAND).with_name("python")
    result = subprocess.run(
        [python, "lines.py"],
        cwd=tmp_path,
        env=os.environ | sandbox.environment,
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER,
        check=True,
    )

    printed = [line.split(maxsplit=1) for line in result.stdout.splitlines()]
    assert {name for name, _ in printed} >= {"speed", "snr", "dnsmos_bak"}
    for _, values in printed:
        assert re.sub(r"\s+", "", values.partition(" Invented:")[0]) in re.sub(r"[\s│]+", "", demo.stdout), (
            "the same recording has the same verdict"
        )


ROOT = Path(__file__).parents[2]
