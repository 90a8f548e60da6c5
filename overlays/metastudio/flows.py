"""How an `httpx.Auth` sends a request more than once and waits for another one, in threads and on an event loop."""

from abc import abstractmethod
from collections.abc import AsyncGenerator, Generator
from typing import Final, TypeAlias, TypeVar, cast

import httpx

from . import retries
from .errors import APITimeoutError, AuthenticationError
from .lockout import Outcome

# A request that went ahead ends by its own timeouts. This is for an event loop that is blocked and cannot end it.
_WAIT_SECONDS: Final = 120.0

T = TypeVar("T")
#: Yields a request to be sent, or an outcome to be waited for; is sent the response, or what the outcome was.
Steps: TypeAlias = Generator[httpx.Request | Outcome, httpx.Response | AuthenticationError | None, T]


def send(request: httpx.Request) -> Steps[httpx.Response]:
    """Return the response to `request`; a 4xx has been read, since its code may tell what to do."""
    return cast("httpx.Response", (yield request))


def wait(outcome: Outcome) -> Steps[AuthenticationError | None]:
    """Return what became of another request: the error that it was refused with, or None."""
    return cast("AuthenticationError | None", (yield outcome))


class SteppedAuth(httpx.Auth):
    """Runs the steps of a subclass: only waiting and reading differ between threads and asyncio."""

    @abstractmethod
    def _steps(self, request: httpx.Request) -> Steps[None]:
        """Authenticate `request` and send it, with the functions above."""

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

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Authenticate `request`; httpx calls this for `httpx.AsyncClient`."""
        steps = self._steps(request)
        try:
            step = next(steps)
            while True:
                if isinstance(step, httpx.Request):
                    response = yield step
                    if response.is_client_error:
                        await response.aread()
                    step = steps.send(response)
                else:
                    import asyncio

                    # The outcome is shared: asyncio.wait does not cancel it when this task is cancelled.
                    await asyncio.wait([asyncio.wrap_future(step)], timeout=_WAIT_SECONDS)
                    step = steps.send(_result(step, 0))
        except StopIteration:
            return
        finally:
            steps.close()


def _seconds() -> float:
    call = retries.current.get()
    return min(_WAIT_SECONDS, call.seconds_left()) if call else _WAIT_SECONDS


def _result(outcome: Outcome, timeout: float) -> AuthenticationError | None:
    try:
        return outcome.result(timeout)
    except TimeoutError:
        failure = APITimeoutError("waited too long for another request with this key")
    raise failure
