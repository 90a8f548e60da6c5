"""What a key stands for: the project's ID in a region, which IAM tells, and its user, which STS tells."""

import hashlib
import os
import threading
from functools import partial
from typing import Any, Final

from . import identity, validation
from .aksk import AkSkAuth, renewing
from .credentials import Credentials, CredentialsSource
from .errors import ConfigurationError, CredentialsError, printable
from .identity import Verify
from .renewing import Renewing

_WHAT: Final = "project ID"

_known: Final[dict[bytes, str]] = {}
_lock = threading.Lock()  # one request for each key and region


def _after_fork() -> None:
    global _lock  # noqa: PLW0603  # the parent's may be held for good
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def project_of(
    credentials: CredentialsSource, region: str, *, endpoint: str | None = None, verify: Verify = True
) -> Renewing[str]:
    """Return what looks up the ID of the project in a region: one request for each key, remembered in this process.

    Args:
        credentials: A key pair, or a callable that returns one.
        region: The region; its project has the same name.
        endpoint: IAM's endpoint, if it is not the usual one; or `HUAWEICLOUD_SDK_IAM_ENDPOINT`.
        verify: As in httpx.

    Raises:
        ConfigurationError: An argument is malformed.
    """
    url = identity.endpoint("iam", validation.region(region), endpoint)
    source = renewing(credentials) if callable(credentials) else credentials
    return Renewing(partial(_project_id, url, source, region, verify), _WHAT)


def caller_identity(
    credentials: CredentialsSource, region: str, *, endpoint: str | None = None, verify: Verify = True
) -> dict[str, Any]:
    """Return what STS says of a key: `account_id`, `principal_urn` and `principal_id`.

    Raises:
        ConfigurationError: An argument is malformed.
        CredentialsError: STS rejected the key, or did not respond.
    """
    url = identity.endpoint("sts", region, endpoint)
    what, auth = "caller identity", AkSkAuth(credentials)
    return identity.fields(what, identity.send(what, "GET", f"{url}/v5/caller-identity", auth=auth, verify=verify))


def _project_id(url: str, source: Credentials | Renewing[Credentials], region: str, verify: Verify) -> str:
    credentials = source() if isinstance(source, Renewing) else source
    key = hashlib.sha256("\0".join((credentials.ak, region, url)).encode()).digest()
    with _lock:
        if key not in _known:
            _known[key] = _looked_up(url, source, region, verify)
        return _known[key]


def _looked_up(url: str, source: CredentialsSource, region: str, verify: Verify) -> str:
    target = f"{url}/v3/projects?name={region}"
    found = identity.fields(_WHAT, identity.send(_WHAT, "GET", target, auth=AkSkAuth(source), verify=verify))
    projects = found.get("projects")
    try:
        ids = [validation.path_id("project_id", each["id"]) for each in projects or []]
    except (KeyError, TypeError, ConfigurationError):
        raise CredentialsError(f"{_WHAT}: the response of IAM has no projects with an id") from None
    if len(ids) != 1:
        several = f"has {len(ids)} projects ({printable(', '.join(ids), 200)})" if ids else "has no project"
        raise ConfigurationError(f"the account {several} in {region}: pass project_id=…")
    return ids[0]
