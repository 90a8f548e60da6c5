"""What Huawei Cloud's API Gateway says in a response: the error's fields and code, a refusal of the key, the time."""

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import zip_longest
from typing import Any, Final

import httpx

from .errors import printable

#: Outside them a date is junk: to reckon with it could overflow, and no request is signed with one before 1000.
YEARS: Final = range(1970, 3000)
_TOKEN: Final = re.compile(rb"(?i)(x-security-token:)[^|\"\\\\\n]+")
#: MetaStudio's spelling of a refusal by the gateway; its status is 400.
_REFUSAL_WITH_400: Final = "MSS.00010008"


def error_fields(body: bytes) -> dict[str, Any]:
    """Return the JSON object in the body of an error; an empty one where there is none. Never raises."""
    try:
        # What is wrong with a message must not cost the code beside it.
        fields = json.loads(body.decode("utf-8-sig", "replace"), strict=False)
    except (ValueError, RecursionError):  # HTML, nothing, brackets without end
        return {}
    return fields if isinstance(fields, dict) else {}


def error_code(body: bytes) -> str | None:
    """Return `error_code` of an error's body, an opaque string such as `APIGW.0301`."""
    code = error_fields(body).get("error_code")
    return code if isinstance(code, str) and code else None


def gateway_code(code: str | None) -> str | None:
    """Return the number of a gateway's code, `0301` for `APIGW.0301` (which some pages spell `APIG.0301`), or None."""
    system, _, number = (code or "").partition(".")
    return number if system in {"APIGW", "APIG"} else None


def is_error(response: httpx.Response, code: str) -> bool:
    """Tell whether `response` is an error of the gateway with this number."""
    return response.is_client_error and gateway_code(error_code(response.content)) == code


def is_refusal(response: httpx.Response) -> bool:
    """Tell whether the gateway refuses the key: such responses in a row lock it. What a backend says is none."""
    if not response.is_client_error:
        return False
    code = error_code(response.content)
    is_gateways = code is None or gateway_code(code) is not None
    return code == _REFUSAL_WITH_400 or (response.status_code == 401 and is_gateways)


def without_tokens(text: bytes) -> bytes:
    """Return what the gateway says, without the security token in the canonical request that it quotes."""
    return _TOKEN.sub(rb"\1***", text)


def canonical_request(message: str) -> str | None:
    """Return the canonical request that a refusal quotes (with `|` for line breaks); None where it quotes none."""
    _, found, quoted = message.partition("canonicalRequest:")
    return without_tokens(quoted.strip().encode()).decode().replace("|", "\n") if found else None


def difference(theirs: str, ours: str) -> str | None:
    """Return the first line in which two canonical requests differ, as a sentence; None where they do not."""
    ours = without_tokens(ours.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")
    for their_line, our_line in zip_longest(theirs.split("\n"), ours.split("\n"), fillvalue="(nothing)"):
        if their_line != our_line:
            return f"the gateway has {printable(their_line, 200)!r} where {printable(our_line, 200)!r} was signed"
    return None


def http_date(headers: httpx.Headers, name: str) -> datetime | None:
    """Return the date in a header; None where there is none, or none that can be read."""
    try:
        date = parsedate_to_datetime(headers[name])
        date = date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (KeyError, ValueError, OverflowError):
        return None
    return date if date.year in YEARS else None
