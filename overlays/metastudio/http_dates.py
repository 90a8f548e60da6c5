"""Dates in HTTP headers."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx


def http_date(headers: httpx.Headers, name: str) -> datetime | None:
    """Return the date in a header; None where there is none, or none that can be read."""
    try:
        date = parsedate_to_datetime(headers[name])
    except (KeyError, ValueError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
