"""Validate the settings of connections when a client is created."""

import os
import ssl
from typing import Final, TypeAlias

import httpx

from . import validation
from .errors import ConfigurationError

Verify: TypeAlias = ssl.SSLContext | bool
Proxy: TypeAlias = str | httpx.Proxy | None

_SETTINGS: Final = "argument verify; SSL_CERT_FILE, SSL_CERT_DIR"


def checked_verify(verify: Verify) -> Verify:
    """Return `verify` if it is an SSL context or a boolean.

    Raises:
        ConfigurationError: It is neither.
    """
    if not isinstance(verify, ssl.SSLContext | bool):
        raise ConfigurationError(f"verify must be True, False or an ssl.SSLContext, not {type(verify)}")
    return verify


def context(verify: Verify) -> ssl.SSLContext:
    """Return the SSL context for `verify`.

    Raises:
        ConfigurationError: The environment names CA certificates that cannot be read.
    """
    checked_verify(verify)
    folder = os.environ.get("SSL_CERT_DIR")
    if verify is True and folder and not os.environ.get("SSL_CERT_FILE") and not os.path.isdir(folder):  # noqa: PTH112
        raise ConfigurationError(f"the CA certificates cannot be read ({_SETTINGS}): no folder {folder}")
    try:
        return httpx.create_ssl_context(verify)
    except (OSError, ValueError) as error:
        what = f"the CA certificates cannot be read ({_SETTINGS})"
        raise ConfigurationError(f"{what}: {type(error).__name__}: {error}") from error


def check_proxy(proxy: Proxy) -> None:
    """Validate a proxy's URL. No error shows it, since any part of it may be a password.

    Raises:
        ConfigurationError: It is not a URL with a host and a valid port.
    """
    if proxy is not None and not _is_usable(proxy):
        proxy = None
        raise ConfigurationError("a proxy must look like http://host:port (argument proxy; HTTPS_PROXY, ALL_PROXY)")


def _is_usable(proxy: str | httpx.Proxy) -> bool:
    try:
        url = proxy.url if isinstance(proxy, httpx.Proxy) else httpx.Proxy(proxy).url
    except (httpx.InvalidURL, ValueError, TypeError, AttributeError):
        return False
    return bool(url.host) and (url.port is None or 0 < url.port < 65_536)


def checked_timeout(timeout: float | httpx.Timeout) -> httpx.Timeout:
    """Return the timeouts of an attempt's phases. None means no timeout.

    Raises:
        ConfigurationError: One of them is not a number above 0.
    """
    if not isinstance(timeout, httpx.Timeout):
        return httpx.Timeout(validation.number("timeout", timeout))
    for phase, limit in timeout.as_dict().items():
        if limit is not None:
            validation.number(f"timeout ({phase})", limit)
    return timeout
