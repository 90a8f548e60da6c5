"""`AsyncMetaStudio` keeps its connections, takes no broken one again, and leaves none behind."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, ParamSpec

import httpx
import pytest

from huaweicloud_auth.guards import guard_of
from metastudio import APIConnectionError, APITimeoutError, AsyncMetaStudio, Credentials
from metastudio.aiohttp_transport import AiohttpTransport
from metastudio.asyncio_transport import KEEPALIVE_SECONDS, MAX_CONNECTIONS, AsyncioTransport
from metastudio.bounded import Bounded
from support.raw_server import RawServer
from support.virtual_time import Loop

P = ParamSpec("P")
NOBODY: dict[str, Any] = {"credentials": None, "auth": httpx.Auth()}  # the guard of a key would hold requests back
ANSWER = b'HTTP/1.1 200 Fine\r\nContent-Length: 14\r\n\r\n{"job_id":"j"}'


class Server:
    """Answers on connections that stay open, one request after another, unless it is told to hold or to break."""

    def __init__(self) -> None:
        self.opened = self.open = 0
        self.asked = asyncio.Semaphore(0)  # one for each request
        self.go_on = asyncio.Event()
        self.go_on.set()
        self.answer = ANSWER
        self.at_once = 0  # how much of it does not wait until it may go on
        self._changed = asyncio.Condition()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        self.open += 1
        try:
            while await self._answered(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self.open -= 1
            writer.close()
        async with self._changed:
            self._changed.notify_all()

    async def _answered(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answer[: self.at_once])
        self.asked.release()
        await self.go_on.wait()
        writer.write(self.answer[self.at_once :])
        return self.answer == ANSWER  # else it closes after it

    async def until_open(self, number: int) -> None:
        async with self._changed:
            await self._changed.wait_for(lambda: self.open == number)


def put_forward(seconds: float) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Loop)
    loop.virtual.now += seconds


@asynccontextmanager
async def both(**options: Any) -> AsyncIterator[tuple[Server, AsyncMetaStudio]]:
    server = Server()
    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        host, port = listening.sockets[0].getsockname()
        defaults: dict[str, Any] = {"project_id": "p", "credentials": Credentials("AK", "SK"), "max_retries": 0}
        async with AsyncMetaStudio(endpoint=f"http://{host}:{port}", **defaults | options) as studio:
            await studio.short_jobs.show("j")
            yield server, studio
        await server.until_open(0)  # when it is closed, nothing is left


def in_a_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=Loop) as runner:
            runner.run(test(*args, **kwargs))

    return run


async def at_once(studio: AsyncMetaStudio, number: int) -> None:
    await asyncio.gather(*(studio.short_jobs.show("j") for _ in range(number)))


@in_a_loop
async def test_connections_are_reused() -> None:
    async with both() as (server, studio):
        await at_once(studio, 1)
        assert server.opened == 1
        await at_once(studio, 5)
        await at_once(studio, 5)
        assert server.opened == 5


@in_a_loop
async def test_request_waits_for_free_connection() -> None:
    async with both(timeout=httpx.Timeout(None, pool=20), **NOBODY) as (server, studio):
        server.go_on.clear()
        full = asyncio.create_task(at_once(studio, MAX_CONNECTIONS))
        for _ in range(1 + MAX_CONNECTIONS):
            await server.asked.acquire()
        late = asyncio.create_task(studio.short_jobs.show("j"))
        await asyncio.sleep(0)  # it waits now
        put_forward(21)
        with pytest.raises(APITimeoutError, match="PoolTimeout: all 100 connections are in use"):
            await late
        waits = asyncio.create_task(studio.short_jobs.show("j"))
        await asyncio.sleep(0)
        server.go_on.set()
        await full
        await waits
        assert server.opened == MAX_CONNECTIONS


@in_a_loop
async def test_failed_connection_is_not_reused() -> None:
    async with both() as (server, studio):
        server.answer = ANSWER[:-5]
        with pytest.raises(APIConnectionError):
            await studio.short_jobs.show("j")
        server.answer = ANSWER
        await studio.short_jobs.show("j")
        assert server.opened == 2


@pytest.mark.parametrize("at_once", [0, 20, len(ANSWER) - 5], ids=["before the answer", "in its head", "in its body"])
@in_a_loop
async def test_cancelled_request_closes_its_connection(at_once: int) -> None:
    async with both(**NOBODY) as (server, studio):
        server.go_on.clear()
        server.at_once = at_once
        await server.asked.acquire()
        for number in range(MAX_CONNECTIONS + 1):
            request = asyncio.create_task(studio.short_jobs.show("j"))
            await server.asked.acquire()
            for _ in range(9):  # turns of the loop, for what was sent at once to be read
                await asyncio.sleep(0)
            request.cancel()
            with pytest.raises(asyncio.CancelledError):
                await request
            assert server.opened == 1 + number
        server.go_on.set()
        await studio.short_jobs.show("j")


@in_a_loop
async def test_unneeded_connections_are_closed() -> None:
    async with both() as (server, studio):
        await at_once(studio, 3)
        await studio.short_jobs.show("j")
        assert server.open == 3
        put_forward(KEEPALIVE_SECONDS + 1)
        for left in (2, 1):
            await studio.short_jobs.show("j")
            await server.until_open(left)
        await studio.short_jobs.show("j")
        assert (server.open, server.opened) == (1, 3)


@in_a_loop
async def test_connection_in_use_is_closed_afterwards() -> None:
    async with both() as (server, studio):
        server.go_on.clear()
        await server.asked.acquire()
        request = asyncio.create_task(studio.short_jobs.show("j"))
        await server.asked.acquire()
        await studio.aclose()
        server.go_on.set()
        await request
        await server.until_open(0)


@in_a_loop
async def test_cancelled_close_is_completed() -> None:
    async with both() as (server, studio):
        await at_once(studio, 3)
        closing = asyncio.create_task(studio.aclose())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await server.until_open(0)


@in_a_loop
async def test_instrumented_transport_sees_requests() -> None:
    async with both() as (_, studio):
        url = studio.client.get_async_httpx_client().base_url.join("/v1")
        transport = AsyncioTransport(verify=True)
        response = await transport.handle_async_request(httpx.Request("GET", url))
        await response.aread()
        await transport.aclose()

    assert (response.status_code, response.headers["Content-Length"]) == (200, "14")
    assert response.reason_phrase == "Fine"


@pytest.mark.parametrize("transport_class", [None, AiohttpTransport, httpx.AsyncHTTPTransport])
def test_second_event_loop_raises(
    server: RawServer, raw_options: dict[str, Any], transport_class: Callable[[], httpx.AsyncBaseTransport] | None
) -> None:
    studio = AsyncMetaStudio(**raw_options, transport=transport_class and transport_class())

    async def first() -> None:
        server.answer(b"{}")
        await studio.short_jobs.show("j")
        await studio.aclose()

    asyncio.run(first())
    for _ in range(2):
        with pytest.raises(RuntimeError, match="belongs to the event loop"):
            asyncio.run(studio.short_jobs.show("j"))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_child_process_opens_its_own_connections(raw_options: dict[str, Any]) -> None:
    transports = []

    def new() -> httpx.BaseTransport:
        transports.append(httpx.MockTransport(lambda _: httpx.Response(200)))
        return transports[-1]

    bounded = Bounded(new)
    request = httpx.Request("GET", "http://127.0.0.1")
    bounded.handle_request(request)
    if (child := os.fork()) == 0:
        bounded.handle_request(request)
        bounded.handle_request(request)
        os._exit(len(transports))

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 2
    assert len(transports) == 1


@pytest.mark.parametrize("transport", [lambda: None, AiohttpTransport], ids=["async", "aiohttp"])
def test_cancelled_handshake_leaves_nothing(
    transport: Callable[[], httpx.AsyncBaseTransport | None],
) -> None:
    """A server that takes the greeting and says nothing: no socket, no task and no request in the guard is left."""
    key = Credentials(f"HANDSHAKE-{transport}", "SK")

    async def main() -> None:
        greeted, gone = asyncio.Semaphore(0), asyncio.Semaphore(0)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read(1)
            greeted.release()
            await reader.read()  # until the client has closed it
            writer.close()
            gone.release()

        server = await asyncio.start_server(serve, "127.0.0.1")
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with AsyncMetaStudio(endpoint=url, project_id="p", credentials=key, transport=transport()) as studio:
            before = asyncio.all_tasks()
            calls = [asyncio.create_task(studio.short_jobs.show("j")) for _ in range(3)]
            for _ in calls:
                await greeted.acquire()
            for call in calls:
                call.cancel()
            await asyncio.gather(*calls, return_exceptions=True)
            for _ in calls:
                await gone.acquire()
            assert {task for task in asyncio.all_tasks() - before if "serve" not in repr(task)} == set()
            assert guard_of(key)._in_flight == {}
        server.close()

    asyncio.run(main())
