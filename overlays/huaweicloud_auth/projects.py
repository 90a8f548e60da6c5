"""Look up what a key belongs to: its project in a region, from IAM, and its user, from STS."""

import hashlib
from functools import partial
from typing import Any, Final
from weakref import WeakValueDictionary

from . import identity, validation
from .aksk import AkSkAuth, renewing
from .credentials import Credentials, CredentialsSource, Secret, hidden
from .errors import ConfigurationError, CredentialsError, printable
from .identity import Proxy, Verify
from .renewing import Renewing

_WHAT: Final = "project ID"

_known: Final[dict[bytes, str]] = {}
#: Stored by a hash of the key, so that no secret outlives its client.
_lookups: Final[WeakValueDictionary[bytes, Renewing[str]]] = WeakValueDictionary()


def project_of(
    credentials: CredentialsSource,
    region: str,
    *,
    endpoint: str | None = None,
    verify: Verify = True,
    proxy: Proxy = None,
) -> Renewing[str]:
    """Return a `Renewing` that looks up the project ID of a region, once for each key in this process.

    Args:
        credentials: A key pair, or a callable that returns one.
        region: The region. Its project has the same name.
        endpoint: IAM's endpoint. Defaults to `HUAWEICLOUD_SDK_IAM_ENDPOINT`, or else to the region's.
        verify: As in httpx.
        proxy: As in httpx.

    Raises:
        ConfigurationError: An argument is malformed.
    """
    url = identity.endpoint("iam", validation.region(region), endpoint)
    options = {"verify": verify, "proxy": Secret(proxy) if isinstance(proxy, str) else proxy}
    if callable(credentials):
        return Renewing(partial(_of_source, renewing(credentials), region, url, options), _WHAT)
    AkSkAuth(credentials)  # validates them
    key = hashlib.sha256("\0".join((credentials.ak, credentials.sk, region, url)).encode()).digest()
    made = Renewing(partial(_remembered, key, url, credentials, region, options), _WHAT)
    return _lookups.setdefault(key, made)


def caller_identity(
    credentials: CredentialsSource, region: str, *, endpoint: str | None = None, verify: Verify = True
) -> dict[str, Any]:
    """Return what STS reports about a key: `account_id`, `principal_urn` and `principal_id`.

    Raises:
        ConfigurationError: An argument is malformed.
        CredentialsError: STS rejected the key, or did not respond.
    """
    credentials = hidden(credentials) if isinstance(credentials, str) else credentials  # for tracebacks with locals
    url = identity.endpoint("sts", region, endpoint)
    what, auth = "caller identity", AkSkAuth(credentials)
    return identity.fields(what, identity.send(what, "GET", f"{url}/v5/caller-identity", auth=auth, verify=verify))


def _of_source(source: Renewing[Credentials], region: str, url: str, options: dict[str, Any]) -> str:
    return project_of(source(), region, endpoint=url, **options)()


def _remembered(key: bytes, url: str, credentials: Credentials, region: str, options: dict[str, Any]) -> str:
    if key not in _known:
        _known[key] = _looked_up(url, credentials, region, options)
    return _known[key]


def _looked_up(url: str, credentials: Credentials, region: str, options: dict[str, Any]) -> str:
    target = f"{url}/v3/projects?name={region}"
    found = identity.fields(_WHAT, identity.send(_WHAT, "GET", target, auth=AkSkAuth(credentials), **options))
    projects = found.get("projects")
    try:
        ids = [validation.path_id("project_id", each["id"]) for each in projects or []]
    except (KeyError, TypeError, ConfigurationError):
        raise CredentialsError(f"{_WHAT}: IAM's response has no valid list of projects") from None
    if len(ids) != 1:
        several = f"has {len(ids)} projects ({printable(', '.join(ids), 200)})" if ids else "has no project"
        raise ConfigurationError(f"the account {several} in {region}: pass project_id=…")
    return ids[0]
