"""What is tried again, when, and what is not; with time that does not pass."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx
import pytest

from metastudio import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    BadRequestError,
    ConfigurationError,
    InternalServerError,
    MetaStudioError,
    RateLimitError,
)
from metastudio.attempt import Call
from metastudio.errors import status_error
from metastudio.retries import MAX_DELAY, MAX_RETRY_AFTER, Repeat, repeat, retry_after
from metastudio_sandbox import Sandbox, faults
from support.raw_server import RawServer
from support.samples import REFERENCE_JOB
from support.sessions import Connect
from support.virtual_time import Clock

# Every row of the gateway's table: the statuses and codes, and whether they may be tried again.
NEVER = {
    404: ["0101", "0103"],
    400: ["0104", "0105", "0106", "0201", "0602", "0607"],
    413: ["0201"],
    414: ["0201"],
    494: ["0201"],
    401: ["0301", "0303", "0305", "0307", "0311"],
    403: ["0302", "0304", "0306", "0310", "0401", "0402", "0404", "0801", "0802"],
    405: ["0501", "0502"],
}
IF_IDEMPOTENT = {
    500: ["0601", "0605", "0606", "0608", "0609", "0611", "0612", "0705"],
    502: ["0201", "0610"],
    504: ["0201"],
}
ALWAYS = {429: ["0308"], 503: ["0613"]}
TABLE = [
    (status, code, expected)
    for table, expected in ((NEVER, Repeat.NEVER), (IF_IDEMPOTENT, Repeat.IF_IDEMPOTENT), (ALWAYS, Repeat.ALWAYS))
    for status, codes in table.items()
    for code in codes
]


def error_of(status: int, code: str | None, **headers: str) -> APIStatusError:
    fields = {} if code is None else {"error_code": code}
    return status_error(httpx.Response(status, json=fields, headers=headers))


@pytest.mark.parametrize(("status", "code", "expected"), TABLE)
def test_gateway_table(status: int, code: str, expected: Repeat) -> None:
    assert repeat(error_of(status, f"APIGW.{code}")) is expected


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [(403, "0302", Repeat.NEVER), (502, "0610", Repeat.IF_IDEMPOTENT), (503, "0613", Repeat.ALWAYS)],
)
def test_verdicts_of_gateway_table(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], status: int, code: str, expected: Repeat
) -> None:
    """A query is idempotent, so it is retried with both of the other verdicts."""
    server.answer(b'{"error_code": "APIGW.%s"}' % code.encode(), f"{status} Whatever")
    server.answer(b'{"job_id": "j"}')
    session = connect(**raw_options | {"max_retries": 1})

    if expected is Repeat.NEVER:
        with pytest.raises(APIStatusError):
            session.show("j")
        assert (len(server.requests), session.slept) == (1, [])
    else:
        assert session.show("j").job_id == "j"
        assert len(session.slept) == 1


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, None, Repeat.ALWAYS),
        (502, None, Repeat.IF_IDEMPOTENT),
        (503, None, Repeat.IF_IDEMPOTENT),
        (504, None, Repeat.IF_IDEMPOTENT),
        (500, None, Repeat.NEVER),
        (520, None, Repeat.NEVER),
        (400, "MSS.00000003", Repeat.NEVER),
        (500, "MSS.10000002", Repeat.NEVER),
        (502, "MSS.10000002", Repeat.NEVER),
        (500, "APIG.0601", Repeat.IF_IDEMPOTENT),
        (500, "APIGW.0699", Repeat.NEVER),
        (400, "APIGW.0601", Repeat.NEVER),
    ],
)
def test_errors_outside_table(status: int, code: str | None, expected: Repeat) -> None:
    assert repeat(error_of(status, code)) is expected


@pytest.mark.parametrize(
    ("cause", "expected"),
    [
        (httpx.ConnectError("x"), Repeat.ALWAYS),
        (httpx.ConnectTimeout("x"), Repeat.ALWAYS),
        (httpx.PoolTimeout("x"), Repeat.ALWAYS),
        (httpx.ReadError("x"), Repeat.IF_IDEMPOTENT),
        (httpx.ReadTimeout("x"), Repeat.IF_IDEMPOTENT),
        (httpx.RemoteProtocolError("x"), Repeat.IF_IDEMPOTENT),
        (None, Repeat.IF_IDEMPOTENT),
    ],
)
def test_unsent_request_may_be_repeated(cause: Exception | None, expected: Repeat) -> None:
    error = APIConnectionError("x")
    error.__cause__ = cause

    assert repeat(error) is expected
    assert repeat(ConfigurationError("x")) is Repeat.NEVER


@pytest.mark.parametrize(("status", "code", "sent_again"), [(502, "APIGW.0610", False), (503, "APIGW.0613", True)])
def test_executed_request_needs_idempotency(status: int, code: str, sent_again: bool) -> None:
    error = error_of(status, code)

    assert new_call(1).delay(error, "get") >= 0
    assert new_call(1, repeatable=True).delay(error, "post") >= 0
    if sent_again:
        assert new_call(1).delay(error, "post") >= 0
    else:
        with pytest.raises(InternalServerError):
            new_call(1).delay(error, "post")


def new_call(max_retries: int, **options: Any) -> Call:
    return Call(max_retries=max_retries, total_timeout=1e6, clock=Clock(), **options)


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        (format_datetime(NOW + timedelta(seconds=30), usegmt=True), 30.0),
        (format_datetime(NOW - timedelta(seconds=30), usegmt=True), 0.0),
        ("Fri, 02 Jan 2026 03:04:35 -0000", 30.0),
        ("9" * 400, 1e9),
        ("", None),
        ("-1", None),
        ("1.5", 1.5),
        ("1.5.1", None),
        ("soon", None),
        ("٣", None),
        ("Fri, 99 Jan 2026 03:04:35 GMT", None),
        ("Fri, 31 Dec 2026 00:00:00 +99999999999999", None),
        ("Fri, 31 Dec 9999 23:59:59 -1200", None),
        ("Fri, 31 Dec 3000 23:59:59 GMT", None),
    ],
)
def test_retry_after_header(value: str, expected: float | None) -> None:
    date = format_datetime(NOW, usegmt=True)
    error = status_error(httpx.Response(429, headers=[(b"Retry-After", value.encode()), (b"Date", date.encode())]))

    assert retry_after(error) == expected


def test_retry_after_date_without_server_date() -> None:
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)

    assert retry_after(error_of(429, None, **{"Retry-After": soon})) == pytest.approx(30, abs=2)


def test_retry_after_needs_a_response() -> None:
    assert retry_after(APIConnectionError("x")) is None


def test_delays_have_full_jitter_and_cap() -> None:
    def delays(random: Callable[[], float]) -> list[float]:
        call = new_call(7, random=random)
        return [call.delay(error_of(502, None), "get") for _ in range(7)]

    assert delays(lambda: 1.0) == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0]
    assert delays(lambda: 0.0) == [0.0] * 7
    assert delays(lambda: 0.5)[:3] == [0.25, 0.5, 1.0]


def test_any_number_of_retries() -> None:
    call = new_call(5000, random=lambda: 1.0)

    assert [call.delay(error_of(502, None), "get") for _ in range(5000)][-1] == MAX_DELAY


@pytest.mark.parametrize("max_retries", [0, 1, 2, 5])
def test_max_retries(connect: Connect, server: RawServer, raw_options: dict[str, Any], max_retries: int) -> None:
    for _ in range(10):
        server.answer(b"", "502 Bad Gateway")
    session = connect(**raw_options | {"max_retries": max_retries})

    with pytest.raises(InternalServerError):
        session.show("j")
    assert (len(server.requests), len(session.slept)) == (max_retries + 1, max_retries)

    with pytest.raises(InternalServerError):
        session.show("j", max_retries=1)
    assert len(server.requests) == max_retries + 3


def test_each_attempt_is_signed(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    seen = len(sandbox.exchanges)
    sandbox.inject(faults.lost)
    sandbox.inject(faults.html(503))

    assert connect(**options).show(REFERENCE_JOB).job_id == REFERENCE_JOB

    exchanges = list(sandbox.exchanges)[seen:]
    assert len(exchanges) == 3
    assert all(each.headers["authorization"].count("Signature=") == 1 for each in exchanges)


def test_each_attempt_gets_credentials(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    pairs = iter([options.pop("credentials")] * 3)
    sandbox.inject(faults.throttled(), times=2)

    connect(**options, credentials=lambda: next(pairs)).show(REFERENCE_JOB)

    assert list(pairs) == []


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_retry_after_is_respected(connect: Connect, server: RawServer, raw_options: dict[str, Any], form: str) -> None:
    value = "20" if form == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    server.answer(b"", "429 Too Many Requests", f"Retry-After: {value}")
    server.answer(b"{}")
    session = connect(**raw_options | {"max_retries": 1})

    session.show("j")

    assert session.slept == pytest.approx([20], abs=2)


@pytest.mark.parametrize(
    ("seconds", "total_timeout"),
    [(MAX_RETRY_AFTER + 1, 1000.0), (30, 29.0), (30, 30.0)],
    ids=["beyond the cap", "out of time", "nothing left after it"],
)
def test_long_retry_after_raises_at_once(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], seconds: float, total_timeout: float
) -> None:
    server.answer(b"", "429 Too Many Requests", f"Retry-After: {seconds:.0f}")
    session = connect(**raw_options | {"max_retries": 5, "total_timeout": total_timeout})

    with pytest.raises(RateLimitError) as caught:
        session.show("j")

    assert session.slept == []
    assert caught.value.headers["Retry-After"] == f"{seconds:.0f}"


def test_longest_retry_after_is_a_minute(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    server.answer(b"", "429 Too Many Requests", "Retry-After: 60")
    server.answer(b"{}")
    session = connect(**raw_options | {"max_retries": 1})

    session.show("j")

    assert session.slept == [60]


def test_total_timeout_of_a_call(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    server.answer(b"", "429 Too Many Requests", "Retry-After: 30")
    session = connect(**raw_options | {"max_retries": 5})

    with pytest.raises(RateLimitError):
        session.show("j", total_timeout=20)

    assert session.slept == []


def test_total_timeout_ends_attempt(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    server.answers.append(None)

    # Real time, and short; without the cut it would be the 30 seconds of `timeout`.
    with pytest.raises(APITimeoutError):
        connect(**raw_options, real_time=True).show("j", total_timeout=0.05)


@pytest.mark.parametrize(
    "change", [{"max_retries": -1}, {"max_retries": 1.5}, {"max_retries": True}, {"total_timeout": 0}]
)
def test_invalid_arguments_raise(connect: Connect, raw_options: dict[str, Any], change: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=next(iter(change))):
        connect(**raw_options | change)
    with pytest.raises(ConfigurationError, match=next(iter(change))):
        connect(**raw_options).show("j", **change)


def test_parameter_error_is_not_retried(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    session = connect(**options)
    with pytest.raises(BadRequestError):
        session.show("unknown")
    assert session.slept == []


def test_retries_are_logged_with_reason(
    connect: Connect, options: dict[str, Any], sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.inject(faults.throttled(retry_after=3))
    sandbox.inject(faults.lost)

    connect(**options).show(REFERENCE_JOB)

    said = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert said[0].startswith("Attempt 1 failed, retrying in 3.00 s: 429 APIGW.0308")
    assert said[1].startswith("Attempt 2 failed")
    assert "RemoteProtocolError" in said[1] or "ReadError" in said[1]
    assert len(said) == 2


def test_last_error_is_raised(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    sandbox.inject(faults.lost)
    sandbox.inject(faults.status(503, "APIGW.0613"))
    sandbox.inject(faults.throttled())

    with pytest.raises(RateLimitError) as caught:
        connect(**options).show(REFERENCE_JOB)

    assert isinstance(caught.value, MetaStudioError)
    assert caught.value.hint == "The account's quota for this API is used up: send fewer requests"
