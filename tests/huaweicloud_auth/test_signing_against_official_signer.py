"""The official SDK's signer is the independent judge: `AkSkAuth` has to give the same `Authorization` header.

Requests for which the official signer departs from the written algorithm are not generated; examples say what we do
with them.
"""

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from urllib.parse import parse_qsl, quote, quote_plus, urlencode

import httpx
import pytest
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import given, settings
from hypothesis import strategies as st

from huaweicloud_auth import AkSkAuth, Credentials, signing

Pairs = list[tuple[str, str]]

HOST = "metastudio.example.com"
DATE = "20260102T030405Z"
NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CREDENTIALS = Credentials("AccessKey", "SecretKey")
EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def ours(auth: AkSkAuth, request: httpx.Request) -> str:
    with closing(auth.auth_flow(request)) as flow:
        return next(flow).headers["Authorization"]


def official(
    credentials: Credentials, method: str, path: str, query: Pairs, headers: dict[str, str], body: bytes | None
) -> str:
    """Return the official signer's `Authorization` for a request; `path` is percent-encoded, `query` is not."""
    request = SdkRequest(method, resource_path=path, query_params=query, header_params=headers, body=body)
    return str(Signer(credentials).sign(request).header_params["Authorization"])


def sorts_alike(pairs: Pairs) -> bool:
    # The official signer sorts before it encodes, the algorithm after: "{" comes after "z", but "%7B" before it.
    encoded = [(quote(name, safe=""), quote(value, safe="")) for name, value in sorted(pairs)]
    return encoded == sorted(encoded)


TEXT = st.text(st.sampled_from("aZ9-_.~ %+&=?#!*'():@é一") | st.characters(codec="utf-8"), max_size=6)
# No "/": the official signer decodes the path before it splits it, and so takes %2F for a separator. No dot segments:
# httpx resolves them, and the two would be given different paths.
SEGMENTS = st.lists(TEXT.filter(lambda text: "/" not in text and text not in {".", ".."}), max_size=4)
QUERIES = st.lists(st.tuples(TEXT, TEXT) | st.tuples(st.sampled_from("ab"), TEXT), max_size=4).filter(sorts_alike)
# Letters that make none of the X-Sdk-* names that signing sets itself.
X_NAMES = st.text("ABCabc019-", min_size=1, max_size=6).map("X-Sdk-{}".format)
PRINTABLE = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=8)
X_VALUES = st.tuples(st.sampled_from(["", " "]), PRINTABLE, st.sampled_from(["", " "])).map("".join)
X_HEADERS = st.lists(st.tuples(X_NAMES, X_VALUES), max_size=3, unique_by=lambda pair: pair[0].lower()).map(dict)
# JSON only: for other content types the official signer leaves the payload unsigned.
JSON = st.dictionaries(TEXT, TEXT | st.integers() | st.lists(TEXT, max_size=2), max_size=3)
BODIES = st.none() | JSON.map(lambda value: json.dumps(value, ensure_ascii=False).encode())
KEYS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
DATES = st.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # bounds


@settings(max_examples=300, deadline=None)
@given(
    method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]),
    host=st.sampled_from([HOST, f"{HOST}:8443", "127.0.0.1:1", "[::1]:65535"]),
    segments=SEGMENTS,
    trailing_slash=st.booleans(),
    unencoded=st.sampled_from(["", "!$'()*,;:@"]),
    query=QUERIES,
    quote_via=st.sampled_from([quote, quote_plus]),
    x_headers=X_HEADERS,
    body=BODIES,
    credentials=st.builds(Credentials, KEYS, KEYS, st.none() | KEYS),
    project_id=st.none() | st.uuids().map(lambda uuid: uuid.hex),
    now=DATES,
)
def test_any_request_has_official_signature(
    method: str,
    host: str,
    segments: list[str],
    trailing_slash: bool,
    unencoded: str,
    query: Pairs,
    quote_via: Callable[..., str],
    x_headers: dict[str, str],
    body: bytes | None,
    credentials: Credentials,
    project_id: str | None,
    now: datetime,
) -> None:
    # In a path "+" is itself, encoded or not.
    path = "".join(f"/{quote(segment, safe=unencoded + '+')}" for segment in segments)
    path += "/" if trailing_slash or not path else ""
    url = f"https://{host}{path}"
    if query:
        url += "?" + urlencode(query, safe=unencoded, quote_via=quote_via)
    # Content-Type is there without a body too, where it is not to be signed; User-Agent never is.
    headers = {**x_headers, "Content-Type": "application/json", "User-Agent": "tests"}
    request = httpx.Request(
        method, url, headers=[(name.encode(), value.encode()) for name, value in headers.items()], content=body
    )

    # The official signer signs every header that it is given, so it is given only those that have to be signed.
    to_sign = {**x_headers, "Host": host, "X-Sdk-Date": now.strftime("%Y%m%dT%H%M%SZ")}
    if body is not None:
        to_sign["Content-Type"] = "application/json"
    if project_id is not None:
        to_sign["X-Project-Id"] = project_id
    if credentials.security_token is not None:
        to_sign["X-Security-Token"] = credentials.security_token
    expected = official(credentials, method, path, query, to_sign, body)

    assert ours(AkSkAuth(credentials, project_id, now=lambda: now), request) == expected


@pytest.mark.parametrize(
    ("method", "target", "headers", "body", "canonical"),
    [
        pytest.param(
            "GET",
            "/",
            {"X-Sdk-Content-Sha256": "UNSIGNED-PAYLOAD"},
            None,
            f"GET\n/\n\nhost:{HOST}\nx-sdk-content-sha256:UNSIGNED-PAYLOAD\nx-sdk-date:{DATE}\n\n"
            "host;x-sdk-content-sha256;x-sdk-date\nUNSIGNED-PAYLOAD",
            id="UNSIGNED-PAYLOAD-holds-for-an-empty-body",
        ),
        pytest.param(
            "POST",
            "/",
            {"Content-Type": "application/x-www-form-urlencoded"},
            b"a=1",
            f"POST\n/\n\ncontent-type:application/x-www-form-urlencoded\nhost:{HOST}\nx-sdk-date:{DATE}\n\n"
            f"content-type;host;x-sdk-date\n{sha256(b'a=1').hexdigest()}",
            id="a-body-of-any-content-type-is-signed",
        ),
        pytest.param(
            "GET",
            "/?a=z&a=%E4%B8%80",
            {},
            None,
            f"GET\n/\na=%E4%B8%80&a=z\nhost:{HOST}\nx-sdk-date:{DATE}\n\nhost;x-sdk-date\n{EMPTY_HASH}",
            id="repeated-names-are-sorted-by-encoded-value",
        ),
        pytest.param(
            "GET",
            "/?z=1&%7B=2",
            {},
            None,
            f"GET\n/\n%7B=2&z=1\nhost:{HOST}\nx-sdk-date:{DATE}\n\nhost;x-sdk-date\n{EMPTY_HASH}",
            id="the-query-is-sorted-after-encoding",
        ),
        pytest.param(
            "GET",
            "/a%2Fb",
            {},
            None,
            f"GET\n/a%2Fb/\n\nhost:{HOST}\nx-sdk-date:{DATE}\n\nhost;x-sdk-date\n{EMPTY_HASH}",
            id="the-path-is-split-before-decoding",
        ),
        pytest.param(
            "GET",
            "/%FF",
            {},
            None,
            f"GET\n/%FF/\n\nhost:{HOST}\nx-sdk-date:{DATE}\n\nhost;x-sdk-date\n{EMPTY_HASH}",
            id="a-path-that-is-not-UTF-8-is-kept",
        ),
        pytest.param(
            "GET",
            "/",
            {"User-Agent": "tests"},
            None,
            f"GET\n/\n\nhost:{HOST}\nx-sdk-date:{DATE}\n\nhost;x-sdk-date\n{EMPTY_HASH}",
            id="what-a-proxy-may-rewrite-is-not-signed",
        ),
        pytest.param(
            "GET",
            "/",
            {"Authorization": "SDK-HMAC-SHA256 Access=Old, SignedHeaders=x-sdk-date, Signature=0"},
            None,
            f"GET\n/\n\nhost:{HOST}\nx-sdk-date:{DATE}\n\nhost;x-sdk-date\n{EMPTY_HASH}",
            id="an-old-Authorization-is-not-signed",
        ),
        pytest.param(
            "GET",
            "/",
            {"X-Sdk-Date": "20190101T000000Z"},
            None,
            f"GET\n/\n\nhost:{HOST}\nx-sdk-date:{DATE}\n\nhost;x-sdk-date\n{EMPTY_HASH}",
            id="an-old-X-Sdk-Date-is-replaced",
        ),
    ],
)
def test_algorithm_wins_over_official_signer(
    method: str, target: str, headers: dict[str, str], body: bytes | None, canonical: str
) -> None:
    """Where the official signer departs from the written algorithm, we do not."""
    request = httpx.Request(method, f"https://{HOST}{target}", headers=headers, content=body)
    signed_headers = canonical.split("\n")[-2].split(";")
    signature = signing.signature(CREDENTIALS.sk, signing.string_to_sign(canonical, DATE))
    expected = signing.authorization(CREDENTIALS.ak, signed_headers, signature)
    assert ours(AkSkAuth(CREDENTIALS, now=lambda: NOW), request) == expected

    # If this fails, the official signer was mended: generate such requests above as well.
    path, _, query = target.partition("?")
    given_headers = {"Host": HOST, "X-Sdk-Date": DATE, **headers}
    assert official(CREDENTIALS, method, path, parse_qsl(query), given_headers, body) != expected
