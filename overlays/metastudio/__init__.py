"""A client for Huawei Cloud MetaStudio's short jobs, with requests signed by AK/SK.

PYTEST_DONT_REWRITE: the distribution includes a pytest plugin, so this package may be imported before pytest.
"""

from huaweicloud_auth import AkSkAuth, Credentials, IamTokenAuth, TokenAuth, assume_agency, ecs_agency
from metastudio_client.models import AssessProperty, AssessResult, CreatedShortJob, JobState, JobType, ShortJob

from ._version import __version__
from .async_short_jobs import AsyncShortJobs
from .client import AsyncMetaStudio, MetaStudio
from .errors import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    CredentialsError,
    InternalServerError,
    MetaStudioError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ShortJobFailed,
    WaitTimeout,
)
from .journey_errors import AssessmentInterrupted, RecordingError, UploadError
from .limits import RecordingLimits
from .metrics import metrics
from .polling import Failed, Finished, Outcome
from .short_jobs import ShortJobs

__all__ = [
    "APIConnectionError",
    "APIResponseValidationError",
    "APIStatusError",
    "APITimeoutError",
    "AkSkAuth",
    "AssessProperty",
    "AssessResult",
    "AssessmentInterrupted",
    "AsyncMetaStudio",
    "AsyncShortJobs",
    "AuthenticationError",
    "BadRequestError",
    "ConfigurationError",
    "CreatedShortJob",
    "Credentials",
    "CredentialsError",
    "Failed",
    "Finished",
    "IamTokenAuth",
    "InternalServerError",
    "JobState",
    "JobType",
    "MetaStudio",
    "MetaStudioError",
    "NotFoundError",
    "Outcome",
    "PermissionDeniedError",
    "RateLimitError",
    "RecordingError",
    "RecordingLimits",
    "ShortJob",
    "ShortJobFailed",
    "ShortJobs",
    "TokenAuth",
    "UploadError",
    "WaitTimeout",
    "__version__",
    "assume_agency",
    "ecs_agency",
    "metrics",
]
