"""The contract against the generated models: the same fields, types and values, and nothing is lost on the way."""

import copy
import json
import pickle
from pathlib import Path
from typing import Any

import attrs
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from metastudio_client import models
from metastudio_client.models import CreateShortJobRequest, JobState, JobType, Language, ShortJob

SCHEMAS: dict[str, Any] = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text("utf-8"))["components"][
    "schemas"
]
OBJECTS = [name for name, schema in SCHEMAS.items() if schema["type"] == "object"]
ENUMS = [name for name, schema in SCHEMAS.items() if "enum" in schema]

text = st.text(max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text
anything_in_json = scalars | st.lists(scalars, max_size=2) | st.dictionaries(text, scalars, max_size=2)


def referred(schema: dict[str, Any]) -> str:
    return str(schema["$ref"].rpartition("/")[2])


def values(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return a strategy for what is valid under `schema`: optional fields may be missing, unknown ones be there."""
    if "$ref" in schema:
        return values(SCHEMAS[referred(schema)])
    if "anyOf" in schema:
        return st.one_of([values(each) for each in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "integer":
        return st.integers(schema.get("minimum"), schema.get("maximum"))
    if schema["type"] == "string":
        return text
    assert schema["type"] == "object", schema
    known = {name: values(each) for name, each in schema["properties"].items()}
    mandatory = {name: known[name] for name in schema.get("required", [])}
    optional = {name: known[name] for name in known if name not in mandatory}
    unknown = st.dictionaries(text.filter(lambda name: name not in known), anything_in_json, max_size=2)
    return st.builds(dict.__or__, unknown, st.fixed_dictionaries(mandatory, optional=optional))


def annotation(schema: dict[str, Any]) -> str:
    """Return the annotation that a field with `schema` must have."""
    if "$ref" in schema:
        return referred(schema)
    if "anyOf" in schema:
        return " | ".join(map(annotation, schema["anyOf"]))
    return {"string": "str", "integer": "int"}[schema["type"]]


def test_schemas_are_models() -> None:
    assert set(models.__all__) == SCHEMAS.keys()


@pytest.mark.parametrize("name", OBJECTS)
def test_model_fields_match_schema(name: str) -> None:
    fields = {field.name: field for field in attrs.fields(getattr(models, name))}
    del fields["additional_properties"]  # where unknown ones go

    expected = {}
    for each, schema in SCHEMAS[name]["properties"].items():
        mandatory = each in SCHEMAS[name].get("required", [])
        expected[each] = (annotation(schema), attrs.NOTHING) if mandatory else (f"{annotation(schema)} | None", None)
    assert {field.name: (field.type, field.default) for field in fields.values()} == expected


@pytest.mark.parametrize("name", ENUMS)
def test_enum_members_match_schema(name: str) -> None:
    members = {member.name: member.value for member in getattr(models, name)}

    assert members == {value: value for value in SCHEMAS[name]["enum"]}


@pytest.mark.parametrize("name", OBJECTS)
@settings(deadline=None)  # a slow machine is not a wrong answer
@given(data=st.data())
def test_valid_values_survive_round_trip(name: str, data: st.DataObject) -> None:
    model, wire = getattr(models, name), data.draw(values(SCHEMAS[name]))
    before = json.dumps(wire, sort_keys=True)  # as text: 1, 1.0 and true are not the same

    parsed = model.from_dict(wire)

    assert json.dumps(parsed.to_dict(), sort_keys=True) == before
    assert json.dumps(wire, sort_keys=True) == before
    assert model.from_dict(parsed.to_dict()) == parsed
    assert parsed.additional_properties.keys() == wire.keys() - SCHEMAS[name]["properties"].keys()


@pytest.mark.parametrize("state", JobState)
def test_known_state_is_member(state: JobState) -> None:
    assert ShortJob.from_dict({"state": state.value}).state is state


def test_known_type_is_member() -> None:
    assert ShortJob.from_dict({"job_type": "VOICE_ASSESS"}).job_type is JobType.VOICE_ASSESS


@pytest.mark.parametrize("value", ["HIBERNATING", "succeed", " SUCCEED", ""])
@pytest.mark.parametrize("field", ["state", "job_type"])
def test_unknown_value_is_string(field: str, value: str) -> None:
    arrived = getattr(ShortJob.from_dict({field: value}), field)

    assert type(arrived) is str
    assert arrived == value


@pytest.mark.parametrize("number", [0, -1, 2**31, 2**63])
def test_time_outside_range_is_unchanged(number: int) -> None:
    assert ShortJob.from_dict({"create_time": number}).create_time == number


def test_missing_field_is_none() -> None:
    """What prints, compares, copies or serialises a job meets `None`, and no object of the generator's."""
    job = ShortJob.from_dict({"state": "WAITING", "assess_result": None})

    assert [getattr(job, name) for name in SCHEMAS["ShortJob"]["properties"] if name != "state"] == [None] * 7
    assert f"{job.job_failed_reason}" == "None"
    assert json.dumps(job.to_dict()) == '{"state": "WAITING"}'
    assert json.dumps(attrs.asdict(job)["assess_result"]) == "null"
    assert pickle.loads(pickle.dumps(job)) == copy.deepcopy(job) == job
    assert "Unset" not in repr(job)


def test_unset_request_field_is_not_sent() -> None:
    assert CreateShortJobRequest(JobType.VOICE_ASSESS).to_dict() == {"job_type": "VOICE_ASSESS"}


def test_request_sends_enum_values_and_strings() -> None:
    known = CreateShortJobRequest(JobType.VOICE_ASSESS, Language.EN)
    unheard_of = CreateShortJobRequest("VOICE_CLONE", "DE")

    assert json.dumps(known.to_dict()) == '{"job_type": "VOICE_ASSESS", "language": "EN"}'
    assert json.dumps(unheard_of.to_dict()) == '{"job_type": "VOICE_CLONE", "language": "DE"}'
