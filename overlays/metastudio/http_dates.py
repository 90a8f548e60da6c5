"""Dates in HTTP headers."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

#: Outside them a date is junk: to reckon with it could overflow, and no request is signed with one before 1000.
YEARS: Final = range(1970, 3000)


def http_date(headers: httpx.Headers, name: str) -> datetime | None:
    """Return the date in a header; None where there is none, or none that can be read."""
    try:
        date = parsedate_to_datetime(headers[name])
        date = date.astimezone(UTC) if date.tzinfo else date.replace(tzinfo=UTC)
    except (KeyError, ValueError, OverflowError):
        return None
    return date if date.year in YEARS else None
