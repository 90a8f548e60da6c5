"""Validate what goes into a URL or a header, before anything is signed or sent."""

import ipaddress
import re
from collections.abc import Callable
from functools import lru_cache
from inspect import iscoroutinefunction
from typing import Any, Final, TypeVar

import httpx

from .errors import ConfigurationError, printable

Function = TypeVar("Function", bound=Callable[..., Any])

_ID: Final = re.compile(r"[A-Za-z0-9._~-]{1,1000}")  # httpx rejects URLs of more than 65,536 characters
_HEADER_VALUE: Final = re.compile(r"[ -~]+")

#: Host names and IP addresses. Compiled on first use: with a region it is not needed.
_HOST: Final = rb"[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?|[0-9a-f:]*:[0-9a-f:.]+"
_MAX_REGION: Final = 50
_REGION: Final = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")


def path_id(name: str, value: str) -> str:
    """Return `value` if it can be one segment of a path without encoding: it is sent and signed as it is.

    Raises:
        ConfigurationError: It is empty, `.`, `..` or too long, or has a character that would have to be encoded.
    """
    if not isinstance(value, str) or not _ID.fullmatch(value) or value in {".", ".."}:
        raise ConfigurationError(
            f"{name} must be 1 to 1,000 letters, digits, or any of . _ ~ - (but not '.' or '..'), not "
            f"{printable(repr(value), 80)}"
        )
    return value


def header_value(name: str, value: str) -> str:
    """Return `value` if it can be a header's value. The error does not show it, since it may be a secret.

    Raises:
        ConfigurationError: It is empty, has spaces around it, or has a character that is not printable ASCII.
    """
    if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value) or value != value.strip():
        raise ConfigurationError(
            f"{name} must be printable ASCII, not empty, without line breaks and without surrounding spaces"
        )
    return value


def is_unicode(text: str) -> bool:
    """Return whether `text` can be encoded: it has no surrogates, which represent bytes that are not UTF-8."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def function(name: str, value: Function, expected: str = "a function") -> Function:
    """Return `value` if it is a callable that is not async.

    Raises:
        ConfigurationError: It is not callable, or is a coroutine function, which would never be awaited.
    """
    call = getattr(type(value), "__call__", None)  # noqa: B004  # for objects that are not functions
    if not callable(value) or iscoroutinefunction(value) or iscoroutinefunction(call):
        raise ConfigurationError(f"{name} must be {expected}, and not an async one; got {type(value)}")
    return value


@lru_cache
def is_loopback(host: str) -> bool:
    """Return whether `host` is this machine: a loopback address, or exactly `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def refuse_plain_http(request: httpx.Request) -> None:
    """Refuse to send credentials to another machine over plain http.

    Raises:
        ConfigurationError: The request would do that.
    """
    if request.url.scheme != "https" and not is_loopback(request.url.host):
        raise ConfigurationError(
            f"{request.url.host}: plain http would expose the credentials to the network; use https"
        )


def region(value: str) -> str:
    """Return `value` if it is a well-formed region ID, such as `cn-north-4`: it becomes part of a host name.

    Raises:
        ConfigurationError: It is not.
    """
    if not isinstance(value, str) or len(value) > _MAX_REGION or not _REGION.fullmatch(value):
        raise ConfigurationError(f"a region looks like cn-north-4, not {printable(repr(value), 60)}")
    return value


def endpoint(url: str, name: str = "endpoint") -> str:
    """Return the scheme, host and port of `url`, if credentials may be sent there.

    Raises:
        ConfigurationError: It is not `https://host[:port]`, or plain http to a host that is not loopback.
    """
    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        parts = httpx.URL()
    if parts.scheme not in {"http", "https"} or not _is_address(parts):
        raise ConfigurationError(f"{name} must look like https://host or https://host:port, not {_shown(url)}")
    if parts.userinfo or parts.raw_path != b"/" or parts.fragment:
        raise ConfigurationError(f"{name} must be a scheme, a host and a port only: no user, path, query or fragment")
    if parts.scheme == "http" and not is_loopback(parts.host):
        raise ConfigurationError(
            f"{name}: plain http would expose the credentials to the network; use https://{parts.host} "
            "(http is accepted for localhost and loopback addresses only)"
        )
    return f"{parts.scheme}://{parts.netloc.decode('ascii')}"


def _is_address(url: httpx.URL) -> bool:
    return bool(re.fullmatch(_HOST, url.raw_host)) and (url.port or 0) in range(65_536)


def _shown(url: object) -> str:
    # A malformed URL may still hold a password before its last @.
    return printable(repr(re.sub(r"(?s).*@", "…@", url) if isinstance(url, str) else type(url)), 80)
