"""The Kubernetes job and the Slurm array compute the shard from the environment; a stub prints what they call."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

SCALE = Path(__file__).parents[2] / "examples" / "scale"
JOB: dict[str, Any] = yaml.safe_load((SCALE / "kubernetes-job.yaml").read_text("utf-8"))

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs a command in an environment where `metastudio` prints its arguments."""
    stub = tmp_path / "bin" / "metastudio"
    stub.parent.mkdir()
    stub.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n", "utf-8")
    stub.chmod(0o755)
    path = f"{stub.parent}:{os.environ['PATH']}"

    def run(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        environment["PATH"] = path
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)

    return run


def arguments(recordings: str, journals: str, number: int, of: int) -> list[str]:
    journal = f"{journals}/{number}-of-{of}.journal"
    return ["assess", recordings, "--journal", journal, "--shard", f"{number}/{of}"]


def test_kubernetes(run: Run) -> None:
    """The indexes are 0 to 3, the shards 1/4 to 4/4."""
    spec = JOB["spec"]
    (container,) = spec["template"]["spec"]["containers"]
    environment = {each["name"]: each["value"] for each in container["env"]}
    called = [
        run(*container["command"], *container["args"], JOB_COMPLETION_INDEX=str(index), **environment)
        for index in range(spec["completions"])
    ]

    assert [each.stdout.splitlines() for each in called] == [
        arguments("/recordings", "/journals", number, 4) for number in (1, 2, 3, 4)
    ]
    assert spec["completionMode"] == "Indexed"


def test_kubernetes_names_agree() -> None:
    """What refers to the container, the volumes and the labels finds them."""
    spec = JOB["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    (rule,) = spec["podFailurePolicy"]["rules"]
    (spread,) = pod["topologySpreadConstraints"]

    assert rule["onExitCodes"]["containerName"] == container["name"]
    assert {each["name"] for each in container["volumeMounts"]} == {each["name"] for each in pod["volumes"]}
    assert spread["labelSelector"]["matchLabels"]["batch.kubernetes.io/job-name"] == JOB["metadata"]["name"]


def slurm(run: Run, journals: Path, number: int, count: int, **environment: str) -> subprocess.CompletedProcess[str]:
    environment |= {"SLURM_ARRAY_TASK_ID": str(number), "SLURM_ARRAY_TASK_COUNT": str(count)}
    paths = {"RECORDINGS": "/a folder", "JOURNALS": str(journals)}
    return run("bash", str(SCALE / "slurm-array.sbatch"), **paths, **environment)


def test_slurm(run: Run, tmp_path: Path) -> None:
    """The indexes of the script's own array, and one that is submitted again with N."""
    called = [slurm(run, tmp_path, number, 4) for number in (1, 4)]
    again = slurm(run, tmp_path, 3, 1, SHARDS="4")

    shards = [each.stdout.splitlines() for each in (*called, again)]
    assert shards == [arguments("/a folder", str(tmp_path), number, 4) for number in (1, 4, 3)]
    assert "#SBATCH --array=1-4\n" in (SCALE / "slurm-array.sbatch").read_text("utf-8")


def test_slurm_refuses_another_number_of_shards(run: Run, tmp_path: Path) -> None:
    """Shard 1, submitted again alone, would be 1/1: all recordings, with a journal that knows none of their jobs."""
    (tmp_path / "1-of-4.journal").touch()

    alone, whole = slurm(run, tmp_path, 1, 1), slurm(run, tmp_path, 1, 4)

    assert (alone.returncode, alone.stdout) == (2, "")
    assert f"There is {tmp_path}/1-of-4.journal: set SHARDS to its N" in alone.stderr
    assert (whole.returncode, "1/4" in whole.stdout) == (0, True)
