"""Validate arguments, before anything is signed or sent."""

from collections.abc import Collection, Iterable, Iterator
from typing import Final

from huaweicloud_auth.validation import endpoint, function, header_value, path_id, region

from .errors import ConfigurationError, printable

__all__ = ["count", "endpoint", "function", "header_value", "number", "path_id", "region", "share", "strings"]

#: In seconds, 31 years. Sockets and event loops cannot wait much longer.
MAX_NUMBER: Final = 1e9


def number(name: str, value: float) -> float:
    """Return `value` if it is a number above 0 and at most `MAX_NUMBER`.

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
    """Return `values` if they are a collection of strings. A single string would be read as its characters.

    Raises:
        ConfigurationError: `values` is a single string, or contains something that is not a string.
    """
    several = list(values) if isinstance(values, Iterator) else values  # an iterator can be read only once
    if isinstance(several, str) or not isinstance(several, Collection) or not all(isinstance(v, str) for v in several):
        raise ConfigurationError(
            f"{name} must be a collection of strings, such as a list, not {printable(repr(values), 80)}"
        )
    return several
