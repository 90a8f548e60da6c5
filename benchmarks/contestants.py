"""The contestants: each opens a client and gives a function that queries one job. They import only what they need.

Run as a module, with a contestant's name and a URL, it reads from each line of its input how many queries are to be at
once, and how many there are to be, and prints the seconds and the seconds of CPU (of all its threads) that they took.
"""

import asyncio
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

from .keys import AK, JOB_ID, PATH, PROJECT_ID, SK

Query: TypeAlias = Callable[[], object]
AsyncQuery: TypeAlias = Callable[[], Awaitable[object]]

MAX_THREADS: Final = 16


@contextmanager
def bare_socket(url: str) -> Iterator[Query]:
    """No HTTP library: the floor."""
    head = f"GET {PATH} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\n\r\n".encode()
    with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port)) as connection:

        def query() -> object:
            connection.sendall(head)
            return json.loads(connection.recv(65536).partition(b"\r\n\r\n")[2])

        yield query


@contextmanager
def bare_httpx(url: str) -> Iterator[Query]:
    """What our client is made of, unsigned and unparsed."""
    import httpx

    with httpx.Client() as client:
        yield lambda: client.get(url + PATH).json()


@contextmanager
def generated(url: str) -> Iterator[Query]:
    """The generated client as it comes: unsigned, and without typed errors."""
    from metastudio_client import Client
    from metastudio_client.api.short_jobs import show_short_job

    with Client(url) as client:
        yield lambda: show_short_job.sync(PROJECT_ID, JOB_ID, client=client)


@contextmanager
def ours(url: str) -> Iterator[Query]:
    """`MetaStudio`."""
    from metastudio import MetaStudio

    with MetaStudio(**_configuration(url)) as studio:
        yield lambda: studio.short_jobs.show(JOB_ID)


@contextmanager
def official(url: str) -> Iterator[Query]:
    """The official SDK. Its default is 10 connections; it gets one for each thread."""
    from huaweicloudsdkcore.auth.credentials import BasicCredentials
    from huaweicloudsdkcore.http.http_config import HttpConfig
    from huaweicloudsdkmetastudio.v1 import MetaStudioClient, ShowShortJobRequest

    credentials = BasicCredentials(AK, SK, PROJECT_ID)
    builder = MetaStudioClient.new_builder().with_credentials(credentials).with_endpoint(url)
    client = builder.with_http_config(HttpConfig(pool_maxsize=MAX_THREADS)).build()
    yield lambda: client.show_short_job(ShowShortJobRequest(job_id=JOB_ID))
    client.close()


@asynccontextmanager
async def async_httpx(url: str) -> AsyncIterator[AsyncQuery]:
    """The async client of httpx, unsigned and unparsed."""
    import httpx

    async def query() -> object:
        return (await client.get(url + PATH)).json()

    async with httpx.AsyncClient() as client:
        yield query


@asynccontextmanager
async def async_ours(url: str, **options: Any) -> AsyncIterator[AsyncQuery]:
    """`AsyncMetaStudio`."""
    from metastudio import AsyncMetaStudio

    async with AsyncMetaStudio(**_configuration(url), **options) as studio:
        yield lambda: studio.short_jobs.show(JOB_ID)


@asynccontextmanager
async def async_ours_aiohttp(url: str) -> AsyncIterator[AsyncQuery]:
    """`AsyncMetaStudio` with the transport for many requests in flight."""
    from metastudio.aiohttp_transport import AiohttpTransport

    async with async_ours(url, transport=AiohttpTransport()) as query:
        yield query


def _configuration(url: str) -> dict[str, Any]:
    from metastudio import Credentials

    return {"endpoint": url, "project_id": PROJECT_ID, "credentials": Credentials(AK, SK)}


SYNC: Final[dict[str, Callable[[str], AbstractContextManager[Query]]]] = {
    "bare socket": bare_socket,
    "bare httpx": bare_httpx,
    "generated client": generated,
    "metastudio": ours,
    "official SDK": official,
}
ASYNC: Final[dict[str, Callable[[str], AbstractAsyncContextManager[AsyncQuery]]]] = {
    "bare async httpx": async_httpx,
    "metastudio async": async_ours,
    "metastudio async, aiohttp": async_ours_aiohttp,
}
_WARM_UP: Final = 2  # queries of each thread or task, before each measurement: connections that stood idle are reopened


def _serve(run: Callable[[int, int], object]) -> None:
    for line in sys.stdin:
        at_once, queries = map(int, line.split())
        run(at_once, _WARM_UP)
        started, cpu = time.perf_counter(), time.process_time()
        run(at_once, queries // at_once)
        print(time.perf_counter() - started, time.process_time() - cpu, flush=True)


def _serve_sync(name: str, url: str) -> None:
    with SYNC[name](url) as query, ThreadPoolExecutor(MAX_THREADS) as pool:

        def repeated(times: int) -> None:
            for _ in range(times):
                query()

        def in_threads(threads: int, times: int) -> None:
            if threads == 1:
                repeated(times)
            else:
                list(pool.map(repeated, [times] * threads))

        _serve(in_threads)


def _serve_async(name: str, url: str) -> None:
    with asyncio.Runner() as runner:
        client = ASYNC[name](url)
        query = runner.run(client.__aenter__())

        async def repeated(times: int) -> None:
            for _ in range(times):
                await query()

        async def in_tasks(tasks: int, times: int) -> None:
            await asyncio.gather(*(repeated(times) for _ in range(tasks)))

        _serve(lambda tasks, times: runner.run(in_tasks(tasks, times)))
        runner.run(client.__aexit__(None, None, None))


if __name__ == "__main__":
    (_serve_sync if sys.argv[1] in SYNC else _serve_async)(*sys.argv[1:])
