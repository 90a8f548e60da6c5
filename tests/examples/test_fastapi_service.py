"""The FastAPI service, against the sandbox: its requests go over real connections, and its time is virtual."""

import asyncio
import json
import logging
import sqlite3
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeAlias

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import Response

from fastapi_service import assessments
from fastapi_service.app import Settings, create_app
from metastudio_sandbox import Sandbox, faults
from support import HANGS_AFTER
from support.raw_server import RawServer
from support.virtual_time import Loop

Serve: TypeAlias = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
FINAL = ("SUCCEED", "FAILED", "REJECTED")


@pytest.fixture
def wav(recording: Path) -> bytes:
    return recording.read_bytes()


@pytest.fixture
def serve(sandbox: Sandbox, tmp_path: Path) -> Serve:
    """Return the service as a context, with a client for it; each time with the same database."""

    @asynccontextmanager
    async def served(**settings: Any) -> AsyncIterator[httpx.AsyncClient]:
        app = create_app(Settings(database=tmp_path / "assessments.db", **settings))
        transport = httpx.ASGITransport(app)
        client = httpx.AsyncClient(transport=transport, base_url="http://service")
        async with app.router.lifespan_context(app), client:
            yield client

    return served


@pytest.fixture
def upload_may_end(sandbox: Sandbox) -> Iterator[threading.Event]:
    """The next upload reaches the object storage, but is not read there until this is set."""
    event = threading.Event()

    async def held(request: Request, answer: Callable[[], Awaitable[Response]]) -> Response:
        await asyncio.to_thread(event.wait, HANGS_AFTER)
        return await answer()

    sandbox.inject_upload(held)
    yield event
    event.set()


def run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=Loop) as runner:
        runner.run(main)


async def submit(client: httpx.AsyncClient, wav: bytes) -> str:
    response = await client.post("/assessments", content=wav)
    assert response.status_code == 202, response.text
    return str(response.json()["job_id"])


async def end_of(client: httpx.AsyncClient, job_id: str, states: tuple[str, ...] = FINAL) -> Any:
    """Return the assessment when it is in one of the states. The time that this takes is virtual."""
    for _ in range(1000):
        assessment = (await client.get(f"/assessments/{job_id}")).json()
        if assessment["state"] in states:
            return assessment
        await asyncio.sleep(1)
    raise AssertionError(assessment)


def steps(sandbox: Sandbox) -> list[str]:
    """Return the steps that arrived, whatever the response."""
    targets = [(each.method, each.target) for each in sandbox.exchanges if each.method != "GET"]
    return [
        "upload" if method == "PUT" else "create" if target.endswith("/short-jobs") else "commit"
        for method, target in targets
    ]


JOURNEY = ["create", "upload", "commit"]


def test_verdict(serve: Serve, sandbox: Sandbox, wav: bytes) -> None:
    async def main() -> None:
        async with serve() as client:
            response = await client.post("/assessments", params={"language": "EN"}, content=wav)
            job_id = response.json()["job_id"]
            verdict = await end_of(client, job_id)

            assert (response.status_code, response.json()["state"]) == (202, "CREATING")
            assert response.headers["Location"] == f"/assessments/{job_id}"
            expected = {k: v for k, v in sandbox.jobs[job_id]["assess_result"].items() if k != "suggestion"}
            assert (verdict["state"], verdict["metrics"]) == ("SUCCEED", expected)
            assert {metric["status"] for metric in verdict["metrics"].values()} <= {-1, 0, 1}
            assert sandbox._service.jobs.tasks[job_id].language == "EN"
            assert (await client.get("/assessments/unknown")).status_code == 404

    run(main())


def test_failed_job(
    serve: Serve, sandbox: Sandbox, wav: bytes, upload_may_end: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with serve() as client:
            job_id = await submit(client, wav)
            sandbox.move_job(job_id, "FAILED")
            upload_may_end.set()
            assessment = await end_of(client, job_id)

            job = sandbox.jobs[job_id]
            assert assessment["reason"] == f"{job['job_failed_code']}: {job['job_failed_reason']}"
            assert f"Assessment {job_id} ended: FAILED" in caplog.messages

    run(main())


def test_bad_recording(serve: Serve, sandbox: Sandbox, wav: bytes) -> None:
    async def main() -> None:
        async with serve() as client:
            for body in (b"", b"%PDF-1.7 " + wav, wav[:11]):
                response = await client.post("/assessments", content=body)
                assert (response.status_code, "WAV" in response.json()["detail"]) == (422, True)

    run(main())
    assert steps(sandbox) == []


def test_upload_too_large(serve: Serve, sandbox: Sandbox, wav: bytes) -> None:
    """The excess is noticed while it arrives: no length was declared."""
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += len(wav)
            yield wav

    async def main() -> None:
        async with serve(max_bytes=3 * len(wav), max_uploads=1) as client:
            response = await client.post("/assessments", content=endless())
            assert (response.status_code, taken, steps(sandbox)) == (413, 4 * len(wav), [])
            assert (await end_of(client, await submit(client, wav)))["state"] == "SUCCEED", "the slot is free again"

    run(main())


def test_upload_too_slow(serve: Serve, wav: bytes) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield wav
        await asyncio.sleep(3600)

    async def main() -> None:
        async with serve() as client:
            assert (await client.post("/assessments", content=stalled())).status_code == 408

    run(main())


def test_too_many_uploads(serve: Serve, sandbox: Sandbox, wav: bytes, upload_may_end: threading.Event) -> None:
    """While an upload holds the only slot, another submission gets 503 at once."""

    async def main() -> None:
        async with serve(max_uploads=1) as client:
            job_id = await submit(client, wav)
            response = await client.post("/assessments", content=wav)
            upload_may_end.set()

            assert (response.status_code, int(response.headers["Retry-After"]) > 0) == (503, True)
            assert (await end_of(client, job_id))["state"] == "SUCCEED"

    run(main())
    assert steps(sandbox) == JOURNEY


def test_service_down_at_submission(serve: Serve, sandbox: Sandbox, wav: bytes) -> None:
    async def main() -> None:
        async with serve() as client:
            sandbox.inject(faults.throttled(retry_after=3600))
            throttled = await client.post("/assessments", content=wav)
            sandbox.stop()
            down = await client.post("/assessments", content=wav)

            for response in (throttled, down):
                assert (response.status_code, int(response.headers["Retry-After"]) > 0) == (503, True)

    run(main())


def test_refused_key_is_server_error(
    serve: Serve, sandbox: Sandbox, wav: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The response has no details of this service's account; the log does."""

    async def main() -> None:
        async with serve() as client:
            sandbox.inject(faults.status(403, "APIGW.0302", "The IAM user is not allowed"))
            response = await client.post("/assessments", content=wav)
            assert (response.status_code, "APIGW" in response.text) == (502, False)

    run(main())
    assert "APIGW.0302" in caplog.text


def test_service_down_during_an_assessment(
    serve: Serve, sandbox: Sandbox, wav: bytes, upload_may_end: threading.Event, caplog: pytest.LogCaptureFixture
) -> None:
    """The outage outlives the client's own retries: the service says so, and goes on with the same job."""

    async def main() -> None:
        async with serve() as client:
            job_id = await submit(client, wav)
            sandbox.inject(faults.status(503, "APIGW.0613"), times=20)
            upload_may_end.set()
            assert (await end_of(client, job_id))["state"] == "SUCCEED"
            assert f"Assessment {job_id} goes on in 1 s: " in caplog.text

    run(main())
    assert steps(sandbox) == JOURNEY


def test_webhook_gets_the_verdict(
    serve: Serve, wav: bytes, server: RawServer, caplog: pytest.LogCaptureFixture
) -> None:
    """It gets it again where it failed; its URL may have a secret, and is in no log."""
    server.answer(b"", "500 Internal Server Error")
    server.answer(b"")

    async def main() -> None:
        async with serve(webhook_url=f"{server.url}/hook?token=the-secret-of-the-webhook") as client:
            verdict = await end_of(client, await submit(client, wav))
            while len(server.requests) < 2:  # noqa: ASYNC110  # virtual time
                await asyncio.sleep(1)

            for request in server.requests:
                head, _, body = request.partition(b"\r\n\r\n")
                assert head.startswith(b"POST /hook?token=the-secret-of-the-webhook HTTP/1.1")
                assert json.loads(body) == verdict

    run(main())
    ours = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert [("the-secret" in each, "goes on in 1 s: HTTPStatusError" in each) for each in ours] == [(False, True)]


def test_shutdown_during_an_assessment(
    serve: Serve, sandbox: Sandbox, wav: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The next start goes on with the same job, and then nothing is left to do."""

    async def main() -> None:
        sandbox._service.jobs.duration = timedelta(hours=1)
        async with serve() as client:
            job_id = await submit(client, wav)
            await end_of(client, job_id, ("SYSTEM_AUDITING",))
        sandbox._service.jobs.duration = timedelta()
        async with serve() as client:
            assert (await end_of(client, job_id))["state"] == "SUCCEED"

        left = [each for each in caplog.messages if each.startswith("To go on at the next start: ")]
        assert left == [f"To go on at the next start: {job_id}", "To go on at the next start: none"]

    run(main())
    assert steps(sandbox) == JOURNEY


def test_shutdown_waits_for_an_upload(
    serve: Serve, sandbox: Sandbox, wav: bytes, upload_may_end: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The upload ends after the shutdown has begun."""
    wait = asyncio.wait

    def waiting(*arguments: Any, **options: Any) -> Any:
        upload_may_end.set()
        return wait(*arguments, **options)

    async def main() -> None:
        async with serve() as client:
            job_id = await submit(client, wav)
            monkeypatch.setattr(asyncio, "wait", waiting)
        async with serve() as client:
            assert (await end_of(client, job_id))["state"] == "SUCCEED"

    run(main())
    assert steps(sandbox) == JOURNEY


@pytest.mark.usefixtures("upload_may_end")
def test_interrupted_upload(serve: Serve, wav: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the process ends before the upload, the recording is lost; whoever submitted it is told so."""
    monkeypatch.setattr(assessments, "GRACE", 0)

    async def main() -> None:
        async with serve() as client:
            job_id = await submit(client, wav)
        async with serve() as client:
            assessment = await end_of(client, job_id)
            assert (assessment["state"], "submit the recording again" in assessment["reason"]) == ("REJECTED", True)

    run(main())


def test_one_process_per_database(serve: Serve) -> None:
    async def main() -> None:
        async with serve():
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                async with serve():
                    pass

    run(main())
