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
    """The source of the credentials failed, a vault for example. Nothing was sent; its own error is the cause."""


class KeyRefused(httpx.HTTPStatusError):
    """A request was not sent, since the key has been refused before. `response` is that refusal.

    Args:
        reason: Why it was not sent, and when the next one is.
        url: Where the request was to go. The error keeps nothing else of it.
        status: The status of the refusal.
        headers: The headers of the refusal.
        content: The body of the refusal.
    """

    def __init__(self, reason: str, url: httpx.URL, status: int, headers: httpx.Headers, content: bytes) -> None:
        self._arguments = (reason, url, status, headers, content)
        request = httpx.Request("GET", url)
        decoded = [(name, value) for name, value in headers.items() if name not in _OF_THE_WIRE]
        response = httpx.Response(status, headers=decoded, content=content, request=request)
        super().__init__(reason, request=request, response=response)

    def __reduce__(self) -> tuple[type["KeyRefused"], tuple[object, ...]]:
        return type(self), self._arguments


_OF_THE_WIRE = {"content-encoding", "content-length", "transfer-encoding"}
