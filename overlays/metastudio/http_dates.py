"""Dates in HTTP headers."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

#: A date from here on is junk, and to reckon with it would overflow.
MAX_YEAR: Final = 3000


def http_date(headers: httpx.Headers, name: str) -> datetime | None:
    """Return the date in a header; None where there is none, or none that can be read."""
    try:
        date = parsedate_to_datetime(headers[name])
        date = date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (KeyError, ValueError, OverflowError):
        return None
    return date if date.year < MAX_YEAR else None
