"""Which failures may be retried, and when. Data and pure functions; `calls` runs the calls."""

import re
import ssl
from datetime import UTC, datetime
from enum import Enum
from typing import Final

import httpx

from huaweicloud_auth.gateway import http_date

from .errors import APIConnectionError, APIStatusError, MetaStudioError


class Repeat(Enum):
    """Whether a failed request may be retried."""

    ALWAYS = "it was not executed"
    IF_IDEMPOTENT = "it may have been executed"
    NEVER = "it would fail again"


# By status and code, from the gateway's error table. A status without a code is from another server, such as a proxy.
_REPEATS: Final[dict[tuple[int, str | None], Repeat]] = {
    (429, "0308"): Repeat.ALWAYS,
    (429, None): Repeat.ALWAYS,
    (503, "0613"): Repeat.ALWAYS,
    (502, "0201"): Repeat.IF_IDEMPOTENT,
    (504, "0201"): Repeat.IF_IDEMPOTENT,
    (502, "0610"): Repeat.IF_IDEMPOTENT,
    **{(500, f"06{code}"): Repeat.IF_IDEMPOTENT for code in ("01", "05", "06", "08", "09", "11", "12")},
    (500, "0705"): Repeat.IF_IDEMPOTENT,
    **{(status, None): Repeat.IF_IDEMPOTENT for status in (502, 503, 504)},
}
_NEVER_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

FIRST_DELAY: Final = 0.5  # seconds; doubled with each attempt
MAX_DELAY: Final = 8.0
#: If `Retry-After` is longer, the call does not wait: the caller decides what to do.
MAX_RETRY_AFTER: Final = 60.0


def may_repeat(error: MetaStudioError, *, idempotent: bool) -> bool:
    """Return whether a request that failed with `error` may be retried."""
    may = repeat(error)
    return may is Repeat.ALWAYS or (may is Repeat.IF_IDEMPOTENT and idempotent)


def repeat(error: MetaStudioError) -> Repeat:
    """Return the condition under which a request that failed with `error` may be retried."""
    if is_permanent(error):
        return Repeat.NEVER
    if isinstance(error, APIConnectionError):
        return Repeat.ALWAYS if isinstance(error.__cause__, _NEVER_SENT) else Repeat.IF_IDEMPOTENT
    if isinstance(error, APIStatusError):
        code = error.gateway_code or error.error_code
        return _REPEATS.get((error.status_code, code), Repeat.NEVER)
    return Repeat.NEVER


def is_permanent(error: MetaStudioError) -> bool:
    """Return whether a connection failed for a permanent reason.

    A certificate did not verify, or a proxy refused (407, 403) or is not a proxy. A proxy's 5xx is temporary.
    """
    cause = error.__cause__ if isinstance(error, APIConnectionError) else None
    refused = isinstance(cause, httpx.ProxyError) and not str(cause).startswith("5")
    return refused or isinstance(cause, ssl.SSLCertVerificationError | httpx.UnsupportedProtocol)


def backoff(made: int, random: float) -> float:
    """Return the seconds to wait after `made` failed attempts.

    With full jitter (`random` is between 0 and 1), clients that failed together do not retry together.
    """
    return random * min(MAX_DELAY, FIRST_DELAY * 2.0 ** min(made - 1, 20))


def retry_after(error: MetaStudioError | None) -> float | None:
    """Return the seconds in `Retry-After`, which is a number or a date; None if it is neither.

    A date is compared with the response's own `Date`, since the local clock may differ.
    """
    if not isinstance(error, APIStatusError):
        return None
    value = error.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,400}(\.[0-9]{1,400})?", value):
        return min(float(value), 1e9)
    until = http_date(error.headers, "Retry-After")
    now = http_date(error.headers, "Date") or datetime.now(UTC)
    return None if until is None else max(0.0, (until - now).total_seconds())
