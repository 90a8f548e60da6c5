"""What `scripts/demo` installs."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]


def pins(file: str) -> dict[str, str]:
    """Return the name of each package with its version, markers and hashes."""
    text = (ROOT / file).read_text("utf-8")
    return dict(re.findall(r"^([\w.-]+)(==(?:.*\\\n)*.*)$", text, re.MULTILINE))


def test_demo_pins_are_complete() -> None:
    """The demo installs the versions that the other scripts install, and all that it needs."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    needed = {re.split(r"[^\w.-]", each)[0] for each in project["dependencies"] + extras["cli"] + extras["sandbox"]}
    demo, everything = pins("requirements-demo.txt"), pins("requirements.txt")

    assert demo.keys() >= needed
    for name, pin in demo.items():
        assert "--hash=sha256:" in pin
        assert pin.split()[0] == everything[name].split()[0]
        assert set(re.findall(r"sha256:\w+", pin)) == set(re.findall(r"sha256:\w+", everything[name]))
