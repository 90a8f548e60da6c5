"""Makes the pictures of a report beside it. All values in them are invented."""

from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any, Final

from metastudio_batch import report
from support.browser import Browser, browser
from support.journals import Writer, assessed, failed, metric, write

_RANGES: Final = {
    "speed": (3.0, 5.0),
    "sound": (-30.0, -12.0),
    "snr": (20.0, 40.0),
    "reverb": (0.0, 0.5),
    "dnsmos_ovrl": (3.2, 5.0),
    "dnsmos_bak": (3.5, 5.0),
}
_EXPECTED: Final = {"snr": ">= 20", "reverb": "<= 0.5"}
_OPEN: Final = "document.querySelectorAll('#matrix .open')[3].click()"


def _rows(put: Writer, seed: int = 1) -> None:
    random = Random(seed)  # noqa: S311  # for pictures
    for speaker in ("ann", "bo", "chen", "dai"):
        for take in range(1, 31):
            put(f"{speaker}/{take:02}.wav", assessed(**{name: _metric(name, random) for name in _RANGES}))
    put("dai/31.wav", failed(reason="no audio in the zip"))


def _metric(name: str, random: Random) -> dict[str, Any]:
    (low, high), status = _RANGES[name], random.choice((-1, 1)) if random.random() < 0.08 else 0
    value = (low + high) / 2 + (high - low) * (0.65 * status + random.uniform(-0.1, 0.1) * (1 if status else 4.5))
    return metric(status, f"{value:.2f}", _EXPECTED.get(name, f"{low:g} to {high:g}"))


def _picture(page: Browser, name: str, script: str) -> None:
    page.run(script)
    page.driver.save_screenshot(str(Path(__file__).with_name(f"{name}.png")))


def main() -> None:
    """Write all of them."""
    with TemporaryDirectory() as name, browser() as page:
        path = Path(name) / "report.html"
        report(write(Path(name) / "a.journal", _rows)).write(path)
        page.open(path, width=1100, height=900)
        _picture(page, "report", _OPEN)
        page.open(path, width=1100, height=420, prefers_color_scheme="dark")
        _picture(page, "report-values", "document.getElementById('values-title').scrollIntoView()")
        page.open(path, width=360, height=740)
        _picture(page, "report-phone", "document.getElementById('switch').click()")


if __name__ == "__main__":
    main()
