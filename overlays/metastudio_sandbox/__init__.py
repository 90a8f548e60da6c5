"""A local sandbox of MetaStudio's short jobs, for demos and tests.

PYTEST_DONT_REWRITE: the distribution has a pytest plugin, and may be imported before pytest.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from . import faults, recordings
    from .exchanges import Exchange
    from .sandbox import Sandbox

__all__ = ["Exchange", "Sandbox", "faults", "recordings"]

_MODULES: Final = {
    "Exchange": ".exchanges",
    "Sandbox": ".sandbox",
    "faults": ".faults",
    "recordings": ".recordings",
}


def __getattr__(name: str) -> Any:
    # Imported on first use: pytest loads the plugin in this package in every project that has it installed.
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(_MODULES[name], __name__)
    except ModuleNotFoundError as error:
        message = f'metastudio_sandbox needs an extra: pip install "metastudio[sandbox]" ({error})'
        raise ModuleNotFoundError(message, name=error.name) from error
    return getattr(module, name, module)
