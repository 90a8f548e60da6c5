"""The environment of whoever runs the live tests, a client for it, and where its answers go."""

from collections.abc import Iterator

import httpx
import pytest

from live.answers import ENVIRONMENT, JOB_ID, Answers
from metastudio import MetaStudio

#: Set once the service has refused the credentials: then nothing else is sent.
REFUSED = pytest.StashKey[bool]()


@pytest.fixture(autouse=True)
def _only_if_asked_for(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _no_environment: None) -> None:
    """Give a live test the environment, if the command line says `-m live` and nothing else."""
    if request.node.get_closest_marker("live") is None:
        return
    if request.config.getoption("markexpr") != "live":
        pytest.skip("queries the real service: only with -m live")
    if request.config.stash.get(REFUSED, False):
        pytest.skip("the credentials were refused")
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def studio(_only_if_asked_for: None) -> Iterator[MetaStudio]:
    """A client made of the environment; it sends nothing twice."""
    with MetaStudio(max_retries=0) as studio:
        studio.find_project_id()
        yield studio


@pytest.fixture
def heard(studio: MetaStudio) -> list[httpx.Response]:
    """Every response that `studio` gets, refusals included."""
    responses: list[httpx.Response] = []
    studio.client.get_httpx_client().event_hooks = {"response": [responses.append]}
    return responses


@pytest.fixture
def answer(request: pytest.FixtureRequest, studio: MetaStudio, heard: list[httpx.Response]) -> Answers:
    """Records an answer: `answer(question, value)`."""
    return Answers(request.node, studio, heard, {studio.project_id, JOB_ID})


@pytest.fixture
def job_id(_only_if_asked_for: None) -> str:
    """The job that the environment names."""
    if not JOB_ID:
        pytest.skip("METASTUDIO_LIVE_JOB_ID names no short job of the account")
    return JOB_ID


@pytest.fixture
def _may_write(request: pytest.FixtureRequest, _only_if_asked_for: None) -> None:
    """Go on only with `--live-write`."""
    if not request.config.getoption("--live-write"):
        pytest.skip("creates a job, which may be billed: only with --live-write")
