"""Access keys, and where they come from."""

import os
from collections.abc import Callable
from typing import TypeAlias

import attrs

from . import checks
from .errors import ConfigurationError


class Secret(str):
    """Text that does not show itself in `repr`, and so not in tracebacks with locals, containers and logs of either."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


@attrs.frozen
class Credentials:
    """An access key pair, permanent or temporary. Its `repr` shows the AK only.

    Args:
        ak: The access key ID.
        sk: The secret access key.
        security_token: The token that belongs to a temporary pair.

    Raises:
        ConfigurationError: One of them is empty or not printable ASCII.
    """

    ak: str
    sk: str
    security_token: str | None = None

    def __init__(self, ak: str, sk: str, security_token: str | None = None) -> None:
        # Wrapped before anything can raise: a traceback that prints locals then shows no secret.
        sk = Secret(sk) if isinstance(sk, str) else sk
        security_token = Secret(security_token) if isinstance(security_token, str) else security_token
        checks.header_value("the AK", ak)
        checks.header_value("the SK", sk)
        if security_token is not None:
            checks.header_value("the security token", security_token)
        self.__attrs_init__(ak, sk, security_token)  # type: ignore[attr-defined]  # attrs makes it; mypy does not know


CredentialsSource: TypeAlias = Credentials | Callable[[], Credentials]


def from_environment() -> Credentials | None:
    """Return the key pair of `HUAWEICLOUD_SDK_AK`, `_SK` and `_SECURITY_TOKEN`, the official SDK's names.

    Raises:
        ConfigurationError: Only one half of the pair is set.
    """
    ak, sk, token = (variable(f"HUAWEICLOUD_SDK_{name}") for name in ("AK", "SK", "SECURITY_TOKEN"))
    if not ak and not sk:
        return None
    if not ak or not sk:
        there, missing = ("AK", "SK") if ak else ("SK", "AK")
        raise ConfigurationError(
            f"HUAWEICLOUD_SDK_{there} is set but HUAWEICLOUD_SDK_{missing} is not: set both, or neither"
        )
    return Credentials(ak, sk, token)


def variable(name: str) -> Secret | None:
    """Return an environment variable; one that is empty counts as not set."""
    return Secret(os.environ[name]) if os.environ.get(name) else None
