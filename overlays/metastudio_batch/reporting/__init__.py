"""Reports on journals."""

from .page import Report, report

__all__ = ["Report", "report"]
