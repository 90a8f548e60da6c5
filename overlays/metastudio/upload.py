"""An upload to a presigned URL: streamed, with the headers of its signature and no others, and without credentials."""

import asyncio
import random
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

import attrs
import httpx

from huaweicloud_auth import Secret
from huaweicloud_auth.validation import is_loopback

from .asyncio_transport import AsyncioTransport
from .bounded import AsyncBounded, Bounded
from .errors import ConfigurationError, MetaStudioError
from .http_clients import failure_of
from .journey_errors import UploadError, upload_error
from .log import log
from .proxies import environment_proxy
from .retries import backoff, may_repeat
from .upload_body import Body, OnProgress, counted, in_threads

Verify: TypeAlias = ssl.SSLContext | bool
Proxy: TypeAlias = str | httpx.Proxy | None

#: For each phase; there is no limit for all of them, since 100 MB at 2 Mbit/s take 400 seconds.
TIMEOUT: Final = httpx.Timeout(60.0, connect=30.0)


class Target:
    """Where an upload goes; the query of its URL is a secret, and shown nowhere.

    Raises:
        ConfigurationError: It is neither https nor on loopback.
    """

    def __init__(self, url: Secret) -> None:
        if problem := _problem(_parsed(url)):
            raise ConfigurationError(f"the upload URL {problem}")
        self._url, self._path_and_query = _parsed(url).copy_with(query=None), Secret(_parsed(url).raw_path.decode())
        self.endpoint = f"{self._url.scheme}://{self._url.netloc.decode()}"

    def request(self, size: int, content: Iterator[bytes] | AsyncIterator[bytes]) -> httpx.Request:
        """Return a request with exactly the headers that the URL's signature covers, and those that HTTP needs."""
        headers = {"Content-Type": "application/zip", "Content-Length": str(size)}
        # The URL in logs and spans has no query; the target on the wire has it.
        extensions = {"target": self._path_and_query.encode(), "timeout": TIMEOUT.as_dict()}
        return httpx.Request("PUT", self._url, headers=headers, content=content, extensions=extensions)


def _problem(url: httpx.URL) -> str | None:
    if url.scheme not in {"http", "https"} or not url.host:
        return "must be the one that create() returned: https://…"
    if url.scheme == "http" and not is_loopback(url.host):
        return "is plain http, which would show the recording to the network: use https"
    return None


def expires(url: str) -> datetime | None:
    """Return the end of an upload URL's life; None where it cannot be read from it."""
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


@attrs.define(eq=False, repr=False)
class _Repeats:
    """Decides whether an upload that failed is sent again: from its start, while the URL lives."""

    ends: datetime | None
    max_retries: int
    made: int = 0

    def delay(self, error: MetaStudioError) -> float:
        """Return the seconds to wait before the next attempt.

        Raises:
            MetaStudioError: `error` itself, if no other attempt follows.
        """
        self.made += 1
        passing = error.is_passing if isinstance(error, UploadError) else may_repeat(error, idempotent=True)
        seconds = backoff(self.made, random.random())  # noqa: S311  # no secret
        is_over = self.ends is not None and datetime.now(UTC) + timedelta(seconds=seconds) >= self.ends
        if self.made > self.max_retries or not passing or is_over:
            raise error
        log.warning("Upload attempt %d failed, the next one follows in %.2f s: %s", self.made, seconds, error)
        return seconds


@attrs.define(eq=False, repr=False)
class Uploader:
    """Uploads for `MetaStudio`: one httpx client for each storage host."""

    verify: Verify
    proxy: Proxy
    max_retries: int
    sleep: Callable[[float], None] = time.sleep
    _clients: dict[str, httpx.Client] = attrs.field(factory=dict)

    def upload(self, url: Secret, body: Body, on_progress: OnProgress | None) -> None:
        """Upload `body`, again where that may help."""
        target, repeats = Target(url), _Repeats(expires(url), self.max_retries)
        while True:
            try:
                return self._put(target, body, on_progress)
            except MetaStudioError as error:
                delay = repeats.delay(error)
            self.sleep(delay)

    def _put(self, target: Target, body: Body, on_progress: OnProgress | None) -> None:
        request, started = target.request(body.size, counted(body, on_progress)), time.perf_counter()
        failure: MetaStudioError | None = None
        try:
            response = self._client(target.endpoint).send(request)
        except (httpx.HTTPError, OSError) as error:
            failure = failure_of(request, error, started)
        else:
            failure = None if response.is_success else upload_error(response)
        if failure is not None:
            raise failure  # outside the except block: httpcore's own traceback has the target

    def _client(self, endpoint: str) -> httpx.Client:
        if endpoint not in self._clients:
            proxy = self.proxy or environment_proxy(httpx.URL(endpoint))
            context = httpx.create_ssl_context(self.verify)
            transport = Bounded(lambda: httpx.HTTPTransport(verify=context, proxy=proxy))
            self._clients[endpoint] = httpx.Client(transport=transport, trust_env=False)
        return self._clients[endpoint]

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()


@attrs.define(eq=False, repr=False)
class AsyncUploader:
    """Uploads for `AsyncMetaStudio`; as `Uploader`."""

    verify: Verify
    proxy: Proxy
    max_retries: int
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _clients: dict[str, httpx.AsyncClient] = attrs.field(factory=dict)

    async def upload(self, url: Secret, body: Body, on_progress: OnProgress | None) -> None:
        """Upload `body`, again where that may help."""
        target, repeats = Target(url), _Repeats(expires(url), self.max_retries)
        while True:
            try:
                return await self._put(target, body, on_progress)
            except MetaStudioError as error:
                delay = repeats.delay(error)
            await self.sleep(delay)

    async def _put(self, target: Target, body: Body, on_progress: OnProgress | None) -> None:
        pieces = in_threads(counted(body, on_progress))
        request, started = target.request(body.size, pieces), time.perf_counter()
        failure: MetaStudioError | None = None
        try:
            response = await self._client(target.endpoint).send(request)
        except (httpx.HTTPError, OSError) as error:
            failure = failure_of(request, error, started)
        except asyncio.CancelledError as error:
            error.__traceback__ = None  # in httpcore's own there is the target
            raise
        else:
            failure = None if response.is_success else upload_error(response)
        if failure is not None:
            raise failure  # as above

    def _client(self, endpoint: str) -> httpx.AsyncClient:
        if endpoint not in self._clients:
            proxy = self.proxy or environment_proxy(httpx.URL(endpoint))
            transport = AsyncBounded(AsyncioTransport(self.verify, proxy))
            self._clients[endpoint] = httpx.AsyncClient(transport=transport, trust_env=False)
        return self._clients[endpoint]

    async def aclose(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()
