"""The tables of docs/testing.md are complete, and the container's commands are the documented ones."""

import inspect
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final
from zipfile import ZipFile

import pytest
import typer.testing

from metastudio_cli.app import app
from metastudio_sandbox import Sandbox, contract, faults, gateway, jobs

ROOT: Final = Path(__file__).parents[2]
TEXT: Final = (ROOT / "docs/testing.md").read_text("utf-8")
DOCKERFILE: Final = (ROOT / "examples/sandbox/Dockerfile").read_text("utf-8")
#: Public names of the module that are no faults.
OTHERS: Final = {"Answer", "Fault", "UploadFault", "drained", "storage_error"}


def first_cells(heading: str) -> str:
    """Return the first column of the table whose first heading is this one."""
    table = TEXT.partition(f"\n| {heading} |")[2].partition("\n\n")[0]
    return "\n".join(re.findall(r"^\| ([^|]+) \|", table, re.MULTILINE))


def codes(text: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", text))


@pytest.mark.parametrize(("heading", "is_upload"), [("fault of the service", False), ("fault of an upload", True)])
def test_each_fault_is_in_its_table(heading: str, is_upload: bool) -> None:
    defined = {name for name, value in vars(faults).items() if is_defined(name, value)} - OTHERS
    expected = {name for name in defined if name.startswith("upload_") == is_upload}

    assert expected
    assert {name.removeprefix("faults.").partition("(")[0] for name in codes(first_cells(heading))} == expected


def is_defined(name: str, value: object) -> bool:
    """Whether a name of the module is public and not imported."""
    return name[0] != "_" and getattr(value, "__module__", None) == faults.__name__


def test_each_state_is_in_the_table() -> None:
    assert codes(first_cells("state")) == set(contract.states(contract.load()))


def test_each_option_is_in_the_table() -> None:
    assert codes(first_cells("option of `Sandbox`")) == set(inspect.signature(Sandbox).parameters)


def test_each_option_of_a_plan_is_in_the_table() -> None:
    methods = (Sandbox.inject, Sandbox.inject_upload, Sandbox.inject_randomly)
    options = {name for method in methods for name in inspect.signature(method).parameters if name != "self"}
    shown = first_cells("plan")

    assert {method.__name__ for method in methods if f"`{method.__name__}(" not in shown} == set()
    assert {name for name in options if not re.search(rf"\b{name}\b", shown)} == set()


def test_limits_are_those_of_the_code() -> None:
    sandbox = Sandbox()
    kept = re.search(r"the last ([\d,]+) requests and the last ([\d,]+) jobs", TEXT)

    assert kept
    assert [int(number.replace(",", "")) for number in kept.groups()] == [sandbox.exchanges.maxlen, jobs.MAX_JOBS]
    assert "may have 1 MiB" in TEXT
    assert gateway.MAX_BODY == 2**20


def test_container_runs_the_command() -> None:
    """Nothing is run in a container here: each option exists, and its ports are those that are published."""
    name, *arguments = json.loads(DOCKERFILE.partition("CMD ")[2])
    result = typer.testing.CliRunner().invoke(app, [*arguments, "--help"], env={"TERM": "dumb"})
    ports = re.findall(r"-p 127\.0\.0\.1:(\d+):(\d+)", TEXT)
    options = dict(zip(arguments[1::2], arguments[2::2], strict=True))

    assert (name, result.exit_code) == ("metastudio", 0), result.output
    assert arguments[0] == "sandbox"
    assert ports == [(options["--port"],) * 2, (options["--storage-port"],) * 2]
    assert f"EXPOSE {options['--port']} {options['--storage-port']}\n" in DOCKERFILE
    build = re.search(r"^#   (docker build .+)$", DOCKERFILE, re.MULTILINE)
    assert build
    assert f"$ {build[1]}\n" in TEXT


@pytest.mark.slow
def test_container_has_what_the_package_is_built_from(tmp_path: Path) -> None:
    """The wheel is built from the files that are copied into the image."""
    source = tmp_path / "src"
    source.mkdir()
    for line in re.findall(r"^COPY (.+)$", DOCKERFILE, re.MULTILINE):
        *names, target = line.split()
        for name in names:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, source / target)
            else:
                shutil.copy(ROOT / name, source / target)

    command = [sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", str(tmp_path), str(source)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)

    assert result.returncode == 0, result.stdout + result.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with ZipFile(wheel) as archive:
        packages = {name.partition("/")[0] for name in archive.namelist() if name.endswith("/__init__.py")}
    sources = [*ROOT.glob("overlays/*/__init__.py"), *ROOT.glob("generated_client/*/__init__.py")]
    assert packages == {path.parent.name for path in sources}
    assert 'pip install --no-cache-dir ".[cli,sandbox]"' in DOCKERFILE
