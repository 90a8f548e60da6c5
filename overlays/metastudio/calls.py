"""Run the calls of a client with their retries, sync and async."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs
import httpx

from huaweicloud_auth.flow import wait_for, wait_for_async
from huaweicloud_auth.renewing import Renewing

from . import validation
from .attempt import Attempt, Call, Wrong
from .errors import MetaStudioError
from .pace import Pace

T = TypeVar("T")


@attrs.define(eq=False, repr=False)
class _Caller:
    """The default limits of a client's calls; see `Call`."""

    max_retries: int
    total_timeout: float
    project: str | Renewing[str]
    clock: Callable[[], float]

    def new(
        self,
        max_retries: int | None = None,
        total_timeout: float | None = None,
        *,
        repeatable: bool = False,
        pace: Pace | None = None,
    ) -> Call:
        """Return a new call. Limits that are not given are the client's."""
        retries = self.max_retries if max_retries is None else validation.count("max_retries", max_retries)
        total = self.total_timeout if total_timeout is None else validation.number("total_timeout", total_timeout)
        return Call(max_retries=retries, total_timeout=total, clock=self.clock, repeatable=repeatable, pace=pace)

    def describe(self, call: Call, operation: Callable[..., object]) -> None:
        """Store in a call what its log records say about it: the generated function's name, and the job's ID."""
        module = getattr(getattr(operation, "func", operation), "__module__", "")
        call.about = {
            "operation": module.rpartition(".")[2],
            "job_id": getattr(operation, "keywords", {}).get("job_id"),
        }

    def within(self, seconds: float, max_retries: int | None = None) -> Call:
        """Return a new call that takes no longer than `seconds`."""
        return self.new(max_retries, max(0.001, min(self.total_timeout, seconds)))


@attrs.define(eq=False, repr=False)
class Caller(_Caller):
    """Runs the calls of `MetaStudio`."""

    http: httpx.Client
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep

    def run(self, operation: Callable[..., object], returns: type[T], call: Call, wrong: Wrong[T] = None) -> T:
        """Run `operation` until it returns a `returns`, or until `call` has no attempts left.

        Args:
            operation: A generated function with its arguments, except the project ID and the client.
            returns: The type that the contract promises, or `NoneType` if it promises no content.
            call: The limits of the call.
            wrong: Validates the result further.
        """
        project = self.project
        if not isinstance(project, str):
            project = wait_for(project.steps(call.seconds_left()))
        self.describe(call, operation)
        if pause := call.turn():
            self.sleep(pause)
        while True:
            attempt = Attempt(self.http, call)
            try:
                with attempt:
                    attempt.result = operation(project, client=attempt.client)
                return attempt.outcome(returns, wrong)
            except MetaStudioError as error:
                delay = call.delay(error, attempt.method)
            self.sleep(delay)


@attrs.define(eq=False, repr=False)
class AsyncCaller(_Caller):
    """Runs the calls of `AsyncMetaStudio`, with the event loop's clock."""

    http: httpx.AsyncClient
    clock: Callable[[], float] = lambda: asyncio.get_running_loop().time()
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def run(
        self, operation: Callable[..., Awaitable[object]], returns: type[T], call: Call, wrong: Wrong[T] = None
    ) -> T:
        """Run `operation`; see `Caller.run`."""
        project = self.project
        if not isinstance(project, str):
            project = await wait_for_async(project.steps(call.seconds_left()))
        self.describe(call, operation)
        if pause := call.turn():
            await self.sleep(pause)
        while True:
            attempt = Attempt(self.http, call)
            try:
                with attempt:
                    attempt.result = await operation(project, client=attempt.client)
                return attempt.outcome(returns, wrong)
            except MetaStudioError as error:
                delay = call.delay(error, attempt.method)
            await self.sleep(delay)
