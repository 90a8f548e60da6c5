"""The command, as a process of its own."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest
from rich.console import Console

from metastudio import ShortJob, __version__
from metastudio_cli.waiting import SHOWN, Progress
from metastudio_sandbox import Sandbox, faults
from support import HANGS_AFTER
from support.raw_server import RawServer
from support.samples import REFERENCE_JOB
from support.terminal import COMMAND, TERMINAL, invoke, run, run_on_a_terminal, screen


@pytest.mark.parametrize("arguments", [[], ["-v"], ["--help"]])
def test_missing_command_shows_help(arguments: list[str]) -> None:
    result = run(*arguments)

    assert (result.returncode, result.stderr) == (0, "")
    assert "Usage: metastudio " in result.stdout
    assert "doctor" in result.stdout


@pytest.mark.parametrize("arguments", [["-V"], ["--version"], ["show", "-V"]])
def test_version(arguments: list[str]) -> None:
    assert run(*arguments).stdout == f"metastudio {__version__}\n"


def test_show_prints_json_to_a_pipe(sandbox: Sandbox) -> None:
    result = run("show", REFERENCE_JOB, REFERENCE_JOB, env=sandbox.environment)

    assert (result.returncode, result.stderr) == (0, "")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [sandbox.jobs[REFERENCE_JOB]] * 2


def test_show_prints_json_in_any_encoding(server: RawServer, sandbox: Sandbox) -> None:
    server.answer(b'{"job_failed_reason": "\xe5\xa4\xb1 \\ud83d"}')
    env = sandbox.environment | {"METASTUDIO_ENDPOINT": server.url, "PYTHONIOENCODING": "cp1252"}

    result = run("show", "j", env=env)

    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {"job_failed_reason": "失 \ud83d"}


def test_show_prints_tables_on_a_terminal(sandbox: Sandbox) -> None:
    shown = run_on_a_terminal("show", REFERENCE_JOB, env=sandbox.environment | TERMINAL)

    for each in ("SUCCEED", "snr", "dnsmos_bak", "suggestion_en", "out of range (-1)", "if in seconds"):
        assert each in shown


def test_show_prints_invalid_metric(server: RawServer, sandbox: Sandbox) -> None:
    server.answer(b'{"assess_result": {"basic_metrics": {"snr": {"status": [1]}}}}')

    shown = run_on_a_terminal("show", "j", env=sandbox.environment | TERMINAL | {"METASTUDIO_ENDPOINT": server.url})

    assert "[1]" in shown


def test_show_json_on_a_terminal(sandbox: Sandbox) -> None:
    shown = run_on_a_terminal("show", "--json", REFERENCE_JOB, env=sandbox.environment)

    assert json.loads(shown) == sandbox.jobs[REFERENCE_JOB]


def test_escape_sequences_are_removed(sandbox: Sandbox) -> None:
    job_id = sandbox.add_job("FAILED")
    sandbox.jobs[job_id]["job_failed_reason"] = "\x1b]0;owned\x07 [red]not markup[/red]\r\n"

    shown = run_on_a_terminal("show", job_id, env=sandbox.environment | TERMINAL)

    assert "\x1b]0" not in shown
    assert "[red]not markup[/red]" in shown


def test_markup_of_service_is_printed(sandbox: Sandbox) -> None:
    sandbox.inject(faults.status(400, "MSS.1", "[red]not markup[/red] and :warning: no emoji"))

    result = invoke("show", REFERENCE_JOB, env=sandbox.environment)

    assert f"metastudio: {REFERENCE_JOB}: 400 MSS.1: [red]not markup[/red] and :warning: no emoji" in result.stderr


def test_unknown_job_does_not_hide_others(sandbox: Sandbox) -> None:
    result = invoke("show", "unknown", REFERENCE_JOB, env=sandbox.environment)

    assert result.returncode == 1
    assert json.loads(result.stdout)["job_id"] == REFERENCE_JOB
    assert "unknown: 400 MSS.00000003" in result.stderr


def test_refused_signature_ends_command(sandbox: Sandbox) -> None:
    before = len(sandbox.exchanges)
    result = invoke(
        "show", REFERENCE_JOB, REFERENCE_JOB, env=sandbox.environment | {"HUAWEICLOUD_SDK_SK": "wrong-secret"}
    )

    assert (result.returncode, result.stdout) == (1, "")
    assert "401 APIGW.0301" in result.stderr
    assert "wrong-secret" not in result.stderr
    assert len(sandbox.exchanges) == before + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["show", "j"], "HUAWEICLOUD_SDK_AK"),
        (["show", "j", "--region", "cn-north-4"], "HUAWEICLOUD_SDK_AK"),
        (["show", "j", "--region", "cn-north-4", "--project-id", "p"], "HUAWEICLOUD_SDK_AK"),
        (["show", "j", "--endpoint", "http://example.com", "--project-id", "p"], "use https://example.com"),
        (["show"], "JOB_ID"),
        (["vanish"], "vanish"),
        (["sandbox", "--port", "port"], "port"),
        (["sandbox", "--port", "65536"], "65535"),
        (["create"], "HUAWEICLOUD_SDK_AK"),
        (["upload", "https://example.com/x", "ann.zip"], "HUAWEICLOUD_SDK_AK"),
        (["commit", "a/b", "--region", "cn-north-4"], "HUAWEICLOUD_SDK_AK"),
        (["limits"], "HUAWEICLOUD_SDK_AK"),
        (["assess", "ann.wav"], "HUAWEICLOUD_SDK_AK"),
    ],
)
def test_wrong_usage_exits_with_2(arguments: list[str], message: str) -> None:
    result = invoke(*arguments, env={"COLUMNS": "200"})

    assert result.returncode == 2
    assert message in result.stderr


def test_key_without_a_region() -> None:
    result = invoke("limits", env={"HUAWEICLOUD_SDK_AK": "AK", "HUAWEICLOUD_SDK_SK": "SK"})

    assert result.returncode == 2
    assert result.stderr.startswith("metastudio: no region: pass --region or set METASTUDIO_REGION")


def test_sandbox_serves_until_interrupted() -> None:
    """It prints the environment variables to export."""
    for interrupt in (signal.SIGINT, signal.SIGTERM):
        with subprocess.Popen(
            [COMMAND, "sandbox"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as served:
            assert served.stdout
            lines = [served.stdout.readline() for _ in range(4)]
            script = "".join(lines) + f'"{COMMAND}" show {REFERENCE_JOB}'
            shown = subprocess.run(
                ["bash", "-c", script], capture_output=True, text=True, timeout=HANGS_AFTER, check=True
            )
            served.send_signal(interrupt)
            _, errors = served.communicate(timeout=HANGS_AFTER)

        assert json.loads(shown.stdout)["job_id"] == REFERENCE_JOB
        assert served.returncode == 0
        assert f"{REFERENCE_JOB}  SUCCEED" in errors


def test_port_in_use(sandbox: Sandbox) -> None:
    port = sandbox.url.rpartition(":")[2]
    result = invoke("sandbox", "--port", port)

    assert result.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}" in result.stderr


JOB_URL = "/v1/{project}/voice-training-manage/user/short-jobs/" + REFERENCE_JOB


@pytest.mark.parametrize("is_temporary", [False, True])
def test_sign_prints_curl_command_without_secret(sandbox: Sandbox, is_temporary: bool) -> None:
    keys = sandbox.temporary_credentials if is_temporary else sandbox.credentials
    token = str(keys.security_token or "")
    env = sandbox.environment | {"HUAWEICLOUD_SDK_AK": keys.ak, "HUAWEICLOUD_SDK_SK": str(keys.sk)}
    env |= {"HUAWEICLOUD_SDK_SECURITY_TOKEN": token}
    url = sandbox.url + JOB_URL.format(project=sandbox.project_id) + "?b=%20&a"

    result = invoke("sign", url, "-H", "X-App-UserId: it's me", env=env)

    assert (result.returncode, result.stderr) == (0, "")
    assert keys.sk not in result.stdout
    assert not token or token not in result.stdout
    canonical = sandbox_canonical_request(result.stdout)
    assert json.loads(run_curl(result.stdout, env)) == sandbox.jobs[REFERENCE_JOB]
    seen = sandbox.exchanges[-1].canonical_request or ""
    assert (seen.replace(token, "***") if token else seen) == canonical


def test_sign_shows_where_refusal_differs(sandbox: Sandbox) -> None:
    url = sandbox.url + JOB_URL.format(project=sandbox.project_id)
    signed = sandbox_canonical_request(invoke("sign", url, env=sandbox.environment).stdout)
    theirs = signed.replace("short-jobs", "other-jobs").replace("\n", "|")
    same = "verify aksk signature fail, canonicalRequest:" + signed.replace("\n", "|")

    def first_line(refusal: str) -> str:
        return invoke("sign", url, "--refusal", refusal, env=sandbox.environment).stdout.splitlines()[0]

    difference = first_line(f"verify aksk signature fail, canonicalRequest:{theirs}")
    assert difference.startswith("# the gateway has '/v1/")
    assert "other-jobs" in difference
    assert first_line(same) == "# the canonical requests are identical: check the key pair"
    assert first_line("no") == "# the error message contains no canonical request (canonicalRequest:...)"


def sandbox_canonical_request(output: str) -> str:
    return output.removeprefix("# canonical request\n").partition("\n\n# string to sign")[0]


@pytest.mark.parametrize("arguments", [["?x={a,b}"], ["?x[0]=[1-2]"], ["", "-H", "X-Empty:"]])
def test_curl_sends_what_was_signed(sandbox: Sandbox, arguments: list[str]) -> None:
    before = len(sandbox.exchanges)
    target, *options = arguments
    url = sandbox.url + JOB_URL.format(project=sandbox.project_id) + target

    result = invoke("sign", url, *options, env=sandbox.environment)

    assert json.loads(run_curl(result.stdout, sandbox.environment)) == sandbox.jobs[REFERENCE_JOB]
    assert len(sandbox.exchanges) == before + 1
    assert sandbox.exchanges[-1].canonical_request == sandbox_canonical_request(result.stdout)


@pytest.mark.parametrize("body", [f"@{__file__}", "two\nlines\n", '{"name": "it\'s"}'])
def test_curl_sends_signed_body(sandbox: Sandbox, server: RawServer, body: str) -> None:
    server.answer(b"{}")

    result = invoke("sign", server.url + "/v1/x", "-X", "post", "-d", body, env=sandbox.environment)

    run_curl(result.stdout, sandbox.environment)
    head, _, sent = server.requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /v1/x HTTP")
    assert sent.decode() == body


def run_curl(output: str, env: dict[str, str]) -> str:
    command = output[output.index("# the same request") :]
    return subprocess.run(
        ["bash", "-c", command], env=os.environ | env, capture_output=True, text=True, timeout=HANGS_AFTER, check=True
    ).stdout


def test_curl_sends_head_request(sandbox: Sandbox, server: RawServer) -> None:
    server.answer(b"{}")

    result = invoke("sign", server.url, "-X", "HEAD", env=sandbox.environment)

    assert run_curl(result.stdout, sandbox.environment).startswith("HTTP/1.1 200 OK")
    assert server.requests[0].startswith(b"HEAD / HTTP")


def test_curl_needs_secret_key(sandbox: Sandbox, server: RawServer) -> None:
    result = invoke("sign", server.url, env=sandbox.environment)

    with pytest.raises(subprocess.CalledProcessError) as caught:
        run_curl(result.stdout, {})

    assert "HUAWEICLOUD_SDK_SK" in caught.value.stderr
    assert server.requests == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["https://"],
        ["not a url"],
        ["https://[::1"],
        ["ftp://example.com"],
        ["https://example.com", "-H", ": x"],
        ["https://example.com", "-H", "x"],
        ["https://example.com", "-H", "a: ü"],
        ["https://example.com", "-X", ""],
        ["https://example.com", "-X", "GE T"],
    ],
)
def test_sign_wrong_usage(sandbox: Sandbox, arguments: list[str]) -> None:
    result = run("sign", *arguments, env=sandbox.environment)

    assert result.returncode == 2
    assert result.stderr.startswith("metastudio: ")


def test_sign_needs_a_key_pair() -> None:
    result = invoke("sign", "https://example.com")

    assert (result.returncode, "HUAWEICLOUD_SDK_AK" in result.stderr) == (2, True)


def test_verbose_logs_the_exchange_and_no_secret(sandbox: Sandbox) -> None:
    result = run("--verbose", "show", REFERENCE_JOB, env=sandbox.environment)

    assert re.fullmatch(
        rf"[-\d]+ [:,\d]+ GET \S+/short-jobs/{REFERENCE_JOB}: 200, request ID \w+; attempt 1, [.\d]+ s\n", result.stderr
    )
    assert sandbox.credentials.sk not in result.stderr


def test_wait_prints_a_json_line_for_each_change(sandbox: Sandbox) -> None:
    done = sandbox.add_job("SUCCEED")

    result = invoke("wait", done, done, env=sandbox.environment)

    assert (result.returncode, result.stderr) == (0, "")
    assert [json.loads(line) for line in result.stdout.splitlines()] == [sandbox.jobs[done]]


def test_wait_shows_people_a_table(sandbox: Sandbox) -> None:
    shown = run_on_a_terminal("wait", sandbox.add_job("SUCCEED"), env=sandbox.environment | TERMINAL)

    for each in ("SUCCEED", "1 of 1 finished (1 SUCCEED)", "at most 10 requests per second", "s left"):
        assert each in shown


def test_wait_messages_stay_above_table(sandbox: Sandbox) -> None:
    good, failed, stuck = (sandbox.add_job(state) for state in ("SUCCEED", "FAILED", "WAITING"))

    shown = run_on_a_terminal(
        *("-v", "wait", good, failed, stuck, "nosuch", "--timeout", "1.5"), env=sandbox.environment | TERMINAL, code=1
    )

    above, header, table = "\n".join(screen(shown)).partition("  job_id ")
    assert header not in table
    for said in (f"short job {failed} ended in FAILED", f"short job {stuck} did not", "nosuch: 400 MSS.00000003"):
        assert f"\nmetastudio: {said}" in above
    for job_id in (good, failed, stuck, "nosuch"):
        assert re.search(rf"^[-\d]+ [:,\d]+ GET \S+/{job_id}: \d+, request ID ", above, re.MULTILINE)
    rows = re.findall(r"^  (\S+) +([A-Z]+) ", table, re.MULTILINE)
    assert sorted(rows) == sorted([(good, "SUCCEED"), (failed, "FAILED"), (stuck, "WAITING")])
    assert "2 of 4 finished, 1 timed out, 1 got an error (1 SUCCEED, 1 FAILED, 1 WAITING)" in table


def test_table_and_errors_are_separate(sandbox: Sandbox, tmp_path: Path) -> None:
    with (tmp_path / "errors").open("wb") as errors:
        shown = run_on_a_terminal("wait", "nosuch", env=sandbox.environment | TERMINAL, code=1, errors=errors)

    assert "0 of 1 finished, 1 got an error (no response yet)" in shown
    assert (tmp_path / "errors").read_text().startswith("metastudio: nosuch: 400 MSS.00000003")


def printed(progress: Progress) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(progress)
    return capture.get()


def test_table_has_latest_changes_and_counts() -> None:
    progress = Progress([], timeout=1, rate=1)
    progress.update(ShortJob(job_id="100", state="CREATING"))
    for job_id in [*range(100, 140), 105]:
        progress.update(ShortJob(job_id=str(job_id), state="WAITING"))
    progress.update(ShortJob(job_id="106", state="PROCESSING"))

    shown = printed(progress)

    assert re.findall(r"^  (\d+) ", shown, re.MULTILINE) == [str(n) for n in (*range(142 - SHOWN, 140), 105, 106)]
    assert "(39 WAITING, 1 PROCESSING)" in shown


def test_table_has_job_without_state() -> None:
    progress = Progress([], timeout=1, rate=1)
    for _ in range(2):
        progress.update(ShortJob(job_id="j"))

    assert re.search(r"^  j +- ", shown := printed(progress), re.MULTILINE)
    assert "(1 without a state)" in shown


def test_table_can_be_drawn_while_jobs_change() -> None:
    """rich draws in a thread of its own, which an exception would end."""
    progress = Progress([], timeout=1, rate=1)

    def change() -> None:
        for n in range(20_000):
            progress.update(ShortJob(job_id=str(n % 500), state=f"STATE_{n}"))

    changing, console = Thread(target=change), Console(file=io.StringIO())
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        changing.start()
        while changing.is_alive():
            console.print(progress)
    finally:
        sys.setswitchinterval(interval)
        changing.join()


@pytest.mark.parametrize(
    ("states", "code", "said"),
    [
        (["FAILED"], 3, "ended in FAILED"),
        (["FAILED", "WAITING"], 3, "ended in FAILED"),
        (["WAITING"], 4, "did not finish within 3 s; its last state was WAITING"),
        (["SUCCEED", None], 1, "MSS.00000003"),
        (["FAILED", None], 1, "MSS.00000003"),
    ],
)
def test_wait_exit_codes(sandbox: Sandbox, states: list[str | None], code: int, said: str) -> None:
    job_ids = [sandbox.add_job(state) if state else "unknown" for state in states]

    result = invoke("wait", "--timeout", "3", *job_ids, env=sandbox.environment)

    assert result.returncode == code
    assert said in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--timeout", "0"], "a duration must look like 90, 90s, 10m, 2h or 1d"),
        (["--rate", "0"], "rate must be"),
        (["a/b"], "JOB_ID must be"),
    ],
)
def test_wait_wrong_usage(sandbox: Sandbox, arguments: list[str], message: str) -> None:
    result = invoke("wait", "j", *arguments, env=sandbox.environment)

    assert (result.returncode, message in result.stderr) == (2, True)


def test_interrupted_wait_names_unfinished_jobs(sandbox: Sandbox) -> None:
    done, running = sandbox.add_job("SUCCEED"), sandbox.add_job("WAITING")

    with subprocess.Popen(
        [COMMAND, "wait", done, running],
        env=os.environ | sandbox.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as waiting:
        assert waiting.stdout
        seen = [json.loads(waiting.stdout.readline())["job_id"] for _ in range(2)]
        waiting.send_signal(signal.SIGINT)
        _, errors = waiting.communicate(timeout=HANGS_AFTER)

    assert set(seen) == {done, running}
    assert (waiting.returncode, errors) == (
        130,
        f"metastudio: interrupted; unfinished: {running}. To continue, run the same command again\n",
    )
