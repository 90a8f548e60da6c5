"""What docs/terminal.md shows is what the command prints, with a sandbox and an IAM on this machine.

`PYTHONPATH=tests .venv/bin/python tests/docs/test_terminal_docs.py` writes into the page what is no longer so;
`scripts/pictures` makes the pictures.
"""

import os
import pty
import re
import signal
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from subprocess import DEVNULL, Popen
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any, Final
from xml.etree import ElementTree
from zipfile import ZipFile

import attrs
import httpx
import pytest
from typer.testing import CliRunner

from metastudio_cli.app import app
from metastudio_sandbox import Sandbox, recordings
from support import HANGS_AFTER
from support.identity_server import identity_server
from support.terminal import screen

pytestmark = pytest.mark.slow  # a minute of starts of the command

DOCS: Final = Path(__file__).parents[2] / "docs"
PAGE: Final = DOCS / "terminal.md"
PICTURES: Final = ("assess", "wait", "doctor")
COLUMNS: Final = 100
_SERVES: Final = b"until interrupted (Ctrl-C)."
_TOO_LONG: Final = HANGS_AFTER
_WIDE: Final = {"COLUMNS": "200", "TERM": "dumb"}
#: The jobs that the page names, and the states that they go through as they are shown.
JOBS: Final = {
    "26f06525-4f75-4b3a-a853-b649a21aaf66": ("SUCCEED",),
    "26f06526-4f75-4b3a-a853-b649a21aaf66": ("WAITING", "FAILED"),
    "26f06527-4f75-4b3a-a853-b649a21aaf66": ("SUCCEED",),
    "26f06528-4f75-4b3a-a853-b649a21aaf66": ("WAITING",),
    "26f06529-4f75-4b3a-a853-b649a21aaf66": ("WAITING", "FAILED"),
}
#: What differs from run to run.
_VARIES: Final = {
    r"(?!26f0652)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}": "JOB",
    r"\b[0-9a-f]{64}\b": "HASH",
    r"\b[0-9a-f]{32}\b": "REQUEST",
    r"\bSANDBOX[0-9A-F]{13}\b": "KEY",
    r"\bSAND…[0-9A-F]{2}\b": "KEY",
    r"(?<=HUAWEICLOUD_SDK_SK=')[\w-]+": "SECRET",
    r"127\.0\.0\.1:\d+": "HOST",
    r"\b(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\d{8}T\d{6}Z|1[789]\d{8})\b": "TIME",
    r"metastudio \d\S*, httpx \S+, Python \S+, \w+": "VERSIONS",
    r"(?<=MB )(?:\S+ \S+/s|\?)$": "SPEED",
    r"[\d.]+ (?=recordings per second|s left)": "",
    r"[+-]\d+ s relative": "SECONDS relative",
    r"^(?:(?:SYSTEM_AUDITING|WAITING|PROCESSING)\n)+": "STATES\n",
    r" +": " ",
}


@contextmanager
def served() -> Iterator["Terminal"]:
    """Serve what the commands need; return where they are run."""
    with TemporaryDirectory() as name, Sandbox(duration=timedelta(seconds=1)) as sandbox, identity_server() as iam:
        iam.keys[sandbox.credentials.ak] = str(sandbox.credentials.sk)
        iam.projects["cn-north-4"] = [sandbox.project_id]
        for job_id, states in JOBS.items():
            sandbox.add_job(*states, job_id=job_id)
        folder = Path(name)
        (folder / "ann.wav").write_bytes(recordings.wav(seconds=20))
        with ZipFile(folder / "ann.zip", "w") as archive:
            archive.write(folder / "ann.wav", "ann.wav")
        (folder / "jobs.txt").write_text("\n".join([*JOBS][1:4:2]) + "\n", "utf-8")
        (folder / "recordings").mkdir()
        for number, seconds in enumerate((12, 15, 20)):
            (folder / f"recordings/{number + 1}.wav").write_bytes(recordings.wav(seconds=seconds, seed=number))
        environment = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": name,
            "LANG": "C.UTF-8",
            "TERM": "xterm",
            "METASTUDIO_REGION": "cn-north-4",
            "HUAWEICLOUD_SDK_REGION_METASTUDIO_CN_NORTH_4": sandbox.url,
            "HUAWEICLOUD_SDK_IAM_ENDPOINT": iam.url,
            "HUAWEICLOUD_SDK_STS_ENDPOINT": iam.url,
            "HUAWEICLOUD_SDK_AK": sandbox.credentials.ak,
            "HUAWEICLOUD_SDK_SK": str(sandbox.credentials.sk),
        }
        yield Terminal(folder, environment)


@attrs.frozen
class Terminal:
    """A pseudo-terminal of 100 columns and 40 lines."""

    folder: Path
    environment: dict[str, str]

    def run(self, command: str) -> tuple[list[str], int]:
        """Run a command of bash; return the lines that are left on the screen, colours included, and its exit code."""
        ours, theirs = pty.openpty()
        termios.tcsetwinsize(theirs, (40, COLUMNS))
        place: dict[str, Any] = {"cwd": self.folder, "env": self.environment, "start_new_session": True}
        with Popen(["bash", "-c", command], stdin=DEVNULL, stdout=theirs, stderr=theirs, **place) as process:
            os.close(theirs)
            timer = Timer(_TOO_LONG, os.killpg, (process.pid, signal.SIGKILL))
            timer.start()
            shown = b""
            with suppress(OSError):  # Linux: the other end is closed
                while chunk := os.read(ours, 65536):
                    shown += chunk
                    if shown.rstrip().endswith(_SERVES):
                        respond(shown)
                        os.killpg(process.pid, signal.SIGTERM)  # SIGINT may be ignored
            timer.cancel()
            os.close(ours)
        # To `screen`, colours are text.
        text = re.sub(r"\x1b\[([\d;]*)m", "\ue000\\1\ue001", shown.decode().replace(str(self.folder), "~"))
        lines = [line.replace("\ue000", "\x1b[").replace("\ue001", "m") for line in screen(text)]
        return lines, process.returncode

    def step(self, step: re.Match[str]) -> str:
        """Run a command of the page; return it with what it prints, as the page has it unless that has changed."""
        lines, code = self.run(step[1])
        command = re.sub(r" +# exit code \d+$", "", step[1]) + (f"  # exit code {code}" if code else "")
        plain = "\n".join(re.sub(r"\x1b\[[\d;]*m", "", line).rstrip() for line in lines)
        ran, wanted = "\n".join([f"$ {command}", *plain.strip("\n").splitlines(), ""]), comparable(step[0])
        return step[0] if elided(comparable(ran), wanted) == wanted else elided(ran, step[0])


def respond(shown: bytes) -> None:
    """Get a response from the sandbox that the command has just named: it serves, and waits to be interrupted."""
    named = re.search(rb"METASTUDIO_ENDPOINT='([^']+)'", shown)
    assert named
    assert httpx.get(named[1].decode(), trust_env=False, timeout=_TOO_LONG).status_code == 404


def comparable(step: str) -> str:
    """Return a step without what differs from run to run."""
    for pattern, name in _VARIES.items():
        step = re.sub(pattern, name, step, flags=re.MULTILINE)
    return step


def elided(ran: str, step: str) -> str:
    """Return what was printed without the lines for which the page has `…`."""
    head, is_elided, tail = step.partition("\n…\n")
    lines = ran.splitlines(keepends=True)
    shown = [*lines[: head.count("\n") + 1], "…\n", *lines[len(lines) - tail.count("\n") :]]
    return "".join(shown) if is_elided else ran


#: The commands of the page, and what they print.
STEP: Final = re.compile(r"^\$ (.+)\n(?:(?!\$ |```).*\n)*", re.MULTILINE)
STEPS: Final = list(STEP.finditer(PAGE.read_text("utf-8")))


@pytest.fixture(scope="module")
def ran() -> list[str]:
    """The commands of the page, run one after the other."""
    with served() as terminal:
        return [terminal.step(step) for step in STEPS]


@pytest.mark.parametrize("number", range(len(STEPS)), ids=[step[1] for step in STEPS])
def test_command_prints_page(number: int, ran: list[str]) -> None:
    assert comparable(ran[number]) == comparable(STEPS[number][0])


def test_page_has_each_command_and_option() -> None:
    help_ = CliRunner().invoke(app, ["--help"], env=_WIDE).output.partition("Commands")[2]
    options = CliRunner().invoke(app, ["limits", "--help"], env=_WIDE).output
    text = PAGE.read_text("utf-8")

    commands = re.findall(r"^\W+([a-z]+) ", help_, re.MULTILINE)
    assert "assess" in commands
    assert [each for each in commands if f"\n$ metastudio {each} " not in text.replace("\n", " \n")] == []
    assert [each for each in re.findall(r"--[a-z-]+", options) if f"`{each}" not in text] == []


@pytest.mark.parametrize("name", PICTURES)
def test_picture_shows_command_and_loads_nothing(name: str) -> None:
    text = (DOCS / f"pictures/{name}.svg").read_text("utf-8")
    elements = list(ElementTree.fromstring(text).iter())
    tags = {each.tag.partition("}")[2] for each in elements}

    assert f"$ metastudio {name}" in "".join(elements[0].itertext()).replace("\xa0", " ")
    assert tags <= {"circle", "clipPath", "defs", "g", "rect", "style", "svg", "text", "title"}
    assert re.findall(r"href|src=|@import|@font-face|url\((?!#)", text) == []
    assert [value for each in elements for value in each.attrib.values() if "//" in value] == []
    assert re.findall(r"/(?:home|root|tmp|work)\b", text) == []
    assert len(text.encode()) < 60_000


if __name__ == "__main__":
    with served() as the_terminal:
        PAGE.write_text(STEP.sub(the_terminal.step, PAGE.read_text("utf-8")), "utf-8")
