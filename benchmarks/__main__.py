"""Compare the speed of this package, the official SDK and bare httpx in one run on one machine.

pyperf runs each contestant in several processes; `--fast` uses fewer. A full run writes the table of docs/speed.md.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import Final

import pyperf

from . import contestants, server

#: The contestants take turns, since the load of the machine changes within minutes.
TURNS: Final = 4
PAGE: Final = Path(__file__).parents[1] / "docs" / "speed.md"
BEGIN: Final = "<!-- measured: written by scripts/benchmark -->"

#: Group, contestant, the contestant that it is compared with, and the upper bound of the ratio or None.
ROWS: Final = (
    ("query", "bare httpx", "official SDK", None),
    ("query", "metastudio", "official SDK", 0.45),
    ("query", "official SDK", "official SDK", None),
    ("16 tasks", "bare httpx", "official SDK", None),
    ("16 tasks", "metastudio", "official SDK", 0.65),
    ("16 tasks", "metastudio, aiohttp", "official SDK", 0.33),
    ("signature", "metastudio", "official SDK", 0.65),
    ("signature", "official SDK", "official SDK", None),
    ("cold start", "bare httpx", "bare httpx", None),
    ("cold start", "metastudio", "bare httpx", 1.25),
    ("cold start", "official SDK", "bare httpx", None),
)


def main() -> None:
    """Run every contestant and print the ratios; after a full run, write the page."""
    runner = pyperf.Runner(program_args=("-m", __package__), processes=2, values=3, warmups=1)
    measured = [
        {
            (group, name): runner.bench_time_func(f"{group}: {name}, {turn}", _timed(group, name))
            for group, name, _, _ in ROWS
        }
        for turn in range(TURNS)
    ]
    if runner.args.worker:
        return
    table = "\n".join(_lines([{key: bench.median() for key, bench in turn.items()} for turn in measured]))
    print(table)
    if not runner.args.fast:
        before = PAGE.read_text("utf-8").partition(BEGIN)[0]
        PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n", "utf-8")


def _timed(group: str, name: str) -> Callable[[int], float]:
    """Return a function that runs a contestant `loops` times and returns the seconds it took."""
    if group == "cold start":
        return lambda loops: _cold_start(contestants.PROGRAMS[name], loops)
    if group == "signature":
        return lambda loops: _cpu(contestants.SIGNATURES[name](), loops)
    run = contestants.TASKS[name] if group == "16 tasks" else contestants.QUERIES[name]

    def timed(loops: int) -> float:
        with server.running() as url, run(url) as query:
            query(contestants.AT_ONCE)  # opens the connections before the measurement
            return _cpu_of(query, loops)

    return timed


def _cpu_of(query: contestants.Run, loops: int) -> float:
    started = time.process_time()
    query(loops)
    return time.process_time() - started


def _cpu(function: contestants.Signs, loops: int) -> float:
    function()
    started = time.process_time()
    for _ in range(loops):
        function()
    return time.process_time() - started


def _cold_start(program: str, loops: int) -> float:
    """Return the seconds from starting a process to its first response, for `loops` processes."""
    with server.running() as url:
        started = time.perf_counter()
        for _ in range(loops):
            subprocess.run([sys.executable, "-c", program, url], check=True)
        return time.perf_counter() - started


def _lines(turns: list[dict[tuple[str, str], float]]) -> list[str]:
    packages = ("metastudio", "httpx", "aiohttp", "huaweicloudsdkmetastudio")
    versions = ", ".join(f"{each} {version(each)}" for each in packages)
    lines = [
        f"Python {sys.version.split()[0]}, {versions}. CPU time in µs; for a cold start, wall clock in ms.",
        "",
        "| what | who | time | ratio | bound |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for group, name, other, bound in ROWS:
        base = "query" if group == "16 tasks" else group
        taken = median(turn[group, name] for turn in turns)
        ratio = median(turn[group, name] / turn[base, other] for turn in turns)
        shown = f"{taken * 1e3:.0f} ms" if group == "cold start" else f"{taken * 1e6:.0f} µs"
        verdict = "" if bound is None else f"{bound}" if ratio <= bound else f"{bound}, NOT met"
        lines.append(f"| {group} | {name} | {shown} | {ratio:.2f} of {other} | {verdict} |")
    return lines


if __name__ == "__main__":
    main()
