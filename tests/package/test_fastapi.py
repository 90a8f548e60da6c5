"""What a service that is written with FastAPI returns: a missing field is `null`."""

import asyncio
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from metastudio import JobState
from metastudio_sandbox import Sandbox
from support.sessions import Connect


@pytest.mark.parametrize("connect", ["sync"], indirect=True)
def test_missing_field_is_null(connect: Connect, options: dict[str, Any], sandbox: Sandbox) -> None:
    session, app = connect(**options), FastAPI()

    @app.get("/reason/{job_id}")
    def reason(job_id: str) -> str | None:
        return session.show(job_id).job_failed_reason

    @app.get("/result/{job_id}")
    def result(job_id: str):  # type: ignore[no-untyped-def]  # as most people write it
        return session.show(job_id).assess_result

    @app.get("/job/{job_id}")
    def job(job_id: str) -> dict[str, Any]:
        return session.show(job_id).to_dict()

    def get(path: str) -> Any:
        async def sent() -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost") as client:
                return await client.get(path)

        return asyncio.run(sent()).json()

    waiting = sandbox.add_job("WAITING")

    assert get(f"/reason/{waiting}") is None
    assert get(f"/result/{waiting}") is None
    for state in JobState:
        job_id = sandbox.add_job(state)
        assert get(f"/job/{job_id}") == session.show(job_id).to_dict()
