"""The service on this machine: a stand-in for MetaStudio's short jobs, for demos and tests."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from . import faults
    from .app import Exchange
    from .sandbox import Sandbox

__all__ = ["Exchange", "Sandbox", "faults"]


def __getattr__(name: str) -> Any:
    # Imported when asked for: pytest loads the plugin beside this in every project that has the package installed.
    match name:
        case "faults":
            return import_module(".faults", __name__)
        case "Exchange":
            return import_module(".app", __name__).Exchange
        case "Sandbox":
            return import_module(".sandbox", __name__).Sandbox
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
