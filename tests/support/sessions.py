"""One way to write a test for both clients and each transport."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any, Final, Protocol

import httpx

from metastudio import AsyncMetaStudio, MetaStudio, ShortJob
from metastudio.aiohttp_transport import AiohttpTransport
from support.virtual_time import Clock


class Session(Protocol):
    """A client, sync or async, as a test calls it. Its time is virtual: `slept` has what it slept."""

    clock: Clock

    @property
    def slept(self) -> list[float]: ...

    def show(self, job_id: str, **options: Any) -> ShortJob: ...

    def wait(self, job_id: str, **options: Any) -> ShortJob: ...

    def do(self, method: str, *arguments: Any, **options: Any) -> Any: ...


Connect = Callable[..., Session]
_AUTHORITIES: Final = httpx.create_ssl_context()  # loaded once, and not for each of some thousand clients


class SyncSession:
    def __init__(self, *, real_time: bool = False, **options: Any) -> None:
        options.setdefault("verify", _AUTHORITIES)
        self.studio = MetaStudio(**options)
        self.clock = Clock()
        if not real_time:
            self.studio.short_jobs._caller.clock, self.studio.short_jobs._caller.sleep = self.clock, self.clock.sleep
            self.studio.short_jobs._uploader.sleep = self.clock.sleep

    @property
    def slept(self) -> list[float]:
        return self.clock.slept

    def show(self, job_id: str, **options: Any) -> ShortJob:
        return self.studio.short_jobs.show(job_id, **options)

    def wait(self, job_id: str, **options: Any) -> ShortJob:
        return self.studio.short_jobs.wait(job_id, **options)

    def do(self, method: str, *arguments: Any, **options: Any) -> Any:
        """Call any other method of the short jobs."""
        return getattr(self.studio.short_jobs, method)(*arguments, **options)

    def close(self) -> None:
        self.studio.close()


class AsyncSession:
    def __init__(self, *, real_time: bool = False, **options: Any) -> None:
        options.setdefault("verify", _AUTHORITIES)
        self.studio = AsyncMetaStudio(**options)
        self.clock = Clock()
        if not real_time:
            self.studio.short_jobs._caller.clock, self.studio.short_jobs._caller.sleep = (
                self.clock,
                self.clock.async_sleep,
            )
        if not real_time:
            self.studio.short_jobs._uploader.sleep = self.clock.async_sleep
        self._runner = asyncio.Runner()

    @property
    def slept(self) -> list[float]:
        return self.clock.slept

    def show(self, job_id: str, **options: Any) -> ShortJob:
        return self._runner.run(self.studio.short_jobs.show(job_id, **options))

    def wait(self, job_id: str, **options: Any) -> ShortJob:
        return self._runner.run(self.studio.short_jobs.wait(job_id, **options))

    def do(self, method: str, *arguments: Any, **options: Any) -> Any:
        return self._runner.run(getattr(self.studio.short_jobs, method)(*arguments, **options))

    def close(self) -> None:
        self._runner.run(self.studio.aclose())
        self._runner.close()


class AiohttpSession(AsyncSession):
    def __init__(self, *, verify: ssl.SSLContext | bool = _AUTHORITIES, **options: Any) -> None:
        if "proxy" not in options:  # it has none
            options.setdefault("transport", AiohttpTransport(verify=verify))
        super().__init__(**options)


SESSIONS: Final[dict[str, type[SyncSession | AsyncSession]]] = {
    "sync": SyncSession,
    "async": AsyncSession,
    "aiohttp": AiohttpSession,
}
