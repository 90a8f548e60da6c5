"""The record that the sandbox keeps of each request."""

from datetime import datetime

import attrs
from starlette.requests import Request

from . import gateway


@attrs.define
class Exchange:
    """A request as received.

    `received` is the time on the sandbox's clock. `status` is that of the response, or 0 if there was none.
    `canonical_request` is the one that the gateway computed, or None if the request has no AK/SK signature.
    For an upload, `target` is only the path: the query of the URL is a secret.
    """

    method: str
    target: str
    headers: dict[str, str]
    canonical_request: str | None
    status: int
    received: datetime


def exchange(request: Request, received: datetime, canonical: str | None, status: int = 0) -> Exchange:
    """Return the record of a request to the service."""
    return Exchange(request.method, gateway.target(request), gateway.wire_headers(request), canonical, status, received)


def upload(request: Request, received: datetime) -> Exchange:
    """Return the record of a request to the object storage."""
    return Exchange(request.method, gateway.path(request), gateway.wire_headers(request), None, 0, received)
