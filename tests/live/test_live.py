"""The real service, asked with the credentials of the environment. It only reads, and only where that was asked for.

    METASTUDIO_REGION=cn-north-4 METASTUDIO_LIVE_JOB_ID=… HUAWEICLOUD_SDK_AK=… … pytest -m live

`METASTUDIO_LIVE_JOB_ID` names a short job of the account. The rest is what `MetaStudio()` reads: variables, or the
profile file. What is asserted here nobody documents, or it was never tried; see README.md.
"""

import os

import pytest

from conftest import Connect
from metastudio import BadRequestError, JobState, NotFoundError

#: The tests' own environment is wiped before each of them; this module is imported before that.
ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name == "HOME" or name.startswith(("HUAWEICLOUD_SDK_", "METASTUDIO_"))
}

pytestmark = pytest.mark.live


@pytest.fixture(autouse=True)
def _only_if_asked_for(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, _no_environment: None) -> None:
    """Give the test the environment, if the command line says `-m live` and nothing else."""
    if request.config.getoption("markexpr") != "live":
        pytest.skip("queries the real service: only with -m live")
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def job_id() -> str:
    """The job that the environment names."""
    if not ENVIRONMENT.get("METASTUDIO_LIVE_JOB_ID"):
        pytest.fail("METASTUDIO_LIVE_JOB_ID must name a short job of the account", pytrace=False)
    return ENVIRONMENT["METASTUDIO_LIVE_JOB_ID"]


def test_a_short_job_is_what_the_contract_says(connect: Connect, job_id: str) -> None:
    """With a state and fields that the contract knows: one that it does not is a reason to extend it."""
    job = connect(real_time=True).show(job_id)

    assert job.job_id == job_id
    assert isinstance(job.state, JobState)
    assert job.additional_properties == {}
    if job.assess_result:
        assert job.assess_result.additional_properties == {}


def test_an_unknown_job_is_refused_as_inferred(connect: Connect, job_id: str) -> None:
    """Which of the two it is, and with which code, nobody documents."""
    with pytest.raises((BadRequestError, NotFoundError)) as caught:
        connect(real_time=True).show("00000000-0000-0000-0000-000000000000")

    assert caught.value.error_code
    assert caught.value.request_id
