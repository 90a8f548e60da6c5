"""Requests that Schemathesis makes up from the contract, good and bad, signed and sent to a running sandbox.

Each must get past the gateway, and each answer must be one that the contract describes. They go to this machine only.
"""

from collections.abc import Iterator
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
from metastudio_sandbox import Sandbox, contract

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
    """The IDs of the sandbox's jobs, one in each state, over and over."""
    return cycle(sandbox.jobs)


def send(case: schemathesis.Case[Any], client: httpx.Client, sandbox: Sandbox) -> httpx.Response:
    arguments = case.as_transport_kwargs(base_url=sandbox.url)
    assert not arguments.pop("cookies"), "the contract has none"
    response = client.request(**arguments)
    assert response.status_code != 401, f"the gateway computed another signature: {response.text}"
    case.validate_response(response, checks=CHECKS)
    return response


@CONTRACT.parametrize()
def test_whatever_is_asked_for(case: schemathesis.Case[Any], client: httpx.Client, sandbox: Sandbox) -> None:
    send(case, client, sandbox)


@CONTRACT.parametrize()
def test_a_job_that_is_there(
    case: schemathesis.Case[Any], client: httpx.Client, sandbox: Sandbox, jobs: Iterator[str]
) -> None:
    case.path_parameters = {"project_id": sandbox.project_id, "job_id": next(jobs)}

    response = send(case, client, sandbox)

    # Whatever else the request bears, these IDs are good; another method is no operation of the contract.
    assert response.status_code == (200 if case.method == "GET" else 404)
