"""The package as users get it: what is in the wheel, and that it works where the repository is not.

The environments are installed with the pins of `requirements.txt`, from whatever index pip is set up for.
"""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from email.message import Message
from email.parser import Parser
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path, PurePosixPath
from typing import Any

import attrs
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from metastudio import __version__
from support.samples import REFERENCE_JOB

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "huaweicloud_auth": "overlays/huaweicloud_auth",
    "metastudio": "overlays/metastudio",
    "metastudio_batch": "overlays/metastudio_batch",
    "metastudio_cli": "overlays/metastudio_cli",
    "metastudio_sandbox": "overlays/metastudio_sandbox",
    "metastudio_client": "generated_client/metastudio_client",
}
NOT_SOURCE = shutil.ignore_patterns(".git", ".venv*", "node_modules", "__pycache__", ".*_cache", ".hypothesis", "dist")
#: What a plain `pip install metastudio` brings.
CORE = {"metastudio", "anyio", "attrs", "certifi", "h11", "httpcore", "httpx", "idna"}
if sys.version_info < (3, 13):
    CORE.add("typing-extensions")

QUERY = (
    f"JOB = {REFERENCE_JOB!r}"
    + """
import asyncio, json
import huaweicloud_auth, metastudio, metastudio_batch, metastudio_cli, metastudio_client, metastudio_sandbox
from metastudio import AsyncMetaStudio, MetaStudio
from metastudio_sandbox import Sandbox


async def show(**options):
    async with AsyncMetaStudio(**options) as studio:
        return await studio.short_jobs.show(JOB)

with Sandbox() as sandbox:
    options = {"endpoint": sandbox.url, "project_id": sandbox.project_id, "credentials": sandbox.credentials}
    with MetaStudio(**options) as studio:
        job = studio.short_jobs.show(JOB)
    async_job = asyncio.run(show(**options))

PACKAGES = (huaweicloud_auth, metastudio, metastudio_cli, metastudio_client, metastudio_sandbox)
print(json.dumps({
    "files": [each.__file__ for each in PACKAGES],
    "state": job.state,
    "same": job == async_job,
    "statuses": [exchange.status for exchange in sandbox.exchanges],
}))
"""
)
JOURNAL = """
from contextlib import closing
from metastudio_batch import Found
from metastudio_batch.journal import Journal

with closing(Journal("a.journal", "https://metastudio.cn-north-4.myhuaweicloud.com", "p")) as journal:
    journal.claim(Found("ann.wav", "ann.wav", "CN"), "hash", 1, 1)
print("{}")
"""
DISTRIBUTIONS = """
import importlib.metadata, json
import metastudio
print(json.dumps([each.metadata["Name"] for each in importlib.metadata.distributions()]))
"""


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    # The repository's own modules must not be found by way of the environment.
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        list(map(str, command)), cwd=cwd, env=env, capture_output=True, encoding="utf-8", timeout=300, check=False
    )


def succeed(*command: str | Path, cwd: Path) -> str:
    result = run(*command, cwd=cwd)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


@attrs.frozen
class Built:
    """What `python -m build` made, and the copy of the repository that it was made from."""

    source: Path
    sdist: Path
    wheel: Path

    def names(self) -> list[str]:
        with zipfile.ZipFile(self.wheel) as archive:
            return archive.namelist()

    def read(self, name: str) -> bytes:
        with zipfile.ZipFile(self.wheel) as archive:
            return archive.read(name)

    def metadata(self) -> Message:
        return Parser().parsestr(self.read(f"metastudio-{__version__}.dist-info/METADATA").decode("utf-8"))


def build(source: Path, *options: str) -> Built:
    out = source.with_name(f"{source.name}-dist")
    succeed(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, *options, source, cwd=source.parent)
    (sdist,), (wheel,) = out.glob("*.tar.gz"), out.glob("*.whl")
    return Built(source, sdist, wheel)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The sdist, and the wheel built from that sdist, as `python -m build` does and as pip would."""
    source = tmp_path_factory.mktemp("build") / "source"
    shutil.copytree(ROOT, source, ignore=NOT_SOURCE)
    return build(source)


@attrs.frozen
class Environment:
    """A virtual environment that has the wheel, and a directory outside the repository to run things from."""

    root: Path
    cwd: Path

    @property
    def scripts(self) -> Path:
        return self.root / ("Scripts" if os.name == "nt" else "bin")

    def python(self, code: str) -> Any:
        """Run `code`, and return what it prints as JSON."""
        return json.loads(succeed(self.scripts / "python", "-c", code, cwd=self.cwd))

    def metastudio(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return run(self.scripts / "metastudio", *arguments, cwd=self.cwd)


Install = Callable[[str], Environment]


@pytest.fixture(scope="module")
def install(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Install:
    """Return a function that makes an environment with the wheel and some of its extras."""
    pins = re.findall(r"^[\w.-]+==[^\\\n]+", (ROOT / "requirements.txt").read_text("utf-8"), re.MULTILINE)

    @cache
    def installed(extras: str) -> Environment:
        directory = tmp_path_factory.mktemp("install")
        environment = Environment(directory / "venv", directory / "elsewhere")
        environment.cwd.mkdir()
        # With hashes, as they are there, pip would want one for the wheel as well.
        constraints = directory / "constraints.txt"
        constraints.write_text("\n".join(pins), "utf-8")
        succeed(sys.executable, "-m", "venv", "--without-pip", environment.root, cwd=directory)
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", environment.scripts / "python")
        succeed(*pip, "install", "--quiet", "-c", constraints, f"{built.wheel}{extras}", cwd=directory)
        return environment

    return installed


def test_wheel_files(built: Built) -> None:
    """The wheel has each file of the packages and the contract, and nothing else."""
    expected = {"metastudio/openapi.yaml"}
    for package, directory in PACKAGES.items():
        files = (path for path in (built.source / directory).rglob("*") if path.is_file())
        expected |= {f"{package}/{path.relative_to(built.source / directory).as_posix()}" for path in files}
    info = f"metastudio-{__version__}.dist-info"
    expected |= {f"{info}/{each}" for each in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}

    names = built.names()

    assert len(names) == len(set(names))
    assert set(names) == expected


def test_wheel_has_no_caches(built: Built) -> None:
    """There is nothing but code in its packages."""
    in_packages = [PurePosixPath(name) for name in built.names() if ".dist-info/" not in name]

    assert {path.parts[0] for path in in_packages} == PACKAGES.keys()
    others = {path.as_posix() for path in in_packages if path.suffix != ".py"}
    page = {f"metastudio_batch/reporting/{name}" for name in ("page.html.jinja", "script.js", "style.css")}
    assert others == {"metastudio/openapi.yaml", *(f"{package}/py.typed" for package in PACKAGES)} | page


def test_wheel_has_contract_and_licence(built: Built) -> None:
    assert built.read("metastudio/openapi.yaml") == (built.source / "openapi.yaml").read_bytes()
    licence = built.read(f"metastudio-{__version__}.dist-info/licenses/LICENSE")
    assert licence == (built.source / "LICENSE").read_bytes()


def test_metadata(built: Built) -> None:
    metadata = built.metadata()

    assert (metadata["Name"], metadata["Version"]) == ("metastudio", __version__)
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert set(metadata.get_all("Provides-Extra", [])) >= {"cli", "sandbox"}
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (built.source / "README.md").read_text("utf-8")


def test_imports_are_declared_dependencies(built: Built) -> None:
    """One that comes along with another today may not tomorrow."""
    requirements = map(Requirement, built.metadata().get_all("Requires-Dist", []))
    declared = {canonicalize_name(each.name) for each in requirements}
    modules: set[str] = set()
    for name in built.names():
        for node in ast.walk(ast.parse(built.read(name))) if name.endswith(".py") else []:
            if isinstance(node, ast.Import):
                modules |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                modules.add(node.module.partition(".")[0])
    # Only pytest itself imports the plugin.
    third_party = modules - sys.stdlib_module_names - PACKAGES.keys() - {"pytest"}
    providers = packages_distributions()

    assert third_party
    for module in sorted(third_party):
        assert declared & {canonicalize_name(each) for each in providers[module]}, module


def test_sdist_files(built: Built) -> None:
    """The sdist has what the wheel is built from, and no tests or scripts."""
    with tarfile.open(built.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert names >= {"pyproject.toml", "openapi.yaml", "README.md", "LICENSE", "CHANGELOG.md"}
    assert {name.partition("/")[0] for name in names if "/" in name} == {"overlays", "generated_client"}
    assert not [name for name in names if "__pycache__" in name]


def test_build_is_reproducible(built: Built, tmp_path: Path) -> None:
    """Elsewhere, later, with caches lying about; and the wheel from the tree instead of from the sdist."""
    source = tmp_path / "another place"
    shutil.copytree(built.source, source)
    for directory in ("overlays/metastudio/__pycache__", "generated_client/metastudio_client/__pycache__", ".venv"):
        (source / directory).mkdir()
        (source / directory / "left_behind.cpython-311.pyc").touch()
    for path in source.rglob("*"):
        os.utime(path, (1_600_000_000, 1_600_000_000))

    again = build(source, "--sdist", "--wheel")

    assert (again.sdist.name, again.wheel.name) == (built.sdist.name, built.wheel.name)
    assert again.names() == built.names()
    assert again.wheel.read_bytes() == built.wheel.read_bytes()
    assert again.sdist.read_bytes() == built.sdist.read_bytes()


def test_both_clients_query_the_sandbox(install: Install) -> None:
    environment = install("[cli,sandbox]")

    answer = environment.python(QUERY)

    assert all(Path(file).is_relative_to(environment.root) for file in answer["files"]), answer["files"]
    assert (answer["state"], answer["same"], answer["statuses"]) == ("SUCCEED", True, [200, 200])


def test_command_works(install: Install) -> None:
    environment = install("[cli,sandbox]")

    version, demo = environment.metastudio("--version"), environment.metastudio("demo")

    assert (version.returncode, version.stdout) == (0, f"metastudio {__version__}\n"), version.stderr
    assert demo.returncode == 0, demo.stderr
    assert re.search(r"^(\d+) of \1 requests were signed", demo.stdout, re.MULTILINE), demo.stdout


def test_install_without_extras(install: Install) -> None:
    """There is the core only, and the command says what to install."""
    environment = install("")

    names = environment.python(DISTRIBUTIONS)
    result = environment.metastudio("--version")

    assert set(map(canonicalize_name, names)) == CORE
    assert (result.returncode, result.stdout) == (2, "")
    assert 'pip install "metastudio[cli]"' in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("command", ["sandbox", "demo"])
def test_missing_sandbox_extra_is_named(install: Install, command: str) -> None:
    result = install("[cli]").metastudio(command)

    assert (result.returncode, result.stdout) == (2, "")
    assert 'pip install "metastudio[sandbox]"' in result.stderr
    assert "Traceback" not in result.stderr


def test_commands_without_sandbox_extra(install: Install) -> None:
    result = install("[cli]").metastudio("show", "--help")

    assert result.returncode == 0, result.stderr
    assert "JOB_ID" in result.stdout


def test_report_needs_its_extra(install: Install) -> None:
    without, with_it = install("[cli]"), install("[cli,report]")

    for environment in (without, with_it):
        environment.python(JOURNAL)
    refused, made = (each.metastudio("report", "a.journal", "-o", "a.html") for each in (without, with_it))

    assert (refused.returncode, refused.stdout) == (2, "")
    assert 'pip install "metastudio[report]"' in refused.stderr
    assert "Traceback" not in refused.stderr
    assert made.returncode == 0, made.stderr
    assert "ann.wav" in (with_it.cwd / "a.html").read_text("utf-8")
