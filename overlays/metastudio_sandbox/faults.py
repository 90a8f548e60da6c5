"""Ways to misbehave: what is sent instead of the good answer. `Sandbox.inject` says when."""

import asyncio
import json
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from inspect import iscoroutinefunction
from typing import Any, Final, Protocol, TypeAlias

import attrs
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from .gateway import LOCKED


class Answer(Protocol):
    """Makes the good answer to a request."""

    def __call__(self, clock_offset: timedelta = ...) -> Response:
        """Return it as it is by a clock that is so far ahead of the gateway's."""


#: An async function: takes the request and what makes its good answer, and gives back what is sent.
Fault: TypeAlias = Callable[[Request, Answer], Awaitable[Response]]


def status(status_code: int, error_code: str, error_msg: str = "injected", **headers: str) -> Fault:
    """Answer with an error of the gateway or the service; a header's name has `_` for `-`."""

    async def fault(_: Request, answer: Answer) -> Response:
        good = answer()
        content = {"error_code": error_code, "error_msg": error_msg, "request_id": good.headers["X-Request-Id"]}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return JSONResponse(content, status_code, named | _stamps(good))

    return fault


def throttled(retry_after: float | str | None = None) -> Fault:
    """Answer 429 `APIGW.0308`, with `Retry-After` if it is given."""
    headers = {} if retry_after is None else {"Retry_After": str(retry_after)}
    return status(429, "APIGW.0308", "The throttling threshold has been reached", **headers)


#: Answer as the gateway does while the key is locked.
locked: Final = status(LOCKED.status, LOCKED.code, LOCKED.message)


def clock_off(offset: timedelta) -> Fault:
    """Judge the request, and date the answer, by a clock that is ahead of the gateway's by `offset`."""

    async def fault(_: Request, answer: Answer) -> Response:
        return answer(offset)

    return fault


def html(status_code: int = 502) -> Fault:
    """Answer with a web page, as a proxy on the way would."""

    async def fault(_: Request, answer: Answer) -> Response:
        good = answer()
        page = f"<html><body><h1>{status_code}</h1></body></html>"
        return Response(page, status_code, _stamps(good), media_type="text/html")

    return fault


async def lost(request: Request, answer: Answer) -> Response:
    """Cut the connection before anything is answered."""
    good = answer()
    request.state.transport.abort()
    await asyncio.sleep(0)  # the connection is gone before the answer is sent
    return good


async def cut(request: Request, answer: Answer) -> Response:
    """Cut the connection in the middle of the body."""
    good = answer()
    body = bytes(good.body)
    head = f"HTTP/1.1 {good.status_code} \r\nContent-Length: {len(body)}\r\n\r\n"
    request.state.transport.write(head.encode() + body[: len(body) // 2])
    request.state.transport.close()
    await asyncio.sleep(0)  # the connection is gone before the answer is sent
    return good


def slow(seconds: float) -> Fault:
    """Give the good answer, late."""

    async def fault(request: Request, answer: Answer) -> Response:
        good = answer()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await request.receive()  # the body has been read: what comes is that the client is gone
        return good

    return fault


def changed(**fields: Any) -> Fault:
    """Give the good answer with other values in some of its fields: `changed(state="HIBERNATING")`."""

    async def fault(_: Request, answer: Answer) -> Response:
        good = answer()
        return JSONResponse(json.loads(bytes(good.body)) | fields, good.status_code, _stamps(good))

    return fault


@attrs.define
class Plan:
    """Which of the coming requests are spoilt."""

    _coming: deque[Fault] = attrs.field(factory=deque)
    _faults: Sequence[Fault] = ()
    _probability: float = 0.0
    _random: random.Random = attrs.field(factory=random.Random)

    def next(self, fault: Fault, times: int) -> None:
        """Spoil the next requests that are not spoilt already."""
        if times < 1:
            raise ValueError(f"times must be at least 1, not {times}")
        self._coming.extend([_checked(fault)] * times)

    def randomly(self, faults: Sequence[Fault], probability: float, seed: int) -> None:
        """From now on, spoil requests with a probability."""
        if not faults:
            raise ValueError("faults must not be empty; to have no more of them: probability=0")
        if not 0 <= probability <= 1:
            raise ValueError(f"probability must be between 0 and 1, not {probability}")
        self._faults, self._probability = [_checked(fault) for fault in faults], probability
        self._random = random.Random(seed)  # noqa: S311  # no secret

    def take(self) -> Fault | None:
        """Return how the request that is being answered is spoilt, if it is."""
        if self._coming:
            return self._coming.popleft()
        if self._faults and self._random.random() < self._probability:
            return self._random.choice(self._faults)
        return None


def _checked(fault: Fault) -> Fault:
    if not iscoroutinefunction(fault):  # `throttled` for `throttled()` would be found out only when it answers
        name = getattr(fault, "__name__", repr(fault))
        raise TypeError(f"not a fault: {name}; if it makes one, write {name}(...)")
    return fault


def _stamps(good: Response) -> dict[str, str]:
    return {name: good.headers[name] for name in ("X-Request-Id", "Date")}
