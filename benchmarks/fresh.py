"""In environments that hold nothing but the contestant: cold start to the first answer, memory then, and size."""

import compileall
import subprocess
import sys
import sysconfig
import time
import venv
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from shutil import copy2
from statistics import median
from typing import Final, NamedTuple

from packaging.requirements import Requirement

from .keys import AK, JOB_ID, PATH, PROJECT_ID, SK
from .queries import environment

ROOT: Final = Path(__file__).parents[1]
_MEMORY: Final = "\nprint(*(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmRSS')))"
#: By name: what is installed, and the program.
_PROGRAMS: Final = {
    "the interpreter alone": ("httpx", "URL"),
    "bare httpx": ("httpx", f"import httpx\nwith httpx.Client() as client:\n    client.get(URL + {PATH!r}).json()"),
    "metastudio": (
        "metastudio",
        f"""\
from metastudio import Credentials, MetaStudio
with MetaStudio(endpoint=URL, project_id={PROJECT_ID!r}, credentials=Credentials({AK!r}, {SK!r})) as studio:
    studio.short_jobs.show({JOB_ID!r})""",
    ),
    "official SDK": (
        "huaweicloudsdkmetastudio",
        f"""\
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkmetastudio.v1 import MetaStudioClient, ShowShortJobRequest
credentials = BasicCredentials({AK!r}, {SK!r}, {PROJECT_ID!r})
client = MetaStudioClient.new_builder().with_credentials(credentials).with_endpoint(URL).build()
client.show_short_job(ShowShortJobRequest(job_id={JOB_ID!r}))""",
    ),
}


class Fresh(NamedTuple):
    """The medians of one contestant."""

    milliseconds: float  # from nothing to the first answer
    resident: float  # MB, after it
    installed: float  # MB, with bytecode


class Environment:
    """A virtual environment with a distribution, what it requires, and nothing else: no pip, no extras."""

    def __init__(self, root: Path, name: str) -> None:
        venv.create(root)
        self.python = root / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
        self._packages = Path(sysconfig.get_path("purelib", "venv", {"base": str(root), "platbase": str(root)}))
        for each in sorted(_required(name)):
            self._wheel(root) if each == "metastudio" else self._copy(metadata.distribution(each))
        compileall.compile_dir(self._packages, quiet=2)

    def _wheel(self, root: Path) -> None:
        # Ours is built: here it is installed as a link to the sources.
        command = [
            sys.executable,
            "-m",
            "build",
            "--wheel",
            "--no-isolation",
            "--outdir",
            str(root / "dist"),
            str(ROOT),
        ]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        (wheel,) = (root / "dist").glob("*.whl")
        zipfile.ZipFile(wheel).extractall(self._packages)

    def _copy(self, distribution: metadata.Distribution) -> None:
        for file in distribution.files or ():
            if ".." not in file.parts and file.suffix != ".pyc":  # neither scripts nor bytecode
                (self._packages / file).parent.mkdir(parents=True, exist_ok=True)
                copy2(str(file.locate()), self._packages / file)

    def megabytes(self) -> float:
        """Return the size of what is installed."""
        return sum(file.stat().st_size for file in self._packages.rglob("*") if file.is_file()) / 1e6

    def run(self, program: str) -> tuple[float, float]:
        """Run the program; return the milliseconds that it took, and what it printed."""
        started = time.perf_counter()
        command = [str(self.python), "-c", program]
        printed = subprocess.run(command, check=True, stdout=subprocess.PIPE, env=environment(), text=True).stdout
        return (time.perf_counter() - started) * 1e3, float(printed)


def _required(name: str, extras: tuple[str, ...] = ("",)) -> set[str]:
    """Return the names of a distribution and of all that it requires, without optional extras."""

    def requirements() -> Iterator[Requirement]:
        for each in map(Requirement, metadata.requires(name) or ()):
            if each.marker is None or any(each.marker.evaluate({"extra": extra}) for extra in extras):
                yield each

    return {name}.union(*(_required(each.name, ("", *each.extras)) for each in requirements()))


def measure(url: str, environments: dict[str, Environment], rounds: int) -> dict[str, Fresh]:
    """Start each contestant again and again; in each round, all of them take turns."""
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in _PROGRAMS}
    for number in range(rounds + 1):
        for name, (installed, program) in _PROGRAMS.items():
            result = environments[installed].run(f"URL = {url!r}\n{program}{_MEMORY}")
            if number:  # the first one finds its files on the disk, and not in memory
                results[name].append(result)
    return {
        name: Fresh(
            median(milliseconds for milliseconds, _ in each),
            median(kilobytes for _, kilobytes in each) / 1e3,
            environments[_PROGRAMS[name][0]].megabytes(),
        )
        for name, each in results.items()
    }


def environments(root: Path) -> dict[str, Environment]:
    """Make the environments, in directories below `root`."""
    return {name: Environment(root / name, name) for name, _ in _PROGRAMS.values()}
