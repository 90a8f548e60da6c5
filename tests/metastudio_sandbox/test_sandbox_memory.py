"""A sandbox that serves for days keeps a limited number of requests and jobs, and reads bodies of a limited size."""

import asyncio
import io
import logging
from collections import deque
from collections.abc import Iterable, Iterator
from types import FunctionType, MethodType
from typing import Any
from zipfile import ZipFile

import httpx
import pytest

from metastudio_sandbox import Sandbox, gateway, jobs

WANTED = {"job_type": "VOICE_ASSESS", "language": "CN"}


def upload() -> bytes:
    with ZipFile(buffer := io.BytesIO(), "w") as archive:
        archive.writestr("recording.wav", b"a recording")
    return buffer.getvalue()


class InProcess:
    """The applications of a sandbox, without a server."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self._path = f"/v1/{sandbox.project_id}/voice-training-manage/user/short-jobs"
        transport = httpx.ASGITransport(sandbox._service.app())
        headers = {"X-Auth-Token": sandbox.token}
        self._service = httpx.AsyncClient(transport=transport, base_url="http://localhost", headers=headers)
        self._storage = httpx.AsyncClient(transport=httpx.ASGITransport(sandbox._storage.app()))

    async def create(self, **options: Any) -> httpx.Response:
        return await self._service.post(self._path, **options or {"json": WANTED})

    async def upload(self, url: str, **headers: str) -> httpx.Response:
        return await self._storage.put(url, content=upload(), headers={"Content-Type": "application/zip", **headers})

    async def show(self, job_id: str) -> httpx.Response:
        return await self._service.get(f"{self._path}/{job_id}")

    async def journey(self) -> list[int]:
        """Send the four requests of an assessment; return their statuses."""
        created = await self.create()
        job = created.json()
        uploaded = await self.upload(job["data_uploading_url"])
        committed = await self._service.post(f"{self._path}/{job['job_id']}")
        return [each.status_code for each in (created, uploaded, committed, await self.show(job["job_id"]))]


def sizes(root: object) -> dict[str, int]:
    """Return the size of each container that the objects of the sandbox hold, by its path. Jobs count as one."""
    found: dict[str, int] = {}
    seen: set[int] = set()

    def walk(value: object, path: str) -> None:
        if id(value) in seen or isinstance(value, type | FunctionType | MethodType):
            return
        seen.add(id(value))
        if isinstance(value, dict | list | set | tuple | deque):
            found[path] = len(value)
            if len(value) < 1000:
                items: Iterable[Any] = value.items() if isinstance(value, dict) else enumerate(value)
                for name, each in items:
                    walk(each, f"{path}[{name}]")
        elif type(value).__module__.startswith("metastudio_sandbox"):
            for name in fields_of(value):
                walk(getattr(value, name, None), f"{path}.{name}")

    walk(root, "sandbox")
    return found


def fields_of(value: object) -> Iterator[str]:
    yield from getattr(value, "__dict__", ())
    for each in type(value).__mro__:
        yield from (name for name in getattr(each, "__slots__", ()) if not name.startswith("__"))


@pytest.mark.slow
def test_nothing_grows_with_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twenty thousand requests, of which five thousand create jobs, after the limits are reached."""
    monkeypatch.setattr(logging.getLogger("httpx"), "disabled", True)  # half of the time
    sandbox = Sandbox(validate=False)
    for _ in range(jobs.MAX_JOBS):
        sandbox._service.jobs.create({}, None)

    async def journeys(count: int) -> None:
        calls = InProcess(sandbox)
        for _ in range(count):
            assert await calls.journey() == [200] * 4

    asyncio.run(journeys(300))
    before = sizes(sandbox)
    asyncio.run(journeys(5000))
    after = sizes(sandbox)

    assert before["sandbox._storage.exchanges"] == 1000
    assert before["sandbox._storage.jobs.details"] == jobs.MAX_JOBS
    growing = {path: size for path, size in after.items() if size > before.get(path, 0)}
    assert growing == {}


def test_new_job_replaces_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "MAX_JOBS", 3)
    sandbox = Sandbox(validate=False)

    added = [sandbox.add_job("WAITING", "SUCCEED") for _ in range(2)]
    created = [asyncio.run(InProcess(sandbox).create()).json()["job_id"] for _ in range(2)]

    assert list(sandbox.jobs) == [added[1], *created]
    assert asyncio.run(InProcess(sandbox).show(added[0])).status_code == 400
    assert asyncio.run(InProcess(sandbox).show(added[1])).json()["state"] == "WAITING"
    for job_id in created:
        del sandbox.jobs[job_id]
    for _ in range(3):
        asyncio.run(InProcess(sandbox).create())
    assert len(sandbox._service.jobs.tasks) == 3


@pytest.mark.parametrize(("size", "code"), [(gateway.MAX_BODY, "MSS.10000002"), (gateway.MAX_BODY + 1, "APIGW.0201")])
def test_body_has_a_limit(size: int, code: str) -> None:
    sandbox = Sandbox()

    response = asyncio.run(InProcess(sandbox).create(content=b"x" * size))

    assert response.json()["error_code"] == code
    assert sandbox.exchanges[-1].status == response.status_code == (413 if code == "APIGW.0201" else 400)


def test_upload_has_a_limit() -> None:
    """Only the length is above it: nothing is sent in this test, and nothing would be stored."""

    async def uploaded(length: int) -> str:
        calls = InProcess(Sandbox())
        url = (await calls.create()).json()["data_uploading_url"]
        return (await calls.upload(url, **{"Content-Length": str(length)})).text

    assert asyncio.run(uploaded(5 * 2**30)) == ""
    assert "<Code>EntityTooLarge</Code>" in asyncio.run(uploaded(5 * 2**30 + 1))
