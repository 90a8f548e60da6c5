"""The checks of `metastudio doctor`, in order: each one needs the results of those before it."""

import platform
import re
import sys
from collections.abc import Callable, Iterator
from typing import Final
from urllib.parse import urlsplit

import httpx

from huaweicloud_auth import Credentials
from huaweicloud_auth.proxies import environment_proxy
from huaweicloud_auth.sources import Place
from metastudio import (
    APIConnectionError,
    APIStatusError,
    ConfigurationError,
    CredentialsError,
    MetaStudioError,
    PermissionDeniedError,
    __version__,
    configuration,
    connecting,
)
from metastudio.errors import printable

from .check import Check, Settings
from .online_checks import ONLINE

#: The clouds whose access keys begin with these prefixes.
_OTHER_CLOUDS: Final = {"LTAI": "Alibaba Cloud", "AKIA": "AWS", "ASIA": "AWS", "AKID": "Tencent Cloud"}
_USUAL_AK: Final = re.compile("[A-Z0-9]{20}")
_QUOTES: Final = "'\"`"  # other quotes are not ASCII and are rejected earlier


def checks(settings: Settings) -> Iterator[Check]:
    """Run the checks and yield the results. Stop at the first failure: failed authentications lock a key."""
    yield _versions()
    for step in (_credentials, _key, _endpoint, *ONLINE):
        for check in _guarded(step, settings):
            yield check
            if check.verdict == "wrong":
                return


def _guarded(step: Callable[[Settings], Iterator[Check]], settings: Settings) -> Iterator[Check]:
    try:
        yield from step(settings)
    except MetaStudioError as error:
        yield Check(step.__name__.strip("_"), "wrong", printable(str(error), 500), _advice(error))


def _advice(error: MetaStudioError) -> str:
    if isinstance(error, ConfigurationError):
        return "correct this setting"
    if isinstance(error, APIConnectionError) or (isinstance(error, CredentialsError) and error.status_code is None):
        return "check the network, the proxy and the endpoint"
    if isinstance(error, PermissionDeniedError):
        return "grant the IAM user a permission for MetaStudio in this project"
    if isinstance(error, APIStatusError) and error.hint:
        return error.hint
    return "check the key pair and that it belongs to this account and region; more than five failures lock a key"


def _versions() -> Check:
    versions = f"metastudio {__version__}, httpx {httpx.__version__}, Python {platform.python_version()}"
    return Check("versions", "ok", f"{versions}, {sys.platform}")


def _credentials(settings: Settings) -> Iterator[Check]:
    try:
        for place in configuration.places(configuration.find_place(settings.credentials, None)):
            if place.credentials is not None:
                yield Check("credentials", "ok", _found_at(place, is_used=settings.used is None))
                settings.used = settings.used or place
            elif place.note != "not given":
                yield Check("credentials", "ok", f"{place.name}: {place.note}")
    except ConfigurationError as error:
        if settings.used is None:
            raise
        yield Check("credentials", "note", f"not used: {error}", "correct it or remove it")
    settings.identity = settings.used.credentials if settings.used else None
    if settings.identity is None:
        advice = "set HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK; docs/authentication.md lists all sources"
        yield Check("credentials", "wrong", "none found", advice)


def _found_at(place: Place, is_used: bool) -> str:
    found, key = place.credentials, "a key that is fetched"
    if isinstance(found, Credentials):
        key = f"key {masked(found.ak)}" + (" with a security token" if found.security_token else "")
    elif isinstance(found, httpx.Auth):
        key = "a token"
    parts = (f"{place.name}: {key}", place.region, place.project_id, None if is_used else "not used")
    return ", ".join(each for each in parts if each)


def masked(ak: str) -> str:
    """Shorten an access key so that only its owner recognizes it."""
    return f"{ak[:4]}…{ak[-2:]}" if len(ak) > 8 else "…"


def _key(settings: Settings) -> Iterator[Check]:
    if settings.identity is None or isinstance(settings.identity, httpx.Auth):
        return
    key = settings.identity() if callable(settings.identity) else settings.identity
    cloud = next((name for prefix, name in _OTHER_CLOUDS.items() if key.ak.startswith(prefix)), None)
    if cloud is not None:
        found = f"{masked(key.ak)} looks like a key of {cloud}"
        yield Check("key", "wrong", found, "use an access key of Huawei Cloud: console, My Credentials, Access Keys")
    elif _has_quotes(key.ak) or _has_quotes(key.sk):
        found = "the access key or the secret key begins or ends with a quote"
        yield Check("key", "wrong", found, "set both without quotes and spaces")
    elif key.expires_at is not None:
        yield Check("key", "ok", f"{masked(key.ak)}, valid until {key.expires_at:%Y-%m-%d %H:%M:%S %Z}")
    elif key.security_token is None and not _USUAL_AK.fullmatch(key.ak):
        found = f"{masked(key.ak)} is not 20 capital letters and digits, as permanent access keys usually are"
        yield Check("key", "note", found, "if a later check fails, compare it with the console")
    else:
        yield Check("key", "ok", masked(key.ak))


def _has_quotes(text: str) -> bool:
    return text[0] in _QUOTES or text[-1] in _QUOTES


def _endpoint(settings: Settings) -> Iterator[Check]:
    place = configuration.find_place(settings.credentials, None)
    settings.endpoint, settings.region = configuration.find_endpoint(
        settings.region, settings.endpoint, place, settings.used
    )
    settings.project_id = configuration.find_project_id(settings.project_id, place, settings.used)
    yield Check("endpoint", "ok", settings.endpoint)
    proxy = environment_proxy(httpx.URL(settings.endpoint))
    connecting.check_proxy(proxy)
    if proxy is None:
        yield Check("proxy", "ok", "none")
    else:
        parts = urlsplit(str(proxy))
        found = f"requests go through {parts.hostname}:{parts.port or 80}"
        yield Check("proxy", "note", found, f"to bypass it, add {httpx.URL(settings.endpoint).host} to NO_PROXY")
