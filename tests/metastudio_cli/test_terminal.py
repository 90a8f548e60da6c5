"""The command on a real terminal: what a person sees, by a terminal emulator, and what leaves in raw bytes."""

import csv
import io
import json
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from time import monotonic
from typing import Any, Self, TypeAlias

import pexpect
import pyte
import pytest
from rich.console import Console
from rich.live import Live

from metastudio import JobState, ShortJob
from metastudio_cli.waiting import Progress
from metastudio_sandbox import Sandbox, faults, recordings
from support import HANGS_AFTER
from support.samples import REFERENCE_JOB
from support.terminal import COMMAND, run

pytestmark = [
    pytest.mark.slow,  # half a minute of starts of the command
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),  # of pexpect
]

CHINESE, ENGLISH = "请在安静的环境中录音", "Invented: record in a quiet room."
EVIL = "a\x1b[2J\x1b[31mb\x07c\u202ed [red]markup[/red]"
SHOWN_EVIL = "a [2J [31mb c d [red]markup[/red]"
SETTINGS = "COLUMNS LINES FORCE_COLOR NO_COLOR TTY_COMPATIBLE TTY_INTERACTIVE LC_ALL LC_MESSAGES"


class Terminal:
    """The command on a terminal of `size` (lines, columns), and the screen of it."""

    def __init__(self, *arguments: str, env: dict[str, str], size: tuple[int, int]) -> None:
        self.screen = pyte.Screen(size[1], size[0])
        self.raw = b""
        self._stream = pyte.ByteStream(self.screen)
        self.child = pexpect.spawn(
            COMMAND,
            list(arguments),
            env=os.environ | env,
            dimensions=size,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell may have it ignored
        )
        self.child.ptyproc.delayafterclose = self.child.delaybeforesend = 0

    def until(self, text: str) -> Self:
        """Read until `text` is on the screen; a live view is drawn again and again."""
        end = monotonic() + HANGS_AFTER
        while text not in self.text:
            assert monotonic() < end, self.text
            self._read()
        return self

    def ended(self, code: int = 0) -> Self:
        """Read until the command has ended, with this exit code and without a traceback."""
        try:
            while True:
                self._read()
        except pexpect.EOF:
            self.child.wait()
        assert (self.child.exitstatus, b"Traceback" in self.raw) == (code, False), self.raw
        return self

    def _read(self) -> None:
        chunk = self.child.read_nonblocking(65536, timeout=HANGS_AFTER)
        self.raw += chunk
        self._stream.feed(chunk)

    @property
    def text(self) -> str:
        """What is on the screen, without the spaces at the end of lines."""
        return "\n".join(line.rstrip() for line in self.screen.display)

    @property
    def cells(self) -> list[list[pyte.screens.Char]]:
        """The cells of each line; the second one of a wide character is empty."""
        return [[self.screen.buffer[y][x] for x in range(self.screen.columns)] for y in range(self.screen.lines)]

    @property
    def colours(self) -> set[str]:
        return {cell.fg for line in self.cells for cell in line} - {"default"}


Start: TypeAlias = Callable[..., Terminal]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """Return one that does not validate, which takes most of the time with 200 jobs."""
    with Sandbox(validate=False) as running:
        yield running


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SETTINGS.split():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("LANG", "C.UTF-8")


@pytest.fixture
def start(sandbox: Sandbox) -> Iterator[Start]:
    """A function that starts the command with arguments; several at once run side by side."""
    with ExitStack() as running:

        def started(*arguments: str, env: dict[str, str] | None = None, size: tuple[int, int] = (50, 120)) -> Terminal:
            terminal = Terminal(*arguments, env=sandbox.environment | (env or {}), size=size)
            running.enter_context(closing(terminal.child))
            return terminal

        yield started


def only_colours(raw: str) -> bool:
    """Tell whether no escape sequence in `raw` does anything else."""
    return "\x1b" not in re.sub(r"\x1b\[[\d;]*m", "", raw)


def fail(sandbox: Sandbox, reason: str = "no reason") -> str:
    """Add a job that has failed, and return its ID."""
    job_id = sandbox.add_job("FAILED")
    sandbox.jobs[job_id]["job_failed_reason"] = reason
    return job_id


def test_pipe_is_never_a_terminal(sandbox: Sandbox) -> None:
    forced = {"FORCE_COLOR": "1", "TTY_COMPATIBLE": "1", "TTY_INTERACTIVE": "1"}

    result = run("show", REFERENCE_JOB, env=sandbox.environment | forced)

    assert json.loads(result.stdout) == sandbox.jobs[REFERENCE_JOB]


def test_no_color_changes_colours_only(start: Start) -> None:
    arguments = ("show", REFERENCE_JOB, "nosuch")
    plain = start(*arguments)
    no_colours = start(*arguments, "--no-color"), start(*arguments, env={"NO_COLOR": "1", "TTY_COMPATIBLE": "0"})

    assert {"red", "brown"} <= plain.ended(1).colours  # the error; pyte's name for yellow: out of range
    for terminal in no_colours:
        assert terminal.ended(1).colours == set()
        assert "╭─ " + REFERENCE_JOB in terminal.text


def test_table_in_a_pipe_moves_no_cursor(sandbox: Sandbox) -> None:
    done, failed = sandbox.add_job(), fail(sandbox)

    def piped(**env: str) -> str:
        result = run("wait", done, failed, "--output", "table", env=sandbox.environment | env)
        for job_id, state in ((done, "SUCCEED"), (failed, "FAILED")):
            assert re.search(rf"^  {job_id}   (\x1b\[[\d;]+m)?{state} ", result.stdout, re.MULTILINE)
        return result.stdout + result.stderr

    assert "\x1b" not in piped()
    assert "\x1b" in (coloured := piped(FORCE_COLOR="1"))
    assert only_colours(coloured)
    assert "\x1b" not in piped(FORCE_COLOR="1", NO_COLOR="1")


def test_csv_has_columns_of_all_jobs(sandbox: Sandbox) -> None:
    failed = fail(sandbox, 'two\nlines, "quoted"')

    result = run("show", failed, REFERENCE_JOB, "--output", "csv", env=sandbox.environment)

    rows = list(csv.DictReader(io.StringIO(result.stdout), strict=True))
    assert [row["job_id"] for row in rows] == [failed, REFERENCE_JOB]
    assert [row["job_failed_reason"] for row in rows] == ['two\nlines, "quoted"', ""]
    assert [CHINESE in row["assess_result.snr.suggestion"] for row in rows] == [False, True]
    assert None not in rows[0].keys() | rows[1].keys()


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_ids_and_names_are_not_truncated(sandbox: Sandbox, start: Start, columns: int) -> None:
    jobs, size = (REFERENCE_JOB, sandbox.add_job()), (100, columns)
    long = dict.fromkeys(("expected", "actual", "suggestion_en", "status"), "a long text " * 9)
    sandbox.jobs[jobs[1]]["assess_result"] = dict.fromkeys(("snr", "dnsmos_ovrl"), long)

    shown, waited = start("show", *jobs, size=size), start("wait", *jobs, size=size)

    for job_id in jobs:
        assert f"╭─ {job_id} ─" in shown.ended().text
        assert re.search(rf"^│ job_id +{job_id} +│$", shown.text, re.MULTILINE)
        assert re.search(rf"^  {job_id}   SUCCEED\b", waited.ended().text, re.MULTILINE)
    names = {"job_type", "lastupdate_time", "snr", "dnsmos_ovrl", "expected", "actual", "suggestion_en", "status"}
    words = shown.text.split()
    assert all(words.count(name) >= 2 for name in names)  # in both jobs
    assert {"job_id", "state"} <= set(waited.text.split())


@pytest.mark.parametrize(("count", "code"), [(1, 130), (15, 143), (200, 130), (200, 143)])
def test_wait_shows_progress(sandbox: Sandbox, start: Start, count: int, code: int) -> None:
    jobs = [sandbox.add_job("WAITING") for _ in range(count)]
    waiting = start("wait", *jobs, "--rate", "1000", size=(24, 80))

    waiting.until(f"0 of {count} finished ({count} WAITING)")
    assert waiting.screen.cursor.hidden
    rows = re.findall(r"^  ([-0-9a-f]{36})   WAITING  ", waiting.text, re.MULTILINE)
    assert len(rows) == min(count, 15)
    assert set(rows) <= set(jobs)
    if code == 130:
        waiting.child.sendcontrol("c")
    else:
        waiting.child.kill(signal.SIGTERM)

    more = f" and {count - 10} more" if count > 10 else ""
    said = f"; unfinished: {' '.join(jobs[:10])}{more}. To continue, run the same command again\r\n"
    assert said in waiting.ended(code).raw.decode()
    assert not waiting.screen.cursor.hidden


@pytest.mark.parametrize("states", [["WAITING"], list(JobState)])
def test_summary_of_ten_thousand_jobs_fits(states: list[str]) -> None:
    progress, file = Progress([str(n) for n in range(10_000)], timeout=600, rate=10), io.StringIO()
    for n in range(10_000):
        progress.update(ShortJob(job_id=f"{n:036}", state=states[n % len(states)]))
    screen = pyte.Screen(80, 24)
    console = Console(file=file, force_terminal=True, width=80, height=24)

    with Live(progress, console=console, auto_refresh=False) as live:
        live.refresh()
        pyte.Stream(screen).feed(file.getvalue().replace("\n", "\r\n"))

    assert sum(line.startswith("0 of 10000 finished (") for line in screen.display) == 1
    assert sum(line.startswith(f"  {'0' * 30}") for line in screen.display) == 15


def test_options_anywhere_and_ids_from_stdin(sandbox: Sandbox, start: Start) -> None:
    of_region = {"HUAWEICLOUD_SDK_REGION_METASTUDIO_CN_NORTH_4": sandbox.url}
    shown = start("show", "--region", "cn-north-4", "-", "--json", env=of_region)

    shown.child.sendline(REFERENCE_JOB)
    shown.child.sendeof()

    shown.ended()
    lines = [json.loads(line) for line in shown.raw.decode().splitlines() if line.startswith("{")]
    assert lines == [sandbox.jobs[REFERENCE_JOB]]


def test_wait_ends_in_named_states(sandbox: Sandbox, tmp_path: Path) -> None:
    jobs = {state: sandbox.add_job(state) for state in ("PROCESSING", "WAITING", "SUCCEED")}
    (tmp_path / "jobs").write_text("\n".join([*jobs.values(), "", "nosuch"]))
    states = ("--success", "PROCESSING", "--failure", "WAITING")

    good = run("wait", jobs["PROCESSING"], *states, env=sandbox.environment)
    bad = run("wait", jobs["WAITING"], *states, env=sandbox.environment)
    both = run("wait", f"@{tmp_path / 'jobs'}", *states, "--timeout", "2s", "--json", env=sandbox.environment)

    assert (good.returncode, bad.returncode, both.returncode) == (0, 3, 1)
    lines: list[dict[str, Any]] = [json.loads(line) for line in both.stdout.splitlines()]
    errors = {line["job_id"]: line for line in lines if "error" in line}
    kinds = {"WAITING": "ShortJobFailed", "SUCCEED": "WaitTimeout", "nosuch": "BadRequestError"}
    assert {line["job_id"]: line["kind"] for line in errors.values()} == {jobs.get(n, n): kinds[n] for n in kinds}
    assert all(line.keys() == {"job_id", "error", "kind"} for line in errors.values())
    assert "did not finish within 2 s" in errors[jobs["SUCCEED"]]["error"]
    assert {line["job_id"] for line in lines if "state" in line} == set(jobs.values())


def test_quiet_wait_shows_results_and_errors_only(sandbox: Sandbox, start: Start) -> None:
    done, failed = sandbox.add_job(), fail(sandbox, "the reason")

    waited = start("wait", done, failed, "--quiet", size=(24, 200)).ended(3)

    assert re.search(rf"^  {done}   SUCCEED ", waited.text, re.MULTILINE)
    assert re.search(rf"^metastudio: .*{failed} ended in FAILED .*the reason", waited.text, re.MULTILINE)
    assert only_colours(waited.raw.decode())
    assert not re.search("finished|requests per second", waited.text)


def test_quiet_assess_shows_the_verdict_only(start: Start, tmp_path: Path) -> None:
    (tmp_path / "ann.wav").write_bytes(recordings.wav(seconds=12))

    assessed = start("assess", str(tmp_path / "ann.wav"), "--quiet", size=(50, 100)).ended()

    assert assessed.text.startswith("╭─ ")
    assert only_colours(assessed.raw.decode())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["show", "j", "--project-id", "a/b"], "--project-id must be"),
        (["show", "a/b"], "JOB_ID must be"),
        (["show", "j", "--credentials", "nope"], "--credentials, or METASTUDIO_CREDENTIALS, must be ecs-agency"),
        (["show", "j", "--region", "cn-north-4", "--endpoint", "https://x"], "pass --region or --endpoint, not both"),
        (["wait", "j", "--rate", "0"], "--rate must be"),
    ],
)
def test_options_have_their_names_in_errors(sandbox: Sandbox, arguments: list[str], said: str) -> None:
    result = run(*arguments, env=sandbox.environment)
    assert (result.returncode, result.stderr.startswith(f"metastudio: {said}")) == (2, True), result.stderr


def test_errors_are_two_lines(sandbox: Sandbox, start: Start) -> None:
    keyless = {"HUAWEICLOUD_SDK_AK": "", "HUAWEICLOUD_SDK_SK": "", "METASTUDIO_AUTH_TOKEN": "not-the-token"}
    size = (24, 200)
    token = start("show", "j", env=keyless, size=size)
    option = start("show", "j", "--regoin", "cn-north-4", size=size)
    place = start("show", "j", env={"METASTUDIO_ENDPOINT": ""}, size=size)

    refusal, hint = token.ended(1).text.rstrip().splitlines()
    assert re.fullmatch(r"metastudio: 401 APIGW\.0301: .* \(request ID [0-9a-f]{32}\)", refusal)
    assert hint.startswith("  Check the token: ")
    assert "key pair" not in hint
    wrong, where = option.ended(2).text.rstrip().splitlines()
    assert re.match("metastudio: .*--regoin", wrong)
    assert where == "  See metastudio show --help"
    assert "pass --region or set METASTUDIO_REGION" in place.ended(2).text
    assert "region=" not in place.text


def test_service_cannot_write_on_the_terminal(sandbox: Sandbox, start: Start) -> None:
    failed = fail(sandbox, EVIL)
    sandbox.inject(faults.status(400, EVIL, EVIL))

    shown = start("show", "refused", failed, "--no-color", size=(24, 200)).ended(1)
    waited = start("wait", failed, "--no-color", size=(24, 200)).ended(3)
    table = start("show", failed, "--output", "csv").ended()

    assert f": 400 {SHOWN_EVIL}: {SHOWN_EVIL} (request ID" in shown.text
    assert f"job_failed_reason  {SHOWN_EVIL} " in shown.text
    assert shown.colours == waited.colours == set()
    assert waited.text.count(SHOWN_EVIL) == 2  # the error, and the row of the table
    assert not re.search("\x1b\\[(2J|31m)|\x07|\u202e", (shown.raw + waited.raw + table.raw).decode())
    assert only_colours(shown.raw.decode())


def test_suggestions_align_in_one_language(start: Start) -> None:
    chinese, english = {"LANG": "zh_CN.UTF-8"}, {"LANG": "C.UTF-8"}
    wanted: list[tuple[list[str], dict[str, str], bool]] = [
        ([], chinese, True),
        (["--lang", "zh"], english, True),
        ([], english, False),
        (["--lang", "en"], chinese, False),
    ]

    for shown, is_chinese in [(start("show", REFERENCE_JOB, *lang, env=env), zh) for lang, env, zh in wanted]:
        assert (CHINESE in shown.ended().text, ENGLISH in shown.text) == (is_chinese, not is_chinese)
        assert (" suggestion_en " in shown.text) == (not is_chinese)
        lines = ["".join(cell.data or "." for cell in line) for line in shown.cells]
        (x,) = (line.index("status") for line in lines if " expected " in line)
        rows = [line[x - 3 : x + 12].rstrip() + line[-1] for line in lines if " invented: " in line]
        assert rows == ["   0│", "   0│", "   out of range│", "   0│", "   0│", "   0│"]


def test_terminals_that_lack_characters_get_others(start: Start) -> None:
    real_ascii = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environments = [{"LANG": "C"}, real_ascii, {"PYTHONIOENCODING": "cp1252"}, {"PYTHONIOENCODING": "ascii"}]

    for shown in [start("show", REFERENCE_JOB, "--lang", "zh", env=env) for env in environments]:
        assert re.search(rf"^. job_id +{REFERENCE_JOB} ", shown.ended().text, re.MULTILINE)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("show --region ", ["cn-north-4", "cn-east-3", "ap-southeast-3"]),
        ("wait --success S", ["SPLITTING", "SPLIT_FAILED", "SUCCEED", "SYSTEM_AUDITING"]),
        ("create --language ", ["CN", "EN"]),
        ("assess {folder}/r", ["{folder}/recording.wav", "{folder}/recordings/"]),
    ],
)
def test_completion(words: str, offered: list[str], tmp_path: Path) -> None:
    (tmp_path / "recording.wav").touch()
    (tmp_path / "recordings").mkdir()
    words = f"metastudio {words.format(folder=tmp_path)}"
    asked = {"_METASTUDIO_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}

    assert run(env=asked).stdout.split() == [each.format(folder=tmp_path) for each in offered]
