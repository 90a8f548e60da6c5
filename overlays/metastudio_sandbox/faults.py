"""Faults: what the sandbox sends instead of a normal response; see `Sandbox.inject`.

Faults whose names begin with `upload_` are for the object storage; see `Sandbox.inject_upload`.
"""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from html import escape
from typing import Any, Final, Protocol, TypeAlias

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from .gateway import LOCKED


class Answer(Protocol):
    """A function that builds the normal response to a request."""

    def __call__(self, clock_offset: timedelta = ..., *, executed: bool = ...) -> Response:
        """Build the response, with a clock that is `clock_offset` ahead of the gateway's.

        With `executed=False`, nothing is created or committed.
        """


#: An async function that gets the request and an `Answer`, and returns the response to send.
Fault: TypeAlias = Callable[[Request, Answer], Awaitable[Response]]

#: The same for an upload. `await answer()` receives the body, stores it and returns the normal response.
UploadFault: TypeAlias = Callable[[Request, Callable[[], Awaitable[Response]]], Awaitable[Response]]


def status(
    status_code: int, error_code: str, error_msg: str = "injected", *, executed: bool = False, **headers: str
) -> Fault:
    """Return an error of the gateway or the service; in the names of `headers`, `_` stands for `-`.

    A create or commit is not executed, unless `executed` is true: then only its normal response is lost.
    """

    async def fault(_: Request, answer: Answer) -> Response:
        good = answer(executed=executed)
        content = {"error_code": error_code, "error_msg": error_msg, "request_id": good.headers["X-Request-Id"]}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return JSONResponse(content, status_code, named | _stamps(good))

    return fault


def throttled(retry_after: float | str | None = None) -> Fault:
    """Return 429 `APIGW.0308`, with `Retry-After` if it is given."""
    headers = {} if retry_after is None else {"Retry_After": str(retry_after)}
    return status(429, "APIGW.0308", "The throttling threshold has been reached", executed=False, **headers)


#: Respond as the gateway does while the key is locked.
locked: Final = status(LOCKED.status, LOCKED.code, LOCKED.message)


def clock_off(offset: timedelta) -> Fault:
    """Verify the request and date the response with a clock that is `offset` ahead of the gateway's."""

    async def fault(_: Request, answer: Answer) -> Response:
        return answer(offset)

    return fault


def html(status_code: int = 502) -> Fault:
    """Return a web page, as a proxy would. A create or commit is not executed."""

    async def fault(_: Request, answer: Answer) -> Response:
        good = answer(executed=False)
        page = f"<html><body><h1>{status_code}</h1></body></html>"
        return Response(page, status_code, _stamps(good), media_type="text/html")

    return fault


async def lost(request: Request, answer: Answer) -> Response:
    """Execute the operation, but cut the connection before the response: a create leaves a job behind."""
    good = answer()
    request.state.transport.abort()
    await asyncio.sleep(0)  # so that the connection is closed before the response is sent
    return good


async def cut(request: Request, answer: Answer) -> Response:
    """Execute the operation, but cut the connection in the middle of the body, or after the head if it is empty."""
    good = answer()
    body = bytes(good.body)
    head = f"HTTP/1.1 {good.status_code} \r\nContent-Length: {len(body) or 1}\r\n\r\n"
    request.state.transport.write(head.encode() + body[: len(body) // 2])
    request.state.transport.close()
    await asyncio.sleep(0)  # so that the connection is closed before the response is sent
    return good


def slow(seconds: float) -> Fault:
    """Return the normal response after a delay."""

    async def fault(request: Request, answer: Answer) -> Response:
        good = answer()
        await _passed(request, seconds)
        return good

    return fault


def changed(**fields: Any) -> Fault:
    """Return the normal response with some fields replaced: `changed(state="HIBERNATING")`."""

    async def fault(_: Request, answer: Answer) -> Response:
        good = answer()
        return JSONResponse(json.loads(bytes(good.body) or b"{}") | fields, good.status_code, _stamps(good))

    return fault


async def upload_cut(request: Request, _: Callable[[], Awaitable[Response]]) -> Response:
    """Cut the connection in the middle of the upload. Nothing is stored."""
    length, received = int(request.headers.get("Content-Length", 0)), 0
    async for chunk in request.stream():
        received += len(chunk)
        if received >= length // 2:
            break
    request.state.transport.abort()
    await asyncio.sleep(0)
    raise ClientDisconnect


async def upload_lost(request: Request, answer: Callable[[], Awaitable[Response]]) -> Response:
    """Store the upload, but cut the connection before the response."""
    good = await answer()
    request.state.transport.abort()
    await asyncio.sleep(0)  # so that the connection is closed before the response is sent
    return good


def upload_slow(seconds: float) -> UploadFault:
    """Store the upload and respond after a delay."""

    async def fault(request: Request, answer: Callable[[], Awaitable[Response]]) -> Response:
        good = await answer()
        await _passed(request, seconds)
        return good

    return fault


def upload_error(status: int, code: str, message: str = "injected") -> UploadFault:
    """Read the body and return an error of the object storage. Nothing is stored."""

    async def fault(request: Request, _: Callable[[], Awaitable[Response]]) -> Response:
        await drained(request)
        return storage_error(status, code, message)

    return fault


#: Reject an upload as the object storage does when the URL has expired.
upload_expired: Final = upload_error(403, "AccessDenied", "Request has expired")


async def drained(request: Request) -> None:
    """Read and discard the body of an upload."""
    async for _ in request.stream():
        pass


def storage_error(status: int, code: str, message: str) -> Response:
    """Return an error of the object storage, in XML."""
    request_id = uuid.uuid4().hex
    parts = {"Code": code, "Message": message, "RequestId": request_id, "HostId": "sandbox"}
    inner = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in parts.items())
    page = f'<?xml version="1.0" encoding="UTF-8"?>\n<Error>{inner}</Error>'
    return Response(page, status, {"x-obs-request-id": request_id}, media_type="application/xml")


async def _passed(request: Request, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await request.receive()  # the body was read before: the next event is the client's disconnect


def _stamps(good: Response) -> dict[str, str]:
    return {name: good.headers[name] for name in ("X-Request-Id", "Date")}
