"""Debian's chromium, with no window and no network of its own."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from selenium import webdriver
from selenium.webdriver.support.wait import WebDriverWait

from support import HANGS_AFTER

_FLAGS: Final = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
)


class Browser:
    """One window. What it requests and what its console says is kept."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, page: Path, *, width: int = 1200, height: int = 900, **features: str) -> None:
        """Open a file at this size; `features` are media features, `prefers_color_scheme="dark"` for example."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.emulate(**features)
        self.driver.get(page.as_uri())
        self.until("return document.readyState === 'complete' && location.href === arguments[0]", page.as_uri())

    def emulate(self, media: str = "", **features: str) -> None:
        """Show the page as another medium, `print` for example."""
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": named})

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page, and return what it returns."""
        return self.driver.execute_script(script, *arguments)

    def until(self, script: str, *arguments: Any) -> None:
        """Wait until a script returns something that is true."""
        WebDriverWait(self.driver, HANGS_AFTER).until(lambda _: self.run(script, *arguments))

    def logs(self, kind: str) -> list[dict[str, Any]]:
        """Return what was logged since the last time: `browser` for the console, `performance` for requests."""
        found: list[dict[str, Any]] = self.driver.execute("getLog", {"type": kind})["value"]
        return found


for _name in ("selenium", "urllib3"):
    logging.getLogger(_name).setLevel(logging.WARNING)  # they log whole pages


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser; skip the test where there is none, unless REQUIRE_BROWSER is set."""
    chromium, chromedriver = shutil.which("chromium") or shutil.which("google-chrome"), shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        missing = "no chromium with chromedriver: apt-get install chromium chromium-driver"
        (pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip)(missing)
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    with TemporaryDirectory() as profile:
        for flag in (*_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(chromedriver))
        try:
            driver.get("about:blank")  # the browser's own first page loads a lot
            yield Browser(driver)
        finally:
            driver.quit()
