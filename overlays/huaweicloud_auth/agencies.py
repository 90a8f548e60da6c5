"""Temporary credentials that renew themselves: of an ECS's agency, or of an agency that other credentials assume."""

from functools import partial
from typing import Any, Final

import httpx

from . import identity, validation
from .aksk import AkSkAuth
from .credentials import Credentials, CredentialsSource, hidden
from .errors import ConfigurationError, CredentialsError
from .identity import Verify
from .renewing import Renewing

#: The metadata service, which only an ECS reaches.
METADATA: Final = "http://169.254.169.254"
_METADATA_TIMEOUT: Final = 3.0  # seconds, for each phase of the two requests
_TOKEN_SECONDS: Final = 21_600
#: Statuses of a metadata service without tokens: the next request is sent without one.
_WITHOUT_TOKENS: Final = {404, 405, 503}
_NO_AGENCY: Final = "Please configure Cloud Service Agency first"
_OF_ECS: Final = "ECS credentials"
_OF_AGENCY: Final = "agency credentials"
_DURATIONS: Final = range(900, 86_401)  # seconds


def ecs_agency(*, endpoint: str = METADATA) -> Renewing[Credentials]:
    """Return temporary credentials of the agency that is attached to this ECS; pass them as `credentials`.

    They are fetched on first use, never through a proxy, and renewed before they expire.

    Args:
        endpoint: The URL of the metadata service.

    Raises:
        ConfigurationError: The endpoint is not an http or https URL.
    """
    if not isinstance(endpoint, str) or not endpoint.startswith(("http://", "https://")):
        raise ConfigurationError(f"the endpoint of the metadata service must look like {METADATA}")
    return Renewing(partial(_of_ecs, endpoint.rstrip("/")), _OF_ECS)


def assume_agency(
    name: str,
    domain: str | None = None,
    *,
    source: CredentialsSource,
    region: str,
    domain_id: str | None = None,
    duration: int = 3600,
    endpoint: str | None = None,
    verify: Verify = True,
) -> Renewing[Credentials]:
    """Return temporary credentials of an agency that `source` may assume; pass them as `credentials`.

    Args:
        name: The agency's name.
        domain: The name of the account that created the agency. Pass either this or `domain_id`.
        source: The credentials that assume the agency, or a callable that returns them.
        region: The region whose IAM issues the credentials.
        domain_id: The ID of that account.
        duration: How many seconds the credentials are valid: 900 to 86400.
        endpoint: IAM's endpoint. Defaults to `HUAWEICLOUD_SDK_IAM_ENDPOINT`, or else to the region's.
        verify: As in httpx.

    Raises:
        ConfigurationError: An argument is malformed.
    """
    source = hidden(source) if isinstance(source, str) else source  # it may be the secret key itself
    if not all(validation.is_unicode(each) for each in (name, domain or "", domain_id or "")):
        raise ConfigurationError("an agency's name, domain and domain_id must be strings of valid Unicode")
    if not name or bool(domain) == bool(domain_id):
        raise ConfigurationError("an agency needs a name, and either domain (the account's name) or domain_id")
    if duration not in _DURATIONS:
        raise ConfigurationError(f"duration must be 900 to 86400 seconds, not {duration!r:.60}")
    of = {"domain_name": domain} if domain else {"domain_id": domain_id}
    role = {"agency_name": name, **of, "duration_seconds": duration}
    url = identity.endpoint("iam", validation.region(region), endpoint)
    return Renewing(partial(_assumed, url, AkSkAuth(source), role, verify), _OF_AGENCY)


def _of_ecs(endpoint: str) -> Credentials:
    response = _security_key(endpoint)
    if response.status_code == httpx.codes.UNAUTHORIZED and _NO_AGENCY not in response.text:
        response = _security_key(endpoint)  # the metadata token has expired
    if _NO_AGENCY in response.text:
        raise CredentialsError(f"{_OF_ECS}: no agency is attached to this ECS; attach one in the ECS console")
    return _temporary(_OF_ECS, response)


def _security_key(endpoint: str) -> httpx.Response:
    send = partial(identity.send, _OF_ECS, is_local=True, timeout=_METADATA_TIMEOUT)
    ttl = {"X-Metadata-Token-Ttl-Seconds": str(_TOKEN_SECONDS)}
    token = send("PUT", f"{endpoint}/meta-data/latest/api/token", headers=ttl)
    if not token.is_success and token.status_code not in _WITHOUT_TOKENS:
        raise CredentialsError(identity.rejected(_OF_ECS, token))
    headers = {"X-Metadata-Token": token.text.strip()} if token.is_success else None
    return send("GET", f"{endpoint}/openstack/latest/securitykey", headers=headers)


def _assumed(url: str, auth: AkSkAuth, role: dict[str, Any], verify: Verify) -> Credentials:
    payload = {"auth": {"identity": {"methods": ["assume_role"], "assume_role": role}}}
    target = f"{url}/v3.0/OS-CREDENTIAL/securitytokens"
    return _temporary(_OF_AGENCY, identity.send(_OF_AGENCY, "POST", target, auth=auth, verify=verify, json=payload))


def _temporary(what: str, response: httpx.Response) -> Credentials:
    found: Any = identity.fields(what, response).get("credential")
    try:
        ends = identity.expiry(what, found["expires_at"], response)
        return Credentials(found["access"], found["secret"], found["securitytoken"], ends)
    except (KeyError, TypeError, ConfigurationError):
        failure = CredentialsError(f"{what}: the response lacks a valid access, secret, securitytoken or expires_at")
    found = None
    raise failure  # outside the except block, whose traceback holds secrets
