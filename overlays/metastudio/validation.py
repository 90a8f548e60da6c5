"""Arguments are validated here, before anything is signed or sent."""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final

import httpx

from huaweicloud_auth.validation import function, header_value, is_loopback, path_id

from .errors import ConfigurationError, printable

__all__ = ["count", "endpoint", "function", "header_value", "number", "path_id", "share", "strings"]

#: Seconds: 31 years. What sockets and event loops can wait for is not much longer.
MAX_NUMBER: Final = 1e9
#: The names that a resolver takes, and addresses. Compiled when it is needed: with a region it is not.
_HOST: Final = rb"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?|[0-9a-f:]*:[0-9a-f:.]+"


def number(name: str, value: float) -> float:
    """Return `value` if it is a number above 0 and of at most `MAX_NUMBER`.

    Raises:
        ConfigurationError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= MAX_NUMBER:
        raise ConfigurationError(
            f"{name} must be a number above 0 and at most {MAX_NUMBER:.0f}, not {printable(repr(value), 60)}"
        )
    return value


def share(name: str, value: float) -> float:
    """Return `value` if it is a number above 0 and at most 1.

    Raises:
        ConfigurationError: It is not.
    """
    if number(name, value) > 1:
        raise ConfigurationError(f"{name} must be a number above 0 and at most 1, not {printable(repr(value), 60)}")
    return value


def count(name: str, value: int, least: int = 0) -> int:
    """Return `value` if it is a whole number of at least `least`.

    Raises:
        ConfigurationError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{name} must be a whole number of at least {least}, not {printable(repr(value), 60)}")
    return value


def strings(name: str, values: Iterable[str]) -> Collection[str]:
    """Return `values`, if they are several strings: a single one would be taken for its letters.

    Raises:
        ConfigurationError: It is a string itself, or something in it is none.
    """
    several = list(values) if isinstance(values, Iterator) else values  # an iterator can be gone through once
    if isinstance(several, str) or not isinstance(several, Collection) or not all(isinstance(v, str) for v in several):
        raise ConfigurationError(
            f"{name} must be several strings, a list for example, not {printable(repr(values), 80)}"
        )
    return several


def endpoint(url: str) -> str:
    """Return `url` as scheme, host and port, if it is a place that credentials may be sent to.

    Raises:
        ConfigurationError: It is not `https://host[:port]`, or plain http to a host that is not loopback.
    """
    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        parts = httpx.URL()
    if parts.scheme not in {"http", "https"} or not _is_address(parts):
        raise ConfigurationError(f"endpoint must look like https://host or https://host:port, not {_shown(url)}")
    if parts.userinfo or parts.raw_path != b"/" or parts.fragment:
        raise ConfigurationError("endpoint must be a scheme, a host and a port only: no user, path, query or fragment")
    if parts.scheme == "http" and not is_loopback(parts.host):
        raise ConfigurationError(
            f"endpoint: plain http would show the credentials to the network; use https://{parts.host} "
            "(http is accepted for localhost and loopback addresses only)"
        )
    return f"{parts.scheme}://{parts.netloc.decode('ascii')}"


def _is_address(url: httpx.URL) -> bool:
    return bool(re.fullmatch(_HOST, url.raw_host)) and (url.port or 0) in range(65_536)


def _shown(url: object) -> str:
    # A malformed URL may still hold a password before its last @.
    return printable(repr(re.sub(r"(?s).*@", "…@", url) if isinstance(url, str) else type(url)), 80)
