"""What several tests share: a sandbox, and one way to write a test for both clients."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from huaweicloud_auth import guards
from live.hooks import pytest_addoption, pytest_terminal_summary
from metastudio_sandbox import Sandbox
from metastudio_sandbox.jobs import Jobs
from support.identity_server import IdentityServer, identity_server
from support.leaks import pytest_runtest_makereport
from support.raw_server import RawServer, raw_server
from support.samples import new_credentials
from support.sessions import SESSIONS, AsyncSession, Connect, Session, SyncSession

__all__ = ["pytest_addoption", "pytest_runtest_makereport", "pytest_terminal_summary"]  # hooks: pytest finds them here


@pytest.fixture(params=SESSIONS)
def connect(request: pytest.FixtureRequest) -> Iterator[Connect]:
    """Return a function that makes a client from its options; each test runs with every client and transport."""
    sessions: list[SyncSession | AsyncSession] = []

    def connected(**options: Any) -> Session:
        sessions.append(SESSIONS[request.param](**options))
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
    return {"endpoint": server.url, "project_id": "p", "credentials": new_credentials(), "max_retries": 0}


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
