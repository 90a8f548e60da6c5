"""What an answer shows, and what it does not. Sends nothing."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any, cast

import httpx
import pytest

from live import describing
from live.hooks import ANSWER, answers, failures, table
from live.redaction import redacted
from metastudio import MetaStudioError, UploadError, WaitTimeout
from metastudio.errors import status_error, validation_error

UUID = "26f06524-4f75-4b3a-a853-b649a21aaf66"
PROJECT = "3f0924078d1b471c884a5383d4dec9fa"
AK, SK = "INVENTED0ACCESS0KEY9", "invented+secret/key+of+some+forty+letter"
UPLOAD = "https://bucket.obs.cn-north-4.myhuaweicloud.com/a.zip?AccessKeyId=INVENTED&Expires=1700000000&Signature=a%2Fb"


def response(status: int, body: dict[str, str]) -> httpx.Response:
    return httpx.Response(status, json=body)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"no job {UUID}", "no job 26f0…"),
        (f"no job {UUID.upper()}", "no job 26F0…"),
        (f"project {PROJECT} is not yours", "project 3f09… is not yours"),
        (f"Get secretKey failed,ak:{AK},err:ak not exist", "Get secretKey failed,ak:***,err:ak not exist"),
        ("Get secretKey failed,ak:short,err:ak not exist", "Get secretKey failed,ak:***,err:ak not exist"),
        (f"the key {AK} is locked", "the key *** is locked"),
        (f"the key is {SK}", "the key is ***"),
        (f"PUT {UPLOAD} failed", "PUT https://bucket.obs.cn-north-4.myhuaweicloud.com/a.zip?… failed"),
        ("https://ann:word@proxy.example.com is down", "https://proxy.example.com is down"),
        ("Signature=YWJj, Access=me", "Signature=***, Access=***"),
        ("denied, canonicalRequest:GET|/v1/p|x-security-token:t", "denied (and a canonical request)"),
        ("source address 192.0.2.17 is refused", "source address (an address) is refused"),
        ("two\nlines\x1b[31m", "two lines [31m"),
        ("The API does not exist", "The API does not exist"),
    ],
)
def test_identifying_values_are_removed(text: str, shown: str) -> None:
    assert redacted(text) == shown


def test_known_secrets_and_ids_are_removed() -> None:
    text = "key secret-of-mine, token secret-of-mine-too, job My.Job.One and my.job.one, user x"

    assert redacted(text, {"secret-of-mine", "secret-of-mine-too", "x", ""}, {"My.Job.One", ""}) == (
        "key ***, token ***, job My.J… and my.j…, user x"
    )


def test_shape_has_names_and_types_only() -> None:
    value = {"a": "secret", "b": 17, "c": "secret", "d": {"e": None, "f": 1.5}, "g": [True], "h": []}

    assert describing.shape(value) == "{a, c: string; b: integer; d: {e: null; f: number}; g: [boolean, …]; h: []}"


@pytest.mark.parametrize(
    ("text", "form"),
    [(None, "none"), (UUID, "a UUID"), (PROJECT, "32 hexadecimal digits"), ("job-one", "7 characters")],
)
def test_form_of_id(text: str | None, form: str) -> None:
    assert describing.form(text) == form


def test_unit_of_time() -> None:
    now = datetime.now(UTC).timestamp()
    times = [None, int(now), int(now * 1000), 17, int(now * 10)]

    assert [describing.unit(time) for time in times] == [
        "missing",
        "seconds since the epoch",
        "milliseconds since the epoch",
        "unknown (2 digits)",
        "unknown (11 digits)",
    ]
    assert describing.unit_and_age(int(now) + 28_800).startswith("seconds since the epoch, 2")  # another time zone's
    assert describing.unit_and_age(17) == "unknown (2 digits)"


def test_form_of_upload_url() -> None:
    assert describing.url_form(UPLOAD) == (
        "https, host ….obs.cn-north-4.myhuaweicloud.com, query: AccessKeyId, Expires, Signature"
    )
    assert describing.life(UPLOAD).startswith("-")
    assert describing.life("https://example.com/a.zip") == "unknown: the URL does not say"


def test_headers_are_named_with_quotas() -> None:
    date = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    response = httpx.Response(
        400, headers={"Date": date, "X-RateLimit-Remaining": "19", "Set-Cookie": "a=secret"}, json={"request_id": UUID}
    )

    assert describing.quota_headers(response) == "x-ratelimit-remaining: 19"
    assert "set-cookie" in describing.header_names(response)
    assert "secret" not in describing.header_names(response)
    assert describing.request_ids(response) == "header: none, body: a UUID"
    assert describing.clock(response) in {f"there, {seconds} s from this machine's clock" for seconds in (3599, 3600)}
    assert describing.clock(httpx.Response(200)) == "none"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (None, "accepted"),
        (
            status_error(response(400, {"error_code": "MSS.1", "error_msg": "no job"})),
            "400 MSS.1: no job (BadRequestError)",
        ),
        (status_error(httpx.Response(502, content=b"<p>")), "502 (no code): <p> (InternalServerError)"),
        (UploadError(403, "AccessDenied", None, "id"), "403 AccessDenied: no message (UploadError)"),
        (
            validation_error(response(200, {"a": "secret"}), "it is odd"),
            "200, but it is odd (APIResponseValidationError)",
        ),
        (
            WaitTimeout("job-one", 5, None),
            "WaitTimeout: short job job-one did not finish within 5 s; there was no response",
        ),
    ],
)
def test_error_has_status_and_code(error: MetaStudioError | None, told: str) -> None:
    assert describing.told(error) == told


def report(**fields: Any) -> pytest.TestReport:
    usual = {
        "user_properties": [],
        "when": "teardown",
        "start": 0.0,
        "failed": False,
        "nodeid": "live/test_live.py::test_x",
    }
    return cast("pytest.TestReport", SimpleNamespace(**usual | fields))


def test_table_is_markdown() -> None:
    late = report(start=2.0, user_properties=[("other", "x"), (ANSWER, ["Q2", "a|b"])])
    early = report(start=1.0, user_properties=[(ANSWER, ["Question", "A1"])])
    during = report(when="call", user_properties=[(ANSWER, ["Question", "A1"])])

    assert list(table(list(answers([late, during, early])))) == [
        "question | answer",
        "-------- | ------",
        "Question | A1",
        r"Q2       | a\|b",
    ]


def test_failure_shows_kind_only() -> None:
    crash = SimpleNamespace(reprcrash=SimpleNamespace(message="metastudio.errors.APIConnectionError: secret"))
    reports = [report(failed=True, longrepr=crash), report(failed=True, longrepr="secret"), report()]

    assert list(failures(reports)) == [
        ("(test_x)", "failed: metastudio.errors.APIConnectionError"),
        ("(test_x)", "failed: see above"),
    ]
