"""The checks of `metastudio doctor` that send something; none of them changes anything."""

import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from huaweicloud_auth import gateway, sources
from huaweicloud_auth.projects import caller_identity
from huaweicloud_auth.proxies import environment_proxy
from metastudio import CredentialsError, MetaStudio, connecting
from metastudio.errors import printable

from .check import Asked, Check

_CLOCK_DIFFERENCE: Final = timedelta(minutes=5)
_TIMEOUT: Final = 10.0  # seconds, for each phase


def _connection(asked: Asked) -> Iterator[Check]:
    """Check name, TLS and clock, by a request that is not signed: it cannot count against a key."""
    url = httpx.URL(asked.endpoint or "")
    proxy = environment_proxy(url)
    if proxy is None:
        yield _name(url)
    before = datetime.now(UTC)
    try:
        context = connecting.context(verify=True)
        with httpx.Client(verify=context, proxy=proxy and str(proxy), trust_env=False, timeout=_TIMEOUT) as client:
            response = client.get(url)
    except (httpx.HTTPError, OSError, ValueError, ImportError) as error:
        advice = "check firewall and proxy; where a proxy opens TLS, set SSL_CERT_FILE to its authority"
        yield Check("connection", "wrong", printable(f"{type(error).__name__}: {error}"), advice)
        return
    yield Check("connection", "ok", f"{url.scheme} to {url.host}: it responded {response.status_code}")
    yield _clock(gateway.http_date(response.headers, "Date"), before)


def _name(url: httpx.URL) -> Check:
    try:
        found = socket.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        return Check("name", "wrong", f"{url.host}: {error.strerror}", "check the region and DNS; or set HTTPS_PROXY")
    return Check("name", "ok", f"{url.host} is {', '.join(dict.fromkeys(str(each[4][0]) for each in found))}")


def _clock(theirs: datetime | None, ours: datetime) -> Check:
    if theirs is None:
        return Check("clock", "note", "the response has no Date", "compare this machine's clock with another one")
    seconds = (ours - theirs).total_seconds()
    if abs(ours - theirs) < _CLOCK_DIFFERENCE:
        return Check("clock", "ok", f"{seconds:+.0f} s against the gateway")
    found = f"{seconds:+.0f} s against the gateway; signatures are corrected"
    return Check("clock", "note", found, "set this machine's clock")


def _caller(asked: Asked) -> Iterator[Check]:
    if asked.identity is None or isinstance(asked.identity, httpx.Auth):
        yield Check("caller", "note", "a token: STS is not asked", "nothing, if the next checks pass")
        return
    if asked.region is None and sources.variable("HUAWEICLOUD_SDK_STS_ENDPOINT") is None:
        yield Check("caller", "note", "no region: STS is not asked", "give --region instead of --endpoint")
        return
    try:
        found = caller_identity(asked.identity, asked.region or "")
    except CredentialsError as error:
        if error.status_code == httpx.codes.UNAUTHORIZED or "reach the limit" in str(error):
            raise
        yield Check("caller", "note", printable(str(error)), "nothing, if the next checks pass")
    else:
        yield Check("caller", "ok", printable(f"account {found.get('account_id')}, {found.get('principal_urn')}"))


def _studio(asked: Asked) -> MetaStudio:
    options: dict[str, Any] = {"region": asked.region} if asked.region else {"endpoint": asked.endpoint}
    identity = {"auth": asked.identity} if isinstance(asked.identity, httpx.Auth) else {"credentials": asked.identity}
    return MetaStudio(**options, **identity, project_id=asked.project_id, max_retries=0)


def _project(asked: Asked) -> Iterator[Check]:
    with _studio(asked) as studio:
        given, asked.project_id = asked.project_id, studio.find_project_id()
    yield Check("project", "ok", f"{asked.project_id} ({'given' if given else 'looked up'})")


def _permission(asked: Asked) -> Iterator[Check]:
    """Check the permission by a call that only reads."""
    with _studio(asked) as studio:
        limits = studio.short_jobs.limits()
    yield Check("permission", "ok", f"the service takes recordings of {limits.shortest} to {limits.longest} s")


#: In this order: each needs those before it.
ONLINE: Final[tuple[Callable[[Asked], Iterator[Check]], ...]] = (_connection, _caller, _project, _permission)
