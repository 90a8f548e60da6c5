"""Access to `openapi.yaml`, from which the sandbox derives its responses.

A field, metric, state or operation that is added to the contract appears in the sandbox.
"""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import yaml

from metastudio.polling import FAILURE_STATES, SUCCESS_STATES

SHOW_SHORT_JOB: Final = "/v1/{project_id}/voice-training-manage/user/short-jobs/{job_id}"


@cache
def load() -> dict[str, Any]:
    """Return the contract: from the installed package, or from the repository in an editable install."""
    packaged = files("metastudio") / "openapi.yaml"
    source = packaged if packaged.is_file() else Path(__file__).parents[2] / "openapi.yaml"
    contract: dict[str, Any] = yaml.safe_load(source.read_text("utf-8"))
    return contract


def path_example(contract: dict[str, Any], name: str) -> str:
    """Return the contract's example of a path parameter: the ID in the API reference."""
    return str(contract["components"]["parameters"][name]["example"])


def success(operation: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
    """Return the status of an operation's success response, and the description of its content or None."""
    status, response = next((int(s), each) for s, each in operation["responses"].items() if s.startswith("2"))
    return status, response.get("content", {}).get("application/json")


def states(contract: dict[str, Any]) -> list[str]:
    """Return all states of the contract."""
    return list(contract["components"]["schemas"]["JobState"]["enum"])


def short_job(contract: dict[str, Any], job_id: str, state: str) -> dict[str, Any]:
    """Return a short job with all fields that its state may have; the values are invented."""
    examples = contract["paths"][SHOW_SHORT_JOB]["get"]["responses"]["200"]["content"]["application/json"]["examples"]
    failed = state in FAILURE_STATES
    example = examples["failed" if failed else "succeeded"]["value"]
    job: dict[str, Any] = _merged(sample(contract, contract["components"]["schemas"]["ShortJob"]), example)
    left_out = set() if failed else {"job_failed_code", "job_failed_reason"}
    left_out |= set() if state in SUCCESS_STATES else {"assess_result"}
    return {name: value for name, value in job.items() if name not in left_out} | {"job_id": job_id, "state": state}


def sample(contract: dict[str, Any], schema: dict[str, Any]) -> Any:
    """Return an invented value that is valid under `schema`."""
    if "$ref" in schema:
        return sample(contract, _resolved(contract, schema["$ref"]))
    if "anyOf" in schema:
        return sample(contract, schema["anyOf"][0])
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: sample(contract, each) for name, each in schema.get("properties", {}).items()}
        case "array":
            return [sample(contract, schema["items"])]
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "boolean":
            return True
        case _:
            return "invented"


def _resolved(contract: dict[str, Any], reference: str) -> dict[str, Any]:
    node = contract
    for key in reference.removeprefix("#/").split("/"):
        node = node[key]
    return node


def _merged(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {key: _merged(base.get(key), value) for key, value in over.items()}
    return over
