# Generated from openapi.yaml by ./generate.sh. Never edit it: the next run takes every edit away.
"""Contains all the data models used in inputs/outputs"""

from .assess_property import AssessProperty
from .assess_result import AssessResult
from .error_response import ErrorResponse
from .job_state import JobState
from .job_type import JobType
from .short_job import ShortJob

__all__ = (
    "AssessProperty",
    "AssessResult",
    "ErrorResponse",
    "JobState",
    "JobType",
    "ShortJob",
)
