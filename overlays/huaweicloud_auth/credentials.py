"""Key pairs and other secrets, masked in `repr` and tracebacks."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, SupportsIndex, TypeAlias, TypeVar

import attrs

from . import validation
from .errors import ConfigurationError, CredentialsError, HuaweiCloudError

T = TypeVar("T")


class Secret(str):
    """A string that is masked, whole or sliced, in `repr`, f-strings and tracebacks with locals.

    `str(secret)`, and so `%s`, is the string itself.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"

    def __format__(self, _: str) -> str:
        return "***"

    def __getitem__(self, key: SupportsIndex | slice) -> "Secret":
        return Secret(super().__getitem__(key))  # rich and structlog slice before they call repr


@attrs.frozen
class Credentials:
    """An access key pair, permanent or temporary. Its `repr` shows the AK only.

    Args:
        ak: The access key ID.
        sk: The secret access key.
        security_token: The security token of a temporary pair.
        expires_at: When a temporary pair expires, with a time zone. A callable that returned the pair is called again
            before then, instead of before each signature.

    Raises:
        ConfigurationError: A value is empty or not printable ASCII, or `expires_at` has no time zone.
    """

    ak: str
    sk: str
    security_token: str | None = None
    expires_at: datetime | None = attrs.field(default=None, eq=False, repr=False)

    def __init__(self, ak: str, sk: str, security_token: str | None = None, expires_at: datetime | None = None) -> None:
        # Wrapped and stored before anything can raise, so that a traceback with locals shows `self` and no secret.
        sk = hidden(sk)
        security_token = None if security_token is None else hidden(security_token)
        self.__attrs_init__(ak, sk, security_token, expires_at)  # type: ignore[attr-defined]  # attrs makes it; mypy does not know
        validation.header_value("the AK", ak)
        validation.header_value("the SK", sk)
        if security_token is not None:
            validation.header_value("the security token", security_token)
        if expires_at is not None and (not isinstance(expires_at, datetime) or expires_at.utcoffset() is None):
            raise ConfigurationError(f"expires_at must be a datetime with a time zone, not {expires_at!r:.60}")


def hidden(value: Any) -> Any:
    """Return a string as a `Secret`. Of anything else, return the type for the error message: it may be secret too."""
    return Secret(value) if isinstance(value, str) else type(value)


def call_source(name: str, source: Callable[[], T]) -> T:
    """Call a callable of the user, and return its result.

    Raises:
        CredentialsError: The callable raised an error, which is the cause. Errors of this package pass unchanged.
    """
    try:
        return source()
    except HuaweiCloudError:
        raise
    except Exception as error:
        raise CredentialsError(f"the {name} callable raised {type(error).__name__}") from error


CredentialsSource: TypeAlias = Credentials | Callable[[], Credentials]
