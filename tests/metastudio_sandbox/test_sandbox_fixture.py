"""The pytest fixtures, as a team's tests use them."""

from typing import get_args

import pytest

from metastudio import MetaStudio
from metastudio.configuration import Region
from metastudio_sandbox import Sandbox


@pytest.fixture
def settings_of_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of somebody who uses the real service."""
    monkeypatch.setenv("METASTUDIO_REGION", "cn-east-3")
    monkeypatch.setenv("METASTUDIO_CREDENTIALS", "ecs-agency")
    monkeypatch.setenv("METASTUDIO_AUTH_TOKEN", "the-developers-token")
    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", "THEDEVELOPERSKEY")
    monkeypatch.setenv("HUAWEICLOUD_SDK_SECURITY_TOKEN", "the-developers-security-token")


@pytest.mark.parametrize("region", [None, *get_args(Region)])
def test_client_with_known_region_reaches_sandbox(
    settings_of_developer: None, metastudio_sandbox: Sandbox, region: str | None
) -> None:
    with MetaStudio(region=region) as studio:
        assert studio.endpoint == metastudio_sandbox.url
        assert studio.short_jobs.show(metastudio_sandbox.add_job()).state == "SUCCEED"

    assert [seen.status for seen in metastudio_sandbox.exchanges] == [200]
