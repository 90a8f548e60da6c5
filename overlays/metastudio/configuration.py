"""Find the configuration that is not passed as arguments."""

import ssl
from collections.abc import Iterator
from logging import WARNING
from typing import Final, Literal, TypeAlias, get_args

import attrs
import httpx

from huaweicloud_auth import AkSkAuth, Credentials, IamTokenAuth, TokenAuth, ecs_agency, koocli, sources
from huaweicloud_auth.agencies import METADATA
from huaweicloud_auth.aksk import renewing
from huaweicloud_auth.credentials import CredentialsSource
from huaweicloud_auth.identity import Proxy
from huaweicloud_auth.log import write
from huaweicloud_auth.projects import project_of
from huaweicloud_auth.renewing import Renewing
from huaweicloud_auth.sources import Place

from . import validation
from .errors import ConfigurationError
from .log import log

#: The regions in the contract. Other regions are accepted too.
Region: TypeAlias = Literal["cn-north-4", "cn-east-3", "ap-southeast-3"]

#: Credentials that are used only if they are named.
NAMES: Final = "ecs-agency, hcloud or hcloud:PROFILE"

_logged: Final[set[str]] = set()


@attrs.frozen
class Configuration:
    """Where requests are sent, for which project, and how they are authenticated."""

    endpoint: str
    project_id: str | Renewing[str]
    auth: httpx.Auth


def find(
    region: str | None,
    endpoint: str | None,
    project_id: str | None,
    credentials: CredentialsSource | str | None,
    auth: httpx.Auth | None,
    verify: ssl.SSLContext | bool = True,
    proxy: Proxy = None,
) -> Configuration:
    """Return the configuration from the client's arguments, or else from the environment or the profile file.

    Raises:
        ConfigurationError: Something is missing or malformed.
    """
    named = find_place(credentials, auth)
    if region is not None or endpoint is not None:
        find_endpoint(region, endpoint)  # so that a wrong region is reported before missing keys
    identity, used = find_identity(credentials, auth, named)
    url, region = find_endpoint(region, endpoint, named, used)
    project = find_project_id(project_id, named, used) or _looked_up(identity, region, verify, proxy)
    auth = identity if isinstance(identity, httpx.Auth) else AkSkAuth(identity, project)
    return Configuration(url, project, auth)


def find_place(credentials: object, auth: object) -> Place | None:
    """Return the place named by `credentials`, or by METASTUDIO_CREDENTIALS if neither argument is given."""
    name = credentials if credentials is not None or auth is not None else sources.variable("METASTUDIO_CREDENTIALS")
    if not isinstance(name, str):
        return None
    kind, _, profile = name.partition(":")
    if name == "ecs-agency":
        metadata = sources.variable("METASTUDIO_METADATA_ENDPOINT") or METADATA
        return Place("the agency of this ECS", ecs_agency(endpoint=metadata))
    if kind == "hcloud" and (profile or ":" not in name):
        return koocli.profile(profile or None)
    del name, credentials, kind, profile  # it may be the key itself, passed by mistake
    raise ConfigurationError(f"METASTUDIO_CREDENTIALS, or credentials as a string, must be {NAMES}")


def find_endpoint(region: str | None, endpoint: str | None, *several: Place | None) -> tuple[str, str | None]:
    """Return the endpoint of a region, and the region; or the given endpoint, and None.

    Args:
        region: The client's argument.
        endpoint: The client's argument.
        several: The place that is named, and the one where the credentials were found.
    """
    if region is not None and endpoint is not None:
        raise ConfigurationError("pass region or endpoint, not both")
    if region is None:
        endpoint = endpoint or sources.variable("METASTUDIO_ENDPOINT")
    if endpoint is not None:
        return validation.endpoint(endpoint), None
    if region is None:
        region = sources.variable("METASTUDIO_REGION") or _of_places("region", several)
    known = ", ".join(get_args(Region))
    if region is None:
        raise ConfigurationError(f"no region: pass region=… or set METASTUDIO_REGION ({known})")
    name = f"HUAWEICLOUD_SDK_REGION_METASTUDIO_{validation.region(region).upper().replace('-', '_')}"
    if (override := sources.variable(name)) is not None:
        return validation.endpoint(override, name), region
    if region not in (*get_args(Region), *_logged):
        _logged.add(region)
        write(log, WARNING, "Region %s is not known to have the service; known regions: %s", region, known)
    return f"https://metastudio.{region}.myhuaweicloud.com", region


def find_project_id(project_id: str | None, *several: Place | None) -> str | None:
    """Return the project ID: the argument, or else the value of the environment or of a place."""
    if project_id is None:
        project_id = sources.variable("HUAWEICLOUD_SDK_PROJECT_ID") or _of_places("project_id", several)
    return None if project_id is None else validation.path_id("project_id", project_id)


def _of_places(name: str, several: tuple[Place | None, ...]) -> str | None:
    """Return a setting of the first place that has it, or of the profile file if no other program's key is used."""
    for place in several:
        if place is not None and (value := getattr(place, name)):
            return str(value)
    if any(place is not None and not place.is_sdks for place in several):
        return None
    return sources.profile().settings.get(name) or None


def wrong_identity(credentials: object, auth: object) -> str | None:
    """Return what is wrong with the arguments, without their values, which may be secret; or None."""
    if credentials is not None and auth is not None:
        return "pass credentials or auth, not both"
    if auth is not None and not isinstance(auth, httpx.Auth):
        return f"auth must be an AkSkAuth, a TokenAuth or another httpx.Auth, not {type(auth)}"
    if credentials is not None and not isinstance(credentials, Credentials | str) and not callable(credentials):
        return f"credentials must be a Credentials(ak, sk) or a function that returns one, not {type(credentials)}"
    return None


def find_identity(
    credentials: CredentialsSource | str | None, auth: httpx.Auth | None, named: Place | None = None
) -> tuple[CredentialsSource | httpx.Auth, Place | None]:
    """Return the credentials or the auth, and the place where they were found: None for an argument."""
    if auth is not None:
        return auth, None
    if credentials is None or isinstance(credentials, str):
        used = sources.find(places(named))
        found = used.credentials
        assert found is not None  # noqa: S101  # else `find` raises
    else:
        used, found = None, credentials
    return (renewing(found) if callable(found) and not isinstance(found, httpx.Auth) else found), used


def places(first: Place | None = None) -> Iterator[Place]:
    """Yield the places to search for credentials, in order. Each is read only when it is reached.

    Args:
        first: The place that is named.

    Raises:
        ConfigurationError: The settings of a place are malformed.
    """
    yield Place("the arguments credentials and auth", note="not given")
    if first is not None:
        yield first
    others = sources.places()
    yield next(others)
    token = sources.secret_variable("METASTUDIO_AUTH_TOKEN")
    yield Place("METASTUDIO_AUTH_TOKEN", None if token is None else TokenAuth(token))
    yield from others


def _looked_up(
    identity: CredentialsSource | httpx.Auth, region: str | None, verify: ssl.SSLContext | bool, proxy: Proxy
) -> Renewing[str]:
    if isinstance(identity, IamTokenAuth):
        if region not in (None, identity.region):
            raise ConfigurationError(f"the token is for {identity.region}, but this client is for {region}")
        return identity.project_id
    if isinstance(identity, httpx.Auth) or region is None:
        raise ConfigurationError(
            "no project ID: pass project_id=… or set HUAWEICLOUD_SDK_PROJECT_ID (the console shows it for each region "
            'under "My Credentials"). It is looked up if a region and a key pair are given'
        )
    return project_of(identity, region, verify=verify, proxy=proxy)
