"""What was measured, as a table, as goals that are met or not, and as a picture."""

import os
import platform
from collections.abc import Iterator
from html import escape
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

from .fresh import Fresh
from .queries import Speed
from .waiting import Wait


class Results(NamedTuple):
    """Everything of one run."""

    queries: dict[str, Speed]
    scaling: dict[str, float]  # by contestant: queries per second, 100 in flight against 16
    signatures: dict[str, float]
    fresh: dict[str, Fresh]
    waits: dict[int, tuple[Wait, Wait]]  # by the number of jobs: ours, and the fixed loop's
    growth: float  # CPU for each question, 10,000 jobs against 100, each job asked for equally often


class Goal(NamedTuple):
    """A ratio and its bound."""

    text: str
    ratio: float
    bound: float
    at_most: bool = True

    @property
    def met(self) -> bool:
        """Whether the goal is met."""
        return self.ratio <= self.bound if self.at_most else self.ratio >= self.bound


#: What passes for "does not fall" and "does not grow" where two measurements of the same thing differ by so much.
_NOISE: Final = 1.05
_ASYNC, _AIOHTTP, _SDK = "metastudio async", "metastudio async, aiohttp", "official SDK"


def goals(results: Results) -> list[Goal]:
    """Return the goals, with what was measured."""
    cpu = {name: speed.cpu for name, speed in results.queries.items()}
    start = {name: fresh.milliseconds for name, fresh in results.fresh.items()}
    threads = cpu[f"{_SDK}, 16 threads"]
    return [
        Goal("CPU per query: official SDK", cpu["metastudio"] / cpu[_SDK], 1 / 2),
        Goal("CPU per query: generated client", cpu["metastudio"] / cpu["generated client"], 1.15),
        Goal(
            "CPU per query, 16 in flight: official SDK in 16 threads", cpu[f"{_ASYNC}, 16 in flight"] / threads, 1 / 1.2
        ),
        Goal("… with aiohttp: official SDK in 16 threads", cpu[f"{_AIOHTTP}, 16 in flight"] / threads, 1 / 4),
        *(
            Goal(f"queries per second of {name}: 100 in flight, 16 in flight", ratio, 1 / _NOISE, at_most=False)
            for name, ratio in results.scaling.items()
        ),
        Goal(
            "a signature: official signer",
            results.signatures["metastudio"] / results.signatures["official signer"],
            1 / 2,
        ),
        Goal("cold start: bare httpx", start["metastudio"] / start["bare httpx"], 1.2),
        Goal("cold start: official SDK", start["metastudio"] / start[_SDK], 1 / 2.4),
        Goal("CPU per question, each job asked for equally often: 10,000 jobs, 100 jobs", results.growth, _NOISE),
    ]


def text(results: Results) -> str:
    """Return the tables, in Markdown."""
    return "\n".join(_lines(results))


def _lines(results: Results) -> Iterator[str]:
    packages = ("metastudio", "httpx", "aiohttp", "huaweicloudsdkmetastudio")
    python = f"{platform.python_implementation()} {platform.python_version()} on {platform.system()}"
    yield f"{_cpu_model()}, {os.cpu_count()} cores; {python};"
    yield ", ".join(f"{name} {version(name)}" for name in packages) + "."
    sdk = results.queries[_SDK].cpu
    yield from _table("queries", ["CPU per query, µs", "of the official SDK's", "queries per second"])
    for name, speed in results.queries.items():
        yield _row(name, f"{speed.cpu:.0f}", f"{speed.cpu / sdk:.2f}", f"{speed.rate:,.0f}")
    yield from _table("a signature", ["µs", "of the official signer's"])
    for name, cost in results.signatures.items():
        yield _row(name, f"{cost:.1f}", f"{cost / results.signatures['official signer']:.2f}")
    start = results.fresh[_SDK]
    yield from _table(
        "a fresh process", ["ms to the first answer", "of the official SDK's", "memory then, MB", "installed, MB"]
    )
    for name, fresh in results.fresh.items():
        ratio = f"{fresh.milliseconds / start.milliseconds:.2f}"
        size = "" if "interpreter" in name else f"{fresh.installed:.1f}"
        yield _row(name, f"{fresh.milliseconds:.0f}", ratio, f"{fresh.resident:.0f}", size)
    yield from _table(
        "waiting, 10 requests a second",
        ["requests", "mean delay, s", "95 of 100 within, s", "CPU per request, µs", "memory, MB"],
    )
    for jobs, (ours, loop) in results.waits.items():
        delays = (f"{ours.requests:,}", f"{ours.delay:.0f}", f"{ours.delay95:.0f}")
        yield _row(f"{jobs:,} jobs: `wait_many`", *delays, f"{ours.cpu:.0f}", f"{ours.resident:.0f}")
        yield _row(
            f"{jobs:,} jobs: a loop every 5 s", f"{loop.requests:,}", f"{loop.delay:.0f}", f"{loop.delay95:.0f}", "", ""
        )
    yield from _table("goals", ["ratio", "goal", ""])
    for goal in goals(results):
        sign = "at most" if goal.at_most else "at least"
        yield _row(goal.text, f"{goal.ratio:.2f}", f"{sign} {goal.bound:.2f}", "met" if goal.met else "**NOT met**")


def _table(title: str, columns: list[str]) -> Iterator[str]:
    yield ""
    yield _row(title, *columns)
    yield _row("---", *["---:" for _ in columns])


def _row(*cells: str) -> str:
    return "| " + " | ".join(cells) + " |"


def _cpu_model() -> str:
    lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.machine())


_WIDTH, _LEFT, _BAR, _LINE = 760, 270, 400, 22
_STYLE: Final = """\
<style>
text { font: 13px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 } .end { text-anchor: end }
.page { fill: #ffffff } .ours { fill: #1a7f64 } .peer { fill: #c4632d } .floor { fill: #9aa4ae }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 } .page { fill: #0d1117 }
  .ours { fill: #2fb994 } .peer { fill: #e08a52 } .floor { fill: #6e7781 }
}
</style>"""


def picture(results: Results) -> str:
    """Return the picture, as SVG: horizontal bars, shorter is better."""
    charts = {
        "CPU per query, µs": {name: speed.cpu for name, speed in results.queries.items()},
        "CPU per signature, µs": results.signatures,
        "From a fresh process to the first answer, ms": {
            name: each.milliseconds for name, each in results.fresh.items()
        },
    }
    shapes, y = list[str](), 8
    for title, bars in charts.items():
        y += 2 * _LINE
        shapes.append(f'<text class="title" x="16" y="{y - 8}">{escape(title)} (shorter is better)</text>')
        for name, value in bars.items():
            kind = "ours" if name.startswith("metastudio") else "peer" if name.startswith("official") else "floor"
            width = max(1.0, value / max(bars.values()) * _BAR)
            shapes.append(
                f'<text class="end" x="{_LEFT - 8}" y="{y + 14}">{escape(name)}</text>'
                f'<rect class="{kind}" x="{_LEFT}" y="{y + 3}" width="{width:.1f}" height="{_LINE - 6}" rx="2"/>'
                f'<text x="{_LEFT + width + 6:.1f}" y="{y + 14}">{value:,.{0 if value >= 100 else 1}f}</text>'
            )
            y += _LINE
    size = f'width="{_WIDTH}" height="{y + 16}" viewBox="0 0 {_WIDTH} {y + 16}"'
    page = f'<rect class="page" width="{_WIDTH}" height="{y + 16}" rx="6"/>'
    label = 'role="img" aria-label="Speed of metastudio and of the official SDK, side by side"'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} {label}>', _STYLE, page, *shapes, "</svg>", ""])
