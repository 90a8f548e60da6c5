"""The command `metastudio`. Needs the extra `cli`; `sandbox` and `demo` need `sandbox` as well.

PYTEST_DONT_REWRITE: the distribution has a pytest plugin, and may be imported before pytest.
"""

import sys


def main() -> None:
    """Run the command; without the extra, say what to install."""
    try:
        from .app import run  # noqa: PLC0415  # what it needs may not be installed
    except ModuleNotFoundError as error:
        if error.name not in {"rich", "typer"}:
            raise
        sys.stderr.write('metastudio: the command needs an extra: pip install "metastudio[cli]"\n')
        sys.exit(2)
    run()
