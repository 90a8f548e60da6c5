"""Authentication for any Huawei Cloud service, as `httpx.Auth`: requests signed by AK/SK, and IAM tokens.

PYTEST_DONT_REWRITE: the distribution has a pytest plugin, and may be imported before pytest.
"""

from .aksk import AkSkAuth
from .credentials import Credentials, Secret
from .errors import ConfigurationError, CredentialsError, HuaweiCloudError, KeyRefused
from .token import TokenAuth

__all__ = [
    "AkSkAuth",
    "ConfigurationError",
    "Credentials",
    "CredentialsError",
    "HuaweiCloudError",
    "KeyRefused",
    "Secret",
    "TokenAuth",
]
