# Generated from openapi.yaml by ./generate.sh. Do not edit: the next run overwrites every change.
"""Contains all the data models used in inputs/outputs"""

from .assess_property import AssessProperty
from .assess_result import AssessResult
from .create_short_job_request import CreateShortJobRequest
from .created_short_job import CreatedShortJob
from .error_response import ErrorResponse
from .job_state import JobState
from .job_type import JobType
from .language import Language
from .short_job import ShortJob
from .tenant_duration_cfg import TenantDurationCfg

__all__ = (
    "AssessProperty",
    "AssessResult",
    "CreateShortJobRequest",
    "CreatedShortJob",
    "ErrorResponse",
    "JobState",
    "JobType",
    "Language",
    "ShortJob",
    "TenantDurationCfg",
)
