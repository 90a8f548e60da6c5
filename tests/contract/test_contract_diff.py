"""`scripts/contract-diff`, in a temporary repository with one release."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CONTRACT = (ROOT / "openapi.yaml").read_text("utf-8")
PREFIX = "/v1/{project_id}/voice-training-manage/user"
JOB, JOBS, LIMITS = f"{PREFIX}/short-jobs/{{job_id}}", f"{PREFIX}/short-jobs", f"{PREFIX}/tenant-duration-cfg"

Contract = dict[str, Any]


def released_contract() -> Contract:
    """The contract, with an array, of which it has none."""
    contract: Contract = yaml.safe_load(CONTRACT)
    schema(contract, "CreateShortJobRequest")["properties"]["tags"] = {"type": "array", "items": {"type": "string"}}
    return contract


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("repository")
    (folder / "overlays" / "metastudio").mkdir(parents=True)
    write(folder, released_contract(), "0.1.0")
    git(folder, "init", "--initial-branch", "main")
    git(folder, "add", ".")
    git(folder, "commit", "--message", "A release")
    return folder


@pytest.fixture
def released(repository: Path) -> Path:
    """The repository with the tag v0.1.0, and the released files in its work tree."""
    git(repository, "tag", "--force", "v0.1.0")
    git(repository, "checkout", ".")
    return repository


def write(folder: Path, contract: Contract, version: str) -> None:
    (folder / "openapi.yaml").write_text(yaml.safe_dump(contract), "utf-8")
    (folder / "overlays" / "metastudio" / "_version.py").write_text(f'__version__ = "{version}"\n', "utf-8")


def compare(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "contract_diff.py")]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)


def schema(contract: Contract, name: str) -> Any:
    return contract["components"]["schemas"][name]


def operation(contract: Contract, path: str = JOB, method: str = "get") -> Any:
    return contract["paths"][path][method]


def remove_operation(contract: Contract) -> None:
    del contract["paths"][JOB]["post"]


def rename_operation(contract: Contract) -> None:
    operation(contract)["operationId"] = "GetShortJob"


def remove_security(contract: Contract) -> None:
    contract["security"].pop(0)


def remove_parameter(contract: Contract) -> None:
    operation(contract)["parameters"].pop()


def require_parameter(contract: Contract) -> None:
    contract["components"]["parameters"]["X-App-UserId"]["required"] = True


def add_required_parameter(contract: Contract) -> None:
    new = {"name": "n", "in": "query", "required": True, "schema": {"type": "integer"}}
    operation(contract)["parameters"].append(new)


def change_type_of_parameter(contract: Contract) -> None:
    contract["components"]["parameters"]["job_id"]["schema"] = {"type": "integer"}


def remove_request(contract: Contract) -> None:
    del operation(contract, JOBS, "post")["requestBody"]


def add_required_request(contract: Contract) -> None:
    operation(contract, JOB, "post")["requestBody"] = {"required": True, "content": {}}


def remove_request_field(contract: Contract) -> None:
    del schema(contract, "CreateShortJobRequest")["properties"]["language"]


def require_request_field(contract: Contract) -> None:
    schema(contract, "CreateShortJobRequest")["required"].append("language")


def remove_request_value(contract: Contract) -> None:
    schema(contract, "Language")["enum"].remove("EN")


def close_request_values(contract: Contract) -> None:
    schema(contract, "CreateShortJobRequest")["properties"]["language"]["anyOf"].pop()


def change_type_of_request_field(contract: Contract) -> None:
    schema(contract, "CreateShortJobRequest")["properties"]["language"] = {"type": "array", "items": {}}


def change_items_of_request_field(contract: Contract) -> None:
    schema(contract, "CreateShortJobRequest")["properties"]["tags"]["items"] = {"type": "integer"}


def remove_response_field(contract: Contract) -> None:
    del schema(contract, "AssessResult")["properties"]["snr"]


def change_type_of_response_field(contract: Contract) -> None:
    schema(contract, "AssessProperty")["properties"]["actual"]["type"] = "number"


def widen_type_of_response_field(contract: Contract) -> None:
    schema(contract, "AssessProperty")["properties"]["actual"]["type"] = ["string", "number"]


def remove_content(contract: Contract) -> None:
    operation(contract)["responses"]["200"]["content"] = {"text/plain": {}}


def remove_status(contract: Contract) -> None:
    responses = operation(contract, LIMITS)["responses"]
    responses["202"] = responses.pop("200")


def remove_header(contract: Contract) -> None:
    del contract["components"]["responses"]["Gateway"]["headers"]


def remove_schema(contract: Contract) -> None:
    schemas = contract["components"]["schemas"]
    schemas["State"] = schemas.pop("JobState")
    schema(contract, "ShortJob")["properties"]["state"]["anyOf"][0]["$ref"] = "#/components/schemas/State"


SHOW, CREATE, COMMIT = f"GET {JOB}", f"POST {JOBS}", f"POST {JOB}"
BREAKS: list[tuple[Callable[[Contract], None], str]] = [
    (remove_operation, f"{COMMIT}: removed"),
    (rename_operation, f"{SHOW}: operationId changed"),
    (remove_security, f"{SHOW}: security Token: removed"),
    (remove_parameter, f"{SHOW}: header parameter X-App-UserId: removed"),
    (require_parameter, f"{SHOW}: header parameter X-App-UserId: newly required"),
    (add_required_parameter, f"{SHOW}: query parameter n: newly required"),
    (change_type_of_parameter, f"{SHOW}: path parameter job_id: type string became integer"),
    (remove_request, f"{CREATE}: request: removed"),
    (add_required_request, f"{COMMIT}: request: newly required"),
    (remove_request_field, f"{CREATE}: request.language: removed"),
    (require_request_field, f"{CREATE}: request.language: newly required"),
    (remove_request_value, f"{CREATE}: request.language: value EN removed"),
    (close_request_values, f"{CREATE}: request.language: only listed values are accepted"),
    (change_type_of_request_field, f"{CREATE}: request.language: type string became array"),
    (change_items_of_request_field, f"{CREATE}: request.tags[]: type string became integer"),
    (remove_response_field, f"{SHOW}: response 200.assess_result.snr: removed"),
    (change_type_of_response_field, f"{SHOW}: response 200.assess_result.snr.actual: type string became number"),
    (
        widen_type_of_response_field,
        f"{SHOW}: response 200.assess_result.snr.actual: type string became number or string",
    ),
    (remove_content, f"{SHOW}: response 200 application/json: removed"),
    (remove_status, f"GET {LIMITS}: response 200: removed"),
    (remove_header, f"{SHOW}: response default, header X-Request-Id: removed"),
    (remove_schema, "schema JobState: removed"),
]


@pytest.mark.parametrize(("change", "line"), BREAKS, ids=[change.__name__ for change, _ in BREAKS])
def test_break(released: Path, change: Callable[[Contract], None], line: str) -> None:
    contract = released_contract()
    change(contract)
    write(released, contract, "0.1.1")

    result = compare(released)

    assert line in result.stdout.splitlines()
    assert (result.returncode, "set the version to 0.2.0" in result.stderr) == (1, True)


def test_additions(released: Path) -> None:
    """New operations, optional inputs, response fields, values, statuses, and types in requests are no breaks."""
    contract = released_contract()
    contract["paths"]["/v1/new"] = {"get": operation(contract, LIMITS)}
    operation(contract)["parameters"].append({"name": "n", "in": "query", "schema": {"type": "integer"}})
    schema(contract, "CreateShortJobRequest")["properties"]["note"] = {"type": "string"}
    schema(contract, "CreateShortJobRequest")["properties"]["job_type"]["anyOf"].append({"type": "integer"})
    schema(contract, "AssessResult")["properties"]["loudness"] = {"$ref": "#/components/schemas/AssessProperty"}
    schema(contract, "AssessResult")["properties"]["parts"] = {
        "type": "array",
        "items": {"$ref": "#/components/schemas/AssessResult"},  # recursive
    }
    schema(contract, "Language")["enum"].append("FR")
    schema(contract, "JobState")["enum"].append("NEW")
    schema(contract, "ShortJob")["required"] = ["job_id"]
    operation(contract)["responses"]["404"] = operation(contract)["responses"]["400"]
    write(released, contract, "0.1.1")

    result = compare(released)

    assert (result.returncode, result.stdout) == (0, "openapi.yaml (0.1.1) compared with v0.1.0: 0 breaks\n")


@pytest.mark.parametrize(
    ("tag", "version", "passes"),
    [
        ("v0.1.0", "0.1.9", False),
        ("v0.1.0", "0.2.0", True),
        ("v0.1.0", "1.0.0", True),
        ("v1.4.0", "1.5.0", False),
        ("v1.4.0", "2.0.0", True),
    ],
)
def test_version_allows_break(released: Path, tag: str, version: str, passes: bool) -> None:
    git(released, "tag", "--delete", "v0.1.0")
    git(released, "tag", tag)
    contract = released_contract()
    remove_operation(contract)
    write(released, contract, version)

    result = compare(released)
    git(released, "tag", "--delete", tag)

    assert f"compared with {tag}: 1 breaks\n{COMMIT}: removed\n" in result.stdout
    assert result.returncode == (0 if passes else 1)


def test_no_release(released: Path, tmp_path: Path) -> None:
    """Without a tag it passes and says so; a shallow clone, which may lack the tag, does not pass."""
    git(released, "tag", "--delete", "v0.1.0")
    git(released, "commit", "--allow-empty", "--message", "Another commit")
    git(tmp_path, "clone", "--depth", "1", released.as_uri(), "shallow")

    none, shallow = compare(released), compare(tmp_path / "shallow")

    assert (none.returncode, "There is no release yet" in none.stdout) == (0, True)
    assert (shallow.returncode, "git fetch --tags --unshallow" in shallow.stderr) == (1, True)
