"""Measures everything, prints it, and writes it to docs/speed.md and docs/speed.svg."""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from . import fresh, queries, report, server, signatures, waiting

BEGIN, END = "<!-- measured: written by scripts/benchmark -->", "<!-- end of what was measured -->"


def main() -> None:
    """Run all benchmarks."""
    parser = argparse.ArgumentParser(prog="scripts/benchmark", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few repetitions, and write nothing")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as directory, server.running() as url:
        _say("Installing each contestant on its own ...")
        environments = fresh.environments(Path(directory))
        _say("Cold start ...")
        started = fresh.measure(url, environments, rounds=3 if quick else 60)
        _say("Signatures ...")
        signed = signatures.measure(rounds=5 if quick else 100, signatures=500)
        _say("Queries ...")
        processes = 1 if quick else 5
        queried = queries.measure(url, queries.AT_ONCE, processes, rounds=2 if quick else 6, queries=400)
        _say("Many queries in flight ...")
        in_flight = queries.measure(url, queries.IN_FLIGHT, processes, rounds=4 if quick else 40, queries=400)
        _say("Waiting ...")
        python = environments["metastudio"].python
        waits = {
            jobs: (waiting.Wait(*_waiting(python, jobs)), waiting.fixed_loop(jobs)) for jobs in (100, 1000, 10_000)
        }
        growth = _waiting(python, 100, 10_000, 20)
    scaling = {name: queries.scaling(in_flight, name) for name in queries.IN_FLIGHT}
    results = report.Results(queries.medians(queried), scaling, signed, started, waits, growth)
    print(report.text(results))
    if not quick:
        _write(results, fresh.ROOT / "docs")


def _waiting(python: Path, *arguments: int) -> Any:
    # In the environment without extras, whose memory is to be measured.
    command = [str(python), "-m", f"{__package__}.waiting", *map(str, arguments)]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=fresh.ROOT, env=queries.environment())
    return json.loads(run.stdout)


def _write(results: report.Results, docs: Path) -> None:
    page = docs / "speed.md"
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    page.write_text(f"{before}{BEGIN}\n\n{report.text(results)}\n\n{END}{after}", "utf-8")
    (docs / "speed.svg").write_text(report.picture(results), "utf-8")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
