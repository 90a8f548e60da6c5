"""The base of the error tree, and the errors that an auth raises besides httpx's own."""

import httpx


def printable(text: str, limit: int = 300) -> str:
    """Return `text` as one line of at most `limit` printable characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


class HuaweiCloudError(Exception):
    """Base class of all errors that this package raises, except httpx's own."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class ConfigurationError(HuaweiCloudError, ValueError):
    """An argument, environment variable or file is missing or malformed. Nothing was sent."""


class CredentialsError(HuaweiCloudError):
    """The source of the credentials failed, for example a vault. Nothing was sent; the source's error is the cause.

    Attributes:
        status_code: The HTTP status with which IAM, STS or the metadata service rejected a request, or None.
    """

    status_code: int | None = None


class KeyRefused(httpx.HTTPStatusError):
    """A request was not sent because its key was refused before. `response` is that refusal."""


def failed_again(name: str, error: BaseException) -> HuaweiCloudError:
    """Return a copy of an error for one of several waiters, so that they do not share a traceback."""
    if isinstance(error, ConfigurationError):
        copied: HuaweiCloudError = ConfigurationError(str(error))
    elif isinstance(error, HuaweiCloudError):
        copied = CredentialsError(str(error))
        copied.status_code = getattr(error, "status_code", None)
    else:
        copied = CredentialsError(f"the {name} callable raised {type(error).__name__}")
    copied.__cause__ = error.__cause__ if isinstance(error, HuaweiCloudError) else error
    return copied
