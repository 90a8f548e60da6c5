"""The flow of an `httpx.Auth` that may send a request more than once and wait for others, sync and async."""

import asyncio
import sys
from abc import abstractmethod
from collections.abc import AsyncGenerator, Callable, Generator
from concurrent.futures import Future
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar, cast

import httpx

T = TypeVar("T")

# The maximum wait, also for requests without a pool timeout.
_WAIT_SECONDS: Final = 120.0
_POLL_SECONDS: Final = 0.02  # on trio, which cannot await futures of other threads


class Wait(NamedTuple):
    """A future to wait for, and the seconds to wait at most."""

    change: Future[Any]
    seconds: float


#: Yields a request and is sent its response (a 4xx with its body read, since the error code may decide what to do), or
#: yields a `Wait` and is sent the result of the future, or None after a timeout.
Steps: TypeAlias = Generator[httpx.Request | Wait, Any, None]


def wait_for(steps: Generator[Wait, Any, T]) -> T:
    """Run steps that only wait, and return their result. Block until then."""
    try:
        wait = next(steps)
        while True:
            wait = steps.send(_result(*wait))
    except StopIteration as end:
        return cast("T", end.value)


async def wait_for_async(steps: Generator[Wait, Any, T]) -> T:
    """Run steps like `wait_for`, on asyncio or trio."""
    try:
        wait = next(steps)
        while True:
            await _wait(*wait)
            wait = steps.send(_result(wait.change, 0))
    except StopIteration as end:
        return cast("T", end.value)


class SteppedAuth(httpx.Auth):
    """Runs the `_steps` of a subclass, sync and async; only waiting and reading differ."""

    @abstractmethod
    def _steps(self, request: httpx.Request) -> Steps:
        """Authenticate `request` and send it."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Authenticate `request`; the same as `sync_auth_flow`."""
        return self.sync_auth_flow(request)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Authenticate `request`; httpx calls this for `httpx.Client`."""
        steps = self._steps(request)
        try:
            step = next(steps)
            while True:
                if isinstance(step, httpx.Request):
                    response = yield _watched(step, _Trace)
                    if response.is_client_error:
                        response.read()
                    step = steps.send(response)
                else:
                    step = steps.send(_result(step.change, step.seconds))
        except StopIteration:
            return
        finally:
            steps.close()

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Authenticate `request`; httpx calls this for `httpx.AsyncClient`, on asyncio or trio."""
        steps = self._steps(request)
        try:
            step = next(steps)
            while True:
                if isinstance(step, httpx.Request):
                    response = yield _watched(step, _AsyncTrace)
                    if response.is_client_error:
                        await response.aread()
                    step = steps.send(response)
                else:
                    await _wait(*step)
                    step = steps.send(_result(step.change, 0))
        except StopIteration:
            return
        finally:
            steps.close()


class _Trace:
    """A trace callback of httpcore: calls `before_sending`, which may raise, just before the headers are written."""

    def __init__(self, before_sending: Callable[[], object], others: Any) -> None:
        self.before_sending, self.others = before_sending, others

    def __call__(self, event: str, info: dict[str, Any]) -> Any:
        if event.endswith("send_request_headers.started"):
            self.before_sending()
        return self.others and self.others(event, info)


class _AsyncTrace(_Trace):
    async def __call__(self, event: str, info: dict[str, Any]) -> None:
        if (others := super().__call__(event, info)) is not None:
            await others


def _watched(request: httpx.Request, trace: type[_Trace]) -> httpx.Request:
    if (before_sending := request.extensions.get("before_sending")) is not None:
        others = request.extensions.get("trace")
        others = others.others if isinstance(others, _Trace) else others
        request.extensions["trace"] = trace(before_sending, others)
    return request


def seconds_to_wait(request: httpx.Request) -> float:
    """Return how many seconds a request may wait for another one: its pool timeout, but at most 120 s."""
    seconds: float | None = request.extensions.get("timeout", {}).get("pool")
    return _WAIT_SECONDS if seconds is None else min(_WAIT_SECONDS, seconds)


async def _wait(change: Future[Any], seconds: float) -> None:
    if asyncio._get_running_loop() is not None:  # noqa: SLF001  # it is in asyncio's __all__
        # The future is shared: asyncio.wait does not cancel it when this task is cancelled.
        await asyncio.wait([asyncio.wrap_future(change)], timeout=seconds)
        return
    trio = sys.modules["trio"]  # already imported if it runs this code; never imported otherwise
    with trio.move_on_after(seconds):
        while not change.done():  # another thread may set the result
            await trio.sleep(_POLL_SECONDS)


def _result(change: Future[Any], timeout: float) -> Any:
    try:
        return change.result(timeout)
    except TimeoutError:
        return None
