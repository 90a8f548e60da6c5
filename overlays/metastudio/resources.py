"""What every resource shares: running a generated operation with its retries, once for each loop."""

import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from metastudio_client import Client

from . import checks
from .answers import validation_error
from .errors import MetaStudioError
from .retries import Attempts

T = TypeVar("T")

_MISSHAPEN: Final = (AttributeError, KeyError, TypeError, ValueError)  # what generated code raises


class _Resource:
    """What both loops share: the configuration, and the decision core of a call."""

    clock: Callable[[], float]

    def __init__(
        self,
        *,
        client: Client,
        project_id: str,
        app_user_id: str | None,
        max_retries: int,
        total_timeout: float,
    ) -> None:
        self.client = client
        self.project_id = project_id
        self.app_user_id = app_user_id
        self.max_retries = max_retries
        self.total_timeout = total_timeout

    def _attempts(self, max_retries: int | None = None, total_timeout: float | None = None) -> Attempts:
        """Return the attempts of one call; what is not given is the client's."""
        max_retries = self.max_retries if max_retries is None else checks.count("max_retries", max_retries)
        total = self.total_timeout if total_timeout is None else checks.number("total_timeout", total_timeout)
        return Attempts(max_retries=max_retries, total_timeout=total, clock=self.clock)

    def _attempts_within(self, seconds: float, max_retries: int | None = None) -> Attempts:
        """Return the attempts of one question of a wait, which has so many seconds left."""
        return self._attempts(max_retries, max(0.001, min(self.total_timeout, seconds)))


class Resource(_Resource):
    """A resource of `MetaStudio`."""

    clock: Callable[[], float] = staticmethod(time.monotonic)
    sleep: Callable[[float], None] = staticmethod(time.sleep)

    def _run(self, send: Callable[[], object], kind: type[T], attempts: Attempts) -> T:
        """Run a generated operation until it is answered with a `kind`, or `attempts` has enough."""
        while True:
            try:
                with _Attempt(attempts):
                    return _expect(kind, send())
            except MetaStudioError as error:
                delay = attempts.delay(error)
            self.sleep(delay)


def _loop_time() -> float:
    import asyncio

    return asyncio.get_running_loop().time()


async def _loop_sleep(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(seconds)


class AsyncResource(_Resource):
    """A resource of `AsyncMetaStudio`. Time is the event loop's."""

    clock: Callable[[], float] = staticmethod(_loop_time)
    sleep: Callable[[float], Awaitable[None]] = staticmethod(_loop_sleep)

    async def _run(self, send: Callable[[], Awaitable[object]], kind: type[T], attempts: Attempts) -> T:
        """Run a generated operation until it is answered with a `kind`, or `attempts` has enough."""
        while True:
            try:
                with _Attempt(attempts):
                    return _expect(kind, await send())
            except MetaStudioError as error:
                delay = attempts.delay(error)
            await self.sleep(delay)


class _Attempt:
    """Tells the border which call this is; turns what generated code raises on a wrong shape into our error."""

    def __init__(self, call: Attempts) -> None:
        self._call = call

    def __enter__(self) -> None:
        self._call.hand_over()

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        self._call.take_back()  # nobody took it over, if there was no request
        response = self._call.response
        if response is not None and isinstance(error, _MISSHAPEN) and not isinstance(error, MetaStudioError):
            raise validation_error(response, "the answer does not have the shape of the contract") from error


def _expect(kind: type[T], answer: object) -> T:
    if not isinstance(answer, kind):  # a 2xx that the contract does not describe
        raise TypeError(f"{type(answer).__name__} is not a {kind.__name__}")
    state = getattr(answer, "state", None)  # of an open enum, which the generator lets anything into
    if state is not None and not isinstance(state, str):
        raise TypeError("the state is no text")
    return answer
