"""A report on journals: what it says, and its page."""

from .page import Report, report

__all__ = ["Report", "report"]
