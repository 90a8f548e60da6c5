"""What several tests share: a sandbox, and one way to write a test for both clients."""

import asyncio
import os
import ssl
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final, Protocol

import httpx
import pytest

from huaweicloud_auth import guards
from live.hooks import pytest_addoption, pytest_terminal_summary
from metastudio import AsyncMetaStudio, Credentials, MetaStudio, ShortJob
from metastudio.aiohttp_transport import AiohttpTransport
from metastudio_sandbox import Sandbox
from metastudio_sandbox.jobs import Jobs
from support.identity_server import IdentityServer, identity_server
from support.leaks import pytest_runtest_makereport
from support.raw_server import RawServer, raw_server
from support.virtual_time import Clock


class Session(Protocol):
    """A client, sync or async, as a test calls it. Its time is virtual: `slept` has what it slept."""

    clock: Clock

    @property
    def slept(self) -> list[float]: ...

    def show(self, job_id: str, **options: Any) -> ShortJob: ...

    def wait(self, job_id: str, **options: Any) -> ShortJob: ...

    def do(self, method: str, *arguments: Any, **options: Any) -> Any: ...


__all__ = ["pytest_addoption", "pytest_runtest_makereport", "pytest_terminal_summary"]  # hooks: pytest finds them here

Connect = Callable[..., Session]
_numbers: Final = count()
_AUTHORITIES: Final = httpx.create_ssl_context()  # loaded once, and not for each of some thousand clients


class _Sync:
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


class _Async:
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


class _Aiohttp(_Async):
    def __init__(self, *, verify: ssl.SSLContext | bool = _AUTHORITIES, **options: Any) -> None:
        if "proxy" not in options:  # it has none
            options.setdefault("transport", AiohttpTransport(verify=verify))
        super().__init__(**options)


_SESSIONS: Final[dict[str, type[_Sync | _Async]]] = {"sync": _Sync, "async": _Async, "aiohttp": _Aiohttp}


@pytest.fixture(params=_SESSIONS)
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Return a function that makes a client from its options; each test runs with every client and transport."""
    sessions: list[_Sync | _Async] = []

    def connected(**options: Any) -> Session:
        sessions.append(_SESSIONS[request.param](**options))
        return sessions[-1]

    yield connected
    for session in sessions:
        session.close()


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A running sandbox, shared by the tests of one module."""
    with Sandbox() as running:
        yield running


@pytest.fixture
def options(sandbox: Sandbox) -> dict[str, Any]:
    """What a client needs to talk to the sandbox."""
    return {"endpoint": sandbox.url, "project_id": sandbox.project_id, "credentials": sandbox.credentials}


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No test sees the machine's own settings."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in [name for name in os.environ if name.startswith(("HUAWEICLOUD_SDK_", "HW_", "METASTUDIO_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _no_guards() -> None:
    """No test sees what another one has learnt about an access key."""
    guards._guards.clear()
    guards._tallies.clear()


@pytest.fixture
def server() -> Iterator[RawServer]:
    """A server that sends the bytes that the test gives it."""
    with raw_server() as running:
        yield running


@pytest.fixture
def iam(monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityServer]:
    """IAM, STS and the metadata service on this machine, named by the environment."""
    with identity_server() as running:
        monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", running.url)
        monkeypatch.setenv("HUAWEICLOUD_SDK_STS_ENDPOINT", running.url)
        yield running


@pytest.fixture
def raw_options(server: RawServer) -> dict[str, Any]:
    """What a client needs to talk to `server`; it does not retry."""
    own_key = Credentials(f"AK{next(_numbers)}", "SK")  # the guard of a key is the process's
    return {"endpoint": server.url, "project_id": "p", "credentials": own_key, "max_retries": 0}


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each job was committed, whatever was answered."""
    seen: Counter[str] = Counter()
    commit = Jobs.commit

    def counted(self: Jobs, job_id: str) -> bool:
        seen[job_id] += 1
        return commit(self, job_id)

    monkeypatch.setattr(Jobs, "commit", counted)
    return seen
