"""Query Huawei Cloud MetaStudio's short jobs, with requests signed by AK/SK."""

from metastudio_client.models import AssessProperty, AssessResult, JobState, JobType, ShortJob

from ._version import __version__
from .auth import AkSkAuth, TokenAuth
from .client import AsyncMetaStudio, MetaStudio
from .credentials import Credentials
from .errors import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    InternalServerError,
    MetaStudioError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ShortJobFailed,
    WaitTimeout,
)
from .short_jobs import AsyncShortJobs, ShortJobs
from .waiting import Outcome

__all__ = [
    "APIConnectionError",
    "APIResponseValidationError",
    "APIStatusError",
    "APITimeoutError",
    "AkSkAuth",
    "AssessProperty",
    "AssessResult",
    "AsyncMetaStudio",
    "AsyncShortJobs",
    "AuthenticationError",
    "BadRequestError",
    "ConfigurationError",
    "Credentials",
    "InternalServerError",
    "JobState",
    "JobType",
    "MetaStudio",
    "MetaStudioError",
    "NotFoundError",
    "Outcome",
    "PermissionDeniedError",
    "RateLimitError",
    "ShortJob",
    "ShortJobFailed",
    "ShortJobs",
    "TokenAuth",
    "WaitTimeout",
    "__version__",
]
