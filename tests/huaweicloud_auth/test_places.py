"""Places of keys, regions and endpoints besides the first ones: Terraform's variables, KooCLI, what is named."""

import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest

from metastudio import ConfigurationError, MetaStudio, configuration
from support.identity_server import IdentityServer
from support.leaks import shown

SECRET = "the-secret-key-of-the-profile"


def sent(**options: Any) -> httpx.Request:
    """Return the request that a client with these options sends."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={})

    with MetaStudio(transport=httpx.MockTransport(answer), **options) as studio:
        studio.short_jobs.show("j")
    return requests[0]


def who(request: httpx.Request) -> tuple[str, str, str]:
    """Return the access key, the host and the project of a request."""
    key = request.headers["Authorization"].partition("Access=")[2].partition(",")[0]
    return key, request.url.host.removesuffix(".myhuaweicloud.com"), request.headers["X-Project-Id"]


def set_all(monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)


def terraform(monkeypatch: pytest.MonkeyPatch) -> None:
    set_all(monkeypatch, HW_ACCESS_KEY="HW-AK", HW_SECRET_KEY="terraform-secret", HW_REGION_NAME="cn-east-3")
    set_all(monkeypatch, HUAWEICLOUD_SDK_PROJECT_ID="p")


@pytest.fixture
def hcloud(tmp_path: Path) -> dict[str, Any]:
    """KooCLI's file, in the home directory of the test; `write` again what is changed."""
    profiles = [
        {
            "name": "default",
            "accessKeyId": "KOO-AK",
            "secretAccessKey": SECRET,
            "region": "cn-east-3",
            "projectId": "kp",
        },
        {"name": "dev", "accessKeyId": "DEV-AK", "secretAccessKey": SECRET, "region": "cn-north-4", "projectId": "dp"},
    ]
    config = {"current": "default", "authEncrypt": "false", "profiles": profiles}
    write(tmp_path, config)
    return config


def write(home: Path, config: Any) -> None:
    (home / ".hcloud").mkdir(exist_ok=True)
    (home / ".hcloud" / "config.json").write_text(json.dumps(config))


def test_terraforms_variables_come_after_the_sdks(monkeypatch: pytest.MonkeyPatch) -> None:
    terraform(monkeypatch)
    assert who(sent()) == ("HW-AK", "metastudio.cn-east-3", "p")
    monkeypatch.setenv("HW_SECURITY_TOKEN", "terraform-security-token")
    assert sent().headers["X-Security-Token"] == "terraform-security-token"

    set_all(monkeypatch, HUAWEICLOUD_SDK_AK="SDK-AK", HUAWEICLOUD_SDK_SK="sdk-secret")
    with pytest.raises(ConfigurationError, match="no region"):  # that of another key is not taken
        sent()
    assert who(sent(region="cn-north-4")) == ("SDK-AK", "metastudio.cn-north-4", "p")
    assert "X-Security-Token" not in sent(region="cn-north-4").headers


def test_half_a_pair_of_terraform(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HW_ACCESS_KEY", "HW-AK")
    with pytest.raises(ConfigurationError, match="HW_ACCESS_KEY is set but HW_SECRET_KEY is not"):
        MetaStudio(region="cn-north-4", project_id="p")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("hcloud", ("KOO-AK", "metastudio.cn-east-3", "kp")), ("hcloud:dev", ("DEV-AK", "metastudio.cn-north-4", "dp"))],
)
@pytest.mark.parametrize("as_argument", [True, False])
def test_koocli(
    hcloud: dict[str, Any], monkeypatch: pytest.MonkeyPatch, name: str, expected: tuple[str, ...], as_argument: bool
) -> None:
    """It is read where it is asked for by name, before the other places."""
    terraform(monkeypatch)
    monkeypatch.delenv("HUAWEICLOUD_SDK_PROJECT_ID")
    if not as_argument:
        monkeypatch.setenv("METASTUDIO_CREDENTIALS", name)
    assert who(sent(**{"credentials": name} if as_argument else {})) == expected


def test_koocli_is_read_only_if_named(hcloud: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="no credentials"):
        sent(region="cn-north-4", project_id="p")


@pytest.mark.parametrize("where", ["file", "profile"])
def test_koocli_with_encrypted_keys(
    hcloud: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """Region and project ID can be read; the error names the command that stores keys in clear text, and its risk."""
    (hcloud if where == "file" else hcloud["profiles"][0])["authEncrypt"] = "true"
    write(tmp_path, hcloud)
    monkeypatch.setenv("METASTUDIO_CREDENTIALS", "hcloud")
    with pytest.raises(ConfigurationError, match=r"hcloud configure set --cli-auth-encrypt=false.*anyone who can read"):
        sent()

    set_all(monkeypatch, HUAWEICLOUD_SDK_AK="SDK-AK", HUAWEICLOUD_SDK_SK="sdk-secret")
    assert who(sent()) == ("SDK-AK", "metastudio.cn-east-3", "kp")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"current": "prod", "profiles": [{"name": "dev"}]}, r"has no profile 'prod'; it has: dev"),
        ({"profiles": [5]}, "is not a configuration file of KooCLI"),
        ([], "is not a configuration file of KooCLI"),
        ({"current": "d", "profiles": [{"name": "d", "accessKeyId": "AK"}]}, "has only one of accessKeyId"),
        ({"current": "d", "profiles": [{"name": "d", "secretAccessKey": SECRET}]}, "has only one of accessKeyId"),
        ({"current": "d", "profiles": [{"name": "d", "projectId": 7}]}, "projectId and region must be strings"),
        ({"current": "d", "profiles": [{"name": "d", "region": 7}]}, "projectId and region must be strings"),
        (None, "cannot read KooCLI's profiles"),
    ],
)
def test_unreadable_koocli_file_raises(tmp_path: Path, config: Any, message: str) -> None:
    if config is not None:
        write(tmp_path, config)
    with pytest.raises(ConfigurationError, match=message) as caught:
        sent(credentials="hcloud")
    assert SECRET not in shown(caught.value)


@pytest.mark.parametrize("name", ["hcloud:", "ecs", "the-secret-key-itself", ""])
def test_unknown_place_raises(name: str) -> None:
    with pytest.raises(ConfigurationError, match="must be ecs-agency, hcloud or hcloud:PROFILE") as caught:
        sent(credentials=name, region="cn-north-4")
    assert "the-secret" not in str(caught.value)


def test_ecs_agency_is_used_if_named(iam: IdentityServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METASTUDIO_METADATA_ENDPOINT", iam.url)
    with pytest.raises(ConfigurationError, match="no credentials"):
        sent(region="cn-north-4", project_id="p")
    assert iam.seen == []

    monkeypatch.setenv("METASTUDIO_CREDENTIALS", "ecs-agency")
    assert "X-Security-Token" in sent(region="cn-north-4", project_id="p").headers
    assert iam.count("securitykey") == 1


def test_region_of_the_profile_file(tmp_path: Path) -> None:
    file = tmp_path / ".huaweicloud" / "credentials"
    file.parent.mkdir()
    file.write_text("[basic]\nak = FILE-AK\nsk = file-secret\nproject_id = p\nregion = cn-east-3\n")
    file.chmod(0o600)
    assert who(sent()) == ("FILE-AK", "metastudio.cn-east-3", "p")
    assert who(sent(region="cn-north-4"))[1] == "metastudio.cn-north-4"


def test_unconfirmed_region_is_logged_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(configuration, "_logged", set())
    caplog.set_level(logging.WARNING)
    for region in ("af-south-1", "af-south-1", "na-mexico-1", "cn-north-4"):
        assert configuration.find_endpoint(region, None) == (f"https://metastudio.{region}.myhuaweicloud.com", region)
    assert [each.getMessage().split(" is not known")[0].removeprefix("Region ") for each in caplog.records] == [
        "af-south-1",
        "na-mexico-1",
    ]


@pytest.mark.parametrize("region", ["Mars 1", "cn", "cn-north-4.evil.com/", "cn_north_4", "-", "a" * 99 + "-1", 5])
def test_malformed_region_raises(region: Any) -> None:
    with pytest.raises(ConfigurationError, match="a region looks like cn-north-4"):
        configuration.find_endpoint(region, None)


def test_endpoint_of_region_can_be_overridden(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable's name is the official SDK's."""
    monkeypatch.setenv("HUAWEICLOUD_SDK_REGION_METASTUDIO_AF_SOUTH_1", "https://proxy.example.com")
    assert configuration.find_endpoint("af-south-1", None)[0] == "https://proxy.example.com"
    assert configuration.find_endpoint("cn-north-4", None)[0] == "https://metastudio.cn-north-4.myhuaweicloud.com"
