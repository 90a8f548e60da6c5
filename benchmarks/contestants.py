"""The contestants: each queries a job, signs a request or starts a process, and imports only what it needs."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

# The keys are invented.
AK: Final = "BENCHMARKACCESSKEY00"
SK: Final = "BenchmarkSecretKey000000000000000000000A"
PROJECT_ID: Final = "3f0924078d1b471c884a5383d4dec9fa"
JOB_ID: Final = "26f06524-4f75-4b3a-a853-b649a21aaf66"
PATH: Final = f"/v1/{PROJECT_ID}/voice-training-manage/user/short-jobs/{JOB_ID}"
AT_ONCE: Final = 16

Run: TypeAlias = Callable[[int], None]  # queries the given number of times
Signs: TypeAlias = Callable[[], object]


def _repeated(query: Callable[[], object]) -> Run:
    def run(times: int) -> None:
        for _ in range(times):
            query()

    return run


@contextmanager
def _httpx(url: str) -> Iterator[Run]:
    import httpx

    with httpx.Client() as client:
        yield _repeated(lambda: client.get(url + PATH).json())


@contextmanager
def _metastudio(url: str) -> Iterator[Run]:
    from metastudio import Credentials, MetaStudio

    with MetaStudio(endpoint=url, project_id=PROJECT_ID, credentials=Credentials(AK, SK)) as studio:
        yield _repeated(lambda: studio.short_jobs.show(JOB_ID))


@contextmanager
def _official(url: str) -> Iterator[Run]:
    from huaweicloudsdkcore.auth.credentials import BasicCredentials
    from huaweicloudsdkmetastudio.v1 import MetaStudioClient, ShowShortJobRequest

    credentials = BasicCredentials(AK, SK, PROJECT_ID)
    client = MetaStudioClient.new_builder().with_credentials(credentials).with_endpoint(url).build()
    yield _repeated(lambda: client.show_short_job(ShowShortJobRequest(job_id=JOB_ID)))
    client.close()


@contextmanager
def _in_tasks(query: Callable[[], Awaitable[object]], close: Callable[[], Coroutine[Any, Any, None]]) -> Iterator[Run]:
    """Query in sixteen concurrent tasks."""

    async def repeated(times: int) -> None:
        for _ in range(times):
            await query()

    async def main(times: int) -> None:
        await asyncio.gather(*(repeated(-(-times // AT_ONCE)) for _ in range(AT_ONCE)))

    with asyncio.Runner() as runner:
        yield lambda times: runner.run(main(times))
        runner.run(close())


def _httpx_tasks(url: str) -> AbstractContextManager[Run]:
    import httpx

    client = httpx.AsyncClient()

    async def query() -> object:
        return (await client.get(url + PATH)).json()

    return _in_tasks(query, client.aclose)


def _metastudio_tasks(url: str, **options: Any) -> AbstractContextManager[Run]:
    from metastudio import AsyncMetaStudio, Credentials

    studio = AsyncMetaStudio(endpoint=url, project_id=PROJECT_ID, credentials=Credentials(AK, SK), **options)
    return _in_tasks(lambda: studio.short_jobs.show(JOB_ID), studio.aclose)


def _aiohttp_tasks(url: str) -> AbstractContextManager[Run]:
    from metastudio.aiohttp_transport import AiohttpTransport

    return _metastudio_tasks(url, transport=AiohttpTransport())


def _signs() -> Signs:
    import httpx

    from huaweicloud_auth import Credentials
    from huaweicloud_auth.request import sign

    request, credentials = httpx.Request("GET", f"https://benchmark.example.com{PATH}"), Credentials(AK, SK)
    return lambda: sign(request, credentials, PROJECT_ID, datetime.now(UTC))


def _official_signs() -> Signs:
    from huaweicloudsdkcore.auth.credentials import BasicCredentials
    from huaweicloudsdkcore.sdk_request import SdkRequest
    from huaweicloudsdkcore.signer.signer import Signer

    signer = Signer(BasicCredentials(AK, SK, PROJECT_ID))

    def sign() -> object:
        headers = {"Content-Type": "application/json", "X-Project-Id": PROJECT_ID}  # as the SDK has them
        host = "benchmark.example.com"
        return signer.sign(SdkRequest("GET", host=host, resource_path=PATH, query_params=[], header_params=headers))

    return sign


QUERIES: Final = {"bare httpx": _httpx, "metastudio": _metastudio, "official SDK": _official}
TASKS: Final = {"bare httpx": _httpx_tasks, "metastudio": _metastudio_tasks, "metastudio, aiohttp": _aiohttp_tasks}
SIGNATURES: Final = {"metastudio": _signs, "official SDK": _official_signs}
PROGRAMS: Final = {
    "bare httpx": f"""import sys, httpx
with httpx.Client() as client:
    client.get(sys.argv[1] + {PATH!r}).json()""",
    "metastudio": f"""import sys
from metastudio import Credentials, MetaStudio
with MetaStudio(endpoint=sys.argv[1], project_id={PROJECT_ID!r}, credentials=Credentials({AK!r}, {SK!r})) as studio:
    studio.short_jobs.show({JOB_ID!r})""",
    "official SDK": f"""import sys
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkmetastudio.v1 import MetaStudioClient, ShowShortJobRequest
credentials = BasicCredentials({AK!r}, {SK!r}, {PROJECT_ID!r})
client = MetaStudioClient.new_builder().with_credentials(credentials).with_endpoint(sys.argv[1]).build()
client.show_short_job(ShowShortJobRequest(job_id={JOB_ID!r}))""",
}
