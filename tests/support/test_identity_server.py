"""The stand-in of IAM, STS and the metadata service refuses what it should: tests that use it rely on that."""

from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer

from support.identity_server import PROJECT_ID, IdentityServer, identity_server

NOW = datetime(2026, 11, 26, tzinfo=UTC)
TTL = {"X-Metadata-Token-Ttl-Seconds": "21600"}
TOKEN, SECURITY_KEY = "/meta-data/latest/api/token", "/openstack/latest/securitykey"


@pytest.fixture
def identity() -> Iterator[IdentityServer]:
    with identity_server() as running:
        running.now = lambda: NOW
        yield running


@pytest.fixture
def http(identity: IdentityServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=identity.url, trust_env=False) as client:
        yield client


def signed(http: httpx.Client, ak: str, sk: str, *, region: str = "cn-north-4", **headers: str) -> httpx.Response:
    """Ask for the projects, signed by the official signer."""
    headers |= {"Host": http.base_url.netloc.decode(), "X-Sdk-Date": "20261126T000000Z"}
    query = [("name", region)]
    request = SdkRequest("GET", resource_path="/v3/projects", query_params=query, header_params=headers, body="")
    Signer(SimpleNamespace(ak=ak, sk=sk)).sign(request)
    return http.get(request.uri, headers=request.header_params)


def by_password(http: httpx.Client, password: str, region: str = "cn-north-4") -> httpx.Response:
    user = {"name": "user", "password": password, "domain": {"name": "account"}}
    who = {"methods": ["password"], "password": {"user": user}}
    body = {"auth": {"identity": who, "scope": {"project": {"name": region}}}}
    return http.post("/v3/auth/tokens?nocatalog=true", json=body)


def test_official_signature_is_accepted(identity: IdentityServer, http: httpx.Client) -> None:
    ((ak, sk),) = identity.keys.items()
    answer = signed(http, ak, sk)
    assert answer.json() == {"projects": [{"id": PROJECT_ID, "name": "cn-north-4"}], "links": {}}
    assert answer.headers["Date"] == "Thu, 26 Nov 2026 00:00:00 GMT"
    assert signed(http, ak, sk, region="cn-east-3").json()["projects"] == []
    assert identity.count("/v3/projects") == 2


def test_wrong_signature_is_refused(identity: IdentityServer, http: httpx.Client) -> None:
    ((ak, sk),) = identity.keys.items()
    for_another_region = signed(http, ak, sk).request.headers
    answers = [
        signed(http, ak, "another-secret-key"),
        signed(http, "UNKNOWN", sk),
        http.get("/v3/projects?name=cn-east-3", headers=for_another_region),
        http.get("/v3/projects?name=cn-north-4"),
        http.get("/v5/caller-identity"),
        http.post("/v3.0/OS-CREDENTIAL/securitytokens", json={}),
    ]
    assert [(each.status_code, each.json()["error_code"]) for each in answers] == [(401, "APIGW.0301")] * len(answers)


def test_wrong_password_is_refused(identity: IdentityServer, http: httpx.Client) -> None:
    answer = by_password(http, "the-password-of-the-user")
    assert answer.status_code == 201
    assert answer.headers["X-Subject-Token"].startswith("iam-token-1-")
    assert answer.json()["token"]["expires_at"] == "2026-11-27T00:00:00.000000Z"
    assert answer.json()["token"]["project"] == {"id": PROJECT_ID, "name": "cn-north-4"}

    refused = by_password(http, "another password")
    assert refused.status_code == 401
    assert refused.json()["error"]["message"] == "The username or password is wrong."
    assert "X-Subject-Token" not in refused.headers
    assert by_password(http, "the-password-of-the-user", region="cn-nowhere-1").status_code == 404


def test_wrong_metadata_token_is_refused(identity: IdentityServer, http: httpx.Client) -> None:
    token = http.put(TOKEN, headers=TTL).text
    assert http.get(SECURITY_KEY, headers={"X-Metadata-Token": token}).status_code == 200
    answer = http.get(SECURITY_KEY, headers={"X-Metadata-Token": "another"})
    assert (answer.status_code, answer.text) == (401, "Unauthorized")
    assert http.get(SECURITY_KEY).status_code == 401
    identity.metadata_tokens = False
    assert http.put(TOKEN, headers=TTL).status_code == 404
    assert http.get(SECURITY_KEY).status_code == 200


def test_missing_agency_is_refused(identity: IdentityServer, http: httpx.Client) -> None:
    identity.agency = None
    token = http.put(TOKEN, headers=TTL).text
    answer = http.get(SECURITY_KEY, headers={"X-Metadata-Token": token})
    assert (answer.status_code, answer.text) == (401, "Please configure Cloud Service Agency first")


def test_temporary_key_needs_its_token(identity: IdentityServer, http: httpx.Client) -> None:
    identity.metadata_tokens = False
    new = http.get(SECURITY_KEY).json()["credential"]
    assert new["expires_at"] == "2026-11-27T00:00:00.000000Z"
    ak, sk, token = new["access"], new["secret"], {"X-Security-Token": new["securitytoken"]}
    assert signed(http, ak, sk, **token).status_code == 200
    assert signed(http, ak, sk).status_code == 401
    assert signed(http, ak, sk, **{"X-Security-Token": "another"}).status_code == 401
    without = signed(http, ak, sk).request
    assert http.get(without.url, headers={**without.headers, **token}).status_code == 401  # sent, but not signed


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 201),
        ({"agency_name": "another"}, 404),
        ({"domain_name": ""}, 400),
        ({"duration_seconds": 899}, 400),
        ({"duration_seconds": 86401}, 400),
    ],
)
def test_wrong_role_is_refused(
    identity: IdentityServer, http: httpx.Client, change: dict[str, Any], status: int
) -> None:
    role = {"agency_name": "agency", "domain_name": "account", "duration_seconds": 900, **change}
    body = {"auth": {"identity": {"methods": ["assume_role"], "assume_role": role}}}
    ((ak, sk),) = identity.keys.items()
    headers = {"Content-Type": "application/json", "Host": f"127.0.0.1:{http.base_url.port}"}
    headers["X-Sdk-Date"] = "20261126T000000Z"
    target = "/v3.0/OS-CREDENTIAL/securitytokens"
    request = httpx.Request("POST", identity.url + target, json=body)
    to_sign = SdkRequest("POST", resource_path=target, query_params=[], header_params=headers, body=request.content)
    Signer(SimpleNamespace(ak=ak, sk=sk)).sign(to_sign)
    answer = http.post(target, content=request.content, headers=to_sign.header_params)
    assert answer.status_code == status
    if status == 201:
        assert answer.json()["credential"]["expires_at"] == "2026-11-26T00:15:00.000000Z"
    else:
        assert answer.json()["error"]["code"] == status
