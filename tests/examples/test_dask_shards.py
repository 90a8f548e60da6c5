"""The shards on a Dask cluster of processes on this machine; one of its workers is killed."""

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue

import pytest
from distributed import Client, LocalCluster

from metastudio_batch import find, report, rows, shard
from metastudio_sandbox import Sandbox, recordings
from metastudio_sandbox.jobs import Jobs
from scale.dask_shards import assess_all

pytestmark = pytest.mark.slow

HOSTS = ["127.0.0.1", "127.0.0.1"]
NAMES = [f"{number}.wav" for number in range(4)]
LONG = 60  # real seconds, after which a test fails


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four recordings, two for each shard."""
    folder = tmp_path / "recordings"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        (folder / name).write_bytes(recordings.wav(seconds=11, rate=8000, seed=number))
    return folder


@pytest.fixture
def committed(monkeypatch: pytest.MonkeyPatch) -> SimpleQueue[str]:
    """The IDs of committed jobs, as they come."""
    queue: SimpleQueue[str] = SimpleQueue()
    commit = Jobs.commit

    def noted(self: Jobs, job_id: str) -> bool:
        done = commit(self, job_id)
        if done:
            queue.put(job_id)
        return done

    monkeypatch.setattr(Jobs, "commit", noted)
    return queue


@pytest.fixture
def client(sandbox: Sandbox) -> Iterator[Client]:
    """A cluster with two workers, whose environment is the sandbox's."""
    cluster = LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        resources={"metastudio": 1},
        env=sandbox.environment,
    )
    with cluster, Client(cluster) as client:
        yield client


def test_killed_worker(
    client: Client, sandbox: Sandbox, folder: Path, tmp_path: Path, committed: SimpleQueue[str]
) -> None:
    """All jobs are waiting when the worker of shard 1 is killed: the shard runs again, and gets no other jobs."""
    before = set(sandbox.jobs)
    sandbox._service.jobs.duration = timedelta(hours=1)
    gathered, on_hosts = tmp_path / "gathered", str(tmp_path / "on-hosts")

    with ThreadPoolExecutor(1) as thread:
        complete = thread.submit(assess_all, client, str(folder), gathered, HOSTS, on_hosts)
        waiting = {committed.get(timeout=LONG) for _ in NAMES}
        victim = next(iter(client.run(os.getpid).values()))
        os.kill(victim, signal.SIGKILL)
        sandbox._service.jobs.duration = timedelta()
        assert complete.result(LONG)

    jobs = {job_id: job for job_id, job in sandbox.jobs.items() if job_id not in before}
    assert jobs.keys() == waiting
    ran = Counter(json.dumps(job["assess_result"]) for job in jobs.values() if job["state"] == "SUCCEED")
    assert (len(ran), set(ran.values())) == (len(NAMES), {1}), "one job ran for each recording"
    assert victim not in client.run(os.getpid).values()


def test_gathered_journals(client: Client, sandbox: Sandbox, folder: Path, tmp_path: Path) -> None:
    """They have the verdicts of their shards; and a second run sends nothing."""
    arguments = client, str(folder), tmp_path / "gathered", HOSTS, str(tmp_path / "on-hosts")
    assert assess_all(*arguments)
    sent = len(sandbox.exchanges)
    assert assess_all(*arguments)

    journals = [tmp_path / "gathered" / f"{number}.journal" for number in (1, 2)]
    for number, journal in enumerate(journals, 1):
        expected = sorted(found.path for found in shard(find(str(folder)), number, 2))
        assert [(row["path"], row["state"]) for row in rows(journal)] == [(path, "SUCCEED") for path in expected]
    page = report(*journals).html()
    assert [name for name in NAMES if name not in page] == []
    assert len(sandbox.exchanges) == sent
