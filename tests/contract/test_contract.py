"""`openapi.yaml` against the reference pages of its operations, which are transcribed here as data."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

import openapi_spec_validator
import pytest
import yaml
from openapi_schema_validator import OAS31Validator, oas31_format_checker

from metastudio import Credentials, MetaStudio
from metastudio.configuration import Region

CONTRACT: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text("utf-8"))
SCHEMAS: dict[str, Any] = CONTRACT["components"]["schemas"]


class Operation(NamedTuple):
    """What the pages say of an operation: method, path, parameters, the schema of the request and that of a 200."""

    method: str
    path: str
    parameters: set[str]
    request: str | None
    answer: str | None


PREFIX = "/v1/{project_id}/voice-training-manage/user"
OPERATIONS = {
    "ShowShortJob": Operation(
        "get", f"{PREFIX}/short-jobs/{{job_id}}", {"project_id", "job_id", "X-App-UserId"}, None, "ShortJob"
    ),
    "CreateShortJob": Operation(
        "post", f"{PREFIX}/short-jobs", {"project_id", "X-App-UserId"}, "CreateShortJobRequest", "CreatedShortJob"
    ),
    "CommitShortJob": Operation(
        "post", f"{PREFIX}/short-jobs/{{job_id}}", {"project_id", "job_id", "X-App-UserId"}, None, None
    ),
    "ShowTenantDurationCfg": Operation(
        "get", f"{PREFIX}/tenant-duration-cfg", {"project_id"}, None, "TenantDurationCfg"
    ),
}

# The reference pages, in the words of ShowShortJob's.

TITLE = "Querying Short Task Details"
FUNCTION = "Queries short task details."
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
    "CreateShortJobRequest": {
        "job_type": ("String", "Short task type.", None),
        "language": ("String", "Language of the recording; CN by default.", None),
    },
    "CreatedShortJob": {
        "job_id": ("String", "Task ID.", None),
        "data_uploading_url": ("String", "URL to which the recording is uploaded, as a zip.", None),
    },
    "TenantDurationCfg": {
        "short_assess_min": ("Integer", "Minimum duration of a recording to assess.", None),
        "short_assess_max": ("Integer", "Maximum duration of a recording to assess.", None),
    },
    "ErrorResponse": {
        "error_code": ("String", "Error code.", None),
        "error_msg": ("String", "Error description.", None),
        # Not on the page: the gateway in front of the service adds it.
        "request_id": ("String", "The ID of the request.", None),
    },
}
#: The fields that are mandatory: of requests only.
MANDATORY = {"CreateShortJobRequest": ["job_type"]}
#: The value lists: of the pages' Chinese versions, and the last two states from the official SDK.
VALUES = {
    "Language": {"CN", "EN"},
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
#: (schema, field): the enum.
OPEN_ENUMS = {
    ("ShortJob", "job_type"): "JobType",
    ("ShortJob", "state"): "JobState",
    ("CreateShortJobRequest", "job_type"): "JobType",
    ("CreateShortJobRequest", "language"): "Language",
}


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


def the_operation(operation_id: str) -> dict[str, Any]:
    page = OPERATIONS[operation_id]
    operation: dict[str, Any] = CONTRACT["paths"][page.path][page.method]
    return operation


def schema_of(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return the schema of a request or a response; None if it has no content. Content is JSON, nothing else."""
    if "content" not in body:
        return None
    ((content_type, media_type),) = body["content"].items()
    assert content_type == "application/json"
    schema: dict[str, Any] = media_type["schema"]
    return schema


def reference(name: str | None) -> dict[str, Any] | None:
    return None if name is None else {"$ref": f"#/components/schemas/{name}"}


def operations() -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in CONTRACT["paths"].items():
        for method in sorted(item.keys() & {"get", "post", "put", "patch", "delete"}):  # in the same order each time
            yield f"{method} {path}", item[method]


def everything(node: Any) -> Iterator[Any]:
    """Yield every node of the document, keys included."""
    yield node
    for child in [*node.keys(), *node.values()] if isinstance(node, dict) else node if isinstance(node, list) else []:
        yield from everything(child)


def reachable(node: Any, seen: frozenset[str] = frozenset()) -> Iterator[Any]:
    """Yield every node below `node`, those behind references too."""
    for each in everything(node):
        if isinstance(each, dict) and "$ref" in each and each["$ref"] not in seen:
            yield from reachable(resolved(each), seen | {each["$ref"]})
        yield each


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


def test_contract_is_valid_openapi_3_1() -> None:
    assert CONTRACT["openapi"].startswith("3.1.")
    openapi_spec_validator.validate(CONTRACT)


def test_operations_match_pages() -> None:
    named = [(operation["operationId"], name) for name, operation in operations()]

    assert sorted(named) == sorted((each, f"{page.method} {page.path}") for each, page in OPERATIONS.items())


def test_description_matches_page() -> None:
    operation = the_operation("ShowShortJob")

    assert operation["summary"] == TITLE
    assert operation["description"].startswith(FUNCTION)


def test_example_url_matches_page() -> None:
    """The example request of the page is the operation's URL with its examples."""
    parameters = map(resolved, the_operation("ShowShortJob")["parameters"])
    ids = {each["name"]: each["example"] for each in parameters if each["in"] == "path"}

    assert OPERATIONS["ShowShortJob"].path.format(**ids) == EXAMPLE_REQUEST


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_parameters_match_page(operation_id: str) -> None:
    listed = [resolved(each) for each in the_operation(operation_id)["parameters"]]
    parameters = {(each["in"], each["name"]): each for each in listed}

    assert len(parameters) == len(listed)
    assert parameters.keys() == {key for key in PARAMETERS if key[1] in OPERATIONS[operation_id].parameters}
    for key, parameter in parameters.items():
        mandatory, type_, description = PARAMETERS[key]
        assert parameter["required"] is mandatory, key
        assert type_on_the_page(parameter["schema"]) == type_, key
        assert parameter["description"].startswith(description), key


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_request_matches_page(operation_id: str) -> None:
    body = the_operation(operation_id).get("requestBody", {"required": True})

    assert schema_of(body) == reference(OPERATIONS[operation_id].request)
    assert body["required"] is True


def test_security_headers_match_page() -> None:
    schemes = {each["name"]: each for each in CONTRACT["components"]["securitySchemes"].values()}

    assert schemes.keys() == SECURITY_HEADERS.keys()
    for name, description in SECURITY_HEADERS.items():
        assert (schemes[name]["type"], schemes[name]["in"]) == ("apiKey", "header"), name
        assert schemes[name]["description"].startswith(description), name
    assert "X-Subject-Token" in schemes["X-Auth-Token"]["description"]
    assert "YYYYMMDD'T'HHMMSS'Z'" in schemes["X-Sdk-Date"]["description"]


def test_security_is_token_or_signature() -> None:
    """A request has a token, or the three headers of a signature together."""
    header = {key: scheme["name"] for key, scheme in CONTRACT["components"]["securitySchemes"].items()}

    for name, operation in operations():
        alternatives = operation.get("security", CONTRACT["security"])
        assert [{header[key] for key in alternative} for alternative in alternatives] == [
            {"X-Auth-Token"},
            {"Authorization", "X-Sdk-Date", "X-Project-Id"},
        ], name
        assert all(scopes == [] for alternative in alternatives for scopes in alternative.values()), name


@pytest.mark.parametrize("operation_id", OPERATIONS)
def test_responses_match_page_and_gateway(operation_id: str) -> None:
    responses = {status: resolved(each) for status, each in the_operation(operation_id)["responses"].items()}

    assert {status: schema_of(each) for status, each in responses.items()} == {
        "200": reference(OPERATIONS[operation_id].answer),
        "400": reference("ErrorResponse"),
        "default": reference("ErrorResponse"),
    }
    assert responses["200"]["description"].startswith("OK")
    assert responses["400"]["description"] == "Parameter error."
    for status, each in responses.items():
        assert each["headers"] == {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}, status


def test_each_schema_is_compared_to_a_page() -> None:
    assert FIELDS.keys() | VALUES.keys() == SCHEMAS.keys()


@pytest.mark.parametrize("name", FIELDS)
def test_fields_match_page(name: str) -> None:
    properties = SCHEMAS[name]["properties"]

    assert list(properties) == list(FIELDS[name])
    for field, (type_, description, value_range) in FIELDS[name].items():
        schema = properties[field]
        assert type_on_the_page(schema) == type_, field
        assert resolved(schema)["description"].startswith(description), field
        limits = tuple(schema[limit] for limit in ("minimum", "maximum") if limit in schema)
        assert limits == (value_range or ()), field


@pytest.mark.parametrize("name", VALUES)
def test_known_values_are_described(name: str) -> None:
    schema = SCHEMAS[name]

    assert schema["type"] == "string"
    assert len(schema["enum"]) == len(set(schema["enum"]))
    assert set(schema["enum"]) == VALUES[name]
    described = {word.strip(".,:") for word in schema["description"].split()}
    assert described >= VALUES[name]


@pytest.mark.parametrize(("name", "field"), OPEN_ENUMS)
def test_enums_are_open(name: str, field: str) -> None:
    alternatives = SCHEMAS[name]["properties"][field]["anyOf"]

    # In this order: the generator's parser tries the enum first.
    assert alternatives == [reference(OPEN_ENUMS[name, field]), {"type": "string"}]


def test_no_closed_enum() -> None:
    """A schema with an `enum` is used by an open one only: a value that nobody has heard of must not be an error."""
    closed = {f"#/components/schemas/{name}" for name, schema in SCHEMAS.items() if "enum" in schema}
    used = [node for node in everything(CONTRACT) if isinstance(node, dict) and node.get("$ref") in closed]
    opened = [SCHEMAS[name]["properties"][field]["anyOf"][0] for name, field in OPEN_ENUMS]

    assert {f"#/components/schemas/{name}" for name in VALUES} == closed
    assert sorted(map(str, used)) == sorted(map(str, opened))
    components = [part for group in CONTRACT["components"].values() for part in group.values()]
    parts = [*CONTRACT["paths"].values(), *components]
    inline = [part for part in parts if "enum" not in part and "enum" in everything(part)]
    assert inline == []


def test_nothing_is_nullable() -> None:
    """A missing field is `None` in the models, so that an explicit null in a request could not be told from it."""
    nodes = list(everything(CONTRACT))

    assert None not in nodes
    assert "nullable" not in nodes
    assert "null" not in nodes


def test_response_fields_are_optional() -> None:
    """The pages mark none as mandatory: an answer that lacks one must not become an error."""
    for name, operation in operations():
        for status, response in operation["responses"].items():
            assert "required" not in reachable(schema_of(resolved(response))), f"{name} {status}"


def test_mandatory_request_fields_match_page() -> None:
    assert {name: schema["required"] for name, schema in SCHEMAS.items() if "required" in schema} == MANDATORY


def test_unknown_fields_are_allowed() -> None:
    """A new field of the service must not become an error."""
    for name, schema in SCHEMAS.items():
        words = [node for node in everything(schema) if isinstance(node, str)]
        assert not {"additionalProperties", "unevaluatedProperties"} & set(words), name


@pytest.mark.parametrize("media_type", MEDIA_TYPES.values(), ids=MEDIA_TYPES.keys())
def test_each_body_has_example(media_type: dict[str, Any]) -> None:
    assert examples(media_type)


@pytest.mark.parametrize("holder", WITH_EXAMPLES.values(), ids=WITH_EXAMPLES.keys())
def test_examples_match_schemas(holder: dict[str, Any]) -> None:
    for example in examples(holder):
        assert errors(holder["schema"], example) == []


def test_examples_have_no_unknown_field() -> None:
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
    ("name", "value"),
    [
        ("ShortJob", "SUCCEED"),
        ("ShortJob", {"state": 3}),
        ("ShortJob", {"state": None}),
        ("ShortJob", {"job_type": ["VOICE_ASSESS"]}),
        ("ShortJob", {"job_id": 26}),
        ("ShortJob", {"create_time": 0}),
        ("ShortJob", {"create_time": 2147483648}),
        ("ShortJob", {"lastupdate_time": "1700000000"}),
        ("ShortJob", {"lastupdate_time": 1.5}),
        ("ShortJob", {"assess_result": "good"}),
        ("ShortJob", {"assess_result": {"snr": 22}}),
        ("ShortJob", {"assess_result": {"snr": {"status": 2}}}),
        ("ShortJob", {"assess_result": {"snr": {"actual": 22}}}),
        ("CreateShortJobRequest", {}),
        ("CreateShortJobRequest", {"language": "CN"}),
        ("CreateShortJobRequest", {"job_type": None}),
        ("CreateShortJobRequest", {"job_type": ["VOICE_ASSESS"]}),
        ("CreateShortJobRequest", {"job_type": "VOICE_ASSESS", "language": None}),
        ("CreatedShortJob", {"job_id": 26}),
        ("CreatedShortJob", {"data_uploading_url": ["https://example.com"]}),
        ("TenantDurationCfg", {"short_assess_min": "10"}),
        ("TenantDurationCfg", {"short_assess_max": 0.5}),
    ],
    ids=str,
)
def test_invalid_values_are_rejected(name: str, value: Any) -> None:
    assert errors({"$ref": f"#/components/schemas/{name}"}, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ShortJob", {}),
        ("ShortJob", {"state": "HIBERNATING"}),
        ("ShortJob", {"job_type": "VOICE_CLONE"}),
        ("ShortJob", {"new": [None]}),
        ("ShortJob", {"assess_result": {"new": {}}}),
        ("CreateShortJobRequest", {"job_type": "VOICE_CLONE"}),
        ("CreateShortJobRequest", {"job_type": "VOICE_ASSESS", "language": "DE", "new": [None]}),
        ("CreatedShortJob", {}),
        ("CreatedShortJob", {"new": [None]}),
        ("TenantDurationCfg", {}),
        ("TenantDurationCfg", {"basic_min": 10}),
        ("ErrorResponse", {}),
    ],
    ids=str,
)
def test_future_values_are_valid(name: str, value: Any) -> None:
    """A value that the service may send one day is valid."""
    assert errors({"$ref": f"#/components/schemas/{name}"}, value) == []


def test_client_regions_match_contract() -> None:
    (server,) = CONTRACT["servers"]
    region = server["variables"]["region"]

    assert set(region["enum"]) == {"cn-north-4", "cn-east-3", "ap-southeast-3"}
    assert region["default"] in region["enum"]
    assert list(get_args(Region)) == region["enum"]


@pytest.mark.parametrize("region", get_args(Region))
def test_client_uses_contract_server(region: str) -> None:
    (server,) = CONTRACT["servers"]

    with MetaStudio(region=region, project_id="p", credentials=Credentials("AK", "SK")) as studio:
        assert studio.client.get_httpx_client().base_url == server["url"].format(region=region)
    assert server["url"] == "https://metastudio.{region}.myhuaweicloud.com"
