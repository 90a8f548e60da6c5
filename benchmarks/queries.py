"""Microseconds of CPU for each query, and queries per second."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import NamedTuple

from . import contestants


class Speed(NamedTuple):
    """The medians of one contestant."""

    cpu: float  # microseconds for each query
    rate: float  # queries per second


def environment() -> dict[str, str]:
    """Return the environment without what could lead anyone to a proxy, to other keys or to other code."""
    foreign = ("HUAWEICLOUD", "METASTUDIO", "PIP_", "NETRC")
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith(foreign) and not name.upper().endswith("_PROXY")
    }


@contextmanager
def _worker(name: str, url: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", f"{__package__}.contestants", name, url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, env=environment()) as process:
        assert process.stdin
        yield process
        process.stdin.close()


def _ask(worker: subprocess.Popen[str], queries: int) -> Speed:
    assert worker.stdin
    assert worker.stdout
    print(queries, file=worker.stdin, flush=True)
    seconds, cpu = map(float, worker.stdout.readline().split())
    return Speed(cpu / queries * 1e6, queries / seconds)


def measure(url: str, processes: int, rounds: int, queries: int) -> dict[str, Speed]:
    """Measure each contestant in processes of its own; in each round, all of them take turns.

    Several processes, since each one keeps what chance gave it (its hash seed, its place in memory), which changes the
    time by a quarter and more.
    """
    results: dict[str, list[Speed]] = {name: [] for name in [*contestants.SYNC, *contestants.ASYNC]}
    for _ in range(processes):
        with ExitStack() as stack:
            workers = {name: stack.enter_context(_worker(name, url)) for name in results}
            for _ in range(rounds):
                for name, worker in workers.items():
                    results[name].append(_ask(worker, queries))
    return {name: Speed(*map(median, zip(*each, strict=True))) for name, each in results.items()}
