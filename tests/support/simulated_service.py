"""The service on virtual time, with its documented quotas: quick enough for ten thousand recordings."""

import asyncio
import random
from collections import Counter, deque
from typing import Any

import attrs
import httpx

from huaweicloud_auth import Secret
from metastudio import AsyncMetaStudio, TokenAuth
from metastudio.upload_body import Body, OnProgress

#: Requests a second in cn-north-4 and elsewhere (documented for sibling operations).
LARGE = {"create": 10, "commit": 10, "show": 20}
SMALL = {"create": 3, "commit": 3, "show": 10}


@attrs.define
class Service(httpx.AsyncBaseTransport):
    """Sends what the service would, after its latency.

    Args:
        quotas: Of each operation; above them it is throttled.
        duration: Seconds that a job takes.
        spread: By which part of them it may take more or less.
    """

    quotas: dict[str, int]
    duration: float = 60.0
    spread: float = 0.1
    latency: float = 0.05
    requests: Counter[str] = attrs.field(factory=Counter)
    throttled: Counter[str] = attrs.field(factory=Counter)
    commits: Counter[str] = attrs.field(factory=Counter)
    ends: dict[str, float] = attrs.field(factory=dict)
    _recent: dict[str, deque[float]] = attrs.field(factory=dict)
    _random: random.Random = attrs.field(factory=lambda: random.Random(1))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        now, name = asyncio.get_running_loop().time(), request.url.path.rpartition("/")[2]
        await asyncio.sleep(self.latency)
        if name == "tenant-duration-cfg":
            return httpx.Response(200, json={})
        operation = "show" if request.method == "GET" else "create" if name == "short-jobs" else "commit"
        self.requests[operation] += 1
        if self._is_over_quota(operation, now):
            self.throttled[operation] += 1
            return httpx.Response(429, json={"error_code": "APIGW.0308"})
        answer = getattr(self, f"_{operation}")(name, now)
        return httpx.Response(200, json=answer) if answer else httpx.Response(200)

    def _is_over_quota(self, operation: str, now: float) -> bool:
        recent = self._recent.setdefault(operation, deque())
        while recent and recent[0] < now - 1 + 1e-6:
            recent.popleft()
        if len(recent) >= self.quotas[operation]:
            return True
        recent.append(now)
        return False

    def _create(self, _: str, now: float) -> dict[str, Any]:
        job_id = f"job-{self.requests['create']}"
        return {"job_id": job_id, "data_uploading_url": f"https://storage.example.com/{job_id}?Signature=x"}

    def _commit(self, job_id: str, now: float) -> None:
        self.commits[job_id] += 1
        self.ends[job_id] = now + self.duration * (1 + self._random.uniform(-self.spread, self.spread))

    def _show(self, job_id: str, now: float) -> dict[str, Any]:
        if job_id not in self.ends:
            return {"job_id": job_id, "state": "CREATING"}
        if now < self.ends[job_id]:
            return {"job_id": job_id, "state": "PROCESSING"}
        return {"job_id": job_id, "state": "SUCCEED", "assess_result": {"snr": {"actual": "30", "status": 0}}}


@attrs.define
class Storage:
    """Takes uploads in place of `AsyncUploader`; each takes so many seconds."""

    seconds: float = 0.2

    async def upload(self, _: Secret, body: Body, on_progress: OnProgress | None, job_id: str | None) -> None:
        await asyncio.sleep(self.seconds)
        if on_progress:
            on_progress(body.size, body.size)

    async def aclose(self) -> None:
        pass


def studio_at(service: Service, region: str = "cn-north-4", storage: Storage | None = None) -> AsyncMetaStudio:
    """Return a client of the simulated service."""
    studio = AsyncMetaStudio(region=region, project_id="p", auth=TokenAuth("t"), transport=service)
    studio.short_jobs._uploader = storage or Storage()  # type: ignore[assignment]  # uploads do not go through the transport
    return studio
