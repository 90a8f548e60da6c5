"""Huawei Cloud's published samples of SDK-HMAC-SHA256, one folder of `tests/vectors` each, asserted stage by stage.

`request.json` is the request and its keys. A `.txt` file is one stage of the signature, followed by one line feed that
is not part of it. Each stage is computed from the published stage before it, so that one failure does not hide another.
"""

import json
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from huaweicloud_auth import AkSkAuth, Credentials, signing

VECTORS = Path(__file__).parent.parent / "vectors"
CANONICAL_HASHES = {
    "vpcs-get": "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a",
    "resources-get": "de94dd1e1ccdb730b403ce35d7e14f7c7b04337f6def1c3a3a2ba936852b133f",
    "resources-post": "2b1b2515e48cb55e043ff2ec5b93d3f13ec287e1da1d7a2e4e14b0611a341969",
}


def read(folder: Path, stage: str) -> str:
    return (folder / f"{stage}.txt").read_text(encoding="utf-8").removesuffix("\n")


def request_of(folder: Path) -> dict[str, Any]:
    request: dict[str, Any] = json.loads((folder / "request.json").read_text(encoding="utf-8"))
    return request


def canonical_request(folder: Path) -> str:
    request = request_of(folder)
    url = urlsplit(request["url"])
    payload_hash = signing.hash_hex(request["body"].encode())
    return signing.canonical_request(
        request["method"], f"{url.path}?{url.query}", request["headers"], request["signed_headers"], payload_hash
    )


def canonical_query(folder: Path) -> str:
    return canonical_request(folder).split("\n")[2]


def string_to_sign(folder: Path) -> str:
    return signing.string_to_sign(read(folder, "canonical_request"), request_of(folder)["date"])


def signature(folder: Path) -> str:
    return signing.signature(request_of(folder)["sk"], read(folder, "string_to_sign"))


def authorization(folder: Path) -> str:
    request = request_of(folder)
    return signing.authorization(request["ak"], request["signed_headers"], read(folder, "signature"))


SIGNING_STAGES = {
    "canonical_request": canonical_request,
    "string_to_sign": string_to_sign,
    "signature": signature,
    "authorization": authorization,
}
STAGES: dict[str, Callable[[Path], str]] = {**SIGNING_STAGES, "canonical_query": canonical_query}


@pytest.mark.parametrize(
    ("folder", "stage"),
    [pytest.param(file.parent, file.stem, id=f"{file.parent.name}-{file.stem}") for file in VECTORS.glob("*/*.txt")],
)
def test_stage(folder: Path, stage: str) -> None:
    assert STAGES[stage](folder) == read(folder, stage)


def test_each_vector_has_all_stages() -> None:
    found = {folder.name: {file.stem for file in folder.glob("*.txt")} for folder in VECTORS.iterdir()}
    whole = {name: set(SIGNING_STAGES) for name in CANONICAL_HASHES}
    assert found == {**whole, "query-encoding": {"canonical_query"}}


@pytest.mark.parametrize("name", CANONICAL_HASHES)
def test_canonical_request_hash(name: str) -> None:
    assert signing.hash_hex(canonical_request(VECTORS / name).encode()) == CANONICAL_HASHES[name]


# Not vpcs-get: it signs a Content-Type without a body, which AkSkAuth leaves alone.
@pytest.mark.parametrize("name", ["resources-get", "resources-post"])
def test_published_requests_are_signed_alike(name: str) -> None:
    vector = request_of(VECTORS / name)
    now = datetime.strptime(vector["date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    auth = AkSkAuth(Credentials(vector["ak"], vector["sk"]), now=lambda: now)
    with closing(auth.auth_flow(httpx.Request(vector["method"], vector["url"], content=vector["body"]))) as flow:
        assert next(flow).headers["Authorization"] == read(VECTORS / name, "authorization")
