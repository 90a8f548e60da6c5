"""The command `metastudio`. It needs the extra `cli`; its subcommands `sandbox` and `demo` also need `sandbox`.

PYTEST_DONT_REWRITE: the distribution has a pytest plugin, and may be imported before pytest.
"""

import sys


def main() -> None:
    """Run the command; if the extra is missing, print how to install it."""
    try:
        from .app import run  # noqa: PLC0415  # its dependencies may not be installed
    except ModuleNotFoundError as error:
        if error.name not in {"rich", "typer"}:
            raise
        sys.stderr.write('metastudio: the command needs an extra: pip install "metastudio[cli]"\n')
        sys.exit(2)
    run()
