"""The service on this machine: a stand-in for MetaStudio's short jobs, for demos and tests."""

from . import faults
from .app import Exchange
from .sandbox import Sandbox

__all__ = ["Exchange", "Sandbox", "faults"]
