"""`IamTokenAuth`: send requests with a token that IAM issues for a user name and a password."""

from datetime import datetime
from functools import partial
from typing import Any, Final

import httpx

from . import identity, validation
from .credentials import Secret, hidden
from .errors import ConfigurationError, CredentialsError
from .identity import Verify
from .renewing import RejectedError, Renewing
from .token import TokenAuth

_WHAT: Final = "IAM token"
#: A retry may help after these. Any other 4xx is final, since repeated wrong passwords lock an account.
_NOT_FINAL: Final = {408, 429}


class IamToken(Secret):
    """A token with project scope.

    Attributes:
        expires_at: When the token expires.
        project_id: The ID of its project.
    """

    expires_at: datetime
    project_id: str


class IamTokenAuth(TokenAuth):
    """An `httpx.Auth` that sends a token, issued by IAM for a password, as `X-Auth-Token`.

    The token is kept in memory, and fetched once for all threads and tasks that use this auth: on first use, before it
    expires, and after `APIGW.0307`. A password that IAM rejected is not sent again.

    Args:
        user: The name of the IAM user.
        password: The user's password.
        account: The name of the user's account.
        region: The region. The token is for the project of the same name.
        endpoint: IAM's endpoint. Defaults to `HUAWEICLOUD_SDK_IAM_ENDPOINT`, or else to the region's.
        verify: As in httpx.

    Attributes:
        region: The region.
        project_id: Looks up the ID of the project, which comes with the token.

    Raises:
        ConfigurationError: An argument is empty or malformed.
        CredentialsError: IAM rejected the password, or did not respond. The request was not sent.
    """

    def __init__(
        self,
        user: str,
        password: str,
        account: str,
        region: str,
        *,
        endpoint: str | None = None,
        verify: Verify = True,
    ) -> None:
        password = hidden(password)  # first, for tracebacks with locals
        for name, value in (("user", user), ("password", password), ("account", account)):
            if not isinstance(value, str) or not value or not validation.is_unicode(value):
                raise ConfigurationError(f"{name} must be a non-empty string of valid Unicode")
        url = identity.endpoint("iam", validation.region(region), endpoint)
        tokens = Renewing(partial(_token, url, user, password, account, region, verify), _WHAT)
        super().__init__(tokens)
        self.region = region
        self.project_id = Renewing(partial(_project_id, tokens), "project ID")


def _token(url: str, user: str, password: str, account: str, region: str, verify: Verify) -> IamToken:
    response = identity.send(
        _WHAT,
        "POST",
        f"{url}/v3/auth/tokens?nocatalog=true",
        verify=verify,
        json={
            "auth": {
                "identity": {
                    "methods": ["password"],
                    "password": {"user": {"name": user, "password": str(password), "domain": {"name": account}}},
                },
                "scope": {"project": {"name": region}},
            }
        },
    )
    if response.is_client_error and response.status_code not in _NOT_FINAL:
        failure = RejectedError(identity.rejected(_WHAT, response))
        failure.status_code = response.status_code
        raise failure
    return _read(response, identity.fields(_WHAT, response).get("token"))


def _read(response: httpx.Response, about: Any) -> IamToken:
    token = IamToken(response.headers.get("X-Subject-Token", ""))
    try:
        token.expires_at = identity.expiry(_WHAT, about["expires_at"], response)
        token.project_id = validation.path_id("the project ID", about["project"]["id"])
        validation.header_value("the token", token)
    except (KeyError, TypeError, ConfigurationError):
        raise CredentialsError(f"{_WHAT}: the response lacks a valid token, expires_at or project.id") from None
    return token


def _project_id(tokens: Renewing[IamToken]) -> str:
    return tokens().project_id
