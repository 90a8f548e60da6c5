"""What goes into a URL or a header is checked here, before anything is signed or sent."""

import ipaddress
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import Any, Final, TypeVar

import httpx

from .errors import ConfigurationError, printable

Callback = TypeVar("Callback", bound=Callable[..., Any])

_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,1000}")  # of a URL beyond 65,536 characters, httpx makes no request
#: Seconds: 31 years. What sockets and event loops can wait for is not much longer.
MAX_NUMBER: Final = 1e9
#: The names that a resolver takes, and addresses. Compiled when it is needed: with a region it is not.
_HOST: Final = rb"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?|[0-9a-f:]*:[0-9a-f:.]+"
_HEADER_VALUE: Final = re.compile(r"[ -~]+")


def path_id(name: str, value: str) -> str:
    """Return `value` if it is one segment of a path that means itself, on the wire and when it is signed.

    Raises:
        ConfigurationError: It is empty, `.` or `..`, too long, or has a character that a URL would have to encode.
    """
    if not isinstance(value, str) or not _ID.fullmatch(value) or value in {".", ".."}:
        raise ConfigurationError(
            f"{name} must be letters, digits and any of . _ ~ -, up to 1,000 of them (and not '.' or '..'), not "
            f"{printable(repr(value), 80)}"
        )
    return value


def header_value(name: str, value: str) -> str:
    """Return `value` if it can be a header's value. The error does not show it: it may be a secret.

    Raises:
        ConfigurationError: It is empty, or holds something other than printable ASCII.
    """
    if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value) or value != value.strip():
        raise ConfigurationError(
            f"{name} must be printable ASCII, not empty, without line breaks and without spaces around it"
        )
    return value


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


def count(name: str, value: int, least: int = 0) -> int:
    """Return `value` if it is a whole number of at least `least`.

    Raises:
        ConfigurationError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{name} must be a whole number of at least {least}, not {printable(repr(value), 60)}")
    return value


def texts(name: str, values: Iterable[str]) -> Collection[str]:
    """Return `values`, if they are several texts: a single one would be taken for its letters.

    Raises:
        ConfigurationError: It is a text itself, or something in it is no text.
    """
    several = list(values) if isinstance(values, Iterator) else values  # an iterator can be gone through once
    if isinstance(several, str) or not isinstance(several, Collection) or not all(isinstance(v, str) for v in several):
        raise ConfigurationError(f"{name} must be several texts, a list for example, not {printable(repr(values), 80)}")
    return several


def callback(name: str, function: Callback | None) -> Callback | None:
    """Return `function`, if it is one that can be called and does its work then.

    Raises:
        ConfigurationError: It cannot be called, or is a coroutine function, which nobody would await.
    """
    if function is not None and (not callable(function) or iscoroutinefunction(function)):
        raise ConfigurationError(
            f"{name} must be a function, and not an async one, not {printable(repr(function), 80)}"
        )
    return function


@lru_cache
def is_loopback(host: str) -> bool:
    """Tell whether `host` is this machine: a loopback address, or exactly `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
    # A malformed URL may still hold a password before its @.
    return printable(repr(re.sub(r"[^/]*@", "…@", url) if isinstance(url, str) else url), 80)
