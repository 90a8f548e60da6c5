"""The generated functions with `studio.client`: what `docs/logging.md` says about them."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from huaweicloud_auth import Secret
from metastudio import AsyncMetaStudio, MetaStudio, RateLimitError, ShortJob
from metastudio_client.api.short_jobs import create_short_job, show_short_job
from metastudio_client.models import CreatedShortJob, CreateShortJobRequest
from metastudio_client.types import Response
from metastudio_sandbox import Sandbox, faults
from support.samples import REFERENCE_JOB

Call = Callable[..., Response[Any]]


def call(module: Any, *arguments: Any, options: dict[str, Any], **fields: Any) -> Response[Any]:
    with MetaStudio(**options) as studio:
        return module.sync_detailed(studio.find_project_id(), *arguments, client=studio.client, **fields)  # type: ignore[no-any-return]  # any module


def call_asynchronously(module: Any, *arguments: Any, options: dict[str, Any], **fields: Any) -> Response[Any]:
    async def main() -> Any:
        async with AsyncMetaStudio(**options) as studio:
            project = await studio.find_project_id()
            return await module.asyncio_detailed(project, *arguments, client=studio.client, **fields)

    return asyncio.run(main())


BOTH = pytest.mark.parametrize("call", [call, call_asynchronously], ids=["sync", "async"])


@BOTH
def test_response(call: Call, options: dict[str, Any]) -> None:
    response = call(show_short_job, REFERENCE_JOB, options=options)

    assert (response.status_code, len(response.headers["X-Request-Id"])) == (200, 32)
    assert b'"SUCCEED"' in response.content
    assert isinstance(response.parsed, ShortJob)


@BOTH
def test_no_retries_and_typed_errors(call: Call, options: dict[str, Any], sandbox: Sandbox) -> None:
    sandbox.inject(faults.throttled(retry_after=0))
    before = len(sandbox.exchanges)
    with pytest.raises(RateLimitError) as caught:
        call(show_short_job, REFERENCE_JOB, options=options)

    assert len(sandbox.exchanges) - before == 1
    assert (caught.value.status_code, b"APIGW.0308" in caught.value.body) == (429, True)


@BOTH
def test_user_and_upload_url(call: Call, options: dict[str, Any], sandbox: Sandbox) -> None:
    """The client's user is not sent, and the URL is not wrapped."""
    options |= {"app_user_id": "user-1"}
    body = CreateShortJobRequest(job_type="VOICE_ASSESS")
    created = call(create_short_job, options=options, body=body).parsed

    assert isinstance(created, CreatedShortJob)
    assert not isinstance(created.data_uploading_url, Secret)
    assert "x-app-userid" not in {name.lower() for name in sandbox.exchanges[-1].headers}
