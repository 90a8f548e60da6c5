"""The HTTP side: submit a recording, get the ID of its job at once, and query that for the verdict."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, closing
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO, Final, Literal
from zipfile import ZipFile

import httpx
from fastapi import APIRouter, FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, HttpUrl
from starlette.requests import ClientDisconnect

from metastudio import (
    APIConnectionError,
    AsyncMetaStudio,
    CredentialsError,
    InternalServerError,
    MetaStudioError,
    RateLimitError,
)

from .assessments import Assessments, log
from .store import Assessment, Store

router = APIRouter()
LATER: Final = {"Retry-After": "10"}
#: The same request may succeed later. Any other error of MetaStudio needs an operator.
PASSING: Final = (APIConnectionError, CredentialsError, InternalServerError, RateLimitError)
WAV: Final[dict[str, Any]] = {"requestBody": {"required": True, "content": {"audio/wav": {}}}}


class Settings(BaseModel):
    """What an operator may set: `ASSESSMENTS_DATABASE`, `ASSESSMENTS_WEBHOOK_URL` and so on."""

    database: Path = Path("assessments.db")
    webhook_url: HttpUrl | None = None  # never from a request: this service would send requests to wherever it says
    max_bytes: int = Field(200 * 2**20, gt=0, lt=2**31)
    max_uploads: int = Field(8, gt=0)  # each has a temporary file of up to `max_bytes`
    max_seconds: float = Field(300, gt=0)  # to receive a recording


def create_app(settings: Settings | None = None) -> FastAPI:
    """Return the application. Settings that are not given are taken from the environment."""
    variables = {name: os.environ.get(f"ASSESSMENTS_{name.upper()}") for name in Settings.model_fields}
    app = FastAPI(title="Voice quality", lifespan=lifespan, exception_handlers={MetaStudioError: metastudio_failed})
    app.state.settings = settings or Settings.model_validate({k: v for k, v in variables.items() if v})
    app.state.slots = asyncio.Semaphore(app.state.settings.max_uploads)
    app.include_router(router)
    return app


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Open one client for the whole process, since quotas and connections are shared; close it after the last task."""
    settings: Settings = app.state.settings
    webhook = str(settings.webhook_url) if settings.webhook_url else None
    studio, http = AsyncMetaStudio(timeout=10, total_timeout=20), httpx.AsyncClient(timeout=10)
    with closing(Store(settings.database)) as app.state.store:
        async with studio, http:
            assessments = Assessments(studio.short_jobs, app.state.store, http, webhook)
            async with aclosing(assessments) as app.state.assessments:
                yield


async def metastudio_failed(request: Request, error: Exception) -> JSONResponse:
    """Respond to a request during which MetaStudio failed; the error itself is for the log."""
    log.error("%s %s: %s", request.method, request.url.path, error)
    if isinstance(error, PASSING):
        return JSONResponse({"detail": "MetaStudio is unavailable: try again later"}, 503, LATER)
    return JSONResponse({"detail": "MetaStudio cannot be used: see the log of this service"}, 502)


@router.post("/assessments", status_code=202, openapi_extra=WAV)
async def submit(request: Request, response: Response, language: Literal["CN", "EN"] = "CN") -> Assessment:
    """Take a WAV as the request's body; respond as soon as there is a job for it."""
    state = request.app.state
    if state.slots.locked():
        raise HTTPException(503, "too many uploads are under way: try again later", LATER)
    async with AsyncExitStack() as resources:
        await resources.enter_async_context(state.slots)
        packed = resources.enter_context(TemporaryFile())  # noqa: SIM115  # `resources` close it
        await receive(request, packed, state.settings)
        assessment: Assessment = await state.assessments.start(packed, language, resources)
    response.headers["Location"] = f"/assessments/{assessment.job_id}"
    return assessment


@router.get("/assessments/{job_id}")
async def show(job_id: str, request: Request) -> Assessment:
    """Return an assessment as it is by now. MetaStudio is not queried: that would use up the quota."""
    assessment: Assessment | None = request.app.state.store.find(job_id)
    if assessment is None:
        raise HTTPException(404, "no such assessment")
    return assessment


async def receive(request: Request, packed: BinaryIO, settings: Settings) -> None:
    """Pack a WAV into a zip while it arrives, so that the only copy of it is a file."""
    size, head = 0, b""
    try:
        async with asyncio.timeout(settings.max_seconds):
            with ZipFile(packed, "w") as archive, archive.open("recording.wav", "w") as entry:
                async for chunk in request.stream():
                    size, head = size + len(chunk), (head + chunk)[:12]
                    if size > settings.max_bytes:
                        raise HTTPException(413, f"a recording has at most {settings.max_bytes} bytes")
                    await asyncio.to_thread(entry.write, chunk)
    except (ClientDisconnect, TimeoutError):
        raise HTTPException(408, f"the recording did not arrive within {settings.max_seconds:g} s") from None
    if (head[:4], head[8:]) != (b"RIFF", b"WAVE"):
        raise HTTPException(422, "the body is no WAV recording (RIFF/WAVE)")
    packed.seek(0)
