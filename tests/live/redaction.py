"""Takes out of an answer what the maintainers must not get: it is going to be published in an issue."""

import re
from collections.abc import Iterable
from typing import Final

from huaweicloud_auth.errors import printable

MASK: Final = "***"
_LONGEST: Final = 600
_SHORTEST: Final = 8  # what is shorter is no secret, and found in many a word
#: What gives a secret or somebody away, whether or not it is known; in this order.
_PATTERNS: Final = (
    (re.compile(r",?\s*canonicalRequest:.*", re.DOTALL), " (and a canonical request)"),
    (re.compile(r"(https?://)[^\s/?#]*@"), r"\1"),
    (re.compile(r"(https?://[^\s?#]+)[?#]\S*"), r"\1?…"),
    (re.compile(r"(?i)\b((?:aws)?access(?:keyid)?=|signature=|\bak:)\s*[^\s,;]+"), rf"\1{MASK}"),
    (re.compile(r"(?i)\b([0-9a-f]{4})[0-9a-f]{4}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"), r"\1…"),
    (re.compile(r"(?i)\b([0-9a-f]{4})[0-9a-f]{28,}\b"), r"\1…"),
    (re.compile(r"[\w+/=]{32,}", re.ASCII), MASK),  # a secret key, a token, a signature
    (re.compile(r"\b(?=[A-Z]*\d)[A-Z\d]{20}\b"), MASK),  # an access key ID
    (re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b"), "(an address)"),
)


def redacted(text: str, secrets: Iterable[str] = (), ids: Iterable[str] = ()) -> str:
    """Return `text` as one line without secrets, and with no more of an ID than its first four characters.

    Args:
        text: What is going to be published.
        secrets: Those that are known.
        ids: Those that are known: of the project, of jobs.
    """
    for secret in sorted(filter(_is_long, secrets), key=len, reverse=True):
        text = text.replace(secret, MASK)
    for each in sorted(filter(_is_long, ids), key=len, reverse=True):
        text = re.sub(re.escape(each), lambda found: f"{found[0][:4]}…", text, flags=re.IGNORECASE)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return printable(text, _LONGEST)


def _is_long(text: str) -> bool:
    return len(text) >= _SHORTEST
