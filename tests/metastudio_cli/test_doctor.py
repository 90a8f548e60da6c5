"""`metastudio doctor` and `whoami`: each check, what it advises, and that a refused key is not tried again."""

import json
import re
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from metastudio_cli.app import app
from metastudio_sandbox import Sandbox
from support.identity_server import ACCOUNT_ID, IdentityServer
from support.raw_server import RawServer
from support.samples import new_access_key
from support.terminal import run_on_a_terminal

REGION = "cn-north-4"


@pytest.fixture(autouse=True)
def environment(iam: IdentityServer, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A region that is the sandbox, and a key that IAM, STS and the sandbox know."""
    iam.keys[sandbox.credentials.ak] = str(sandbox.credentials.sk)
    iam.projects[REGION] = [sandbox.project_id]
    variables = {
        "METASTUDIO_REGION": REGION,
        "HUAWEICLOUD_SDK_REGION_METASTUDIO_CN_NORTH_4": sandbox.url,
        "HUAWEICLOUD_SDK_AK": sandbox.credentials.ak,
        "HUAWEICLOUD_SDK_SK": str(sandbox.credentials.sk),
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


def doctor(*arguments: str, code: int = 0) -> list[dict[str, str]]:
    result = CliRunner().invoke(app, ["doctor", "--json", *arguments])
    assert result.exit_code == code, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def last(checks: list[dict[str, str]]) -> tuple[str, str, str]:
    """Return what the last check says; all before it are well."""
    assert [each for each in checks[:-1] if each["verdict"] == "wrong"] == []
    assert checks[-1]["advice"] or checks[-1]["verdict"] == "ok"
    return checks[-1]["name"], checks[-1]["verdict"], checks[-1]["found"]


def test_all_is_well(iam: IdentityServer, sandbox: Sandbox) -> None:
    before = len(sandbox.exchanges)
    checks = doctor()

    names = [each["name"] for each in checks if each["name"] != "credentials"]
    assert names == [
        "versions",
        "key",
        "endpoint",
        "proxy",
        "name",
        "connection",
        "clock",
        "caller",
        "project",
        "permission",
    ]
    found = {each["name"]: each["found"] for each in checks}
    assert found["caller"].startswith(f"account {ACCOUNT_ID}, ")
    assert found["project"] == f"{sandbox.project_id} (looked up)"
    assert found["permission"] == "the service accepts recordings of 10 to 600 s"
    signed = [each.target for each in list(sandbox.exchanges)[before:] if each.canonical_request]
    assert len(signed) == 1
    assert {each.method for each in list(sandbox.exchanges)[before:]} == {"GET"}


def test_doctor_names_used_and_unused_places(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HW_ACCESS_KEY", "ABCDEFGHIJKLMNOPQRST")
    monkeypatch.setenv("HW_SECRET_KEY", "terraform-secret-key")
    said = [each["found"] for each in doctor() if each["name"] == "credentials"]
    assert said[0].startswith("HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK: key SAND…")
    assert said[1:] == [
        "METASTUDIO_AUTH_TOKEN: not set",
        "HW_ACCESS_KEY and HW_SECRET_KEY: key ABCD…ST, not used",
        f"{tmp_path}/.huaweicloud/credentials: no such file",
    ]


def test_missing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AK", "SK"):
        monkeypatch.delenv(f"HUAWEICLOUD_SDK_{name}")
    assert last(doctor(code=2)) == ("credentials", "wrong", "none found")


@pytest.mark.parametrize(
    ("ak", "sk", "name", "message"),
    [
        ("LTAI5tABCDEFGHIJKLMNOPQR", "s", "key", "LTAI…QR looks like a key of Alibaba Cloud"),
        ("AKIAABCDEFGHIJKLMNOP", "s", "key", "AKIA…OP looks like a key of AWS"),
        ("AKIDABCDEFGHIJKLMNOP", "s", "key", "AKID…OP looks like a key of Tencent Cloud"),
        ('"ABCDEFGHIJKLMNOPQRST"', "s", "key", "the access key or the secret key begins or ends with a quote"),
        (
            "ABCDEFGHIJKLMNOPQRST",
            "'the-secret-with-quotes'",
            "key",
            "the access key or the secret key begins or ends with a quote",
        ),
        ("ABCDEFGHIJKLMNOPQRST", " the-secret-with-blanks", "credentials", "the SK must be printable ASCII"),
        ("“ABCDEFGHIJKLMNOPQRST”", "s", "credentials", "the AK must be printable ASCII"),
    ],
)
def test_malformed_key(
    monkeypatch: pytest.MonkeyPatch, iam: IdentityServer, ak: str, sk: str, name: str, message: str
) -> None:
    """It is found out before anything is sent."""
    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", ak)
    monkeypatch.setenv("HUAWEICLOUD_SDK_SK", sk)
    check, verdict, found = last(doctor(code=2))
    assert (check, verdict) == (name, "wrong")
    assert message in found
    assert iam.seen == []


def test_stops_at_the_first_refusal(monkeypatch: pytest.MonkeyPatch, iam: IdentityServer, sandbox: Sandbox) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", new_access_key())
    before = len(sandbox.exchanges)
    name, verdict, found = last(doctor(code=2))
    assert (name, verdict) == ("caller", "wrong")
    assert "401 APIGW.0301" in found
    assert len(iam.seen) == 1
    assert [each for each in list(sandbox.exchanges)[before:] if "authorization" in each.headers] == []


def test_unreachable_sts_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_STS_ENDPOINT", "http://127.0.0.1:1")
    checks = {each["name"]: each for each in doctor()}
    assert checks["caller"]["verdict"] == "note"
    assert checks["permission"]["verdict"] == "ok"


def test_missing_permission(monkeypatch: pytest.MonkeyPatch, server: RawServer, iam: IdentityServer) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_REGION_METASTUDIO_CN_NORTH_4", server.url)
    server.answer(b"{}", "404 Not Found")
    server.answer(b'{"error_code": "APIGW.0302", "error_msg": "not authorized"}', "403 Forbidden")
    checks = doctor(code=2)
    assert last(checks)[0] == "permission"
    assert checks[-1]["advice"] == "grant the IAM user a permission for MetaStudio in this project"


@pytest.mark.parametrize(("off", "verdict"), [(-3600, "note"), (3600, "note"), (60, "ok")])
def test_clock(monkeypatch: pytest.MonkeyPatch, server: RawServer, iam: IdentityServer, off: int, verdict: str) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_REGION_METASTUDIO_CN_NORTH_4", server.url)
    date = (iam.now() + timedelta(seconds=off)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    server.answer(b"{}", "404 Not Found", f"Date: {date}")
    server.answer(b"{}")
    (clock,) = [each for each in doctor() if each["name"] == "clock"]
    assert clock["verdict"] == verdict


def test_unknown_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setenv("HUAWEICLOUD_SDK_REGION_METASTUDIO_CN_NORTH_4", "https://metastudio.example.com")
    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert last(doctor(code=2)) == ("name", "wrong", "metastudio.example.com: Name or service not known")


def test_unreachable_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_REGION_METASTUDIO_CN_NORTH_4", "http://127.0.0.1:1")
    assert last(doctor(code=2))[:2] == ("connection", "wrong")


def test_proxy_is_named_without_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_REGION_METASTUDIO_CN_NORTH_4", "https://metastudio.example.com")
    monkeypatch.setenv("HTTPS_PROXY", "http://user:the-proxy-password@127.0.0.1:1")
    checks = doctor(code=2)
    (proxy,) = [each for each in checks if each["name"] == "proxy"]
    assert proxy["found"] == "requests go through 127.0.0.1:1"
    assert "the-proxy-password" not in json.dumps(checks)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--region", "Mars 1"], "a region looks like cn-north-4"),
        (["--credentials", "hcloud"], "cannot read KooCLI's profiles"),
        (["--project-id", "a/b"], "project_id must be"),
    ],
)
def test_wrong_setting(arguments: list[str], message: str) -> None:
    checks = doctor(*arguments, code=2)
    assert message in last(checks)[2]
    assert checks[-1]["advice"] == "correct this setting"


def test_keys_of_an_ecs(monkeypatch: pytest.MonkeyPatch, iam: IdentityServer) -> None:
    """The first half: the sandbox does not know what the metadata service hands out."""
    monkeypatch.setenv("METASTUDIO_METADATA_ENDPOINT", iam.url)
    checks = doctor("--credentials", "ecs-agency", code=2)
    (key,) = [each for each in checks if each["name"] == "key"]
    assert "valid until" in key["found"]
    assert [each["verdict"] for each in checks if each["name"] == "caller"] == ["ok"]


def test_token(monkeypatch: pytest.MonkeyPatch, server: RawServer) -> None:
    """STS is not queried; the read-only request shows whether the token is good."""
    for name in ("AK", "SK"):
        monkeypatch.delenv(f"HUAWEICLOUD_SDK_{name}")
    monkeypatch.setenv("METASTUDIO_AUTH_TOKEN", "a-token-of-some-length")
    monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", "p")
    monkeypatch.setenv("HUAWEICLOUD_SDK_REGION_METASTUDIO_CN_NORTH_4", server.url)
    server.answer(b"{}", "404 Not Found")
    server.answer(b"{}")
    checks = {each["name"]: each for each in doctor()}
    assert checks["caller"]["found"] == "skipped: STS needs a key pair"
    assert checks["project"]["found"] == "p (given)"


def test_on_a_terminal(environment: dict[str, str], iam: IdentityServer) -> None:
    """A line for each check, and beneath it what to do."""
    iams = {f"HUAWEICLOUD_SDK_{name}_ENDPOINT": iam.url for name in ("IAM", "STS")}
    wrong = {"HUAWEICLOUD_SDK_AK": new_access_key()}
    shown = run_on_a_terminal("doctor", env=environment | iams | wrong | {"NO_COLOR": "1"}, code=2)
    lines = re.sub(r"\x1b\[\d*m", "", shown).splitlines()
    assert lines[0].startswith("ok     versions     metastudio ")
    assert lines[-2].startswith("wrong  caller       caller identity: 127.0.0.1 responded 401 APIGW.0301")
    assert lines[-1].startswith(" " * 20 + "check the key pair")


def whoami(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["whoami", *arguments])


def test_whoami(sandbox: Sandbox) -> None:
    assert json.loads(whoami("--region", REGION).stdout)["account_id"] == ACCOUNT_ID


def test_whoami_of_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AK", "SK"):
        monkeypatch.delenv(f"HUAWEICLOUD_SDK_{name}")
    monkeypatch.setenv("METASTUDIO_AUTH_TOKEN", "a-token-of-some-length")
    assert whoami().exit_code == 2
