"""`./generate.sh`: the same bytes on every machine, and `--check` finds any difference and changes nothing.

It runs in a copy that has only what it may depend on. `scripts/setup` is empty there: the tests' own environment, which
it would have made, is already in `PATH`.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support import HANGS_AFTER

ROOT = Path(__file__).parents[2]
CLIENT = "generated_client/metastudio_client"

SLOW = pytest.mark.slow  # each run of the generator takes seconds, and `.ci/run` runs them all
pytestmark = pytest.mark.skipif(shutil.which("bash") is None, reason="generate.sh needs bash")


class Copy:
    """A copy of the repository, at a path with a space in it, to run its `generate.sh`."""

    def __init__(self, root: Path, temporary: Path) -> None:
        self.root, self.temporary = root, temporary
        self.contract = root / "openapi.yaml"
        self.client = root / CLIENT
        (root / "scripts").mkdir(parents=True)
        temporary.mkdir()
        for name in ("generate.sh", "openapi.yaml"):
            shutil.copy(ROOT / name, root / name)
        for name in ("codegen", CLIENT):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
        setup = root / "scripts" / "setup"
        setup.write_text("#!/usr/bin/env bash\n")
        setup.chmod(0o755)

    def generate(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
        return subprocess.run(
            [str(self.root / "generate.sh"), *arguments],
            cwd=self.temporary,  # it must find its own directory
            env=os.environ | {"PATH": path, "TMPDIR": str(self.temporary)} | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=HANGS_AFTER,
            check=False,
        )

    def files(self) -> dict[str, bytes]:
        found = (path for path in self.root.rglob("*") if path.is_file())
        return {path.relative_to(self.root).as_posix(): path.read_bytes() for path in found}

    def state(self) -> dict[str, tuple[bytes, int, int]]:
        """Return the files with what changes even where the same bytes are written again."""
        status = {name: (self.root / name).stat() for name in self.files()}
        return {name: (data, status[name].st_ino, status[name].st_mtime_ns) for name, data in self.files().items()}


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path / "a repository", tmp_path / "temporary")


@SLOW
def test_check_passes_on_committed_client(copy: Copy) -> None:
    before = copy.state()

    result = copy.generate("--check")

    assert result.returncode == 0, result.stdout
    assert copy.state() == before
    assert list(copy.temporary.iterdir()) == []


def hand_edit(copy: Copy) -> str:
    path = copy.client / "models" / "short_job.py"
    path.write_text(path.read_text("utf-8") + "\n", "utf-8")
    return "models/short_job.py"


def stale_file(copy: Copy) -> str:
    (copy.client / "models" / "long_job.py").touch()
    return "long_job.py"


def missing_file(copy: Copy) -> str:
    (copy.client / "py.typed").unlink()
    return "py.typed"


def contract_edit(copy: Copy) -> str:
    text = copy.contract.read_text("utf-8")
    copy.contract.write_text(text.replace("        - WAITING\n", "        - WAITING\n        - HIBERNATING\n"), "utf-8")
    return "models/job_state.py"


@pytest.mark.parametrize(
    "spoil", [contract_edit, *(pytest.param(each, marks=SLOW) for each in (hand_edit, stale_file, missing_file))]
)
def test_check_names_difference_and_changes_nothing(copy: Copy, spoil: Callable[[Copy], str]) -> None:
    name = spoil(copy)
    before = copy.state()

    result = copy.generate("--check")

    assert result.returncode == 1, result.stdout
    assert name in result.stdout
    assert "run ./generate.sh" in result.stdout
    assert copy.state() == before
    assert list(copy.temporary.iterdir()) == []


@SLOW
@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONHASHSEED": "1", "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "TZ": "Asia/Kathmandu"},
        {"PYTHONHASHSEED": "2", "LC_ALL": "C.UTF-8", "TZ": "America/St_Johns", "COLUMNS": "40"},
    ],
    ids=["ascii locale", "utf-8 locale"],
)
def test_output_is_reproducible(copy: Copy, environment: dict[str, str]) -> None:
    """It writes the committed client, whatever was there and whatever the machine's settings."""
    committed = copy.files()
    for spoil in (hand_edit, stale_file, missing_file):
        spoil(copy)

    result = copy.generate(**environment)

    assert result.returncode == 0, result.stdout
    assert copy.files() == committed


@SLOW
def test_missing_client_is_generated(copy: Copy) -> None:
    committed = copy.files()
    shutil.rmtree(copy.client.parent)

    result = copy.generate()

    assert result.returncode == 0, result.stdout
    assert copy.files() == committed


@SLOW
@pytest.mark.parametrize("arguments", [[], ["--check"]], ids=["write", "check"])
def test_generator_warning_is_failure(copy: Copy, arguments: list[str]) -> None:
    """Nothing is changed."""
    text = copy.contract.read_text("utf-8")
    copy.contract.write_text(text.replace("application/json:", "application/xml:"), "utf-8")
    before = copy.state()

    result = copy.generate(*arguments)

    assert "Unsupported content_type application/xml" in result.stdout
    assert "WARNING" in result.stdout
    assert result.returncode != 0
    assert copy.state() == before
    assert list(copy.temporary.iterdir()) == []


def test_generated_files_have_header(copy: Copy) -> None:
    for path in copy.client.rglob("*.py"):
        assert path.read_text("utf-8").startswith("# Generated from openapi.yaml by ./generate.sh."), path


def test_unknown_argument_is_rejected(copy: Copy) -> None:
    before = copy.state()

    result = copy.generate("--chekc")

    assert (result.returncode, result.stdout) == (2, "usage: ./generate.sh [--check]\n")
    assert copy.state() == before
