"""Read responses of Huawei Cloud's API Gateway: error fields and codes, refusals of a key, dates."""

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import zip_longest
from typing import Any, Final

import httpx

from .errors import printable

#: Dates outside these years are ignored: arithmetic could overflow, and `X-Sdk-Date` needs a year of four digits.
YEARS: Final = range(1970, 3000)
_TOKEN: Final = re.compile(rb"(?i)(x-security-token:)[^|\"\\\\\n]+")
#: MetaStudio's code for a refusal by the gateway, sent with status 400.
_REFUSAL_WITH_400: Final = "MSS.00010008"


def error_fields(body: bytes) -> dict[str, Any]:
    """Return the JSON object in an error's body, or an empty dict. Never raises."""
    try:
        # A malformed message must not hide the error code beside it.
        fields = json.loads(body.decode("utf-8-sig", "replace"), strict=False)
    except (ValueError, RecursionError):  # HTML, an empty body, endless brackets
        return {}
    return fields if isinstance(fields, dict) else {}


def error_code(body: bytes) -> str | None:
    """Return the `error_code` in an error's body, an opaque string such as `APIGW.0301`, or None."""
    code = error_fields(body).get("error_code")
    return code if isinstance(code, str) and code else None


def gateway_code(code: str | None) -> str | None:
    """Return the number of a gateway code, or None: `0301` for `APIGW.0301` (which some pages spell `APIG.0301`)."""
    system, _, number = (code or "").partition(".")
    return number if system in {"APIGW", "APIG"} else None


def is_error(response: httpx.Response, code: str) -> bool:
    """Return whether `response` is a gateway error with this number."""
    return response.is_client_error and gateway_code(error_code(response.content)) == code


def is_refusal(response: httpx.Response) -> bool:
    """Return whether the gateway refused the key. Such responses in a row lock it; those of a backend do not count."""
    if not response.is_client_error:
        return False
    code = error_code(response.content)
    is_gateways = code is None or gateway_code(code) is not None
    return code == _REFUSAL_WITH_400 or (response.status_code == 401 and is_gateways)


def without_tokens(text: bytes) -> bytes:
    """Mask the security token in a canonical request that the gateway quotes."""
    return _TOKEN.sub(rb"\1***", text)


def canonical_request(message: str) -> str | None:
    """Return the canonical request that a refusal quotes (with `|` for line breaks), or None."""
    _, found, quoted = message.partition("canonicalRequest:")
    return without_tokens(quoted.strip().encode()).decode().replace("|", "\n") if found else None


def difference(theirs: str, ours: str) -> str | None:
    """Describe the first line in which two canonical requests differ, or return None."""
    ours = without_tokens(ours.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")
    for their_line, our_line in zip_longest(theirs.split("\n"), ours.split("\n"), fillvalue="(nothing)"):
        if their_line != our_line:
            return f"the gateway has {printable(their_line, 200)!r} where {printable(our_line, 200)!r} was signed"
    return None


def http_date(headers: httpx.Headers, name: str) -> datetime | None:
    """Return the date in a header, or None if it is missing or malformed."""
    try:
        date = parsedate_to_datetime(headers[name])
        date = date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (KeyError, ValueError, OverflowError):
        return None
    return date if date.year in YEARS else None
