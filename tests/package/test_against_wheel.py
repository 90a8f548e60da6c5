"""The tests of each package once more, against the wheel: no file of the repository is in reach.

They run in a copy, elsewhere, with the wheel before the editable install in the path. What needs the repository itself
(the contract, the generator, the documentation, the packaging) stays out.
"""

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

import pytest

HANGS_AFTER = 1500  # real seconds
pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * HANGS_AFTER)]

ROOT = Path(__file__).parents[2]
NOT_SOURCE = shutil.ignore_patterns(".git", ".venv*", "node_modules", "__pycache__", ".*_cache", ".hypothesis", "dist")
PACKAGES = ("huaweicloud_auth", "metastudio", "metastudio_batch", "metastudio_cli", "metastudio_sandbox")
#: What a wheel lacks, it lacks with either transport, and in a short run as in a long one.
CHOSEN = "not aiohttp and not soak and not test_quota"
#: A plugin: every module that the tests can import must be the wheel's.
PLUGIN = """
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages

for package in {packages}:
    path = import_module(package).__path__
    for name in (package, *(module.name for module in walk_packages(path, f"{package}."))):
        file = import_module(name).__file__
        assert Path(file).is_relative_to(Path(__file__).parent), file
"""


def succeed(*command: str | Path, cwd: Path, path: Path | None = None) -> None:
    # The repository's own modules must not be found by way of the environment.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST"))}
    if path:
        env["PYTHONPATH"] = str(path)
    result = subprocess.run(
        list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True, timeout=HANGS_AFTER, check=False
    )
    assert result.returncode == 0, result.stdout[-10_000:] + result.stderr


def wheel(directory: Path) -> Path:
    """Build the wheel in a copy of the repository."""
    source = directory / "source"
    shutil.copytree(ROOT, source, ignore=NOT_SOURCE)
    succeed(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", directory, source, cwd=directory)
    shutil.rmtree(source)
    (built,) = directory.glob("*.whl")
    return built


def test_suite_passes_against_wheel(tmp_path: Path) -> None:
    site, suite = tmp_path / "site", tmp_path / "suite"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps")
    succeed(*pip, "--target", site, wheel(tmp_path), cwd=tmp_path)
    (site / "only_the_wheel.py").write_text(
        PLUGIN.replace("{packages}", repr(("metastudio_client", *PACKAGES))), "utf-8"
    )
    tests = suite / "tests"
    tests.mkdir(parents=True)
    shutil.copy(ROOT / "pyproject.toml", suite)  # pytest's options
    shutil.copy(ROOT / "tests" / "conftest.py", tests)
    # What conftest.py imports of it; none of its tests.
    shutil.copytree(ROOT / "tests" / "live", tests / "live", ignore=shutil.ignore_patterns("test_*", "__pycache__"))
    for name in (*PACKAGES, "support", "vectors"):
        shutil.copytree(ROOT / "tests" / name, tests / name, ignore=NOT_SOURCE)

    files = sorted(path.relative_to(suite) for path in tests.rglob("test_*.py"))

    def run(half: int) -> dict[str, int]:
        report = tmp_path / f"report-{half}.xml"
        command = (sys.executable, "-m", "pytest", "-p", "only_the_wheel", "-p", "no:cacheprovider", "--quiet")
        options = ("-m", "not slow", "-k", CHOSEN, "--junit-xml", report)
        succeed(*command, *options, *files[half::2], cwd=suite, path=site)
        (results,) = ElementTree.parse(report).getroot()
        return {name: int(results.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}

    with ThreadPoolExecutor() as pool:  # most of the time they wait for processes and servers to end
        one, other = pool.map(run, (0, 1))

    counts = {name: one[name] + other[name] for name in one}
    assert counts.pop("tests") > 300
    assert counts == {"failures": 0, "errors": 0, "skipped": 0}
