"""One edit, everywhere: what is added to `openapi.yaml` is there after `./generate.sh`, and no other file was touched.

Each copy of the repository has the contract, the generator's configuration and the packages; `scripts/setup` is empty
there, since the tests' own environment is already in `PATH`. What is asked of a copy is asked in processes of their
own, where its packages come before the installed ones.
"""

import json
import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
import yaml

from support import HANGS_AFTER

ROOT = Path(__file__).parents[2]
CLIENT = "generated_client/metastudio_client"
METASTUDIO = (sys.executable, "-c", "from metastudio_cli import main; main()")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bash") is None, reason="generate.sh needs bash"),
]


@attrs.frozen
class Copy:
    """A copy of the repository, whose contract was edited and whose client was generated from it."""

    root: Path
    changed: set[str]

    def environment(self, **more: str) -> dict[str, str]:
        packages = (self.root / "overlays", self.root / "generated_client")
        return os.environ | {"PYTHONPATH": os.pathsep.join(map(str, packages))} | more

    def python(self, code: str) -> Any:
        """Run `code` on the packages of the copy, and return what it prints as JSON."""
        return json.loads(succeed(sys.executable, "-c", code, env=self.environment()))

    def show(self, job_id: str, environment: dict[str, str]) -> Any:
        """Return what `metastudio show` prints where nobody looks."""
        return json.loads(succeed(*METASTUDIO, "show", job_id, env=self.environment(**environment)))

    def show_on_a_terminal(self, job_id: str, environment: dict[str, str]) -> str:
        """Return what a person sees."""
        ours, theirs = pty.openpty()
        env = self.environment(**environment, COLUMNS="200", TERM="dumb")
        with subprocess.Popen([*METASTUDIO, "show", job_id], env=env, stdout=theirs, stderr=theirs) as process:
            os.close(theirs)
            shown = b""
            while chunk := read(ours):
                shown += chunk
            os.close(ours)
        assert process.returncode == 0, shown
        return shown.decode()


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux: the other end is closed
        return b""


def succeed(*command: str, env: dict[str, str]) -> str:
    result = subprocess.run(command, env=env, capture_output=True, encoding="utf-8", timeout=HANGS_AFTER, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def files(root: Path) -> dict[str, bytes]:
    found = (path for path in root.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def edited_copy(directory: Path, edit: Callable[[dict[str, Any]], None]) -> Copy:
    """Copy the repository to `directory`, edit the contract there, and run `./generate.sh`."""
    root = directory / "repository"
    (root / "scripts").mkdir(parents=True)
    for name in ("generate.sh", "openapi.yaml"):
        shutil.copy(ROOT / name, root / name)
    for name in ("codegen", "overlays", CLIENT):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    setup = root / "scripts" / "setup"
    setup.write_text("#!/usr/bin/env bash\n", "utf-8")
    setup.chmod(0o755)
    before = files(root)

    contract = yaml.safe_load((root / "openapi.yaml").read_text("utf-8"))
    edit(contract)
    (root / "openapi.yaml").write_text(yaml.safe_dump(contract, sort_keys=False, allow_unicode=True), "utf-8")
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    succeed(str(root / "generate.sh"), env=os.environ | {"PATH": path})

    after = files(root)
    return Copy(root, {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)})


def new_field_metric_and_state(contract: dict[str, Any]) -> None:
    schemas = contract["components"]["schemas"]
    schemas["ShortJob"]["properties"]["speaker_name"] = {"type": "string", "description": "Invented."}
    schemas["AssessResult"]["properties"]["clarity"] = {"$ref": "#/components/schemas/AssessProperty"}
    schemas["JobState"]["enum"].append("HIBERNATING")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy with a new field, a new metric and a new state."""
    return edited_copy(tmp_path_factory.mktemp("one-edit"), new_field_metric_and_state)


@attrs.frozen
class Served:
    """The sandbox of the copy, run by its command: the environment to reach it, and a job in each state."""

    environment: dict[str, str]
    job_ids: dict[str, str]


@pytest.fixture(scope="module")
def served(copy: Copy) -> Iterator[Served]:
    command = [*METASTUDIO, "sandbox"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=copy.environment(), stdout=pipe, stderr=pipe, encoding="utf-8") as process:
        assert process.stdout
        assert process.stderr
        exports = [process.stdout.readline().removeprefix("export ").strip() for _ in range(4)]
        environment = {name: value.strip("'") for name, _, value in (each.partition("=") for each in exports)}
        job_ids = {}
        for line in iter(process.stderr.readline, ""):
            if line.startswith("Serving"):
                break
            job_id, state = line.split()
            job_ids[state] = job_id
        yield Served(environment, job_ids)
        process.terminate()


def test_only_contract_and_models_change(copy: Copy) -> None:
    models = {f"{CLIENT}/models/{name}.py" for name in ("short_job", "assess_result", "job_state")}

    assert copy.changed == {"openapi.yaml", *models}


MODEL = """
import json
import metastudio, metastudio_cli, metastudio_client, metastudio_sandbox
from metastudio import AssessProperty, AssessResult, JobState, MetaStudio, ShortJob
from metastudio_sandbox import Sandbox

with Sandbox() as sandbox:
    options = {"endpoint": sandbox.url, "project_id": sandbox.project_id, "credentials": sandbox.credentials}
    with MetaStudio(**options) as studio:
        finished = studio.short_jobs.show(sandbox.add_job("SUCCEED"))
        running = studio.short_jobs.show(sandbox.add_job("HIBERNATING"))

print(json.dumps({
    "files": [each.__file__ for each in (metastudio, metastudio_cli, metastudio_client, metastudio_sandbox)],
    "the state is a member": running.state is JobState.HIBERNATING,
    "the metric is a model": isinstance(finished.assess_result.clarity, AssessProperty),
    "the metric has its name": "clarity" in metastudio.metrics(finished),
    "the field has a value": finished.speaker_name,
    "nothing is unknown": finished.additional_properties == finished.assess_result.additional_properties == {},
    "a wait goes on in it": "HIBERNATING" not in metastudio.polling.SUCCESS_STATES | metastudio.polling.FAILURE_STATES,
    "the model writes them": ShortJob(
        state=JobState("HIBERNATING"), speaker_name="Ann", assess_result=AssessResult(clarity=AssessProperty(status=0))
    ).to_dict(),
}))
"""


def test_model_and_sandbox_have_additions(copy: Copy) -> None:
    answer = copy.python(MODEL)

    assert all(Path(file).is_relative_to(copy.root) for file in answer.pop("files"))
    assert answer == {
        "the state is a member": True,
        "the metric is a model": True,
        "the metric has its name": True,
        "the field has a value": "invented",
        "nothing is unknown": True,
        "a wait goes on in it": True,
        "the model writes them": {
            "state": "HIBERNATING",
            "speaker_name": "Ann",
            "assess_result": {"clarity": {"status": 0}},
        },
    }


def test_command_shows_additions_as_json(copy: Copy, served: Served) -> None:
    finished = copy.show(served.job_ids["SUCCEED"], served.environment)
    running = copy.show(served.job_ids["HIBERNATING"], served.environment)

    assert finished["assess_result"]["clarity"].keys() >= {"expected", "actual", "status"}
    assert finished["speaker_name"] == running["speaker_name"] == "invented"
    assert running["state"] == "HIBERNATING"


def test_command_shows_additions_as_table(copy: Copy, served: Served) -> None:
    finished = copy.show_on_a_terminal(served.job_ids["SUCCEED"], served.environment)
    running = copy.show_on_a_terminal(served.job_ids["HIBERNATING"], served.environment)

    rows = {tuple(line.strip("│ \r").split()[:2]) for line in (finished + running).splitlines()}
    assert {("speaker_name", "invented"), ("state", "HIBERNATING"), ("clarity", "invented")} <= rows


def new_operations(contract: dict[str, Any]) -> None:
    items = contract["paths"].values()
    (item,) = (item for item in items if item.get("get", {}).get("operationId") == "ShowShortJob")
    show = item["get"]
    project_id = {"$ref": "#/components/parameters/project_id"}
    quotas = {
        "description": "Invented.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/ShortJobQuotas"}}},
    }
    contract["paths"]["/v1/{project_id}/voice-training-manage/user/short-job-quotas"] = {
        "get": {
            "operationId": "ShowShortJobQuotas",
            "tags": ["short-jobs"],
            "summary": "Invented",
            "parameters": [
                project_id,
                {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 100}},
            ],
            "responses": {"200": quotas, "400": show["responses"]["400"], "default": show["responses"]["default"]},
        }
    }
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/ShortJobName"}}}
    others = {"400": show["responses"]["400"], "default": show["responses"]["default"]}
    contract["paths"]["/v1/{project_id}/voice-training-manage/user/short-jobs/{job_id}/name"] = {
        "post": {
            "operationId": "RenameShortJob",
            "tags": ["short-jobs"],
            "parameters": show["parameters"],
            "requestBody": {"required": True, "content": body},
            "responses": {"200": show["responses"]["200"], **others},
        }
    }
    item["delete"] = {  # the same path, another method
        "operationId": "ForgetShortJob",
        "tags": ["short-jobs"],
        "parameters": show["parameters"],
        "responses": {"200": {"description": "Invented."}, **others},
    }
    contract["components"]["schemas"] |= {
        "ShortJobName": {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]},
        "ShortJobQuotas": {
            "type": "object",
            "properties": {
                "quotas": {"type": "array", "items": {"$ref": "#/components/schemas/ShortJobQuota"}},
                "account": {"type": "string"},
            },
        },
        "ShortJobQuota": {
            "type": "object",
            "properties": {"used": {"type": "integer", "minimum": 3}, "total": {"type": "integer", "minimum": 20}},
        },
    }


OPERATION = """
import asyncio, json
import metastudio
from metastudio import AsyncMetaStudio, Credentials, MetaStudio, MetaStudioError
from metastudio_client.api.short_jobs import show_short_job_quotas
from metastudio_sandbox import Sandbox, faults

def outcome(call):
    try:
        answer = call()
    except MetaStudioError as error:
        return [type(error).__name__, getattr(error, "error_code", None)]
    return [type(answer).__name__, answer.to_dict()]

def sync(sandbox, options, arguments):
    with MetaStudio(**options) as studio:
        return show_short_job_quotas.sync(sandbox.project_id, client=studio.client, **arguments)

def asynchronous(sandbox, options, arguments):
    async def main():
        async with AsyncMetaStudio(**options) as studio:
            return await show_short_job_quotas.asyncio(sandbox.project_id, client=studio.client, **arguments)
    return asyncio.run(main())

def outcomes(run):
    with Sandbox() as sandbox:
        options = {"endpoint": sandbox.url, "project_id": sandbox.project_id, "credentials": sandbox.credentials}
        def call(fault=None, arguments={}, **changed):
            if fault:
                sandbox.inject(fault)
            return outcome(lambda: run(sandbox, options | changed, arguments))
        return {
            "answer": call(arguments={"limit": 7}),
            "target": sandbox.exchanges[-1].target,
            "signed": "limit=7" in (sandbox.exchanges[-1].canonical_request or ""),
            "invalid argument": call(arguments={"limit": 0}),
            "throttled": call(faults.throttled()),
            "no permission": call(faults.status(403, "APIGW.0302")),
            "broken gateway": call(faults.status(500, "APIGW.0601")),
            "web page": call(faults.html(502)),
            "web page with 200": call(faults.html(200)),
            "lost": call(faults.lost),
            "wrong key": call(credentials=Credentials(sandbox.credentials.ak, "not-the-secret-key")),
            "requests": len(sandbox.exchanges),
        }

print(json.dumps({"file": metastudio.__file__, "sync": outcomes(sync), "async": outcomes(asynchronous)}))
"""


CALLS = """
import asyncio, json
from functools import partial
from types import NoneType
from metastudio import AsyncMetaStudio, MetaStudio, MetaStudioError, ShortJob
from metastudio_client.api.short_jobs import forget_short_job, rename_short_job
from metastudio_client.models import ShortJobName
from metastudio_sandbox import Sandbox, faults
from starlette.responses import Response

async def no_content(request, answer):
    answer()
    return Response(status_code=204)

async def without_its_content(request, answer):
    answer()
    return Response(status_code=200)

async def at_once(seconds):
    pass

def outcome(call):
    try:
        result = call()
    except MetaStudioError as error:
        return type(error).__name__
    return result and type(result).__name__

def outcomes(run):
    with Sandbox() as sandbox:
        options = {"endpoint": sandbox.url, "project_id": sandbox.project_id, "credentials": sandbox.credentials}
        job = sandbox.add_job()
        def call(module, returns, *injected, repeatable=False, **arguments):
            for fault in injected:
                sandbox.inject(fault)
            before = len(sandbox.exchanges)
            result = outcome(lambda: run(options, module, arguments | {"job_id": job}, returns, repeatable))
            sent = list(sandbox.exchanges)[before:]
            return [result, len(sent), sent[-1].method, sent[-1].headers.get("content-type")]
        rename = partial(call, rename_short_job, ShortJob, body=ShortJobName(name="new"))
        forget = partial(call, forget_short_job, NoneType)
        return {
            "body": rename(),
            "body, lost": rename(faults.lost),
            "body, lost, repeatable": rename(faults.lost, repeatable=True),
            "body, throttled": rename(faults.throttled(0)),
            "body, empty response": rename(without_its_content),
            "no content": forget(),
            "no content, 204": forget(no_content),
            "no content, lost": forget(faults.lost),
            "no content, refused": forget(faults.status(400, "MSS.00000003")),
        }

def sync(options, module, arguments, returns, repeatable):
    with MetaStudio(**options) as studio:
        caller = studio.short_jobs._caller
        caller.sleep = lambda seconds: None
        return caller.run(partial(module.sync, **arguments), returns, caller.new(repeatable=repeatable))

def asynchronous(options, module, arguments, returns, repeatable):
    async def main():
        async with AsyncMetaStudio(**options) as studio:
            caller = studio.short_jobs._caller
            caller.sleep = at_once
            operation = partial(module.asyncio, **arguments)
            return await caller.run(operation, returns, caller.new(repeatable=repeatable))
    return asyncio.run(main())

print(json.dumps({"sync": outcomes(sync), "async": outcomes(asynchronous)}))
"""


def test_post_and_no_content(new: Copy) -> None:
    """A POST that may have been executed is not repeated, unless its operation says that it may be."""
    answer = new.python(CALLS)

    assert answer["sync"] == answer["async"]
    assert answer["sync"] == {
        "body": ["ShortJob", 1, "POST", "application/json"],
        "body, lost": ["APIConnectionError", 1, "POST", "application/json"],
        "body, lost, repeatable": ["ShortJob", 2, "POST", "application/json"],
        "body, throttled": ["ShortJob", 2, "POST", "application/json"],
        "body, empty response": ["APIResponseValidationError", 1, "POST", "application/json"],
        "no content": [None, 1, "DELETE", None],
        "no content, 204": [None, 1, "DELETE", None],
        "no content, lost": [None, 2, "DELETE", None],
        "no content, refused": ["BadRequestError", 1, "DELETE", None],
    }


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy with new operations: a GET with a query, a POST with a body, one without content."""
    return edited_copy(tmp_path_factory.mktemp("operations"), new_operations)


def test_new_operation(new: Copy) -> None:
    """A new operation is callable at once: signed, validated, and with typed errors."""
    answer = new.python(OPERATION)

    models = ("__init__", "short_job_name", "short_job_quota", "short_job_quotas")
    operations = ("show_short_job_quotas", "rename_short_job", "forget_short_job")
    assert new.changed == {
        "openapi.yaml",
        *(f"{CLIENT}/models/{name}.py" for name in models),
        *(f"{CLIENT}/api/short_jobs/{name}.py" for name in operations),
    }
    assert Path(answer["file"]).is_relative_to(new.root)
    assert answer["sync"] == answer["async"]
    outcomes = answer["sync"]
    assert outcomes.pop("target").endswith("/voice-training-manage/user/short-job-quotas?limit=7")
    assert outcomes == {
        "answer": ["ShortJobQuotas", {"quotas": [{"used": 3, "total": 20}], "account": "invented"}],
        "signed": True,
        "invalid argument": ["BadRequestError", "MSS.00000003"],
        "throttled": ["RateLimitError", "APIGW.0308"],
        "no permission": ["PermissionDeniedError", "APIGW.0302"],
        "broken gateway": ["InternalServerError", "APIGW.0601"],
        "web page": ["InternalServerError", None],
        "web page with 200": ["APIResponseValidationError", None],
        "lost": ["APIConnectionError", None],
        "wrong key": ["AuthenticationError", "APIGW.0301"],
        "requests": 9,  # each was sent once: a generated function does not retry
    }
