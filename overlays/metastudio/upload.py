"""Upload to a presigned URL: streamed, with exactly the headers that it was signed with, and without credentials."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from logging import WARNING
from typing import Any

import attrs
import httpx

from huaweicloud_auth import Secret
from huaweicloud_auth.log import write
from huaweicloud_auth.proxies import environment_proxy

from . import deadline
from .asyncio_transport import AsyncioTransport
from .bounded import AsyncBounded, Bounded
from .connecting import Proxy, Verify, check_proxy, context
from .errors import MetaStudioError
from .http_clients import failure_of, forget_locals, log_response
from .journey_errors import UploadError, upload_error
from .log import error_fields, log
from .retries import backoff, may_repeat
from .upload_body import Body, OnProgress, ResponseTime, counted, in_threads
from .upload_target import Target, expires


@attrs.define(eq=False, repr=False)
class _Retries:
    """Decides whether a failed upload is retried, from its start, until the URL expires."""

    ends: datetime | None
    max_retries: int
    job_id: str | None
    made: int = 0

    @property
    def about(self) -> dict[str, Any]:
        """What the log record of the next attempt says about it."""
        return {"operation": "upload", "job_id": self.job_id, "attempt": self.made + 1}

    def delay(self, error: MetaStudioError) -> float:
        """Return the seconds to wait before the next attempt.

        Raises:
            MetaStudioError: `error` itself, if there is no further attempt.
        """
        fields = error_fields(error) | self.about
        self.made += 1
        passing = error.is_passing if isinstance(error, UploadError) else may_repeat(error, idempotent=True)
        seconds = backoff(self.made, random.random())  # noqa: S311  # not for cryptography
        is_over = self.ends is not None and datetime.now(UTC) + timedelta(seconds=seconds) >= self.ends
        if self.made > self.max_retries or not passing or is_over:
            raise error
        write(log, WARNING, "Upload attempt %d failed, retrying in %.2f s: %s", self.made, seconds, error, **fields)
        return seconds


@attrs.define(eq=False, repr=False)
class Uploader:
    """Uploads for `MetaStudio`: one httpx client for each storage host."""

    verify: Verify
    proxy: Proxy
    max_retries: int
    sleep: Callable[[float], None] = time.sleep
    _clients: dict[str, httpx.Client] = attrs.field(factory=dict)

    def upload(self, url: Secret, body: Body, on_progress: OnProgress | None, job_id: str | None = None) -> None:
        """Upload `body`, with retries; `job_id` is for the log."""
        target, retries = Target(url), _Retries(expires(url), self.max_retries, job_id)
        while True:
            try:
                return self._put(target, body, on_progress, retries.about)
            except MetaStudioError as error:
                delay = retries.delay(error)
            self.sleep(delay)

    def _put(self, target: Target, body: Body, on_progress: OnProgress | None, about: dict[str, Any]) -> None:
        limit, started = ResponseTime(), time.perf_counter()
        pieces = limit.after(counted(body, on_progress))
        request = target.request(body.size, pieces, log=about, seconds_left=limit.seconds_left)
        failure: MetaStudioError | None = None
        try:
            response = self._client(target.endpoint).send(request)
        except (httpx.HTTPError, OSError) as error:
            failure = failure_of(request, error, started)
        except BaseException as error:
            forget_locals(error)  # httpcore's frames hold the target, which is secret
            raise
        else:
            log_response(request, response, started, "x-obs-request-id")
            failure = None if response.is_success else upload_error(response)
        if failure is not None:
            raise failure  # outside the except block, for the same reason

    def _client(self, endpoint: str) -> httpx.Client:
        if endpoint not in self._clients:
            proxy = self.proxy or environment_proxy(httpx.URL(endpoint))
            check_proxy(proxy)
            verify = context(self.verify)
            transport = Bounded(lambda: deadline.transport(verify, proxy))
            self._clients[endpoint] = httpx.Client(transport=transport, trust_env=False)
        return self._clients[endpoint]

    def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            client.close()


@attrs.define(eq=False, repr=False)
class AsyncUploader:
    """Uploads for `AsyncMetaStudio`; see `Uploader`."""

    verify: Verify
    proxy: Proxy
    max_retries: int
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _clients: dict[str, httpx.AsyncClient] = attrs.field(factory=dict)

    async def upload(self, url: Secret, body: Body, on_progress: OnProgress | None, job_id: str | None = None) -> None:
        """Upload `body`, with retries; `job_id` is for the log."""
        target, retries = Target(url), _Retries(expires(url), self.max_retries, job_id)
        while True:
            try:
                return await self._put(target, body, on_progress, retries.about)
            except MetaStudioError as error:
                delay = retries.delay(error)
            await self.sleep(delay)

    async def _put(self, target: Target, body: Body, on_progress: OnProgress | None, about: dict[str, Any]) -> None:
        limit, started = asyncio.timeout(None), time.perf_counter()
        request = target.request(body.size, in_threads(counted(body, on_progress), limit), log=about)
        failure: MetaStudioError | None = None
        try:
            async with limit:
                response = await self._client(target.endpoint).send(request)
        except (httpx.HTTPError, OSError) as error:
            failure = failure_of(request, error, started)
        except BaseException as error:
            forget_locals(error)
            raise
        else:
            log_response(request, response, started, "x-obs-request-id")
            failure = None if response.is_success else upload_error(response)
        if failure is not None:
            raise failure  # as above

    def _client(self, endpoint: str) -> httpx.AsyncClient:
        if endpoint not in self._clients:
            proxy = self.proxy or environment_proxy(httpx.URL(endpoint))
            check_proxy(proxy)
            transport = AsyncBounded(AsyncioTransport(context(self.verify), proxy))
            self._clients[endpoint] = httpx.AsyncClient(transport=transport, trust_env=False)
        return self._clients[endpoint]

    async def aclose(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.aclose()
