"""How an `httpx.Auth` sends a request more than once and waits for another one, in threads and on an event loop."""

from abc import abstractmethod
from collections.abc import AsyncGenerator, Generator
from typing import Any, Final, TypeAlias, cast

import httpx

from .errors import APITimeoutError, AuthenticationError
from .lockout import Outcome
from .retries import sending

# A request that went ahead ends by its own timeouts. This is for an event loop that is blocked and cannot end it.
_WAIT_SECONDS: Final = 120.0

#: Yields a request and is sent the response (a 4xx has been read, since its code may tell what to do), or yields an
#: outcome to wait for and is sent the error that the other request was refused with, or None.
Steps: TypeAlias = Generator[httpx.Request | Outcome, Any, None]


class SteppedAuth(httpx.Auth):
    """Runs the steps of a subclass: only waiting and reading differ between threads and asyncio."""

    @abstractmethod
    def _steps(self, request: httpx.Request) -> Steps:
        """Authenticate `request` and send it."""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Authenticate `request`: the flow for code without an event loop."""
        return self.sync_auth_flow(request)

    def sync_auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Authenticate `request`; httpx calls this for `httpx.Client`."""
        steps = self._steps(request)
        try:
            step = next(steps)
            while True:
                if isinstance(step, httpx.Request):
                    response = yield step
                    if response.is_client_error:
                        response.read()
                    step = steps.send(response)
                else:
                    step = steps.send(_result(step, _seconds()))
        except StopIteration:
            return
        finally:
            steps.close()

    def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Authenticate `request`; httpx calls this for `httpx.AsyncClient`."""
        return _AsyncFlow(self._steps(request))


class _AsyncFlow(AsyncGenerator[httpx.Request, httpx.Response]):
    """As `sync_auth_flow`; not an asynchronous generator, since an event loop spends time to keep book of each."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps

    async def asend(self, response: httpx.Response | None) -> httpx.Request:
        if response is not None and response.is_client_error:
            await response.aread()
        try:
            step = self._steps.send(response)
            while not isinstance(step, httpx.Request):
                import asyncio

                # The outcome is shared: asyncio.wait does not cancel it when this task is cancelled.
                await asyncio.wait([asyncio.wrap_future(step)], timeout=_WAIT_SECONDS)
                step = self._steps.send(_result(step, 0))
        except StopIteration:
            raise StopAsyncIteration from None
        return step

    async def athrow(self, *error: Any) -> httpx.Request:
        return cast("httpx.Request", self._steps.throw(*error))  # no step goes on after an error: it is raised

    async def aclose(self) -> None:
        self._steps.close()


def _seconds() -> float:
    call = sending.get()
    return min(_WAIT_SECONDS, call.seconds_left()) if call else _WAIT_SECONDS


def _result(outcome: Outcome, timeout: float) -> AuthenticationError | None:
    try:
        return outcome.result(timeout)
    except TimeoutError:
        failure = APITimeoutError("waited too long for another request with this key")
    raise failure
