"""The target of an upload: a presigned URL, which is a secret."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from huaweicloud_auth import Secret
from huaweicloud_auth.validation import is_loopback

from .errors import ConfigurationError

#: For each phase. There is no limit for the whole upload, since 100 MB at 2 Mbit/s take 400 seconds.
TIMEOUT: Final = httpx.Timeout(60.0, connect=30.0)


class Target:
    """The target of an upload. The query of its URL is a secret, and is never shown.

    Raises:
        ConfigurationError: The URL is neither https nor on loopback.
    """

    def __init__(self, url: Secret) -> None:
        if problem := _problem(_parsed(url)):
            raise ConfigurationError(f"the upload URL {problem}")
        self._url, self._path_and_query = _parsed(url).copy_with(query=None), Secret(_parsed(url).raw_path.decode())
        self.endpoint = f"{self._url.scheme}://{self._url.netloc.decode()}"

    def request(self, size: int, content: Iterator[bytes] | AsyncIterator[bytes], **extensions: Any) -> httpx.Request:
        """Return a request with the headers that the URL's signature covers, and those that HTTP needs."""
        headers = {"Content-Type": "application/zip", "Content-Length": str(size)}
        # The URL in logs and spans has no query; the target on the wire has it.
        extensions |= {"target": self._path_and_query.encode(), "timeout": TIMEOUT.as_dict()}
        return httpx.Request("PUT", self._url, headers=headers, content=content, extensions=extensions)


def _problem(url: httpx.URL) -> str | None:
    if url.scheme not in {"http", "https"} or not url.host:
        return "must be the one that create() returned: https://…"
    if url.scheme == "http" and not is_loopback(url.host):
        return "is plain http, which would expose the recording to the network: use https"
    return None


def expires(url: str) -> datetime | None:
    """Return when an upload URL expires, or None if the URL does not say."""
    query = {name.lower(): value for name, value in httpx.QueryParams(_parsed(url).query.decode("ascii")).items()}
    try:
        if "expires" in query:
            return datetime.fromtimestamp(int(query["expires"]), UTC)
        signer = "x-obs" if "x-obs-date" in query else "x-amz"
        start = datetime.strptime(query[f"{signer}-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        return start + timedelta(seconds=int(query[f"{signer}-expires"]))
    except (KeyError, ValueError, OverflowError, OSError):
        return None


def _parsed(url: str) -> httpx.URL:
    try:
        return httpx.URL(url)
    except (httpx.InvalidURL, TypeError):
        return httpx.URL()
