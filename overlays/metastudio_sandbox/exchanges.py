"""What the sandbox remembers of each request."""

from datetime import datetime

import attrs
from starlette.requests import Request

from . import gateway


@attrs.define
class Exchange:
    """One request as it arrived and when, by the sandbox's clock, and the status of its answer; 0 where there is none.

    `canonical_request` is what the gateway computed from the wire; None where the request bears no AK/SK signature.
    `target` of an upload is the path only: the query of its URL is a secret.
    """

    method: str
    target: str
    headers: dict[str, str]
    canonical_request: str | None
    status: int
    received: datetime


def exchange(request: Request, received: datetime, canonical: str | None, status: int = 0) -> Exchange:
    """Return what is remembered of a request to the service."""
    return Exchange(request.method, gateway.target(request), gateway.wire_headers(request), canonical, status, received)


def upload(request: Request, received: datetime) -> Exchange:
    """Return what is remembered of a request to the object storage."""
    return Exchange(request.method, gateway.path(request), gateway.wire_headers(request), None, 0, received)
