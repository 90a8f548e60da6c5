"""The root of the error tree, and what an auth raises besides httpx's own errors."""

import httpx


def printable(text: str, limit: int = 300) -> str:
    """Return `text` as one line of at most `limit` printable characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 4 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


class HuaweiCloudError(Exception):
    """Base of everything that this package raises, but for httpx's own errors."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class ConfigurationError(HuaweiCloudError, ValueError):
    """An argument, environment variable or file is missing or malformed. Nothing was sent."""


class CredentialsError(HuaweiCloudError):
    """The source of the credentials failed, a vault for example. Nothing was sent; its own error is the cause.

    Attributes:
        status_code: The status of IAM, STS or the metadata service, if one of them rejected a request.
    """

    status_code: int | None = None


class KeyRefused(httpx.HTTPStatusError):
    """A request was not sent, since the key has been refused before. `response` is that refusal."""


def failed_again(name: str, error: BaseException) -> HuaweiCloudError:
    """Return an error anew for one of those who waited for the same: they do not share a traceback."""
    if isinstance(error, ConfigurationError):
        copied: HuaweiCloudError = ConfigurationError(str(error))
    elif isinstance(error, HuaweiCloudError):
        copied = CredentialsError(str(error))
        copied.status_code = getattr(error, "status_code", None)
    else:
        copied = CredentialsError(f"the {name} callable raised {type(error).__name__}")
    copied.__cause__ = error.__cause__ if isinstance(error, HuaweiCloudError) else error
    return copied
