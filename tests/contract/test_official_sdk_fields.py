"""The contract against the official Python SDK's models: a second source for names, types and values."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from huaweicloudsdkmetastudio.v1 import MetaStudioClient, model
from huaweicloudsdkmetastudio.v1.region.metastudio_region import MetaStudioRegion

CONTRACT: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text("utf-8"))
SCHEMAS: dict[str, Any] = CONTRACT["components"]["schemas"]

#: Our schema: the SDK's model.
MODELS = {
    "ShortJob": "ShowShortJobResponse",
    "AssessResult": "AssessResult",
    "AssessProperty": "AssessProperty",
    "CreateShortJobRequest": "CreateShortJobReq",
    "CreatedShortJob": "CreateShortJobResponse",
    "TenantDurationCfg": "ShowTenantDurationCfgResponse",
}
ENUMS = {"JobState": "JobState", "JobType": "ShortJobType"}
#: Operation ID: path, method, operation.
OPERATIONS = {
    operation["operationId"]: (path, method, operation)
    for path, item in CONTRACT["paths"].items()
    for method, operation in item.items()
}

# Where the contract departs from the SDK, and why.
PARAMETERS_THAT_THE_SDK_LACKS = {"project_id": "the SDK puts the project of the credentials into the path by itself"}
REGIONS_THAT_THE_SDK_LACKS = {"ap-southeast-3": "named in the international documentation"}
SCHEMAS_THAT_THE_SDK_LACKS = {
    "ErrorResponse": "the SDK reads errors into exceptions, for all services in one place",
    "Language": "the SDK has a plain string; its values are in the description only",
}
#: The limits of trainings, which the contract has no operation for, and an ID that nothing asks for.
FIELDS_THAT_WE_LACK = {
    "TenantDurationCfg": {"tenant_id"}
    | {
        f"{training}_{limit}"
        for training in ("basic", "middle", "advance", "flexus", "cmww", "ljzn")
        for limit in ("min", "max", "advice_value")
    }
}


def sdk_type(schema: dict[str, Any]) -> str:
    """Return the type of `schema` as the SDK writes it."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return (MODELS | ENUMS | {"Language": "str"})[name]
    if "anyOf" in schema:  # an open enum; the SDK's are closed: it loses a value that it does not know
        return sdk_type(schema["anyOf"][0])
    return {"string": "str", "integer": "int"}[schema["type"]]


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    target: Any = CONTRACT
    for key in node["$ref"].removeprefix("#/").split("/"):
        target = target[key]
    return resolved(target)


def body_type(body: dict[str, Any]) -> str | None:
    """Return the type of a request or a response as the SDK writes it; None if it has no content."""
    return sdk_type(body["content"]["application/json"]["schema"]) if "content" in body else None


def http_info(operation_id: str) -> dict[str, Any]:
    """Return what the SDK would send."""
    name = re.sub(r"(?<!^)(?=[A-Z])", "_", operation_id).lower()
    info: dict[str, Any] = getattr(MetaStudioClient, f"_{name}_http_info")(getattr(model, f"{operation_id}Request")())
    return info


def test_each_schema_is_compared_or_excused() -> None:
    assert MODELS.keys() | ENUMS.keys() | SCHEMAS_THAT_THE_SDK_LACKS.keys() == SCHEMAS.keys()


@pytest.mark.parametrize("name", MODELS)
def test_fields_match_sdk(name: str) -> None:
    """Fields, names on the wire and types are those of the SDK."""
    sdk, lacking = getattr(model, MODELS[name]), FIELDS_THAT_WE_LACK.get(name, set())
    properties = SCHEMAS[name]["properties"]

    assert {each: each for each in [*properties, *lacking]} == sdk.attribute_map
    types = {each: type_ for each, type_ in sdk.openapi_types.items() if each not in lacking}
    assert {each: sdk_type(schema) for each, schema in properties.items()} == types


@pytest.mark.parametrize("name", ENUMS)
def test_values_match_sdk(name: str) -> None:
    sdk = {value for attribute, value in vars(getattr(model, ENUMS[name])).items() if attribute.isupper()}

    assert set(SCHEMAS[name]["enum"]) == sdk


def test_languages_match_sdk_description() -> None:
    described = re.findall(r"\* (\w+):", model.CreateShortJobReq.language.__doc__)

    assert SCHEMAS["Language"]["enum"] == described


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_operations_match_sdk(operation_id: str) -> None:
    """Method, path and parameters are those of the SDK."""
    path, method, operation = OPERATIONS[operation_id]
    request = getattr(model, f"{operation_id}Request")
    sent = http_info(operation_id)

    assert (sent["method"].lower(), sent["resource_path"]) == (method, path)
    parameters = [resolved(each) for each in operation["parameters"]]
    ours = {each["name"]: each for each in parameters if each["name"] not in PARAMETERS_THAT_THE_SDK_LACKS}
    assert {each["name"] for each in parameters} >= PARAMETERS_THAT_THE_SDK_LACKS.keys()
    assert {name for name, each in ours.items() if each["in"] == "path"} == sent["path_params"].keys()
    assert {name for name, each in ours.items() if each["in"] == "header"} == sent["header_params"].keys() - {
        "Content-Type"  # the SDK sends it without a body, too
    }
    assert sent["query_params"] == []
    types = {name: request.openapi_types[attribute] for attribute, name in request.attribute_map.items()}
    types.pop("body", None)
    assert {name: sdk_type(each["schema"]) for name, each in ours.items()} == types


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_bodies_match_sdk(operation_id: str) -> None:
    operation = OPERATIONS[operation_id][2]
    request, answer = operation.get("requestBody", {}), operation["responses"]["200"]
    sdk = getattr(model, http_info(operation_id)["response_type"])

    assert body_type(request) == getattr(model, f"{operation_id}Request").openapi_types.get("body")
    assert body_type(answer) == (sdk.__name__ if sdk.attribute_map else None)


def test_regions_match_sdk() -> None:
    (server,) = CONTRACT["servers"]
    regions = server["variables"]["region"]["enum"]

    assert set(regions) - MetaStudioRegion.static_fields.keys() == REGIONS_THAT_THE_SDK_LACKS.keys()
    for name, region in MetaStudioRegion.static_fields.items():
        assert region.endpoints == [server["url"].format(region=name)]
        assert name in regions
