"""`openapi.yaml` against the endpoint's reference page, which is transcribed here as data."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import openapi_spec_validator
import pytest
import yaml
from openapi_schema_validator import OAS31Validator, oas31_format_checker

from metastudio import Credentials, MetaStudio
from metastudio.client import Region

CONTRACT: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text("utf-8"))
SCHEMAS: dict[str, Any] = CONTRACT["components"]["schemas"]

# The reference page, in its own words.

TITLE = "Querying Short Task Details"
FUNCTION = "Queries short task details."
PATH = "/v1/{project_id}/voice-training-manage/user/short-jobs/{job_id}"
EXAMPLE_REQUEST = (
    "/v1/3f0924078d1b471c884a5383d4dec9fa/voice-training-manage/user/short-jobs/26f06524-4f75-4b3a-a853-b649a21aaf66"
)
#: (in, name): mandatory, type, how the description begins.
PARAMETERS = {
    ("path", "project_id"): (True, "String", "Project ID."),
    ("path", "job_id"): (True, "String", "Task ID."),
    ("header", "X-App-UserId"): (False, "String", "Third-party user ID, which does not allow Chinese characters."),
}
#: The page lists them as headers; which of them go together, it says in their descriptions.
SECURITY_HEADERS = {
    "X-Auth-Token": "User token. This parameter is mandatory when token authentication is used.",
    "Authorization": "Authentication information. This parameter is mandatory for AK/SK authentication.",
    "X-Sdk-Date": "Time when the request is sent. This parameter is mandatory for AK/SK authentication.",
    "X-Project-Id": "Project ID. This parameter is mandatory for AK/SK authentication.",
}
METRIC = ("AssessProperty object", "Assessment metric details.", None)
#: Schema: field: type, how the description begins, value range.
FIELDS: dict[str, dict[str, tuple[str, str, tuple[int, int] | None]]] = {
    "ShortJob": {
        "job_type": ("String", "Short task type.", None),
        "job_id": ("String", "Task ID.", None),
        "state": ("String", "Task status.", None),
        "job_failed_code": ("String", "An error code is displayed when a task fails.", None),
        "job_failed_reason": ("String", "The failure cause is displayed when a task fails.", None),
        "create_time": ("Long", "Time when a task was created.", (1, 2147483647)),
        "lastupdate_time": ("Long", "The time when the task status was updated.", (1, 2147483647)),
        "assess_result": ("AssessResult object", "Audio quality assessment result.", None),
    },
    "AssessResult": {
        "speed": METRIC,
        "sound": METRIC,
        "snr": METRIC,
        "reverb": METRIC,
        "dnsmos_ovrl": METRIC,
        "dnsmos_bak": METRIC,
        "suggestion": ("String", "Suggestions.", None),
    },
    "AssessProperty": {
        "expected": ("String", "Expected information.", None),
        "actual": ("String", "Actual information.", None),
        "suggestion": ("String", "Suggestions in Chinese.", None),
        "suggestion_en": ("String", "Suggestions in English.", None),
        "status": ("Integer", "Whether the range is exceeded.", (-1, 1)),
    },
    "ErrorResponse": {
        "error_code": ("String", "Error code.", None),
        "error_msg": ("String", "Error description.", None),
        # Not on the page: the gateway in front of the service adds it.
        "request_id": ("String", "The ID of the request.", None),
    },
}
#: The value lists: of the page's Chinese version, and the last two states from the official SDK.
VALUES = {
    "JobType": {"VOICE_ASSESS"},
    "JobState": {
        "CREATING",
        "SYSTEM_AUDITING",
        "AUDITING",
        "WAITING_SPLIT",
        "SPLITTING",
        "SPLIT_FAILED",
        "ANNOTATING",
        "WAITING",
        "PROCESSING",
        "RESULT_REVIEW",
        "AUDIT_FAILED",
        "UPLOADING",
        "FAILED",
        "SUCCEED",
        "USER_RESULT_REVIEW",
        "USER_REVIEW_REJECT",
    },
}
OPEN_ENUMS = {"job_type": "JobType", "state": "JobState"}


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    target: Any = CONTRACT
    for key in node["$ref"].removeprefix("#/").split("/"):
        target = target[key]
    return resolved(target)


def type_on_the_page(schema: dict[str, Any]) -> str:
    """Return the type of `schema` in the reference page's words."""
    if "$ref" in schema:
        return f"{schema['$ref'].rpartition('/')[2]} object"
    if "anyOf" in schema:  # an open enum: whichever it is, it must have one type
        (only,) = {type_on_the_page(resolved(each)) for each in schema["anyOf"]}
        return only
    return {"string": "String", "integer": "Long" if schema.get("format") == "int64" else "Integer"}[schema["type"]]


def show_short_job() -> dict[str, Any]:
    operation: dict[str, Any] = CONTRACT["paths"][PATH]["get"]
    return operation


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in CONTRACT["paths"].items():
        for method in item.keys() & {"get", "post", "put", "patch", "delete"}:
            yield f"{method} {path}", item[method]


def everything(node: Any) -> Iterator[Any]:
    """Yield every node of the document, keys included."""
    yield node
    for child in [*node.keys(), *node.values()] if isinstance(node, dict) else node if isinstance(node, list) else []:
        yield from everything(child)


def errors(schema: dict[str, Any], value: Any) -> list[str]:
    """Return what makes `value` invalid under `schema`; references in it are resolved within the contract."""
    validator = OAS31Validator(schema | {"components": CONTRACT["components"]}, format_checker=oas31_format_checker)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def examples(holder: dict[str, Any]) -> list[Any]:
    """Return the examples of a media type, a parameter or a header."""
    one = [holder["example"]] if "example" in holder else []
    return one + [each["value"] for each in holder.get("examples", {}).values()]


def media_types() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, operation in operations():
        bodies = {str(status): resolved(response) for status, response in operation["responses"].items()}
        bodies["request"] = resolved(operation.get("requestBody", {}))
        for which, body in bodies.items():
            for content_type, media_type in body.get("content", {}).items():
                yield f"{name} {which} {content_type}", media_type


def parameters_and_headers() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, operation in operations():
        for parameter in map(resolved, operation.get("parameters", [])):
            yield f"{name} {parameter['name']}", parameter
    yield from CONTRACT["components"]["headers"].items()


MEDIA_TYPES = dict(media_types())
WITH_EXAMPLES = MEDIA_TYPES | dict(parameters_and_headers())


def test_it_is_valid_openapi_3_1() -> None:
    assert CONTRACT["openapi"].startswith("3.1.")
    openapi_spec_validator.validate(CONTRACT)


def test_the_operation_is_that_of_the_page() -> None:
    operation = show_short_job()

    assert (operation["operationId"], operation["summary"]) == ("ShowShortJob", TITLE)
    assert operation["description"].startswith(FUNCTION)


def test_the_example_request_of_the_page_is_the_operations_url_with_its_examples() -> None:
    ids = {each["name"]: each["example"] for each in show_short_job()["parameters"] if each["in"] == "path"}

    assert PATH.format(**ids) == EXAMPLE_REQUEST


def test_the_parameters_are_those_of_the_page() -> None:
    parameters = {(each["in"], each["name"]): each for each in show_short_job()["parameters"]}

    assert parameters.keys() == PARAMETERS.keys()
    for key, (mandatory, type_, description) in PARAMETERS.items():
        assert parameters[key]["required"] is mandatory, key
        assert type_on_the_page(parameters[key]["schema"]) == type_, key
        assert parameters[key]["description"].startswith(description), key


def test_the_other_headers_of_the_page_are_security_schemes() -> None:
    schemes = {each["name"]: each for each in CONTRACT["components"]["securitySchemes"].values()}

    assert schemes.keys() == SECURITY_HEADERS.keys()
    for name, description in SECURITY_HEADERS.items():
        assert (schemes[name]["type"], schemes[name]["in"]) == ("apiKey", "header"), name
        assert schemes[name]["description"].startswith(description), name
    assert "X-Subject-Token" in schemes["X-Auth-Token"]["description"]
    assert "YYYYMMDD'T'HHMMSS'Z'" in schemes["X-Sdk-Date"]["description"]


def test_there_are_two_ways_to_authenticate_a_token_or_the_three_headers_together() -> None:
    header = {key: scheme["name"] for key, scheme in CONTRACT["components"]["securitySchemes"].items()}

    for name, operation in operations():
        alternatives = operation.get("security", CONTRACT["security"])
        assert [{header[key] for key in alternative} for alternative in alternatives] == [
            {"X-Auth-Token"},
            {"Authorization", "X-Sdk-Date", "X-Project-Id"},
        ], name
        assert all(scopes == [] for alternative in alternatives for scopes in alternative.values()), name


def test_the_responses_are_those_of_the_page_and_the_gateways() -> None:
    responses = show_short_job()["responses"]
    bodies = {status: each["content"]["application/json"]["schema"] for status, each in responses.items()}

    assert bodies == {
        "200": {"$ref": "#/components/schemas/ShortJob"},
        "400": {"$ref": "#/components/schemas/ErrorResponse"},
        "default": {"$ref": "#/components/schemas/ErrorResponse"},
    }
    assert responses["200"]["description"] == "OK"
    assert responses["400"]["description"] == "Parameter error."


@pytest.mark.parametrize("name", FIELDS)
def test_the_fields_are_those_of_the_page(name: str) -> None:
    properties = SCHEMAS[name]["properties"]

    assert list(properties) == list(FIELDS[name])
    for field, (type_, description, value_range) in FIELDS[name].items():
        schema = properties[field]
        assert type_on_the_page(schema) == type_, field
        assert resolved(schema)["description"].startswith(description), field
        limits = tuple(schema[limit] for limit in ("minimum", "maximum") if limit in schema)
        assert limits == (value_range or ()), field


@pytest.mark.parametrize("name", VALUES)
def test_every_known_value_is_there_and_described(name: str) -> None:
    schema = SCHEMAS[name]

    assert schema["type"] == "string"
    assert len(schema["enum"]) == len(set(schema["enum"]))
    assert set(schema["enum"]) == VALUES[name]
    described = {word.strip(".,:") for word in schema["description"].split()}
    assert described >= VALUES[name]


@pytest.mark.parametrize("field", OPEN_ENUMS)
def test_the_enums_are_open(field: str) -> None:
    alternatives = SCHEMAS["ShortJob"]["properties"][field]["anyOf"]

    # In this order: the generator's parser tries the enum first.
    assert alternatives == [{"$ref": f"#/components/schemas/{OPEN_ENUMS[field]}"}, {"type": "string"}]


def test_no_enum_is_closed() -> None:
    """A schema with an `enum` is used by an open one only: a value that nobody has heard of must not be an error."""
    closed = {f"#/components/schemas/{name}" for name, schema in SCHEMAS.items() if "enum" in schema}
    fields = [field for schema in SCHEMAS.values() for field in schema.get("properties", {}).values()]

    assert closed
    assert all(field.get("$ref") not in closed and "enum" not in field for field in fields)


def test_nothing_is_null() -> None:
    """A missing field is `None` in the models, so that an explicit null in a request could not be told from it."""
    nodes = list(everything(CONTRACT))

    assert None not in nodes
    assert "nullable" not in nodes
    assert "null" not in nodes


def test_no_field_is_mandatory_and_unknown_fields_are_let_through() -> None:
    """The page marks no field as mandatory, and a new field of the service must not become an error."""
    for name, schema in SCHEMAS.items():
        assert not schema.keys() & {"required", "additionalProperties", "unevaluatedProperties"}, name


@pytest.mark.parametrize("media_type", MEDIA_TYPES.values(), ids=MEDIA_TYPES.keys())
def test_each_body_has_an_example(media_type: dict[str, Any]) -> None:
    assert examples(media_type)


@pytest.mark.parametrize("holder", WITH_EXAMPLES.values(), ids=WITH_EXAMPLES.keys())
def test_the_examples_are_valid_under_their_schemas(holder: dict[str, Any]) -> None:
    for example in examples(holder):
        assert errors(holder["schema"], example) == []


def test_the_examples_of_a_job_name_no_field_that_the_contract_does_not_have() -> None:
    """Unknown fields are valid, so a misspelt one in an example would be too."""

    def unknown(schema: dict[str, Any], value: Any) -> set[str]:
        if not isinstance(value, dict):
            return set()
        properties = resolved(schema)["properties"]
        found = set(value) - set(properties)
        return found.union(*(unknown(properties[name], value[name]) for name in set(value) - found))

    for name, media_type in MEDIA_TYPES.items():
        for example in examples(media_type):
            assert unknown(media_type["schema"], example) == set(), name


@pytest.mark.parametrize(
    "job",
    [
        "SUCCEED",
        {"state": 3},
        {"state": None},
        {"job_type": ["VOICE_ASSESS"]},
        {"job_id": 26},
        {"create_time": 0},
        {"create_time": 2147483648},
        {"lastupdate_time": "1700000000"},
        {"lastupdate_time": 1.5},
        {"assess_result": "good"},
        {"assess_result": {"snr": 22}},
        {"assess_result": {"snr": {"status": 2}}},
        {"assess_result": {"snr": {"actual": 22}}},
    ],
    ids=str,
)
def test_what_is_not_a_short_job_is_invalid(job: Any) -> None:
    assert errors({"$ref": "#/components/schemas/ShortJob"}, job)


@pytest.mark.parametrize(
    "job", [{}, {"state": "HIBERNATING"}, {"job_type": "VOICE_CLONE"}, {"new": [None]}, {"assess_result": {"new": {}}}]
)
def test_what_the_service_may_come_to_answer_is_valid(job: dict[str, Any]) -> None:
    assert errors({"$ref": "#/components/schemas/ShortJob"}, job) == []


def test_the_regions_of_the_client_are_those_of_the_contract() -> None:
    (server,) = CONTRACT["servers"]
    region = server["variables"]["region"]

    assert set(region["enum"]) == {"cn-north-4", "cn-east-3", "ap-southeast-3"}
    assert region["default"] in region["enum"]
    assert list(get_args(Region)) == region["enum"]


@pytest.mark.parametrize("region", get_args(Region))
def test_the_client_goes_to_the_server_of_the_contract(region: str) -> None:
    (server,) = CONTRACT["servers"]

    with MetaStudio(region=region, project_id="p", credentials=Credentials("AK", "SK")) as studio:
        assert studio.client.get_httpx_client().base_url == server["url"].format(region=region)
    assert server["url"] == "https://metastudio.{region}.myhuaweicloud.com"
