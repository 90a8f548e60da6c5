"""The object storage part of the sandbox: it accepts uploads to signed URLs.

Each rule is marked doc or inferred. For short jobs, the form of the signed URL and the method PUT are inferred.
"""

import hashlib
import hmac
import uuid
from base64 import b64encode
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import format_datetime
from tempfile import SpooledTemporaryFile
from typing import IO, Any, Final
from urllib.parse import parse_qs, urlencode

import attrs
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from metastudio import Credentials

from . import assessment, exchanges, gateway, hosts
from .exchanges import Exchange
from .faults import UploadFault, drained, storage_error
from .gateway import Refusal
from .jobs import Jobs
from .plan import Plan

_IN_MEMORY: Final = 2**20
_MAX_UPLOAD: Final = 5 * 2**30  # doc: of one PUT
_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
# inferred: each of these headers invalidates the signature. The client should send only the content type and the body.
_UNWANTED: Final = frozenset(
    {"authorization", "content-md5", "cookie", "x-app-userid", "x-auth-token", "x-project-id", "x-sdk-date"}
    | {"x-security-token"}
)

_EXPIRED: Final = Refusal(403, "AccessDenied", "Request has expired")  # doc
_DENIED: Final = Refusal(403, "AccessDenied", "Access Denied")  # doc: the code; inferred: when
# doc: the code, also for another content type. inferred: that it precedes the check of the length, and the messages.
_MISMATCH: Final = Refusal(
    403, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided"
)
_NO_LENGTH: Final = Refusal(411, "MissingContentLength", "You must provide the Content-Length HTTP header")  # doc

_TOO_LARGE: Final = Refusal(400, "EntityTooLarge", "Your upload exceeds the maximum allowed object size")  # doc


@attrs.define
class Storage:
    """The object storage: one object for each job, of which only the outcome is kept."""

    contract: dict[str, Any]
    keys: Credentials
    now: Callable[[], datetime]
    life: timedelta
    once: bool
    jobs: Jobs
    exchanges: deque[Exchange]
    port: int = 0
    faults: Plan[UploadFault] = attrs.field(factory=Plan)

    def app(self) -> Starlette:
        """Return the ASGI application. It accepts any method, since the signature covers the method."""
        app = Starlette(routes=[Route("/{name:path}", self._endpoint, methods=_METHODS)])
        app.router.redirect_slashes = False
        return app

    def upload_url(self, job_id: str, host: str) -> str:
        """Return the upload URL of a job, at the host name by which the client reached the service."""
        path, expires = f"/short-jobs/{job_id}.zip", str(int((self.now() + self.life).timestamp()))
        signature = self._signature("PUT", "application/zip", expires, path)
        query = urlencode({"AWSAccessKeyId": self.keys.ak, "Expires": expires, "Signature": signature})
        return f"{hosts.url(host, self.port)}{path}?{query}"

    def _signature(self, method: str, content_type: str, expires: str, path: str) -> str:
        signed = f"{method}\n\n{content_type}\n{expires}\n{path}"
        return b64encode(hmac.digest(self.keys.sk.encode(), signed.encode(), "sha1")).decode()

    async def _endpoint(self, request: Request) -> Response:
        received = self.now()
        seen = exchanges.upload(request, received)
        self.exchanges.append(seen)

        async def respond() -> Response:
            response = await self._response(request, received)
            seen.status = response.status_code
            return _stamped(response, self.now())

        fault = self.faults.take()
        try:
            response = await (fault(request, respond) if fault else respond())
        except ClientDisconnect:
            return Response()  # the client is gone
        seen.status = response.status_code
        return response

    async def _response(self, request: Request, received: datetime) -> Response:
        if refusal := self._refusal(request, received):
            await drained(request)  # a client that is still sending might miss the response
            return storage_error(refusal.status, refusal.code, refusal.message)
        with SpooledTemporaryFile(max_size=_IN_MEMORY) as body:
            etag = await _received(request, body)
            outcome = await assessment.outcome(self.contract, body)
        self.jobs.upload(_job_id(request), outcome)  # doc: it overwrites an earlier upload
        return Response(headers={"ETag": f'"{etag}"'})

    def _refusal(self, request: Request, now: datetime) -> Refusal | None:
        query = {name: values[-1] for name, values in parse_qs(request.scope["query_string"].decode("latin-1")).items()}
        if not {"AWSAccessKeyId", "Expires", "Signature"} <= query.keys():
            return _DENIED
        if query["Expires"].isdecimal() and int(query["Expires"]) <= now.timestamp():
            return _EXPIRED
        content_type, path = request.headers.get("Content-Type", ""), gateway.path(request)
        expected = self._signature(request.method, content_type, query["Expires"], path)
        signed = hmac.compare_digest(expected.encode(), query["Signature"].encode())
        if not signed or query["AWSAccessKeyId"] != self.keys.ak or _has_unwanted_headers(request):
            return _MISMATCH
        if "Content-Length" not in request.headers:
            return _NO_LENGTH
        if int(request.headers["Content-Length"]) > _MAX_UPLOAD:
            return _TOO_LARGE
        return _DENIED if self.once and self.jobs.is_uploaded(_job_id(request)) else None


def _has_unwanted_headers(request: Request) -> bool:
    return any(name in _UNWANTED or name.startswith(("x-obs-", "x-amz-")) for name in request.headers)


def _job_id(request: Request) -> str:
    return gateway.path(request).removeprefix("/short-jobs/").removesuffix(".zip")


async def _received(request: Request, file: IO[bytes]) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    async for chunk in request.stream():
        digest.update(chunk)
        file.write(chunk)
    return digest.hexdigest()


def _stamped(response: Response, now: datetime) -> Response:
    response.headers["Date"] = format_datetime(now, usegmt=True)
    response.headers.setdefault("x-obs-request-id", uuid.uuid4().hex)
    return response
