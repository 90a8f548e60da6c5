"""The contract against the official Python SDK's models: a second source for names, types and values."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from huaweicloudsdkmetastudio.v1 import MetaStudioClient, ShowShortJobRequest, model
from huaweicloudsdkmetastudio.v1.region.metastudio_region import MetaStudioRegion

CONTRACT: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text("utf-8"))
SCHEMAS: dict[str, Any] = CONTRACT["components"]["schemas"]

#: Our schema: the SDK's model.
MODELS = {"ShortJob": "ShowShortJobResponse", "AssessResult": "AssessResult", "AssessProperty": "AssessProperty"}
ENUMS = {"JobState": "JobState", "JobType": "ShortJobType"}

# Where the contract departs from the SDK, and why.
PARAMETERS_THAT_THE_SDK_LACKS = {"project_id": "the SDK puts the project of the credentials into the path by itself"}
REGIONS_THAT_THE_SDK_LACKS = {"ap-southeast-3": "named in the international documentation"}
SCHEMAS_THAT_THE_SDK_LACKS = {"ErrorResponse": "the SDK reads errors into exceptions, for all services in one place"}


def sdk_type(schema: dict[str, Any]) -> str:
    """Return the type of `schema` as the SDK writes it."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return (MODELS | ENUMS)[name]
    if "anyOf" in schema:  # an open enum; the SDK's are closed: it loses a value that it does not know
        return sdk_type(schema["anyOf"][0])
    return {"string": "str", "integer": "int"}[schema["type"]]


def test_every_schema_is_held_against_the_sdk_or_excused() -> None:
    assert MODELS.keys() | ENUMS.keys() | SCHEMAS_THAT_THE_SDK_LACKS.keys() == SCHEMAS.keys()


@pytest.mark.parametrize("name", MODELS)
def test_fields_names_on_the_wire_and_types_are_the_sdks(name: str) -> None:
    sdk = getattr(model, MODELS[name])
    properties = SCHEMAS[name]["properties"]

    assert {each: each for each in properties} == sdk.attribute_map
    assert {each: sdk_type(schema) for each, schema in properties.items()} == sdk.openapi_types


@pytest.mark.parametrize("name", ENUMS)
def test_values_are_the_sdks(name: str) -> None:
    sdk = {value for attribute, value in vars(getattr(model, ENUMS[name])).items() if attribute.isupper()}

    assert set(SCHEMAS[name]["enum"]) == sdk


def test_method_path_and_parameters_are_the_sdks() -> None:
    request = MetaStudioClient._show_short_job_http_info(ShowShortJobRequest())

    operation = CONTRACT["paths"][request["resource_path"]][request["method"].lower()]

    assert operation["operationId"] + "Request" == request["request_type"] == ShowShortJobRequest.__name__
    ours = {each["name"]: each["schema"] for each in operation["parameters"]}
    assert ours.keys() - PARAMETERS_THAT_THE_SDK_LACKS == set(ShowShortJobRequest.attribute_map.values())
    assert ours.keys() >= PARAMETERS_THAT_THE_SDK_LACKS.keys()
    for attribute, name in ShowShortJobRequest.attribute_map.items():
        assert sdk_type(ours[name]) == ShowShortJobRequest.openapi_types[attribute]


def test_regions_and_their_endpoints_are_the_sdks() -> None:
    (server,) = CONTRACT["servers"]
    regions = server["variables"]["region"]["enum"]

    assert set(regions) - MetaStudioRegion.static_fields.keys() == REGIONS_THAT_THE_SDK_LACKS.keys()
    for name, region in MetaStudioRegion.static_fields.items():
        assert region.endpoints == [server["url"].format(region=name)]
        assert name in regions
