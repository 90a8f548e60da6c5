"""Assess many recordings with MetaStudio's short jobs, at the speed of the quota and with a resumable journal.

PYTEST_DONT_REWRITE: the distribution has a pytest plugin, and may be imported before pytest.
"""

from .batch import Batch, assess_many
from .export import rows
from .finding import Found, find, shard
from .journal_file import JournalError
from .outcomes import Failed, Finished, Outcome
from .reporting import Report, report
from .row import Row, Stage

__all__ = [
    "Batch",
    "Failed",
    "Finished",
    "Found",
    "JournalError",
    "Outcome",
    "Report",
    "Row",
    "Stage",
    "assess_many",
    "find",
    "report",
    "rows",
    "shard",
]
