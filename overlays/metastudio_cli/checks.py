"""What `metastudio doctor` checks, in an order in which each check needs those before it."""

import platform
import re
import socket
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import attrs
import httpx

from huaweicloud_auth import Credentials, gateway, sources
from huaweicloud_auth.credentials import CredentialsSource
from huaweicloud_auth.projects import caller_identity
from huaweicloud_auth.proxies import environment_proxy
from huaweicloud_auth.sources import Place
from metastudio import (
    APIConnectionError,
    APIStatusError,
    ConfigurationError,
    CredentialsError,
    MetaStudio,
    MetaStudioError,
    PermissionDeniedError,
    __version__,
    configuration,
    connecting,
)
from metastudio.errors import printable

Verdict: TypeAlias = Literal["ok", "note", "wrong"]

#: Whose keys begin so.
_OTHER_CLOUDS: Final = {"LTAI": "Alibaba Cloud", "AKIA": "AWS", "ASIA": "AWS", "AKID": "Tencent Cloud"}
_USUAL_AK: Final = re.compile("[A-Z0-9]{20}")
_QUOTES: Final = "'\"`"  # others are no printable ASCII, and refused before
_CLOCK_DIFFERENCE: Final = timedelta(minutes=5)
_TIMEOUT: Final = 10.0  # seconds, for each phase


@attrs.frozen
class Check:
    """One line of the report.

    Attributes:
        name: What was checked.
        verdict: What came out: `note` is no error, `wrong` is one.
        found: What was found; nothing secret.
        advice: What to do.
    """

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


@attrs.define
class Asked:
    """The options of the command, and what was found out with them so far."""

    region: str | None
    endpoint: str | None
    project_id: str | None
    credentials: str | None
    identity: CredentialsSource | httpx.Auth | None = None
    used: Place | None = None


def checks(asked: Asked) -> Iterator[Check]:
    """Yield the checks, as they are made; the first failed authentication is the last: more than five lock a key."""
    yield _versions()
    for step in (_credentials, _key, _endpoint, _connection, _caller, _project, _permission):
        for check in _guarded(step, asked):
            yield check
            if check.verdict == "wrong":
                return


def _guarded(step: Callable[[Asked], Iterator[Check]], asked: Asked) -> Iterator[Check]:
    try:
        yield from step(asked)
    except MetaStudioError as error:
        yield Check(step.__name__.strip("_"), "wrong", printable(str(error), 500), _advice(error))


def _advice(error: MetaStudioError) -> str:
    if isinstance(error, ConfigurationError):
        return "correct this setting"
    if isinstance(error, APIConnectionError) or (isinstance(error, CredentialsError) and error.status_code is None):
        return "check the network, the proxy and the endpoint"
    if isinstance(error, PermissionDeniedError):
        return "give the IAM user a permission for MetaStudio in this project"
    if isinstance(error, APIStatusError) and error.hint:
        return error.hint
    return "check the key pair, and that it belongs to this account and region; more than five refusals lock a key"


def _versions() -> Check:
    versions = f"metastudio {__version__}, httpx {httpx.__version__}, Python {platform.python_version()}"
    return Check("versions", "ok", f"{versions}, {sys.platform}")


def _credentials(asked: Asked) -> Iterator[Check]:
    try:
        for place in configuration.places(configuration.find_place(asked.credentials, None)):
            if place.credentials is not None:
                yield Check("credentials", "ok", _found_at(place, is_used=asked.used is None))
                asked.used = asked.used or place
            elif place.note != "not given":
                yield Check("credentials", "ok", f"{place.name}: {place.note}")
    except ConfigurationError as error:
        if asked.used is None:
            raise
        yield Check("credentials", "note", f"passed over: {error}", "correct it, or remove it")
    asked.identity = asked.used.credentials if asked.used else None
    if asked.identity is None:
        advice = "set HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK; docs/authentication.md has all places"
        yield Check("credentials", "wrong", "none found", advice)


def _found_at(place: Place, is_used: bool) -> str:
    found, key = place.credentials, "keys that are fetched"
    if isinstance(found, Credentials):
        key = f"key {masked(found.ak)}" + (" with a security token" if found.security_token else "")
    elif isinstance(found, httpx.Auth):
        key = "a token"
    parts = (f"{place.name}: {key}", place.region, place.project_id, None if is_used else "passed over")
    return ", ".join(each for each in parts if each)


def masked(ak: str) -> str:
    """Return an access key so that its owner knows it."""
    return f"{ak[:4]}…{ak[-2:]}" if len(ak) > 8 else "…"


def _key(asked: Asked) -> Iterator[Check]:
    if asked.identity is None or isinstance(asked.identity, httpx.Auth):
        return
    key = asked.identity() if callable(asked.identity) else asked.identity
    cloud = next((name for prefix, name in _OTHER_CLOUDS.items() if key.ak.startswith(prefix)), None)
    if cloud is not None:
        found = f"{masked(key.ak)} looks like a key of {cloud}"
        yield Check("key", "wrong", found, "use an access key of Huawei Cloud: console, My Credentials, Access Keys")
    elif _has_quotes(key.ak) or _has_quotes(key.sk):
        yield Check("key", "wrong", "it begins or ends with a quote", "set key and secret without quotes and blanks")
    elif key.expires_at is not None:
        yield Check("key", "ok", f"{masked(key.ak)}, valid until {key.expires_at:%Y-%m-%d %H:%M:%S %Z}")
    elif key.security_token is None and not _USUAL_AK.fullmatch(key.ak):
        found = f"{masked(key.ak)} is not 20 capitals and digits, as permanent keys usually are"
        yield Check("key", "note", found, "compare it with the console, if the next checks fail")
    else:
        yield Check("key", "ok", masked(key.ak))


def _has_quotes(text: str) -> bool:
    return text[0] in _QUOTES or text[-1] in _QUOTES


def _endpoint(asked: Asked) -> Iterator[Check]:
    place = configuration.find_place(asked.credentials, None)
    asked.endpoint, asked.region = configuration.find_endpoint(asked.region, asked.endpoint, place, asked.used)
    asked.project_id = configuration.find_project_id(asked.project_id, place, asked.used)
    yield Check("endpoint", "ok", asked.endpoint)
    proxy = environment_proxy(httpx.URL(asked.endpoint))
    connecting.check_proxy(proxy)
    if proxy is None:
        yield Check("proxy", "ok", "none")
    else:
        parts = urlsplit(str(proxy))
        found = f"requests go through {parts.hostname}:{parts.port or 80}"
        yield Check("proxy", "note", found, f"to go without it, add {httpx.URL(asked.endpoint).host} to NO_PROXY")


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
