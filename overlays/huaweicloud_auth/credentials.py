"""Access keys, as values that do not show themselves."""

from collections.abc import Callable
from typing import TypeAlias, TypeVar

import attrs

from . import validation
from .errors import CredentialsError, HuaweiCloudError

T = TypeVar("T")


class Secret(str):
    """A string that does not show itself in `repr`, and so not in tracebacks with locals, containers and their logs."""

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
        # Wrapped and stored before anything can raise: a traceback that prints locals then shows `self`, and no secret.
        sk = Secret(sk) if isinstance(sk, str) else sk
        security_token = Secret(security_token) if isinstance(security_token, str) else security_token
        self.__attrs_init__(ak, sk, security_token)  # type: ignore[attr-defined]  # attrs makes it; mypy does not know
        validation.header_value("the AK", ak)
        validation.header_value("the SK", sk)
        if security_token is not None:
            validation.header_value("the security token", security_token)


def call_source(name: str, source: Callable[[], T]) -> T:
    """Return what a callable of the user returns.

    Raises:
        CredentialsError: It failed; its own error is the cause.
    """
    try:
        return source()
    except HuaweiCloudError:
        raise
    except Exception as error:
        raise CredentialsError(f"the {name} callable raised {type(error).__name__}") from error


CredentialsSource: TypeAlias = Credentials | Callable[[], Credentials]
