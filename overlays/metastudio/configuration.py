"""Where the configuration comes from when nobody passes it."""

from typing import Literal, TypeAlias, get_args

import httpx

from huaweicloud_auth import AkSkAuth, Credentials, TokenAuth, sources
from huaweicloud_auth.credentials import CredentialsSource

from . import validation
from .errors import ConfigurationError, printable

#: The regions of the contract; for another one, give its endpoint.
Region: TypeAlias = Literal["cn-north-4", "cn-east-3", "ap-southeast-3"]


def find_endpoint(region: str | None, endpoint: str | None) -> str:
    """Return the endpoint of a region, or the one that is given; else what the environment has."""
    if region is not None and endpoint is not None:
        raise ConfigurationError("give region or endpoint, not both")
    if region is None:
        endpoint = endpoint or sources.variable("METASTUDIO_ENDPOINT")
        region = sources.variable("METASTUDIO_REGION")
    if endpoint is not None:
        return validation.endpoint(endpoint)
    known = ", ".join(get_args(Region))
    if region is None:
        raise ConfigurationError(f"no region: pass region=… or set METASTUDIO_REGION (one of {known})")
    if region not in get_args(Region):
        other = f"unknown region {printable(repr(region), 60)}: it is one of {known}"
        raise ConfigurationError(f"{other}; for another one pass endpoint=… or set METASTUDIO_ENDPOINT")
    return f"https://metastudio.{region}.myhuaweicloud.com"


def find_project_id(project_id: str | None) -> str:
    """Return the project's ID: the argument, else what the environment or the profile file has."""
    value = sources.find_project_id() if project_id is None else project_id
    if value is None:
        raise ConfigurationError(
            "no project ID: pass project_id=… or set HUAWEICLOUD_SDK_PROJECT_ID (the console shows it for each region "
            'under "My Credentials")'
        )
    return validation.path_id("project_id", value)


def wrong_identity(credentials: object, auth: object) -> str | None:
    """Say what is wrong with the arguments; their values are not shown, since they may be secrets."""
    if credentials is not None and auth is not None:
        return "give credentials or auth, not both"
    if auth is not None and not isinstance(auth, httpx.Auth):
        return f"auth must be an AkSkAuth, a TokenAuth or another httpx.Auth, not {type(auth)}"
    if credentials is not None and not isinstance(credentials, Credentials) and not callable(credentials):
        return f"credentials must be a Credentials(ak, sk) or a function that returns one, not {type(credentials)}"
    return None


def find_auth(credentials: CredentialsSource | None, auth: httpx.Auth | None, project_id: str) -> httpx.Auth:
    """Return what authenticates: the arguments, else what the environment or the profile file has."""
    if auth is not None:
        return auth
    if credentials is not None:
        return AkSkAuth(credentials, project_id)
    token = sources.secret_variable("METASTUDIO_AUTH_TOKEN")
    if token is not None and sources.environment_credentials() is None:
        return TokenAuth(token)
    looked_at = ("the arguments credentials and auth (not given)", "METASTUDIO_AUTH_TOKEN (not set)")
    return AkSkAuth(sources.find_credentials(*looked_at), project_id)
