"""The command as a process, in a pipe and on a pseudo-terminal."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import IO

from support import HANGS_AFTER

COMMAND = str(Path(sys.executable).with_name("metastudio"))


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
