"""Create, upload, commit, limits: what is on the wire, byte by byte, and what is repeated."""

import io
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from metastudio import (
    APIConnectionError,
    APIResponseValidationError,
    AssessmentInterrupted,
    BadRequestError,
    ConfigurationError,
    InternalServerError,
    RecordingLimits,
    UploadError,
)
from metastudio.upload_target import expires
from support.leaks import shown
from support.raw_server import RawServer
from support.sessions import Connect

PATH = "/v1/p/voice-training-manage/user/short-jobs"
SECRET_QUERY = "Expires=99999999999&Signature=the-signature-of-the-url"
CREATED = b'{"job_id": "j", "data_uploading_url": "https://obs.example.com/a.zip?Signature=the-signature-of-the-url"}'
ZIP = b"PK\x05\x06" + bytes(18)


def heads(server: RawServer) -> list[str]:
    return [request.partition(b"\r\n")[0].decode() for request in server.requests]


def headers_of(request: bytes) -> dict[str, str]:
    lines = request.partition(b"\r\n\r\n")[0].decode().splitlines()[1:]
    return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


def xml(code: str, message: str = "m") -> bytes:
    return f"<Error><Code>{code}</Code><Message>{message}</Message><RequestId>r-1</RequestId></Error>".encode()


def upload_url(server: RawServer) -> str:
    return f"{server.url}/bucket/a%2Fb.zip?{SECRET_QUERY}"


def test_create_on_the_wire(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    server.answer(CREATED)

    created = connect(**raw_options, app_user_id="u-1").do("create", language="EN")

    assert (created.job_id, created.data_uploading_url.endswith("the-signature-of-the-url")) == ("j", True)
    assert "the-signature-of-the-url" not in repr(created)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert heads(server) == [f"POST {PATH} HTTP/1.1"]
    assert body == b'{"job_type":"VOICE_ASSESS","language":"EN"}'
    signed = headers_of(head)
    assert signed["x-app-userid"] == "u-1"
    assert "SignedHeaders=content-type;host;x-app-userid;x-project-id;x-sdk-date," in signed["authorization"]


def test_commit_on_the_wire(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    server.answer(b"")

    assert connect(**raw_options).do("commit", "j", app_user_id="u-2") is None

    assert heads(server) == [f"POST {PATH}/j HTTP/1.1"]
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert (body, headers_of(head)["x-app-userid"], headers_of(head)["content-length"]) == (b"", "u-2", "0")


@pytest.mark.parametrize(
    ("body", "limits"),
    [
        (b'{"short_assess_min": 10, "short_assess_max": 600, "basic_min": 1}', RecordingLimits(10, 600)),
        (b"{}", RecordingLimits(None, None)),
    ],
)
def test_limits(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], body: bytes, limits: RecordingLimits
) -> None:
    server.answer(body)

    assert connect(**raw_options, app_user_id="u").do("limits") == limits
    assert heads(server) == ["GET /v1/p/voice-training-manage/user/tenant-duration-cfg HTTP/1.1"]
    assert "x-app-userid" not in headers_of(server.requests[0]), "it is no parameter of this operation"


@pytest.mark.parametrize("as_path", [True, False], ids=["path", "open file"])
def test_upload_on_the_wire(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], tmp_path: Path, as_path: bool
) -> None:
    """Exactly the headers that the URL's signature covers, and those that HTTP needs."""
    content = bytes(range(256)) * 12_000
    (tmp_path / "a.zip").write_bytes(content)
    opened = io.BytesIO(b"before" + content)
    opened.seek(6)
    server.answer(b"", "200 OK", 'ETag: "e"')
    told: list[tuple[int, int]] = []

    connect(**raw_options).do(
        "upload",
        upload_url(server),
        tmp_path / "a.zip" if as_path else opened,
        on_progress=lambda sent, total: told.append((sent, total)),
    )

    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    assert heads(server) == [f"PUT /bucket/a%2Fb.zip?{SECRET_QUERY} HTTP/1.1"]
    assert headers_of(head) == {
        "host": server.url.removeprefix("http://"),
        "content-type": "application/zip",
        "content-length": str(len(content)),
    }
    assert body == content
    assert (told[0], told[-1]) == ((0, len(content)), (len(content), len(content)))


@pytest.mark.parametrize(
    ("answer", "status", "sent"),
    [
        (b"", "500 Oops", 3),
        (xml("InternalError"), "500 Oops", 3),
        (xml("SlowDown"), "503 Busy", 3),
        (xml("RequestTimeout"), "400 Bad", 3),
        (xml("SignatureDoesNotMatch"), "403 Forbidden", 1),
        (xml("AccessDenied", "Request has expired"), "403 Forbidden", 1),
        (xml("BadDigest"), "400 Bad", 1),
        (b"<html>", "404 Not Found", 1),
    ],
)
def test_rejected_upload(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], answer: bytes, status: str, sent: int
) -> None:
    for _ in range(sent):
        server.answer(answer, status)
    told: list[int] = []
    session = connect(**raw_options | {"max_retries": 2})

    with pytest.raises(UploadError) as caught:
        session.do("upload", upload_url(server), io.BytesIO(ZIP), on_progress=lambda done, _: told.append(done))

    assert len(server.requests) == sent
    assert told.count(0) == sent, "a repeat starts again"
    assert caught.value.status_code == int(status[:3])
    assert "the-signature-of-the-url" not in shown(caught.value)
    if answer.startswith(b"<Error"):
        assert caught.value.request_id == "r-1"
    if caught.value.code == "AccessDenied":
        assert "has expired or was already used" in str(caught.value)


def test_lost_upload_is_repeated(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    server.answers.append(b"")
    server.answer(b"")

    connect(**raw_options | {"max_retries": 1}).do("upload", upload_url(server), io.BytesIO(ZIP))

    assert len(server.requests) == 2
    assert server.requests[0] == server.requests[1]


def test_lost_upload_is_not_repeated_after_expiry(
    connect: Connect, server: RawServer, raw_options: dict[str, Any]
) -> None:
    server.answers.append(b"")

    with pytest.raises(APIConnectionError) as caught:
        connect(**raw_options | {"max_retries": 2}).do("upload", f"{server.url}/a?Expires=1", io.BytesIO(ZIP))

    assert len(server.requests) == 1
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    "url", ["http://obs.example.com/a?secret", "ftp://obs/a?secret", "a?secret", "https://obs:port/a?secret", ""]
)
def test_upload_url_must_be_https(connect: Connect, raw_options: dict[str, Any], url: str) -> None:
    with pytest.raises(ConfigurationError, match="the upload URL") as caught:
        connect(**raw_options).do("upload", url, io.BytesIO(ZIP))
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("file", ["/nowhere.zip", "/", 7, io.StringIO("text")])
def test_unreadable_file_raises_before_request(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], file: Any
) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        connect(**raw_options).do("upload", upload_url(server), file)
    assert server.requests == []


@pytest.mark.parametrize(
    ("query", "end"),
    [
        ("Expires=1700000000&Signature=s", 1700000000),
        ("X-Amz-Date=20231114T221320Z&X-Amz-Expires=60", 1700000060),
        ("x-obs-date=20231114T221320Z&x-obs-expires=60", 1700000060),
        ("Expires=soon", None),
        ("X-Amz-Date=20231114T221320Z", None),
        ("", None),
    ],
)
def test_end_of_an_upload_url(query: str, end: int | None) -> None:
    found = expires(f"https://obs.example.com/a?{query}")

    assert (found and found.timestamp()) == end


def test_logs_have_no_upload_query(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    server.answers.append(b"")
    server.answer(b"")
    with caplog.at_level(logging.DEBUG):
        connect(**raw_options | {"max_retries": 1}).do("upload", upload_url(server), io.BytesIO(ZIP))

    assert "/bucket/a%2Fb.zip" in caplog.text
    assert "the-signature-of-the-url" not in caplog.text


@pytest.mark.parametrize("body", [b"{}", b'{"job_id": "j"}', b'{"data_uploading_url": "https://x"}', b""])
def test_creation_without_fields_is_invalid(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], body: bytes
) -> None:
    server.answer(body)

    with pytest.raises(APIResponseValidationError):
        connect(**raw_options).do("create")


def queue(server: RawServer, *answers: Any) -> None:
    for answer in answers:
        match answer:
            case "lost":
                server.answers.append(b"")
            case "500":
                server.answer(b'{"error_code": "APIGW.0601"}', "500 Oops")
            case "429":
                server.answer(b'{"error_code": "APIGW.0308"}', "429 Slow", "Retry-After: 0")
            case "400":
                server.answer(b'{"error_code": "MSS.00000003"}', "400 Bad")
            case bytes():
                server.answer(answer)


def in_state(state: str) -> bytes:
    return b'{"job_id": "j", "state": "%s"}' % state.encode()


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (["lost", CREATED], None),
        (["500", CREATED], None),
        (["429", CREATED], None),
        (["400"], BadRequestError),
    ],
)
def test_create_retries(
    connect: Connect, server: RawServer, raw_options: dict[str, Any], answers: list[Any], expected: type | None
) -> None:
    queue(server, *answers)
    session = connect(**raw_options | {"max_retries": 2})

    if expected:
        with pytest.raises(expected):
            session.do("create")
    else:
        assert session.do("create").job_id == "j"
    assert len(server.requests) == len(answers)


POST, GET = f"POST {PATH}/j HTTP/1.1", f"GET {PATH}/j HTTP/1.1"


@pytest.mark.parametrize(
    ("answers", "sent", "expected"),
    [
        (["lost", in_state("CREATING"), b""], [POST, GET, POST], None),
        (["lost", in_state("UPLOADING"), "lost", in_state("WAITING")], [POST, GET, POST, GET], None),
        (["lost", in_state("SYSTEM_AUDITING")], [POST, GET], None),
        (["lost", in_state("A_STATE_OF_TOMORROW")], [POST, GET], None),
        (["500", in_state("UPLOADING"), b""], [POST, GET, POST], None),
        (["500", in_state("UPLOADING")] * 3, [POST, GET] * 3, InternalServerError),
        (["429", b""], [POST, POST], None),
        (["400", in_state("PROCESSING")], [POST, GET], None),
        (["400", in_state("UPLOADING")], [POST, GET], BadRequestError),
    ],
)
def test_commit_retries(
    connect: Connect,
    server: RawServer,
    raw_options: dict[str, Any],
    answers: list[Any],
    sent: list[str],
    expected: type | None,
) -> None:
    """A commit whose response was lost is sent again only after a query shows that it had not arrived."""
    queue(server, *answers)
    session = connect(**raw_options | {"max_retries": 2})

    if expected:
        with pytest.raises(expected):
            session.do("commit", "j")
    else:
        session.do("commit", "j")
    assert heads(server) == sent


def test_finish_names_the_step_that_failed(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    queue(server, in_state("UPLOADING"), "400", in_state("UPLOADING"))

    with pytest.raises(AssessmentInterrupted, match="short job j failed at the commit: 400") as caught:
        connect(**raw_options).do("finish", "j", timeout=60)

    assert (caught.value.step, caught.value.job_id) == ("commit", "j")
    assert isinstance(caught.value.__cause__, BadRequestError)


def test_finish_continues_after_commit(connect: Connect, server: RawServer, raw_options: dict[str, Any]) -> None:
    queue(server, in_state("UPLOADING"), b"", in_state("PROCESSING"), in_state("SUCCEED"))

    assert connect(**raw_options).do("finish", "j", timeout=60).state == "SUCCEED"
    assert heads(server) == [GET, POST, GET, GET]


def test_uploads_do_not_use_the_clients_transport(
    connect: Connect, server: RawServer, raw_options: dict[str, Any]
) -> None:
    server.answer(b"")
    transport = httpx.MockTransport(lambda _: pytest.fail("an upload through the service's transport"))

    connect(**raw_options, transport=transport).do("upload", upload_url(server), io.BytesIO(ZIP))

    assert len(server.requests) == 1
