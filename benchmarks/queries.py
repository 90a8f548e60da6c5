"""Microseconds of CPU for each query, and queries per second, with one query at a time and with many at once."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import Final, NamedTuple, TypeAlias

from .contestants import ASYNC, MAX_THREADS, SYNC

#: How many queries of each contestant are at once.
AT_ONCE: Final[Mapping[str, tuple[int, ...]]] = {
    **dict.fromkeys(SYNC, (1,)),
    "official SDK": (1, MAX_THREADS),
    **dict.fromkeys(ASYNC, (1, 16, 100)),
}
#: What is compared with itself: it shall not become slower with more in flight.
IN_FLIGHT: Final = {"metastudio async": (16, 100), "metastudio async, aiohttp": (16, 100)}


class Speed(NamedTuple):
    """What was measured in one round, or in the middle of them."""

    cpu: float  # microseconds for each query
    rate: float  # queries per second


#: By contestant and queries at once: the rounds.
Speeds: TypeAlias = dict[tuple[str, int], list[Speed]]


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


def _ask(worker: subprocess.Popen[str], at_once: int, queries: int) -> Speed:
    assert worker.stdin
    assert worker.stdout
    print(at_once, queries, file=worker.stdin, flush=True)
    seconds, cpu = map(float, worker.stdout.readline().split())
    return Speed(cpu / queries * 1e6, queries / seconds)


def measure(url: str, at_once: Mapping[str, tuple[int, ...]], processes: int, rounds: int, queries: int) -> Speeds:
    """Measure each contestant in processes of its own; in each round, all of them take turns.

    Several processes, since each one keeps what chance gave it (its hash seed, its place in memory), which changes the
    time by a quarter and more.
    """
    results: Speeds = {(name, number): [] for name, numbers in at_once.items() for number in numbers}
    for _ in range(processes):
        with ExitStack() as stack:
            workers = {name: stack.enter_context(_worker(name, url)) for name in at_once}
            for _ in range(rounds):
                for (name, number), result in results.items():
                    result.append(_ask(workers[name], number, queries))
    return results


def medians(speeds: Speeds) -> dict[str, Speed]:
    """Return the medians, by what a contestant is called with so many queries at once."""
    return {_label(*key): Speed(*map(median, zip(*rounds, strict=True))) for key, rounds in speeds.items()}


def _label(name: str, at_once: int) -> str:
    if name in ASYNC:
        return f"{name}, {at_once} in flight"
    return name if at_once == 1 else f"{name}, {at_once} threads"


def scaling(speeds: Speeds, name: str) -> float:
    """Return the ratio of a contestant's queries per second with the most and with the fewest at once.

    It is the median of the rounds' ratios: between neighbours in one process, a difference shows that is smaller than
    those between processes, and between one minute and the next.
    """
    few, *_, many = sorted(number for each, number in speeds if each == name)
    pairs = zip(speeds[name, many], speeds[name, few], strict=True)
    return median(most.rate / fewest.rate for most, fewest in pairs)
