"""Authentication for any Huawei Cloud service, as `httpx.Auth`: requests signed by AK/SK, and IAM tokens.

PYTEST_DONT_REWRITE: the distribution has a pytest plugin, and may be imported before pytest.
"""

from .agencies import assume_agency, ecs_agency
from .aksk import AkSkAuth
from .credentials import Credentials, Secret
from .errors import ConfigurationError, CredentialsError, HuaweiCloudError, KeyRefused
from .iam import IamTokenAuth
from .token import TokenAuth

__all__ = [
    "AkSkAuth",
    "ConfigurationError",
    "Credentials",
    "CredentialsError",
    "HuaweiCloudError",
    "IamTokenAuth",
    "KeyRefused",
    "Secret",
    "TokenAuth",
    "assume_agency",
    "ecs_agency",
]
