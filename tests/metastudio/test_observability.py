"""What operators see: one logger, silent until somebody listens, and spans of OpenTelemetry's own instrumentation."""

import asyncio
import io
import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from metastudio import (
    APIConnectionError,
    AsyncMetaStudio,
    AuthenticationError,
    BadRequestError,
    Credentials,
    MetaStudio,
    MetaStudioError,
    ShortJob,
    TokenAuth,
)
from metastudio_sandbox import Sandbox, faults
from support.raw_server import RawServer
from support.samples import REFERENCE_JOB
from support.sessions import Connect

CALLS = (
    f"JOB = {REFERENCE_JOB!r}"
    + """
import asyncio, logging, os, sys
from datetime import timedelta
from metastudio import AsyncMetaStudio, AuthenticationError, Credentials, MetaStudio, MetaStudioError
from metastudio_sandbox import Sandbox, faults

if sys.argv[1:]:
    logging.basicConfig(level=sys.argv[1])

def fails(call):
    try:
        call()
    except MetaStudioError:
        return
    raise AssertionError

def spoil(sandbox):
    for fault in (faults.throttled(0), faults.lost):  # retried
        sandbox.inject(fault)

async def at_once(seconds):
    pass

async def main(sandbox):
    async with AsyncMetaStudio() as studio:
        studio.short_jobs._caller.sleep = at_once
        spoil(sandbox)
        await studio.short_jobs.show(JOB)
        sandbox.inject(faults.lost, times=3)
        await studio.short_jobs.wait(JOB, timeout=60)

with Sandbox() as sandbox:
    os.environ |= sandbox.environment
    with MetaStudio() as studio:
        studio.short_jobs._caller.sleep = lambda seconds: None
        sandbox.clock_offset = timedelta(hours=1)
        studio.short_jobs.show(JOB)
        spoil(sandbox)
        studio.short_jobs.show(JOB)
        fails(lambda: studio.short_jobs.show("unknown"))
        for fault in (faults.html(200), faults.cut, faults.status(403, "APIGW.0302")):
            sandbox.inject(fault)
            fails(lambda: studio.short_jobs.show(JOB, max_retries=0))
    asyncio.run(main(sandbox))
    wrong = Credentials(sandbox.credentials.ak, "not-the-secret-key")
    with MetaStudio(credentials=wrong) as studio:
        for _ in range(4):
            fails(lambda: studio.short_jobs.show(JOB))
for name in ("AK", "SK"):
    del os.environ[f"HUAWEICLOUD_SDK_{name}"]
fails(lambda: MetaStudio(endpoint="http://127.0.0.1:1").short_jobs.show(JOB, max_retries=0))  # keys from the file

loggers = {name for name in logging.root.manager.loggerDict if name.startswith("metastudio")}
assert loggers == {"metastudio"}, loggers
ours = logging.getLogger("metastudio")
assert (ours.level, ours.propagate) == (logging.NOTSET, True)  # the application decides
assert [type(each) for each in ours.handlers] == [logging.NullHandler]
assert len(logging.root.handlers) == len(sys.argv[1:])
"""
)


@pytest.fixture
def make_calls(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that makes calls of every kind in a process of its own."""
    profile = tmp_path / "credentials"
    profile.write_text("[basic]\nak = AK\nsk = the-secret-of-the-profile\n", "utf-8")
    profile.chmod(0o644)  # which is worth a warning

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", CALLS, *arguments],
            env=os.environ | {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(profile)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def test_no_logs_by_default(make_calls: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    result = make_calls()

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_logs_at_warning(
    make_calls: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    result = make_calls("WARNING")

    assert (result.returncode, result.stdout) == (0, ""), result.stderr
    lines = result.stderr.splitlines()
    assert {line.split(":")[1] for line in lines if line.startswith("WARNING:")} == {
        "metastudio",
        "huaweicloud_auth",
    }, result.stderr
    for said in ("The clock of", "Attempt 1 failed, retrying in", "still waiting", "chmod 600"):
        assert [line for line in lines if said in line], said
    assert "the-secret-of-the-profile" not in result.stderr


def test_logs_at_debug(
    connect: Connect, options: dict[str, Any], sandbox: Sandbox, caplog: pytest.LogCaptureFixture
) -> None:
    session = connect(**options)
    sandbox.inject(faults.throttled(retry_after=3))
    sandbox.inject(faults.lost)
    with caplog.at_level(logging.DEBUG, "metastudio"):
        session.show(REFERENCE_JOB)
        with pytest.raises(BadRequestError) as caught:
            session.show("unknown")

    ours = [record for record in caplog.records if record.name == "metastudio" and record.levelno == logging.DEBUG]
    url = f"{sandbox.url}/v1/{sandbox.project_id}/voice-training-manage/user/short-jobs"
    expected = [
        rf"GET {url}/{REFERENCE_JOB}: 429, request ID [0-9a-f]{{32}}; attempt 1, 0\.\d{{3}} s",
        rf"GET {url}/{REFERENCE_JOB}: RemoteProtocolError: [^;]+; attempt 2, 0\.\d{{3}} s",
        rf"GET {url}/{REFERENCE_JOB}: 200, request ID [0-9a-f]{{32}}; attempt 3, 0\.\d{{3}} s",
        rf"GET {url}/unknown: 400, request ID {caught.value.request_id}; attempt 1, 0\.\d{{3}} s",
    ]
    for record, pattern in zip(ours, expected, strict=True):
        assert re.fullmatch(pattern, record.getMessage())


Show = Callable[..., ShortJob]


def show(job_id: str = REFERENCE_JOB, **options: Any) -> ShortJob:
    with MetaStudio(**options) as studio:
        return studio.short_jobs.show(job_id)


def show_asynchronously(job_id: str = REFERENCE_JOB, **options: Any) -> ShortJob:
    async def main() -> ShortJob:
        async with AsyncMetaStudio(**options) as studio:
            return await studio.short_jobs.show(job_id)

    return asyncio.run(main())


BOTH = pytest.mark.parametrize("show", [show, show_asynchronously], ids=["sync", "async"])


@pytest.fixture
def spans() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Instrument httpx as services do, and return a function that gives the finished spans."""
    exporter, provider, instrumentor = InMemorySpanExporter(), TracerProvider(), HTTPXClientInstrumentor()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    instrumentor.instrument(tracer_provider=provider)

    def finished() -> list[dict[str, Any]]:
        found = [seen(span) for span in exporter.get_finished_spans()]
        exporter.clear()
        return found

    yield finished
    instrumentor.uninstrument()
    provider.shutdown()


def seen(span: ReadableSpan) -> dict[str, Any]:
    attributes = dict(span.attributes or {})
    # The conventions renamed them; which names are used is the operator's choice.
    return {
        "method": attributes.get("http.request.method", attributes.get("http.method")),
        "url": attributes.get("url.full", attributes.get("http.url")),
        "status": attributes.get("http.response.status_code", attributes.get("http.status_code")),
        "error": span.status.status_code is StatusCode.ERROR,
        "client": span.kind is SpanKind.CLIENT,
        "everything": span.to_json(),
    }


@BOTH
def test_span_attributes(
    show: Show, spans: Callable[[], list[dict[str, Any]]], options: dict[str, Any], sandbox: Sandbox
) -> None:
    assert show(**options).job_id == REFERENCE_JOB

    (span,) = spans()
    path = f"/v1/{sandbox.project_id}/voice-training-manage/user/short-jobs/{REFERENCE_JOB}"
    assert (span["method"], span["url"], span["status"]) == ("GET", sandbox.url + path, 200)
    assert (span["error"], span["client"]) == (False, True)
    # The trace goes on at the server: the header was added to the signed request and did not spoil its signature.
    assert json_trace_id(span) in sandbox.exchanges[-1].headers["traceparent"]


@BOTH
def test_wrapped_httpx_client_sees_each_request(
    show: Show, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[httpx.Request] = []
    client: type[httpx.Client | httpx.AsyncClient]
    for client in (httpx.Client, httpx.AsyncClient):  # as Sentry and Datadog do

        def watched(
            self: Any, request: httpx.Request, *, _send: Callable[..., Any] = client.send, **options: Any
        ) -> Any:
            seen.append(request)
            return _send(self, request, **options)

        monkeypatch.setattr(client, "send", watched)

    show(**options)

    assert [request.method for request in seen] == ["GET"]


def json_trace_id(span: dict[str, Any]) -> str:
    (trace_id,) = re.findall(r'"trace_id": "0x([0-9a-f]{32})"', span["everything"])
    return str(trace_id)


@BOTH
def test_each_attempt_has_a_span(
    show: Show, spans: Callable[[], list[dict[str, Any]]], options: dict[str, Any], sandbox: Sandbox
) -> None:
    sandbox.inject(faults.throttled(retry_after=0))
    show(**options)
    with pytest.raises(BadRequestError):
        show("unknown", **options)

    assert [(span["status"], span["error"]) for span in spans()] == [(429, True), (200, False), (400, True)]


@BOTH
def test_lost_connection_is_span_error(
    show: Show, spans: Callable[[], list[dict[str, Any]]], options: dict[str, Any], sandbox: Sandbox
) -> None:
    sandbox.inject(faults.lost)
    with pytest.raises(APIConnectionError):
        show(**options, max_retries=0)

    assert [(span["status"], span["error"]) for span in spans()] == [(None, True)]


@BOTH
def test_spans_have_no_secret(
    show: Show, spans: Callable[[], list[dict[str, Any]]], options: dict[str, Any], sandbox: Sandbox
) -> None:
    temporary = sandbox.temporary_credentials
    wrong = Credentials(sandbox.credentials.ak, f"not-the-secret-key-{show.__name__}")
    show(**options | {"credentials": temporary})
    with pytest.raises(AuthenticationError):
        show(**options | {"credentials": wrong})
    for fault in (faults.lost, faults.cut, faults.html(200)):
        sandbox.inject(fault)
        with pytest.raises(MetaStudioError):
            show(**options | {"credentials": temporary}, max_retries=0)
    del options["credentials"]
    show(**options, auth=TokenAuth(sandbox.token))

    shown = "\n".join(span["everything"] for span in spans())
    secrets = (str(temporary.security_token), str(sandbox.credentials.sk), str(wrong.sk), sandbox.token, "Signature=")
    assert shown.count('"trace_id"') >= 6
    assert [secret for secret in secrets if secret in shown] == []


def upload(url: str, **options: Any) -> None:
    with MetaStudio(**options) as studio:
        studio.short_jobs.upload(url, io.BytesIO(b"zip"))


def upload_asynchronously(url: str, **options: Any) -> None:
    async def main() -> None:
        async with AsyncMetaStudio(**options) as studio:
            await studio.short_jobs.upload(url, io.BytesIO(b"zip"))

    asyncio.run(main())


@pytest.mark.parametrize("upload", [upload, upload_asynchronously], ids=["sync", "async"])
def test_spans_have_no_upload_query(
    upload: Callable[..., None],
    spans: Callable[[], list[dict[str, Any]]],
    server: RawServer,
    raw_options: dict[str, Any],
) -> None:
    server.answer(b"")
    upload(f"{server.url}/a.zip?Expires=9999999999&Signature=the-signature-of-the-url", **raw_options)

    (span,) = spans()
    assert (span["method"], span["url"]) == ("PUT", f"{server.url}/a.zip")
    assert "the-signature-of-the-url" not in span["everything"]
    assert b"Signature=the-signature-of-the-url HTTP/1.1" in server.requests[0]
