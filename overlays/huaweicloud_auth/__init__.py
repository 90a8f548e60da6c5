"""Authentication for any Huawei Cloud service, as `httpx.Auth` classes: AK/SK request signing and IAM tokens.

PYTEST_DONT_REWRITE: the distribution includes a pytest plugin, so this package may be imported before pytest.
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
