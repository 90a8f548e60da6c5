"""How responses of the gateway are read: refusals and dates. Calls over a server are in test_lockout and test_clock."""

from datetime import UTC, datetime

import httpx
import pytest

from huaweicloud_auth import gateway


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (401, b'{"error_code": "APIGW.0301"}', True),
        (401, b'{"error_code": "APIG.0303"}', True),
        (401, b'{"error_code": "APIGW.0307"}', True),
        (401, b"", True),
        (401, b"<html>", True),
        (400, b'{"error_code": "MSS.00010008"}', True),
        (401, b'{"error_code": "SHOP.1003"}', False),
        (403, b'{"error_code": "APIGW.0302"}', False),
        (404, b'{"error_code": "MSS.00010003"}', False),
        (404, b'{"error_code": "APIGW.0101"}', False),
        (500, b'{"error_code": "MSS.00010008"}', False),
        (502, b"<html>", False),
        (200, b'{"error_code": "MSS.00010008"}', False),
    ],
)
def test_is_refusal(status: int, body: bytes, expected: bool) -> None:
    """A 401 of the gateway, or MetaStudio's code for one; not a 401 of another backend."""
    assert gateway.is_refusal(httpx.Response(status, content=body)) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Tue, 05 Aug 2031 12:00:00 GMT", datetime(2031, 8, 5, 12, tzinfo=UTC)),
        ("Tue, 05 Aug 2031 14:00:00 +0200", datetime(2031, 8, 5, 12, tzinfo=UTC)),
        ("Tue, 05 Aug 2031 12:00:00 -0000", datetime(2031, 8, 5, 12, tzinfo=UTC)),
        (None, None),
        ("yesterday", None),
        ("Tue, 99 Aug 2031 12:00:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -1200", None),
        ("Mon, 01 Jan 0900 00:00:00 GMT", None),
    ],
)
def test_http_date(value: str | None, expected: datetime | None) -> None:
    """A malformed date, or one outside the years that can be signed, is None."""
    headers = httpx.Headers({} if value is None else {"Date": value})

    assert gateway.http_date(headers, "Date") == expected
