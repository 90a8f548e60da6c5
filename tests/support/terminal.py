"""The command: in this process, in one with pipes, and in one on a pseudo-terminal."""

import io
import os
import pty
import re
import signal
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import IO

import pytest

from metastudio_cli import main
from support import HANGS_AFTER

COMMAND = str(Path(sys.executable).with_name("metastudio"))


def invoke(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in this process: in a tenth of the time, for tests of neither streams, signals nor logs."""
    out, errors = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    terminate = signal.getsignal(signal.SIGTERM)
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(errors):
        patch.setattr(sys, "argv", ["metastudio", *arguments])
        for name, value in (env or {}).items():
            patch.setenv(name, value)
        with pytest.raises(SystemExit) as ended:
            main()
    signal.signal(signal.SIGTERM, terminate)
    printed, said = (each.detach().getvalue().decode() for each in (out, errors))
    return subprocess.CompletedProcess(arguments, int(ended.value.code or 0), printed, said)


def run(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments],
        env=os.environ | (env or {}),
        capture_output=True,
        text=True,
        timeout=HANGS_AFTER,
        check=False,
    )


TERMINAL = {"COLUMNS": "120", "LINES": "40", "TERM": "xterm"}


def run_on_a_terminal(*arguments: str, env: dict[str, str], code: int = 0, errors: IO[bytes] | None = None) -> str:
    """Return what a person sees, escape sequences included; `errors` is for a stderr that is elsewhere."""
    ours, theirs = pty.openpty()
    env = os.environ | env
    with subprocess.Popen([COMMAND, *arguments], env=env, stdout=theirs, stderr=errors or theirs) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                chunk = os.read(ours, 65536)
            except OSError:  # Linux: the other end is closed
                break
            if not chunk:
                break
            shown += chunk
        os.close(ours)
        assert process.wait() == code, shown
    return shown.decode()


def screen(shown: str) -> list[str]:
    """Return the lines that are left to read, by the few escape sequences with which rich draws a table again."""
    lines, row = [""], 0
    for token in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|\n|[^\x1b\r\n]+", shown):
        if token == "\n":
            row += 1
            lines += [""] * (row == len(lines))
        elif token == "\x1b[1A":
            row -= 1
        elif token == "\x1b[2K":
            lines[row] = ""
        elif not token.startswith("\x1b"):
            lines[row] += token
    return lines
