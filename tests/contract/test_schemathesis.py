"""Requests that Schemathesis makes up from the contract, good and bad, signed and sent to a running sandbox.

Each must get past the gateway, and each answer must be one that the contract describes. They go to this machine only.
"""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import httpx
import pytest
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from metastudio import AkSkAuth
from metastudio_sandbox import Sandbox, contract, recordings

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
# The same requests in each run. What authenticates them is not made up.
CONFIG = SchemathesisConfig.from_dict(
    {"seed": 1, "generation": {"max-examples": 60, "deterministic": True, "with-security-parameters": False}}
)
CONTRACT = schemathesis.openapi.from_dict(contract.load(), config=CONFIG)


@pytest.fixture(scope="module")
def client(sandbox: Sandbox) -> Iterator[httpx.Client]:
    """A client that signs whatever it sends."""
    with httpx.Client(auth=AkSkAuth(sandbox.credentials, sandbox.project_id), trust_env=False) as made:
        yield made


@pytest.fixture(scope="module")
def jobs(sandbox: Sandbox) -> Iterator[str]:
    """The IDs of the jobs that the sandbox begins with, one in each state, over and over."""
    return cycle(list(sandbox.jobs))


@pytest.fixture(scope="module")
def create(client: httpx.Client, sandbox: Sandbox) -> Callable[[], dict[str, str]]:
    """A function that creates a job and returns its ID and its upload URL."""

    def created() -> dict[str, str]:
        url = f"{sandbox.url}/v1/{sandbox.project_id}/voice-training-manage/user/short-jobs"
        answer = client.post(url, json={"job_type": "VOICE_ASSESS"})
        assert answer.status_code == 200, answer.text
        made: dict[str, str] = answer.json()
        return made

    return created


@pytest.fixture(scope="module")
def upload() -> Iterator[Callable[[str], None]]:
    """A function that uploads a recording to a URL."""
    with zipfile.ZipFile(archive := io.BytesIO(), "w") as opened:
        opened.writestr("recording.wav", recordings.wav(30, rate=8000))

    with httpx.Client(trust_env=False) as storage:

        def uploaded(url: str) -> None:
            answer = storage.put(url, content=archive.getvalue(), headers={"Content-Type": "application/zip"})
            assert answer.status_code == 200, answer.text

        yield uploaded


def send(case: schemathesis.Case[Any], client: httpx.Client, sandbox: Sandbox) -> httpx.Response:
    arguments = case.as_transport_kwargs(base_url=sandbox.url)
    assert not arguments.pop("cookies"), "the contract has none"
    if "data" in arguments:  # raw bytes, in the words of requests
        arguments["content"] = arguments.pop("data")
    response = client.request(**arguments)
    assert response.status_code != 401, f"the gateway computed another signature: {response.text}"
    case.validate_response(response, checks=CHECKS)
    return response


def only(operation_id: str) -> schemathesis.BaseSchema:
    return CONTRACT.include(operation_id=operation_id)


def has_a_good_body(request: httpx.Request) -> bool:
    """Tell whether a job can be created from the request's body: judged here, by nobody's validator."""
    try:
        body = json.loads(request.content)
    except ValueError:
        return False
    return (
        request.headers.get("Content-Type") == "application/json"
        and isinstance(body, dict)
        and isinstance(body.get("job_type"), str)
        and isinstance(body.get("language", "CN"), str)
    )


@CONTRACT.parametrize()
def test_any_request_gets_contract_response(
    case: schemathesis.Case[Any], client: httpx.Client, sandbox: Sandbox
) -> None:
    send(case, client, sandbox)


# Below, whatever else a request bears, its IDs are good; another method is no operation of the contract.


@only("ShowShortJob").parametrize()
def test_show_existing_job(
    case: schemathesis.Case[Any], client: httpx.Client, sandbox: Sandbox, jobs: Iterator[str]
) -> None:
    job_id = next(jobs)
    case.path_parameters = {"project_id": sandbox.project_id, "job_id": job_id}

    response = send(case, client, sandbox)

    assert response.status_code == (200 if case.method == "GET" else 404)
    if case.method == "GET":
        assert response.json()["job_id"] == job_id


@only("CreateShortJob").parametrize()
def test_create_accepts_valid_body_only(case: schemathesis.Case[Any], client: httpx.Client, sandbox: Sandbox) -> None:
    case.path_parameters = {"project_id": sandbox.project_id}

    response = send(case, client, sandbox)

    if case.method != "POST":
        assert response.status_code == 404
    elif not has_a_good_body(response.request):
        assert response.status_code == 400
    else:
        assert response.status_code == 200
        assert response.json().keys() == {"job_id", "data_uploading_url"}


@only("CommitShortJob").parametrize()
def test_commit_after_upload(
    case: schemathesis.Case[Any],
    client: httpx.Client,
    sandbox: Sandbox,
    create: Callable[[], dict[str, str]],
    upload: Callable[[str], None],
) -> None:
    job = create()
    case.path_parameters = {"project_id": sandbox.project_id, "job_id": job["job_id"]}

    too_early = send(case, client, sandbox)
    upload(job["data_uploading_url"])
    response = send(case, client, sandbox)

    assert too_early.status_code == (400 if case.method == "POST" else 404)
    assert response.status_code == (200 if case.method == "POST" else 404)
    assert (response.content == b"") is (case.method == "POST")


@only("ShowTenantDurationCfg").parametrize()
def test_limits(case: schemathesis.Case[Any], client: httpx.Client, sandbox: Sandbox) -> None:
    case.path_parameters = {"project_id": sandbox.project_id}

    response = send(case, client, sandbox)

    assert response.status_code == (200 if case.method == "GET" else 404)
    if case.method == "GET":
        assert response.json() == {"short_assess_min": 10, "short_assess_max": 600}
