"""What `metastudio doctor` checks, in an order in which each check needs those before it."""

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

from .check import Asked, Check
from .online_checks import ONLINE

#: Whose keys begin so.
_OTHER_CLOUDS: Final = {"LTAI": "Alibaba Cloud", "AKIA": "AWS", "ASIA": "AWS", "AKID": "Tencent Cloud"}
_USUAL_AK: Final = re.compile("[A-Z0-9]{20}")
_QUOTES: Final = "'\"`"  # others are no printable ASCII, and refused before


def checks(asked: Asked) -> Iterator[Check]:
    """Yield the checks, as they are made; the first failed authentication is the last: more than five lock a key."""
    yield _versions()
    for step in (_credentials, _key, _endpoint, *ONLINE):
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
