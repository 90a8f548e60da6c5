"""What is missing or malformed is said in the constructor or before the call goes out, with what to set."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import pytest

from huaweicloud_auth.proxies import environment_proxy
from metastudio import (
    AkSkAuth,
    AsyncMetaStudio,
    ConfigurationError,
    Credentials,
    MetaStudio,
    MetaStudioError,
    TokenAuth,
)
from metastudio.aiohttp_transport import AiohttpTransport
from support.leaks import shown

GOOD: dict[str, Any] = {"region": "cn-north-4", "project_id": "p", "credentials": Credentials("AK", "SK")}
STUDIOS = pytest.mark.parametrize("studio", [MetaStudio, AsyncMetaStudio])


def base_url(studio: MetaStudio | AsyncMetaStudio) -> str:
    with_client = (
        studio.client.get_httpx_client if isinstance(studio, MetaStudio) else studio.client.get_async_httpx_client
    )
    return str(with_client().base_url)


@STUDIOS
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"region": None}, "METASTUDIO_REGION"),
        ({"region": "Mars 1"}, "a region looks like cn-north-4, not 'Mars 1'"),
        ({"region": ""}, "a region looks like cn-north-4, not ''"),
        ({"proxy": "http://127.0.0.1:1", "transport": object()}, "proxy or transport, not both"),
        ({"endpoint": "https://example.com"}, "region or endpoint, not both"),
        ({"project_id": None, "region": None, "endpoint": "https://example.com"}, "HUAWEICLOUD_SDK_PROJECT_ID"),
        ({"project_id": ""}, "project_id must be"),
        ({"project_id": "a/b"}, "any of . _ ~ - (but not '.' or '..'), not 'a/b'"),
        ({"project_id": ".."}, "project_id must be"),
        ({"credentials": None}, "HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK"),
        ({"credentials": ("AK", "SK")}, "credentials must be a Credentials"),
        ({"auth": TokenAuth("t")}, "credentials or auth, not both"),
        ({"credentials": None, "auth": ("user", "password")}, "auth must be"),
        ({"app_user_id": "用户"}, "app_user_id must be printable ASCII"),
        ({"app_user_id": "a\r\nX-Evil: 1"}, "app_user_id must be printable ASCII"),
        ({"app_user_id": ""}, "app_user_id must be printable ASCII"),
        ({"proxy": "proxy.example.com:3128"}, "a proxy must look like http://host:port"),
        ({"timeout": 0}, "timeout must be"),
        ({"timeout": -1.0}, "timeout must be a number above 0 and at most 1000000000, not -1.0"),
        ({"timeout": float("nan")}, "timeout must be"),
        ({"timeout": float("inf")}, "timeout must be"),
        ({"timeout": True}, "timeout must be"),
        ({"timeout": "10"}, "timeout must be"),
        ({"timeout": 10**400}, "timeout must be"),
        ({"total_timeout": 1e300}, "total_timeout must be"),
        ({"max_retries": -1}, "max_retries must be a whole number of at least 0, not -1"),
    ],
)
def test_invalid_argument_raises(studio: type[MetaStudio | AsyncMetaStudio], change: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
        studio(**GOOD | change)

    assert isinstance(caught.value, MetaStudioError)
    assert isinstance(caught.value, ValueError)


@STUDIOS
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("HTTPS_PROXY", "foo://user:hunter2@127.0.0.1", "a proxy must look like"),
        ("HTTPS_PROXY", "http://user:hunter2@127.0.0.1:port", "a proxy must look like"),
        ("ALL_PROXY", "socks5://127.0.0.1:1", "ImportError: "),
        ("SSL_CERT_FILE", "/nowhere.pem", "SSL_CERT_DIR): FileNotFoundError: "),
    ],
)
def test_value_unusable_by_httpx_raises(
    studio: type[MetaStudio | AsyncMetaStudio], name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
        studio(**GOOD)

    assert "hunter2" not in shown(caught.value)


@STUDIOS
@pytest.mark.parametrize(
    ("endpoint", "message"),
    [
        ("metastudio.example.com", "must look like https://"),
        ("ftp://example.com", "must look like https://host or https://host:port, not 'ftp://example.com'"),
        ("https://", "must look like https://"),
        ("https://example.com:port", "must look like https://"),
        ("https://example.com:65536", "must look like https://"),
        ("https://example.com:-1", "must look like https://"),
        ("https://example.com\n", "must look like https://"),
        (" https://example.com", "must look like https://"),
        ("https://example.com ", "must look like https://"),
        ("https://exa mple.com", "must look like https://"),
        ("https://example..com", "must look like https://"),
        (f"https://{'a' * 64}.com", "must look like https://"),
        ("https://256.1.1.1", "must look like https://"),
        ("https://[::1", "must look like https://"),
        (7, "must look like https://"),
        (["https://example.com"], "must look like https://"),
        ("http://example.com", "use https://example.com"),
        ("http://localhost.example.com", "plain http"),
        ("http://127.0.0.1.example.com", "plain http"),
        ("http://127.evil", "plain http"),
        ("http://10.0.0.1", "plain http"),
        ("http://169.254.169.254", "plain http"),
        ("https://user:hunter2@example.com", "no user"),
        ("https://example.com/prefix", "no user, path"),
        ("https://example.com?a=1", "no user, path"),
        ("https://example.com/?", "no user, path"),
        ("https://example.com#a", "no user, path"),
        ("user:hunter2@example.com", "must look like https://host or https://host:port, not '…@example.com'"),
    ],
)
def test_invalid_endpoint_raises(studio: type[MetaStudio | AsyncMetaStudio], endpoint: Any, message: str) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(message)) as caught:
        studio(endpoint=endpoint, project_id="p", credentials=Credentials("AK", "SK"))

    assert "hunter2" not in str(caught.value)


@STUDIOS
@pytest.mark.parametrize(
    "endpoint",
    ["https://example.com", "https://example.com:8443/", "http://localhost:1", "http://127.8.9.1:1", "http://[::1]:1"],
)
def test_valid_endpoint_is_accepted(studio: type[MetaStudio | AsyncMetaStudio], endpoint: str) -> None:
    made = studio(endpoint=endpoint, project_id="p", credentials=Credentials("AK", "SK"))

    assert base_url(made).rstrip("/") == endpoint.rstrip("/")


@STUDIOS
def test_endpoint_is_normalized(studio: type[MetaStudio | AsyncMetaStudio]) -> None:
    made = studio(endpoint="HTTPS://BÜCHER.example:443/#", project_id="p", credentials=Credentials("AK", "SK"))

    assert base_url(made) == "https://xn--bcher-kva.example"


@STUDIOS
def test_region_gives_endpoint(studio: type[MetaStudio | AsyncMetaStudio]) -> None:
    assert base_url(studio(**GOOD)) == "https://metastudio.cn-north-4.myhuaweicloud.com"


@STUDIOS
def test_argument_wins_over_environment(
    studio: type[MetaStudio | AsyncMetaStudio], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METASTUDIO_REGION", "cn-east-3")
    monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", "from-environment")
    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", "AK")
    monkeypatch.setenv("HUAWEICLOUD_SDK_SK", "SK")

    assert base_url(studio()) == "https://metastudio.cn-east-3.myhuaweicloud.com"
    assert studio().project_id == "from-environment"
    assert base_url(studio(region="cn-north-4")) == "https://metastudio.cn-north-4.myhuaweicloud.com"
    assert studio(project_id="argument").project_id == "argument"

    monkeypatch.setenv("METASTUDIO_ENDPOINT", "http://localhost:1")
    assert base_url(studio()) == "http://localhost:1"
    assert base_url(studio(region="cn-north-4")) == "https://metastudio.cn-north-4.myhuaweicloud.com"


@pytest.mark.parametrize(("there", "missing"), [("AK", "SK"), ("SK", "AK")])
def test_half_a_pair_in_environment_raises(monkeypatch: pytest.MonkeyPatch, there: str, missing: str) -> None:
    monkeypatch.setenv(f"HUAWEICLOUD_SDK_{there}", "half")
    monkeypatch.setenv("METASTUDIO_AUTH_TOKEN", "token")

    with pytest.raises(
        ConfigurationError, match=f"HUAWEICLOUD_SDK_{there} is set but HUAWEICLOUD_SDK_{missing} is not"
    ):
        MetaStudio(region="cn-north-4", project_id="p")


def test_pair_wins_over_token_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METASTUDIO_AUTH_TOKEN", "token")
    assert one_request().headers["X-Auth-Token"] == "token"

    monkeypatch.setenv("HUAWEICLOUD_SDK_AK", "AK")
    monkeypatch.setenv("HUAWEICLOUD_SDK_SK", "SK")
    monkeypatch.setenv("HUAWEICLOUD_SDK_SECURITY_TOKEN", "temporary")
    headers = one_request().headers
    assert "X-Auth-Token" not in headers
    assert "Access=AK" in headers["Authorization"]
    assert headers["X-Security-Token"] == "temporary"


def one_request() -> httpx.Request:
    """Return the request that a client sends which takes its keys from the environment."""
    requests: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(200, json={})

    with MetaStudio(region="cn-north-4", project_id="p", transport=httpx.MockTransport(answer)) as studio:
        studio.short_jobs.show("j")
    return requests[0]


@pytest.mark.parametrize("job_id", ["", ".", "..", "a/b", "a b", "a\n", "ä", "a%2Fb", "j" * 1001, None, 7])
def test_malformed_job_id_raises_before_request(job_id: Any) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        pytest.fail("a request went out")

    studio = MetaStudio(**GOOD, transport=httpx.MockTransport(answer))
    with studio, pytest.raises(ConfigurationError, match="job_id must be 1 to 1,000 letters, digits"):
        studio.short_jobs.show(job_id)


@pytest.mark.parametrize(
    "arguments",
    [
        ("", "SK"),
        ("AK", ""),
        ("AK", "SK\n"),
        ("ÄK", "SK"),
        (None, "SK"),
        ("AK", None),
        ("AK", "SK", ""),
        ("A K ", "SK"),
    ],
)
def test_malformed_keys_are_not_shown(arguments: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be printable ASCII") as caught:
        Credentials(*arguments)

    assert "SK\n" not in str(caught.value)


@pytest.mark.parametrize("expires_at", [datetime(2031, 8, 5), "2031-08-05T00:00:00Z", 1e9])  # noqa: DTZ001  # on purpose
def test_expiry_needs_a_time_zone(expires_at: Any) -> None:
    with pytest.raises(ConfigurationError, match="expires_at must be a datetime with a time zone, not "):
        Credentials("AK", "SK", expires_at=expires_at)


def test_credentials_show_the_access_key_only() -> None:
    shown = repr(Credentials("AK", "the-secret", "the-token"))

    assert shown == "Credentials(ak='AK', sk='***', security_token='***')"


@pytest.mark.parametrize("token", ["", "a\n", "ä", None, 7])
def test_malformed_token_raises(token: Any) -> None:
    said = "^the token must be printable" if isinstance(token, str) else "^token must be a string or a function"
    with pytest.raises(ConfigurationError, match=said):
        TokenAuth(token)


@pytest.mark.parametrize(
    ("auth", "said"),
    [
        (AkSkAuth(lambda: None), "^the credentials callable returned"),  # type: ignore[arg-type, return-value]  # wrong on purpose
        (TokenAuth(lambda: ""), "^the token from the callable must be"),
    ],
)
def test_callable_with_wrong_result_raises(auth: httpx.Auth, said: str) -> None:
    studio = MetaStudio(region="cn-north-4", project_id="p", auth=auth)
    with studio, pytest.raises(ConfigurationError, match=said):
        studio.short_jobs.show("j")


ENDPOINT = "https://metastudio.cn-north-4.myhuaweicloud.com"


@pytest.mark.parametrize(
    ("endpoint", "environment", "proxy"),
    [
        (ENDPOINT, {}, None),
        (ENDPOINT, {"HTTPS_PROXY": "http://proxy:1"}, "http://proxy:1"),
        (ENDPOINT, {"https_proxy": "proxy:1"}, "http://proxy:1"),
        (ENDPOINT, {"ALL_PROXY": "socks5://proxy:1"}, "socks5://proxy:1"),
        (ENDPOINT, {"HTTP_PROXY": "http://proxy:1"}, None),
        ("http://127.0.0.1:9", {"ALL_PROXY": "http://proxy:1", "HTTP_PROXY": "http://proxy:1"}, None),
    ],
)
def test_proxy_of_environment(
    endpoint: str, environment: dict[str, str], proxy: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert environment_proxy(httpx.URL(endpoint)) == proxy


@pytest.mark.parametrize(
    ("endpoint", "no_proxy", "is_exempt"),
    [
        (ENDPOINT, "*", True),
        (ENDPOINT, "localhost, .myhuaweicloud.com ", True),
        (ENDPOINT, "*.myhuaweicloud.com", True),
        (ENDPOINT, "MyHuaweiCloud.com", True),
        (ENDPOINT, "myhuaweicloud.com:443", True),
        (ENDPOINT, "myhuaweicloud.com:8443", False),
        (ENDPOINT, "huaweicloud.com", False),
        (ENDPOINT, "localhost,127.0.0.1,::1,[::1],10.0.0.0/8,fd00::/8,fe80::/10,.svc,", False),
        ("https://[fd00::1]:8443", "fd00::/8", True),
        ("https://[fd00::1]:8443", "[fd00::1]", True),
        ("https://[fd00::1]:8443", "[fd00::1]:8443", True),
        ("https://[fd00::1]:8443", "fe80::/10", False),
        ("https://10.1.2.3", "10.0.0.0/8", True),
        ("https://10.1.2.3", "10.9.9.9/8", True),
        ("https://10.1.2.3", "10.1.2.3", True),
        ("https://10.1.2.3", "10.1.2.4", False),
    ],
)
def test_no_proxy(endpoint: str, no_proxy: str, is_exempt: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """As curl and requests read it; what does not concern the endpoint is ignored."""
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy:1")
    monkeypatch.setenv("NO_PROXY", no_proxy)

    assert (environment_proxy(httpx.URL(endpoint)) is None) is is_exempt


@pytest.mark.parametrize("client", [MetaStudio, AsyncMetaStudio])
@pytest.mark.parametrize(
    "proxy", ["http://h:99999", "http://h:0", "h:99999", "http://h:port", "ftp://h:1", "http://", "http://[::1", "h:-1"]
)
@pytest.mark.parametrize("variable", [None, "HTTPS_PROXY", "ALL_PROXY"])
def test_invalid_proxy_raises(
    client: type[Any], proxy: str, variable: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable:
        monkeypatch.setenv(variable, proxy)

    with pytest.raises(ConfigurationError, match="a proxy must look like"):
        client(region="cn-north-4", project_id="p", auth=TokenAuth("t"), proxy=None if variable else proxy)


@pytest.mark.parametrize("client", [MetaStudio, AsyncMetaStudio])
@pytest.mark.parametrize(
    "options",
    [
        {"timeout": float("nan")},
        {"timeout": -1},
        {"timeout": httpx.Timeout(-1)},
        {"timeout": httpx.Timeout(float("nan"))},
        {"timeout": httpx.Timeout(5, read=0)},
        {"verify": "/etc/ssl/ca.pem"},
        {"verify": None},
        {"transport": 3},
        {"transport": httpx.MockTransport},
    ],
    ids=repr,
)
def test_unusable_connection_setting_raises(client: type[Any], options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        client(region="cn-north-4", project_id="p", auth=TokenAuth("t"), **options)


@pytest.mark.parametrize(("variable", "value"), [("SSL_CERT_FILE", "nowhere"), ("SSL_CERT_DIR", "nowhere")])
@pytest.mark.parametrize(
    "make",
    [
        lambda: MetaStudio(region="cn-north-4", project_id="p", auth=TokenAuth("t")),
        lambda: AsyncMetaStudio(region="cn-north-4", project_id="p", auth=TokenAuth("t")),
        AiohttpTransport,
    ],
    ids=["sync", "async", "aiohttp"],
)
def test_missing_ca_file_raises(
    make: Callable[[], object], variable: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError, match="cannot be read"):
        make()


@pytest.mark.parametrize("options", [{"limit": 0}, {"limit": -1}, {"verify": "ca.pem"}])
def test_unusable_aiohttp_setting_raises(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        AiohttpTransport(**options)
