"""What an error says: one printable line, bounded, with what to do about it."""

from typing import Any

import httpx
import pytest

from metastudio import (
    APIResponseValidationError,
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    InternalServerError,
    MetaStudio,
    MetaStudioError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ShortJob,
    ShortJobFailed,
    WaitTimeout,
)
from metastudio.errors import printable, status_error
from metastudio_sandbox import Sandbox
from support.leaks import shown


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("12345678", "12345678"),
        ("123456789", "1234567…"),
        (" a\t\n b\x00\x1b c ", "a b c"),
        ("é中😀", "é中😀"),
        ("a\u202eb\u2028c", "a b c"),
        ("\n" * 31 + "a", "a"),
        ("\n" * 32 + "a", ""),
        ("x" * 1_000_000, "xxxxxxx…"),
    ],
)
def test_printable(text: str, line: str) -> None:
    assert printable(text, limit=8) == line


def test_line_has_at_most_300_characters() -> None:
    assert printable("x" * 300) == "x" * 300
    assert printable("x" * 301) == "x" * 299 + "…"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"error_code": "X.1", "error_msg": "m", "request_id": "r"}', "418 X.1: m (request ID r)"),
        (b'{"error_code": "X.1", "error_msg": "m"}', "418 X.1: m (request ID from-the-header)"),
        (b'{"error_code": "X.1"}', "418 X.1: no message (request ID from-the-header)"),
        (b'{"error_msg": "m"}', "418 (no error code): m (request ID from-the-header)"),
        (b"<html>\n</html>", "418 (no error code): <html> </html> (request ID from-the-header)"),
        (b"", "418 (no error code): empty body (request ID from-the-header)"),
        (b"\xff", "418 (no error code): \ufffd (request ID from-the-header)"),
        (b"x" * 2000, f"418 (no error code): {'x' * 119}… (request ID from-the-header)"),
        (
            b'{"error_code": "X.1", "error_msg": "m", "request_id": "%b"}' % (b"r" * 100),
            f"418 X.1: m (request ID {'r' * 67}…",
        ),
    ],
)
def test_gateway_message(content: bytes, said: str) -> None:
    response = httpx.Response(418, content=content, headers={"X-Request-Id": "from-the-header"})

    assert str(status_error(response)) == said


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, b'{"error_code": "MSS.00000003", "error_msg": "m"}', BadRequestError),
        (400, b'{"error_code": "MSS.00010008", "error_msg": "m"}', AuthenticationError),
        (400, b'{"error_code": "MSS.00010009", "error_msg": "m"}', PermissionDeniedError),
        (401, b'{"error_code": "APIGW.0301", "error_msg": "m"}', AuthenticationError),
        (403, b'{"error_code": "APIGW.0302", "error_msg": "m"}', PermissionDeniedError),
        (404, b'{"error_code": "APIGW.0101", "error_msg": "m"}', NotFoundError),
        (429, b'{"error_code": "APIGW.0308", "error_msg": "m"}', RateLimitError),
        (500, b"", InternalServerError),
        (502, b"<html><h1>502</h1></html>", InternalServerError),
        (503, b'"a string"', InternalServerError),
        (520, b"{", InternalServerError),
        (599, b"[]", InternalServerError),
        (405, b"{}", APIStatusError),
        (494, b"", APIStatusError),
        (499, b"", APIStatusError),
        (302, b"", APIStatusError),
        (404, b"[" * 200_000, NotFoundError),
        (404, b'{"error_code": 7, "error_msg": {"a": 1}}', NotFoundError),
        (404, b"\xff\xfe\x00", NotFoundError),
    ],
)
def test_class_of_error(status: int, body: bytes, expected: type[APIStatusError]) -> None:
    error = status_error(httpx.Response(status, content=body))

    assert type(error) is expected
    assert (error.status_code, error.body) == (status, body)
    assert str(error).startswith(str(status))
    assert len(str(error)) < 500
    assert str(error).isprintable()


def test_missing_request_id() -> None:
    assert str(status_error(httpx.Response(418))) == "418 (no error code): empty body"


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        ("APIGW.0301", "the clock; `metastudio sign` shows what was signed"),
        ("APIGW.0303", "Check the key pair or token"),
        ("APIGW.0307", "The token has expired"),
        ("APIGW.0308", "send fewer requests"),
        ("APIG.0308", "send fewer requests"),
        ("MSS.00010008", "must have project scope"),
        ("MSS.00010009", "Use the project ID that belongs to the credentials"),
    ],
)
def test_hints(code: str, hint: str) -> None:
    error = status_error(httpx.Response(400, json={"error_code": code, "error_msg": "m"}))

    assert error.hint is not None
    assert hint in error.hint
    assert str(error) == f"400 {code}: m - {error.hint}"


@pytest.mark.parametrize(
    ("code", "number"),
    [("APIGW.0301", "0301"), ("APIG.0301", "0301"), ("MSS.0301", None), ("APIGW", ""), ("0301", None), (None, None)],
)
def test_gateway_code(code: str | None, number: str | None) -> None:
    assert status_error(httpx.Response(400, json={"error_code": code})).gateway_code == number


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"job_failed_code": "X.1", "job_failed_reason": "noise"}, "short job j ended in FAILED (X.1: noise)"),
        ({"job_failed_code": "X.1"}, "short job j ended in FAILED (X.1)"),
        ({"job_failed_reason": "noise"}, "short job j ended in FAILED (noise)"),
        ({}, "short job j ended in FAILED (no reason given)"),
        ({"job_failed_code": 7}, "short job j ended in FAILED (7)"),
        ({"job_failed_reason": "too\n \x1b[31mloud"}, "short job j ended in FAILED (too [31mloud)"),
        ({"state": "FAILED\n"}, "short job j ended in FAILED (no reason given)"),
    ],
)
def test_message_of_failed_job(fields: dict[str, Any], said: str) -> None:
    assert str(ShortJobFailed(ShortJob.from_dict({"job_id": "j", "state": "FAILED", **fields}))) == said


@pytest.mark.parametrize(
    ("job", "last"),
    [
        (None, "there was no response"),
        (ShortJob.from_dict({}), "its last state was not given"),
        (ShortJob.from_dict({"state": "WAITING"}), "its last state was WAITING"),
        (ShortJob.from_dict({"state": "BRAND\nNEW"}), "its last state was BRAND NEW"),
    ],
)
def test_message_of_wait_timeout(job: ShortJob | None, last: str) -> None:
    assert str(WaitTimeout("j", 1.5, job)) == f"short job j did not finish within 1.5 s; {last}"


def test_message_of_invalid_response() -> None:
    error = APIResponseValidationError("no JSON", 200, httpx.Headers(), b"<html>" + b"x" * 2000)

    assert str(error) == f"no JSON (status 200): <html>{'x' * 113}…"


FAILED = ShortJob.from_dict({"job_id": "j", "state": "FAILED", "files": ["x" * 2000]})
NOT_JSON = APIResponseValidationError("no JSON", 200, httpx.Headers({"X-A": "a"}), b"x" * 2000)


@pytest.mark.parametrize("error", [NOT_JSON, ShortJobFailed(FAILED), WaitTimeout("j", 1.5, FAILED)])
def test_repr_is_name_and_message(error: MetaStudioError) -> None:
    assert repr([error]) == f"[{type(error).__name__}({str(error)!r})]"


def test_hint_is_optional() -> None:
    assert str(AuthenticationError(401, "X.1", "m", None, httpx.Headers(), b"")) == "401 X.1: m"


OURS = "GET\n/v1/jobs/\n\nhost:h\nx-sdk-date:d\nx-security-token:the-token-in-clear\n\nhost;x-sdk-date\nhash"


def refused(canonical: str, code: str = "APIGW.0301") -> httpx.Response:
    message = f"Incorrect IAM authentication information: verify aksk signature fail, canonicalRequest:{canonical}"
    return httpx.Response(401, json={"error_code": code, "error_msg": message})


def test_refusal_quotes_canonical_request_without_token() -> None:
    error = status_error(refused(OURS.replace("\n", "|")), OURS)

    assert error.canonical_request == OURS.replace("the-token-in-clear", "***")
    assert "the-token-in-clear" not in shown(error)
    assert error.hint is not None
    assert error.hint.startswith("Check the key pair"), "there is no difference to show"


def test_hint_shows_first_difference() -> None:
    error = status_error(refused(OURS.replace("/v1/jobs/", "/v2/jobs/").replace("\n", "|")), OURS)

    assert error.hint == (
        "The signed request was changed on the way: the gateway has '/v2/jobs/' where '/v1/jobs/' was signed"
    )
    assert str(error) == (
        f"401 APIGW.0301: Incorrect IAM authentication information: verify aksk signature fail - {error.hint}"
    )


@pytest.mark.parametrize(
    ("theirs", "ours", "hint"),
    [
        (f"{OURS}\nmore", OURS, "has 'more' where '(nothing)' was signed"),
        (OURS, f"{OURS}\nmore", "has '(nothing)' where 'more' was signed"),
        (OURS + "\N{REPLACEMENT CHARACTER}", OURS + "\udcff", "a key for five minutes"),
    ],
    ids=["longer", "shorter", "a byte that is not UTF-8"],
)
def test_hint_compares_every_line(theirs: str, ours: str, hint: str) -> None:
    error = status_error(refused(theirs.replace("\n", "|")), ours)

    assert error.hint is not None
    assert error.hint.endswith(hint)


def test_long_message_cuts_off_neither_code_nor_hint() -> None:
    error = status_error(httpx.Response(401, json={"error_code": "APIGW.0301", "error_msg": "x" * 5000}))

    assert str(error).startswith("401 APIGW.0301: xxx")
    assert str(error).endswith("lock a key for five minutes")
    assert error.canonical_request is None


def test_hint_reaches_the_caller(options: dict[str, Any], sandbox: Sandbox) -> None:
    class Mesh(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            request.headers["X-Project-Id"] = "changed-on-the-way"
            return super().handle_request(request)

    with MetaStudio(**options, transport=Mesh()) as studio, pytest.raises(AuthenticationError) as caught:
        studio.short_jobs.show(sandbox.add_job())

    assert "the gateway has 'x-project-id:changed-on-the-way' where" in str(caught.value)
