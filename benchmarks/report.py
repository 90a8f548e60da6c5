"""Open reports of several sizes in Chromium. Run it with `scripts/benchmark report`."""

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Final

from metastudio_batch import report
from support.browser import Browser, browser
from support.journals import Writer, assessed, metric, write

PAGE: Final = Path(__file__).parents[1] / "docs" / "report.md"
BEGIN: Final = "<!-- measured: written by scripts/benchmark report -->"
END: Final = "## In a notebook"
SIZES: Final = (200, 1000, 5000)
RUNS: Final = 5
SORT: Final = """
const begin = performance.now();
document.querySelectorAll("#matrix thead button")[2].click();
document.body.offsetHeight;
return performance.now() - begin;
"""
LOADED: Final = "return performance.getEntriesByType('navigation')[0].loadEventEnd"


def main() -> None:
    """Write to the page how long each took."""
    lines = ["| recordings | page | loaded | sorted |", "| ---: | ---: | ---: | ---: |"]
    with TemporaryDirectory() as folder, browser() as opened:
        lines += [_measured(Path(folder), opened, size) for size in SIZES]
    table = "\n".join(lines)
    print(table)
    text = PAGE.read_text("utf-8")
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}", "utf-8")


def _measured(folder: Path, opened: Browser, size: int) -> str:
    def rows(put: Writer) -> None:
        for number in range(size):
            snr, speed = (metric(number % modulus - 1, f"{number / 10}") for modulus in (2, 3))
            put(f"speaker-{number % 10}/{number:05}.wav", assessed(snr=snr, speed=speed))

    path = folder / f"{size}.html"
    report(write(folder / f"{size}.journal", rows)).write(path)
    loaded, ordered = [], []
    for _ in range(RUNS):
        opened.open(path)
        loaded.append(float(opened.run(LOADED)))
        ordered.append(float(opened.run(SORT)))
    seconds = median(loaded) / 1000, median(ordered) / 1000
    return f"| {size:,} | {path.stat().st_size / 1000:,.0f} kB | {seconds[0]:.2f} s | {seconds[1]:.2f} s |"


if __name__ == "__main__":
    main()
