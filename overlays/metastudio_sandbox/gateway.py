"""The gateway part of the sandbox: authentication. Each rule is marked doc, sdk or inferred.

The signature is recomputed from the request as received, with the same `signing` module that the client uses. So only
requests from the official SDK prove that the verification is correct.
"""

import re
import secrets
from datetime import UTC, datetime, timedelta
from hmac import compare_digest
from typing import Final

import attrs
from starlette.requests import Request

from huaweicloud_auth import Credentials, signing

MAX_SKEW: Final = timedelta(minutes=15)  # doc
_AUTHORIZATION: Final = re.compile(r"SDK-HMAC-SHA256 Access=([^,]+), ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})")
_INCORRECT: Final = "Incorrect IAM authentication information: "


@attrs.frozen
class Refusal:
    """The error response to a rejected request."""

    status: int
    code: str
    message: str


MAX_REFUSALS: Final = 5  # doc: more failures in a row lock the key
LOCK: Final = timedelta(minutes=5)  # doc
LOCKED: Final = Refusal(401, "APIGW.0301", "AK access failed to reach the limit,forbidden")  # doc: the message only


#: The sandbox's own limit for the body of a request to the service. doc: status and code.
MAX_BODY: Final = 2**20
TOO_LARGE: Final = Refusal(413, "APIGW.0201", "Request entity too large")  # inferred: the message


async def read(request: Request) -> bytes | None:
    """Return the body of `request`, or None if it exceeds the limit; the rest is then discarded."""
    body = bytearray()
    async for chunk in request.stream():
        if len(body) <= MAX_BODY:
            body += chunk
    return bytes(body) if len(body) <= MAX_BODY else None


def new_keys(prefix: str, security_token: str | None = None) -> Credentials:
    """Return a new key pair whose access key has a prefix."""
    return Credentials(f"{prefix}{secrets.token_hex(10).upper()}"[:20], secrets.token_urlsafe(30), security_token)


def canonical_request(request: Request, body: bytes) -> str | None:
    """Return the canonical request of a request as received, or None if it has no AK/SK signature to verify."""
    claim = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    if claim is None:
        return None
    headers = wire_headers(request)
    signed_headers = claim[2].split(";")
    if not set(signed_headers) <= headers.keys():
        return None
    unsigned = headers.get("x-sdk-content-sha256") == signing.UNSIGNED_PAYLOAD
    payload_hash = signing.UNSIGNED_PAYLOAD if unsigned else signing.hash_hex(body)
    return signing.canonical_request(request.method, target(request), headers, signed_headers, payload_hash)


def access_key(request: Request) -> str | None:
    """Return the access key that `request` claims to be signed with, or None."""
    claim = _AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    return claim and claim[1]


def refusal(
    request: Request, canonical: str | None, now: datetime, keys: dict[str, Credentials], token: str
) -> Refusal | None:
    """Return the error for `request`, or None if its authentication is valid."""
    given_token = request.headers.get("X-Auth-Token")
    if given_token is not None and "Authorization" not in request.headers:
        return None if compare_digest(given_token.encode(), token.encode()) else _refused("decrypt token fail")
    if "Authorization" not in request.headers:
        return _refused("x-auth-token not found")  # doc: the message, also if an AK/SK signature is missing
    claim = _AUTHORIZATION.fullmatch(request.headers["Authorization"])
    if claim is None or canonical is None:
        return _refused("verify aksk signature fail")  # inferred: the message for a malformed header
    ak, signed_headers, signature = claim.groups()
    if ak not in keys:
        return _refused(f"Get secretKey failed,ak:{ak},err:ak not exist")
    if request.headers.get("X-Security-Token") != keys[ak].security_token:
        return _refused("verify aksk signature fail, security token is invalid")  # inferred: the message
    date = request.headers.get("X-Sdk-Date", "")
    if "x-sdk-date" not in signed_headers.split(";") or not _is_near(date, now):
        return _refused("verify aksk signature fail, x-sdk-date out of range")  # inferred: the message
    expected = signing.signature(keys[ak].sk, signing.string_to_sign(canonical, date))
    if compare_digest(expected, signature):
        return None
    quoted = canonical.encode("utf-8", "surrogateescape").decode("utf-8", "replace").replace("\n", "|")
    return _refused(f"verify aksk signature fail, canonicalRequest:{quoted}")  # as in an error message from 2023


def path(request: Request) -> str:
    """Return the path as received."""
    return str(request.scope["raw_path"].decode("latin-1"))


def target(request: Request) -> str:
    """Return the path and the query as received."""
    query = request.scope["query_string"].decode("latin-1")
    return f"{path(request)}?{query}" if query else path(request)


def wire_headers(request: Request) -> dict[str, str]:
    """Return the headers by lower-case name; repeated headers are joined."""
    values: dict[str, str] = {}
    for raw_name, raw_value in request.scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("utf-8", "surrogateescape")
        values[name] = f"{values[name]}, {value}" if name in values else value
    return values


def _refused(reason: str) -> Refusal:
    return Refusal(401, "APIGW.0301", _INCORRECT + reason)


def _is_near(date: str, now: datetime) -> bool:
    try:
        sent = datetime.strptime(date, signing.DATE_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        return False
    return abs(now - sent) <= MAX_SKEW
