"""An httpx request, signed in place."""

from datetime import UTC, datetime

import attrs
import httpx

from . import signing
from .credentials import Credentials


@attrs.frozen
class Stages:
    """What a signature was made from, for those who have to find out why it is refused."""

    canonical_request: str
    string_to_sign: str


def sign(request: httpx.Request, credentials: Credentials, project_id: str | None, now: datetime) -> Stages:
    """Sign `request` in place; what an earlier signature left on it is replaced."""
    headers = request.headers
    date = now.astimezone(UTC).strftime(signing.DATE_FORMAT)
    headers.pop("X-Security-Token", None)
    headers["X-Sdk-Date"] = date
    if project_id is not None:
        headers["X-Project-Id"] = project_id
    if credentials.security_token is not None:
        headers["X-Security-Token"] = credentials.security_token
    payload = body(request)
    if payload is None:
        headers["X-Sdk-Content-Sha256"] = signing.UNSIGNED_PAYLOAD
    values = _wire_headers(request)
    signed_headers = sorted(name for name in values if _is_signed(name, payload))
    payload_hash = values.get("x-sdk-content-sha256") or signing.hash_hex(payload or b"")
    target = request.url.raw_path.decode("ascii")
    canonical = signing.canonical_request(request.method.upper(), target, values, signed_headers, payload_hash)
    to_sign = signing.string_to_sign(canonical, date)
    signature = signing.signature(credentials.sk, to_sign)
    headers["Authorization"] = signing.authorization(credentials.ak, signed_headers, signature)
    return Stages(canonical, to_sign)


def body(request: httpx.Request) -> bytes | None:
    """Return the body, or None for one that is streamed: it is not read into memory to be hashed."""
    try:
        return request.content
    except httpx.RequestNotRead:
        return None


def _is_signed(name: str, payload: bytes | None) -> bool:
    # Everything else may be rewritten on the way by a proxy.
    return name == "host" or name.startswith("x-") or (name == "content-type" and payload != b"")


def _wire_headers(request: httpx.Request) -> dict[str, str]:
    values: dict[str, str] = {}
    for raw_name, raw_value in request.headers.raw:
        name, value = raw_name.decode("ascii").lower(), raw_value.decode("utf-8", "surrogateescape")
        values[name] = f"{values[name]}, {value}" if name in values else value
    return values
