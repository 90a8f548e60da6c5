"""What the documentation shows works: each Python block runs, each command exists, each link leads somewhere.

The blocks run against the sandbox, in virtual time. They name real regions, so every client is sent to the sandbox
whatever it was given, and no connection leaves this machine.
"""

import ast
import asyncio
import inspect
import os
import re
import shlex
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name
from textwrap import dedent
from typing import Any, get_args

import attrs
import httpx
import pytest
import typer.testing

from metastudio import AkSkAuth, AsyncMetaStudio, Credentials, MetaStudio, MetaStudioError
from metastudio.configuration import Region
from metastudio_batch.journal import Journal
from metastudio_cli.app import app
from metastudio_sandbox import Sandbox, faults, recordings
from support import HANGS_AFTER
from support.identity_server import PROJECT_ID, identity_server
from support.samples import REFERENCE_JOB
from support.virtual_time import Clock, Loop

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])
READMES = ("README.md", "README.zh-CN.md")


@attrs.frozen
class Block:
    """A fenced block of a page; `line` is that of its first line."""

    page: Path
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT).as_posix()}:{self.line}"

    @property
    def has_tests(self) -> bool:
        """Whether it is for pytest."""
        definitions = (ast.FunctionDef, ast.AsyncFunctionDef)
        names = [each.name for each in ast.walk(ast.parse(self.text)) if isinstance(each, definitions)]
        return any(name.startswith("test_") for name in names)


def blocks_of(page: Path) -> Iterator[Block]:
    text = page.read_text("utf-8")
    for match in re.finditer(r"^( *)```(\w*)[^\n]*\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL):
        line = text.count("\n", 0, match.start(3)) + 1
        yield Block(page, line, match[2], dedent(match[3]))


def blocks(language: str) -> list[Block]:
    return [block for page in PAGES for block in blocks_of(page) if block.language == language]


def parameters(found: list[Block]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("block", found, ids=str)


PYTHON = blocks("python")


def test_blocks_of_each_kind_exist() -> None:
    """Else the others would pass for want of any."""
    assert {block.page.name for block in PYTHON} >= {*READMES, "authentication.md", "errors.md", "waiting.md"}
    assert blocks("console")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """One whose assessments take no time: that of the blocks is virtual."""
    with Sandbox(duration=timedelta()) as running:
        yield running


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, sandbox: Sandbox) -> Path:
    """What functions of the pages assess; a journal is beside it."""
    path = tmp_path_factory.mktemp("recordings") / "ann.wav"
    path.write_bytes(recordings.wav(seconds=12))
    Journal(path.parent / "a.journal", sandbox.url, sandbox.project_id).close()
    return path


@pytest.fixture(scope="module")
def other_service() -> Iterator[httpx.Client]:
    """A client of another service, which verifies signatures with the official signer."""
    with identity_server() as server:
        ((ak, sk),) = server.keys.items()
        vpcs = b'{"vpcs": [{"name": "default"}]}'
        server._endpoints["GET", f"/v1/{PROJECT_ID}/vpcs"] = True, lambda _: (200, vpcs, {})
        with httpx.Client(auth=AkSkAuth(Credentials(ak, sk), PROJECT_ID), base_url=server.url) as client:
            yield client


@pytest.fixture(autouse=True)
def _at_the_sandbox(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Requests go to the sandbox, and files to a temporary folder."""
    monkeypatch.chdir(tmp_path)
    defaults = {**(Sandbox.__init__.__kwdefaults__ or {}), "duration": timedelta()}  # of those that blocks start
    monkeypatch.setattr(Sandbox.__init__, "__kwdefaults__", defaults)
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        assert address[0] == "127.0.0.1", address
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
    for region in get_args(Region):
        name = region.upper().replace("-", "_")
        monkeypatch.setenv(f"HUAWEICLOUD_SDK_REGION_METASTUDIO_{name}", sandbox.url)
    for name, value in sandbox.environment.items():
        monkeypatch.setenv(name, value)


@parameters([block for block in PYTHON if not block.has_tests])
def test_python_block_runs(block: Block, sandbox: Sandbox, recording: Path, other_service: httpx.Client) -> None:
    """Each of its functions runs, too."""
    namespace: dict[str, Any] = {"__name__": "block"}
    # Line numbers of the page in tracebacks.
    exec(compile("\n" * (block.line - 1) + block.text, str(block.page), "exec"), namespace)
    for value in list(namespace.values()):
        if inspect.isfunction(value) and value.__module__ == "block":
            called_in_every_case(value, sandbox, recording, other_service)
    close_all(namespace)


def close_all(namespace: dict[str, Any]) -> None:
    """Close the clients that a block leaves open."""
    for value in list(namespace.values()):
        if hasattr(value, "close") and not isinstance(value, type):
            value.close()


def called_in_every_case(
    function: Callable[..., Any], sandbox: Sandbox, recording: Path, other_service: httpx.Client
) -> None:
    """Call a function with a job that succeeded; and with what goes wrong, where any error must be one of ours."""
    call(function, sandbox, recording, other_service, [REFERENCE_JOB])
    if not inspect.signature(function).parameters:
        return
    for job_ids in (["unknown"], [sandbox.add_job("FAILED")], [sandbox.add_job("WAITING"), REFERENCE_JOB]):
        allow_errors(partial(call, function, sandbox, recording, other_service, job_ids))
    # Throttled for longer than a call would wait, so that it is the caller who gets to know.
    for fault in (faults.throttled(3600), faults.html(502), faults.html(200), faults.lost):
        sandbox.inject(fault)
        allow_errors(partial(call, function, sandbox, recording, other_service, [REFERENCE_JOB]))
        sandbox._service.faults.take()  # of a function that sends nothing
    with pytest.MonkeyPatch.context() as patch:
        # Another one for each function: after three refusals of the same, none would be sent.
        patch.setenv("HUAWEICLOUD_SDK_SK", f"not-the-secret-key-{function.__name__}")
        allow_errors(partial(call, function, sandbox, recording, other_service, [REFERENCE_JOB]))


def allow_errors(call: Callable[[], object]) -> None:
    with suppress(MetaStudioError):  # documentation may let it through
        call()


def call(
    function: Callable[..., Any],
    sandbox: Sandbox,
    recording: Path,
    other_service: httpx.Client,
    job_ids: list[str],
) -> None:
    """Call a function, sync or async, with arguments by the annotations and names of its parameters."""
    with MetaStudio() as studio:
        studio.short_jobs._caller.clock = clock = Clock()
        studio.short_jobs._caller.sleep = clock.sleep
        a_studio = AsyncMetaStudio()
        known: dict[object, object] = {
            MetaStudio: studio,
            AsyncMetaStudio: a_studio,
            Sandbox: sandbox,
            httpx.Client: other_service,
            "project_id": PROJECT_ID,
            "job_id": job_ids[0],
            "job_ids": job_ids,
            "path": str(recording),
            "recording": recording,
            "folder": str(recording.parent),
            "journal": str(recording.parent / "a.journal"),
        }
        arguments = {}
        for parameter in inspect.signature(function, eval_str=True).parameters.values():
            key = parameter.annotation if parameter.annotation in known else parameter.name
            assert key in known, f"say here what to give to {function.__name__}({parameter})"
            arguments[parameter.name] = known[key]

        async def asynchronously() -> None:
            async with a_studio:
                result = function(**arguments)
                if inspect.isawaitable(result):
                    await result

        with asyncio.Runner(loop_factory=Loop) as runner:
            if inspect.iscoroutinefunction(function):
                runner.run(asynchronously())
            else:
                function(**arguments)
                runner.run(a_studio.aclose())


@pytest.mark.parametrize("page", READMES)
def test_quickstart_prints_what_the_page_shows(page: str, capsys: pytest.CaptureFixture[str]) -> None:
    program, shown = [block.text for block in blocks_of(ROOT / page) if block.language in {"python", "text"}][:2]

    namespace: dict[str, Any] = {}
    exec(program, namespace)
    close_all(namespace)

    assert capsys.readouterr().out == shown


LOOPBACK_ONLY = """
import socket
import pytest

@pytest.fixture(autouse=True)
def _loopback_only(monkeypatch):
    connect = socket.socket.connect
    def guarded(self, address):
        assert address[0] == "127.0.0.1", address
        connect(self, address)
    monkeypatch.setattr(socket.socket, "connect", guarded)
"""


@pytest.mark.slow
@parameters([block for block in PYTHON if block.has_tests])
def test_block_of_tests_passes(block: Block, tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(LOOPBACK_ONLY, "utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", "utf-8")
    (tmp_path / "test_block.py").write_text(block.text, "utf-8")

    # The environment points at this module's sandbox: the fixture must bring its own.
    environment = os.environ | {"METASTUDIO_ENDPOINT": "http://127.0.0.1:1"}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), str(tmp_path)]
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=HANGS_AFTER, check=False
    )

    assert result.returncode == 0, result.stdout + result.stderr
    assert " passed" in result.stdout


@cache
def help_of(*command: str) -> str | None:
    """Return the help of `metastudio` or one of its subcommands; None where there is no such one."""
    result = typer.testing.CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    return result.output if result.exit_code == 0 else None


def wrong_with(command: str) -> str | None:
    """Return what is wrong with a command as a page shows it."""
    words = shlex.split(command, comments=True)
    while words and re.match(r"\w+=", words[0]):
        del words[0]
    name, *arguments = words or [""]
    if "/" in name:
        script = ROOT / name
        return None if script.is_file() and os.access(script, os.X_OK) else "no such script"
    if name == "metastudio":
        subcommand = [each for each in arguments[:1] if each[0] != "-"]
        shown = help_of(*subcommand)
        if shown is None:
            return "no such subcommand"
        options = {each.partition("=")[0] for each in arguments if each[0] == "-"}
        missing = [each for each in options if not re.search(rf"(?<![\w-]){each}(?![\w-])", shown)]
        return f"no option {missing}" if missing else None
    if name == "pip":
        return wrong_with_installation(arguments)
    if name in {"celery", "python", "uvicorn"}:
        return None  # tests/examples runs them
    return None if name in {"curl", "docker", "export", "uv"} else "not a command that is known here"


def wrong_with_installation(arguments: list[str]) -> str | None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for distribution, extras in re.findall(r"^([\w-]+|\.)(?:\[([^]]*)])?", "\n".join(arguments[1:]), re.MULTILINE):
        wanted = {each.strip() for each in extras.split(",") if each.strip()}
        if distribution in {project["name"], "."} and wanted - project["optional-dependencies"].keys():
            return "no such extra"
    return None if arguments[:1] == ["install"] else "only `pip install` is known here"


@parameters(blocks("console"))
def test_commands_of_console_block_exist(block: Block) -> None:
    commands = [line.removeprefix("$ ") for line in block.text.splitlines() if line.startswith("$ ")]

    assert commands
    assert {command: wrong for command in commands if (wrong := wrong_with(command))} == {}


@pytest.mark.parametrize("package", ["metastudio", "metastudio_batch", "huaweicloud_auth", "metastudio_sandbox"])
def test_reference_has_each_public_name(package: str) -> None:
    """A name that two packages export has its place once."""
    pages = "".join(page.read_text("utf-8") for page in ROOT.glob("docs/reference/*.md"))
    shown = [resolve_name(name) for name in re.findall(r"^::: (\S+)$", pages, re.MULTILINE)]
    public = import_module(package)
    names = {name for name in public.__all__ if not name.startswith("_")}

    assert names
    assert {name for name in names if not any(getattr(public, name) is each for each in shown)} == set()


def prose_of(page: Path) -> str:
    return re.sub(r"^ *```.*?^ *```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


@pages
def test_commands_in_text_exist(page: Path) -> None:
    commands = re.findall(r"`((?:metastudio |scripts/|\./)[^`]+)`", prose_of(page))

    assert {command: wrong for command in commands if (wrong := wrong_with(command))} == {}


@pages
def test_links_lead_somewhere(page: Path) -> None:
    prose = prose_of(page)
    links = re.findall(r"]\(<?([^)\s>]+)>?[^)]*\)", prose) + re.findall(r"^\[[^]]+]: *(\S+)", prose, re.MULTILINE)
    internal = [link for link in links if not re.match(r"[a-z]+:", link)]

    assert [link for link in internal if not leads_somewhere(page, link)] == []


def leads_somewhere(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    if not target.exists() or not target.resolve().is_relative_to(ROOT):
        return False
    return not anchor or anchor in map(slug, re.findall(r"^#+ +(.+)$", prose_of(target), re.MULTILINE))


def slug(heading: str) -> str:
    """Return the anchor that code hosts give to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
