"""SDK-HMAC-SHA256, Huawei Cloud's request signature, stage by stage. Pure: no clock, no I/O, no httpx.

    canonical_request -> string_to_sign -> signature -> authorization

The rules are Huawei Cloud's "AK/SK signing and authentication" for API Gateway.
"""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import quote, unquote_to_bytes

ALGORITHM: Final = "SDK-HMAC-SHA256"
DATE_FORMAT: Final = "%Y%m%dT%H%M%SZ"
UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"


def canonical_request(
    method: str, target: str, headers: Mapping[str, str], signed_headers: Sequence[str], payload_hash: str
) -> str:
    """Return the canonical request.

    Args:
        method: The HTTP method, in capitals.
        target: Path and query as sent, percent-encoded.
        headers: At least the signed headers, by lower-case name.
        signed_headers: Their names, lower case and sorted.
        payload_hash: `hash_hex` of the body, or `UNSIGNED_PAYLOAD`.
    """
    path, _, query = target.partition("?")
    path, query = _canonical_path(path), _canonical_query(query)
    lines = "".join([f"{name}:{headers[name].strip()}\n" for name in signed_headers])
    return f"{method}\n{path}\n{query}\n{lines}\n{';'.join(signed_headers)}\n{payload_hash}"


def string_to_sign(canonical: str, date: str) -> str:
    """Return the string to sign; `date` is the value of `X-Sdk-Date`, UTC in `DATE_FORMAT`."""
    # Bytes of a header that are not UTF-8 are represented as surrogates.
    return f"{ALGORITHM}\n{date}\n{hash_hex(canonical.encode('utf-8', 'surrogateescape'))}"


def signature(sk: str, to_sign: str) -> str:
    """Return the signature of `to_sign` under the secret key."""
    return hmac.digest(sk.encode(), to_sign.encode(), "sha256").hex()


def authorization(ak: str, signed_headers: Sequence[str], signed: str) -> str:
    """Return the value of the `Authorization` header."""
    return f"{ALGORITHM} Access={ak}, SignedHeaders={';'.join(signed_headers)}, Signature={signed}"


def hash_hex(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


@lru_cache(maxsize=1024)  # polling signs the same path many times
def _canonical_path(path: str) -> str:
    encoded = "/".join(map(_reencoded, path.split("/")))
    return encoded if encoded.endswith("/") else encoded + "/"


def _canonical_query(query: str) -> str:
    if not query:
        return ""
    pairs = (piece.partition("=") for piece in query.replace("+", " ").split("&") if piece)
    return "&".join(f"{name}={value}" for name, value in sorted((_reencoded(n), _reencoded(v)) for n, _, v in pairs))


def _reencoded(text: str) -> str:
    return quote(unquote_to_bytes(text), safe="")
