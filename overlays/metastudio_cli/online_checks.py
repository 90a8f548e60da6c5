"""The checks of `metastudio doctor` that send requests; all of them are read-only."""

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

from .check import Check, Settings

_CLOCK_DIFFERENCE: Final = timedelta(minutes=5)
_TIMEOUT: Final = 10.0  # seconds, for each phase


def _connection(settings: Settings) -> Iterator[Check]:
    """Check DNS, TLS and the clock with an unsigned request, which cannot count as a failure of the key."""
    url = httpx.URL(settings.endpoint or "")
    proxy = environment_proxy(url)
    if proxy is None:
        yield _name(url)
    before = datetime.now(UTC)
    try:
        context = connecting.context(verify=True)
        with httpx.Client(verify=context, proxy=proxy and str(proxy), trust_env=False, timeout=_TIMEOUT) as client:
            response = client.get(url)
    except (httpx.HTTPError, OSError, ValueError, ImportError) as error:
        advice = "check the firewall and the proxy; if a proxy intercepts TLS, set SSL_CERT_FILE to its CA certificate"
        yield Check("connection", "wrong", printable(f"{type(error).__name__}: {error}"), advice)
        return
    yield Check("connection", "ok", f"{url.scheme} to {url.host}: status {response.status_code}")
    yield _clock(gateway.http_date(response.headers, "Date"), before)


def _name(url: httpx.URL) -> Check:
    try:
        found = socket.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
    except OSError as error:
        return Check("name", "wrong", f"{url.host}: {error.strerror}", "check the region and DNS, or set HTTPS_PROXY")
    addresses = ", ".join(dict.fromkeys(str(each[4][0]) for each in found))
    return Check("name", "ok", f"{url.host} resolves to {addresses}")


def _clock(theirs: datetime | None, ours: datetime) -> Check:
    if theirs is None:
        return Check("clock", "note", "the response has no Date", "compare this machine's clock with another clock")
    seconds = (ours - theirs).total_seconds()
    if abs(ours - theirs) < _CLOCK_DIFFERENCE:
        return Check("clock", "ok", f"{seconds:+.0f} s relative to the gateway")
    found = f"{seconds:+.0f} s relative to the gateway; signatures are corrected for it"
    return Check("clock", "note", found, "set this machine's clock")


def _caller(settings: Settings) -> Iterator[Check]:
    if settings.identity is None or isinstance(settings.identity, httpx.Auth):
        yield Check("caller", "note", "skipped: STS needs a key pair", "no action needed if the next checks pass")
        return
    if settings.region is None and sources.variable("HUAWEICLOUD_SDK_STS_ENDPOINT") is None:
        yield Check("caller", "note", "skipped: STS needs a region", "use --region instead of --endpoint")
        return
    try:
        found = caller_identity(settings.identity, settings.region or "")
    except CredentialsError as error:
        if error.status_code == httpx.codes.UNAUTHORIZED or "reach the limit" in str(error):
            raise
        yield Check("caller", "note", printable(str(error)), "no action needed if the next checks pass")
    else:
        yield Check("caller", "ok", printable(f"account {found.get('account_id')}, {found.get('principal_urn')}"))


def _studio(settings: Settings) -> MetaStudio:
    options: dict[str, Any] = {"region": settings.region} if settings.region else {"endpoint": settings.endpoint}
    identity = (
        {"auth": settings.identity} if isinstance(settings.identity, httpx.Auth) else {"credentials": settings.identity}
    )
    return MetaStudio(**options, **identity, project_id=settings.project_id, max_retries=0)


def _project(settings: Settings) -> Iterator[Check]:
    with _studio(settings) as studio:
        given, settings.project_id = settings.project_id, studio.find_project_id()
    yield Check("project", "ok", f"{settings.project_id} ({'given' if given else 'looked up'})")


def _permission(settings: Settings) -> Iterator[Check]:
    """Check the permission with a read-only request."""
    with _studio(settings) as studio:
        limits = studio.short_jobs.limits()
    yield Check("permission", "ok", f"the service accepts recordings of {limits.shortest} to {limits.longest} s")


#: In order: each check needs the results of those before it.
ONLINE: Final[tuple[Callable[[Settings], Iterator[Check]], ...]] = (_connection, _caller, _project, _permission)
