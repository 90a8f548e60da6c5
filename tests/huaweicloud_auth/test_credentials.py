"""Where keys come from, and in which order; what is wrong is said, and secrets are not."""

import logging
import os
import traceback
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.pretty import pretty_repr

from huaweicloud_auth import Secret
from huaweicloud_auth.gateway import without_tokens
from huaweicloud_auth.sources import profile
from metastudio import ConfigurationError, Credentials, MetaStudio
from metastudio.errors import status_error
from support.leaks import shown

PROFILE = "[basic]\nak = FILE-AK\nsk = file-secret-key%\nproject_id = file-project\n"


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    path.chmod(mode)
    return path


@pytest.fixture
def default_file(tmp_path: Path) -> Path:
    """The profile file's default place; HOME is `tmp_path`."""
    return tmp_path / ".huaweicloud" / "credentials"


def sent(**options: Any) -> httpx.Request:
    """Return the request that a client with these options sends."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={})

    with MetaStudio(region="cn-north-4", transport=httpx.MockTransport(answer), **options) as studio:
        studio.short_jobs.show("j")
    return requests[0]


def who(request: httpx.Request) -> str:
    """Return the access key, or the token, that a request bears."""
    return request.headers["Authorization"].partition("Access=")[2].partition(",")[0] or request.headers["X-Auth-Token"]


def test_order_is_argument_environment_file(default_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(default_file, PROFILE)
    assert who(sent()) == "FILE-AK"

    monkeypatch.setenv("METASTUDIO_AUTH_TOKEN", "environment-token")
    assert sent().headers["X-Auth-Token"] == "environment-token"

    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", "ENV-AK")
    monkeypatch.setenv("HUAWEICLOUD_SDK_SK", "environment-secret")
    assert who(sent()) == "ENV-AK"
    assert "X-Auth-Token" not in sent().headers

    assert who(sent(credentials=Credentials("ARG-AK", "argument-secret"))) == "ARG-AK"


def test_project_id_has_the_same_order(default_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(default_file, PROFILE)
    assert sent().headers["X-Project-Id"] == "file-project"
    monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", "environment-project")
    assert sent().headers["X-Project-Id"] == "environment-project"
    assert sent(project_id="argument-project").headers["X-Project-Id"] == "argument-project"


def test_pair_is_never_mixed(default_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(default_file, PROFILE + "security_token = file-security-token\n")
    assert sent().headers["X-Security-Token"] == "file-security-token"

    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", "ENV-AK")
    with pytest.raises(ConfigurationError, match="HUAWEICLOUD_SDK_AK is set but HUAWEICLOUD_SDK_SK is not"):
        sent()

    monkeypatch.setenv("HUAWEICLOUD_SDK_SK", "environment-secret")
    assert "X-Security-Token" not in sent().headers


def test_environment_names_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(write(tmp_path / "elsewhere.ini", PROFILE)))
    assert who(sent()) == "FILE-AK"

    monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", "~/elsewhere.ini")  # HOME is tmp_path
    assert who(sent()) == "FILE-AK"


def test_file_with_byte_order_mark(default_file: Path) -> None:
    write(default_file, "\ufeff" + PROFILE)

    assert who(sent()) == "FILE-AK"


def test_named_file_must_exist(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(tmp_path / "missing"))

    with pytest.raises(
        ConfigurationError, match=r"HUAWEICLOUD_SDK_CREDENTIALS_FILE names .*missing, which does not exist"
    ):
        sent(project_id="p")


def test_empty_value_counts_as_unset(default_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(default_file, "[basic]\nak = FILE-AK\nsk = file-secret-key\nproject_id =\nsecurity_token =\n")
    for name in ("AK", "SK", "SECURITY_TOKEN", "PROJECT_ID", "CREDENTIALS_FILE"):
        monkeypatch.setenv(f"HUAWEICLOUD_SDK_{name}", "")
    for name in ("REGION", "ENDPOINT", "AUTH_TOKEN"):
        monkeypatch.setenv(f"METASTUDIO_{name}", "")

    assert who(sent(project_id="p")) == "FILE-AK"
    assert "X-Security-Token" not in sent(project_id="p").headers
    with pytest.raises(ConfigurationError, match="no region"):
        MetaStudio(project_id="p")
    with pytest.raises(ConfigurationError, match="no project ID"):
        MetaStudio(endpoint="https://example.com")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"credentials \(no such file\)"),
        ("", r"no section \[basic\]"),
        ("[global]\nak=1\nsk=2", r"no section \[basic\]"),
        ("[basic]\n", r"no ak and no sk in section \[basic\]"),
        ("[basic]\nak=\nsk=\n", r"no ak and no sk in section \[basic\]"),
    ],
)
def test_missing_credentials_lists_places(default_file: Path, text: str | None, message: str) -> None:
    if text is not None:
        write(default_file, text)

    with pytest.raises(ConfigurationError, match=message) as caught:
        sent(project_id="p")

    for place in ("arguments", "HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "METASTUDIO_AUTH_TOKEN", str(default_file)):
        assert place in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[basic]\nak = FILE-AK\n", "credentials: ak is set but sk is not"),
        ("[basic]\nsk = file-secret-key\n", "sk is set but .*credentials: ak is not"),
        ("file-secret-key", "credentials is not a profile file"),
        ("[basic]\nsk file-secret-key\n", "is not a profile file"),
        ("[basic]\nsk = file-secret-key\nsk = file-secret-key\n", "is not a profile file"),
        ("[basic]\nak = A\nsk = file-secret-key\x00\n", "the SK must be printable ASCII"),
    ],
)
def test_malformed_file_raises_without_its_lines(default_file: Path, text: str, message: str) -> None:
    write(default_file, text)

    with pytest.raises(ConfigurationError, match=message) as caught:
        sent(project_id="p")

    shown = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    own_frames = shown.replace(repr(text), "")
    assert "file-secret-key" not in own_frames


def test_unreadable_file_raises(default_file: Path) -> None:
    default_file.mkdir(parents=True)

    with pytest.raises(ConfigurationError, match=r"cannot read .*credentials: Is a directory"):
        sent(project_id="p")


@pytest.mark.parametrize(("mode", "warned"), [(0o600, 0), (0o400, 0), (0o640, 1), (0o604, 1), (0o620, 1)])
def test_file_open_to_others_is_warning(
    default_file: Path, caplog: pytest.LogCaptureFixture, mode: int, warned: int
) -> None:
    write(default_file, PROFILE, mode)

    assert who(sent()) == "FILE-AK"

    said = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    assert len(said) == warned
    assert all(str(default_file) in each and "chmod 600" in each for each in said)


def test_keys_of_the_file_show_the_access_key_only(default_file: Path) -> None:
    write(default_file, PROFILE)

    assert repr(profile().credentials()) == "Credentials(ak='FILE-AK', sk='***', security_token=None)"


def test_half_a_pair_raises_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUAWEICLOUD_SDK_SK", "environment-secret-sk")
    monkeypatch.setenv("HUAWEICLOUD_SDK_SECURITY_TOKEN", "environment-secret-token")

    with pytest.raises(ConfigurationError, match="HUAWEICLOUD_SDK_AK is not") as caught:
        sent(project_id="p")

    assert "environment-secret" not in shown(caught.value)


def test_missing_home_directory_means_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # what it does where there is no home

    assert profile().note == "no such file"


@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: f"[basic]\n{text}".encode("utf-8", "replace")))
def test_any_file_is_profile_or_clear_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("profile") / "credentials"
    path.write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(path))
        try:
            profile().credentials()
        except ConfigurationError as error:
            assert str(error).isprintable()  # noqa: PT017  # both outcomes are good


@given(st.binary(max_size=300), st.integers(300, 599))
def test_any_error_body_is_printable(body: bytes, status: int) -> None:
    error = status_error(httpx.Response(status, content=body))

    assert str(error).startswith(str(status))
    assert str(error).isprintable()
    assert len(str(error)) < 500
    assert error.body == without_tokens(body)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            name: st.none() | st.integers() | st.text() | st.lists(st.none())
            for name in ("error_code", "error_msg", "request_id")
        },
    )
)
def test_any_error_fields_are_printable(fields: dict[str, Any]) -> None:
    error = status_error(httpx.Response(400, json=fields))

    assert str(error).isprintable()
    for name in ("error_code", "error_msg", "request_id"):
        value = fields.get(name)
        assert getattr(error, name) == (value if isinstance(value, str) and value else None)


def test_secret_does_not_show_itself() -> None:
    secret = Secret("the-secret-itself")

    assert secret == "the-secret-itself"
    assert f"{[secret]} {secret!r}" == "['***'] '***'"


def test_part_of_secret_does_not_show_itself() -> None:
    """rich and structlog cut what is long before they call `repr`."""
    secret = Secret("the-secret-itself" * 20)

    assert repr(secret[:80]) == repr(secret[3]) == "'***'"
    assert f"{secret} {secret:>40}" == "*** ***"
    assert "the-" not in pretty_repr(Credentials("AK", "the-secret-key"), max_string=4)
