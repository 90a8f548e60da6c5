"""Sign an httpx request in place."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import httpx

from . import signing
from .credentials import Credentials

#: The headers that are signed, besides `X-Sdk-*`.
_SIGNED: Final = {"host", "content-type", "x-project-id", "x-domain-id", "x-security-token", "x-app-userid"}


def sign(request: httpx.Request, credentials: Credentials, project_id: str | None, now: datetime) -> str:
    """Sign `request` in place, replacing an earlier signature.

    Returns:
        The canonical request, which helps to find out why a signature was refused.
    """
    date, headers, payload = _date(int(now.timestamp())), request.headers, body(request)
    values = _to_sign(headers, payload)
    if values.pop("x-security-token", None) is not None:
        del headers["X-Security-Token"]
    headers["X-Sdk-Date"] = values["x-sdk-date"] = date
    if project_id is not None:
        headers["X-Project-Id"] = values["x-project-id"] = project_id
    if credentials.security_token is not None:
        headers["X-Security-Token"] = values["x-security-token"] = credentials.security_token
    if payload is None:
        headers["X-Sdk-Content-Sha256"] = values["x-sdk-content-sha256"] = signing.UNSIGNED_PAYLOAD
    signed_headers = sorted(values)
    payload_hash = values.get("x-sdk-content-sha256") or signing.hash_hex(payload or b"")
    target = request.url.raw_path.decode("ascii")
    canonical = signing.canonical_request(request.method, target, values, signed_headers, payload_hash)
    signature = signing.signature(credentials.sk, signing.string_to_sign(canonical, date))
    headers["Authorization"] = signing.authorization(credentials.ak, signed_headers, signature)
    return canonical


def body(request: httpx.Request) -> bytes | None:
    """Return the body, or None if it is streamed: it is not read into memory to be hashed."""
    try:
        return request.content
    except httpx.RequestNotRead:
        return None


@lru_cache(maxsize=1)  # many requests may be signed within the same second
def _date(timestamp: int) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime(signing.DATE_FORMAT)


def _to_sign(headers: httpx.Headers, payload: bytes | None) -> dict[str, str]:
    values: dict[str, str] = {}
    for raw_name, raw_value in headers.raw:
        name = _signed_name(raw_name)
        if name is not None and (name != "content-type" or payload != b""):
            value = raw_value.decode("utf-8", "surrogateescape")
            values[name] = f"{values[name]}, {value}" if name in values else value
    return values


@lru_cache(maxsize=256)  # the names are always the same few
def _signed_name(raw_name: bytes) -> str | None:
    """Return a header's name in lower case, or None for one that is not signed, since proxies may rewrite it."""
    name = raw_name.decode("ascii").lower()
    return name if name in _SIGNED or (name.startswith("x-sdk-") and "_" not in name) else None
