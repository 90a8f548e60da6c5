"""Compare `openapi.yaml` in the current folder with that of the last tag; see `scripts/contract-diff`."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
COMBINED = ("allOf", "anyOf", "oneOf")


def resolved(root: dict[str, Any], node: Any, within: tuple[str, ...] = ()) -> Any:
    """Return a node with its references replaced; a recursive one ends as an empty schema."""
    if isinstance(node, list):
        return [resolved(root, each, within) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" not in node:
        return {key: resolved(root, value, within) for key, value in node.items()}
    if node["$ref"] in within:
        return {}
    target: Any = root
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part.replace("~1", "/").replace("~0", "~")]
    return resolved(root, target, (*within, node["$ref"]))


def breaks(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    """Yield a line for each thing that consumers of the old contract lose with the new one."""
    had, has = operations(old), operations(new)
    for name, operation in had.items():
        lines = of_operation(operation, has[name]) if name in has else ["removed"]
        yield from (f"{name}: {line}" for line in lines)
    schemas = (each.get("components", {}) for each in (old, new))
    yield from (f"schema {name}: removed" for name in missing("schemas", *schemas))  # a generated class


def operations(contract: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the operations by method and path, with their parameters and request bodies by name."""
    found = {}
    for path, item in contract["paths"].items():
        for method in item.keys() & METHODS:
            several = [*item.get("parameters", ()), *item[method].get("parameters", ())]
            parameters = {f"{each['in']} parameter {each['name']}": each for each in several}
            parameters |= {"request": item[method]["requestBody"]} if "requestBody" in item[method] else {}
            security = item[method].get("security", contract.get("security", []))
            found[f"{method.upper()} {path}"] = {**item[method], "parameters": parameters, "security": security}
    return dict(sorted(found.items()))


def of_operation(old: dict[str, Any], new: dict[str, Any]) -> Iterator[str]:
    if old.get("operationId") != new.get("operationId"):  # a generated module
        yield "operationId changed"
    yield from (f"security {'+'.join(way)}: removed" for way in old["security"] if way not in new["security"])
    for name in old["parameters"] | new["parameters"]:
        yield from of_input(name, old["parameters"].get(name), new["parameters"].get(name))
    yield from (f"response {status}: removed" for status in missing("responses", old, new))
    for status in old["responses"].keys() & new["responses"].keys():
        was, now, name = old["responses"][status], new["responses"][status], f"response {status}"
        yield from (f"{name}, header {header}: removed" for header in missing("headers", was, now))
        yield from of_content(name, was, now, request=False)


def of_input(name: str, old: dict[str, Any] | None, new: dict[str, Any] | None) -> Iterator[str]:
    """Compare a parameter or a request body; None means that there is none."""
    if new is None:
        yield f"{name}: removed"
        return
    if new.get("required") and not (old or {}).get("required"):
        yield f"{name}: newly required"
    if old is not None:
        yield from of_schema(name, old.get("schema"), new.get("schema"), request=True)
        yield from of_content(name, old, new, request=True)


def of_content(name: str, old: dict[str, Any], new: dict[str, Any], *, request: bool) -> Iterator[str]:
    yield from (f"{name} {kind}: removed" for kind in missing("content", old, new))
    for kind in old.get("content", {}).keys() & new.get("content", {}).keys():
        schemas = old["content"][kind].get("schema"), new["content"][kind].get("schema")
        yield from of_schema(name, *schemas, request=request)


def of_schema(name: str, old: Any, new: Any, *, request: bool) -> Iterator[str]:
    was, now = parts(old), parts(new)
    before, after = types(was), types(now)
    sent, accepted = (before, after) if request else (after, before)
    if accepted and (not sent or sent - accepted):
        yield f"{name}: type {' or '.join(sorted(before)) or 'any'} became {' or '.join(sorted(after)) or 'any'}"
    listed, still = ([value for part in each for value in part.get("enum", ())] for each in (was, now))
    yield from (f"{name}: value {value} removed" for value in listed if still and value not in still)
    if request and all("enum" in part for part in now) and not all("enum" in part for part in was):
        yield f"{name}: only listed values are accepted"
    had, has = ({key: each for part in some for key, each in part.get("properties", {}).items()} for some in (was, now))
    required = [{field for part in some for field in part.get("required", ())} for some in (was, now)]
    yield from (f"{name}.{field}: newly required" for field in sorted(required[1] - required[0]) if request)
    for field in had:
        inner = f"{name}.{field}"
        yield from of_schema(inner, had[field], has[field], request=request) if field in has else [f"{inner}: removed"]
    items = [next((part["items"] for part in some if "items" in part), None) for some in (was, now)]
    yield from of_schema(f"{name}[]", *items, request=request) if items != [None, None] else ()


def parts(schema: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the schemas that a schema combines, or the schema itself."""
    own = {key: value for key, value in (schema or {}).items() if key not in (*COMBINED, "description")}
    others = [part for key in COMBINED for each in (schema or {}).get(key, ()) for part in parts(each)]
    return [own, *others] if own or not others else others


def types(schemas: list[dict[str, Any]]) -> set[str]:
    several = [part.get("type", []) for part in schemas]
    return {each for some in several for each in ([some] if isinstance(some, str) else some)}


def missing(key: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [name for name in old.get(key, ()) if name not in new.get(key, ())]


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def main() -> str | None:
    """Return what is wrong, or None."""
    if not git("tag", "--merged", "HEAD", "--list", "v*"):
        if git("rev-parse", "--is-shallow-repository") == "true":
            return "The last release is not known, since the clone is shallow: git fetch --tags --unshallow"
        print("There is no release yet (no tag v*) to compare openapi.yaml with.")
        return None
    tag = git("describe", "--tags", "--abbrev=0", "--match", "v*")
    texts = git("show", f"{tag}:openapi.yaml"), Path("openapi.yaml").read_text("utf-8")
    found = [*breaks(*(resolved(each, each) for each in map(yaml.safe_load, texts)))]
    version = Path("overlays/metastudio/_version.py").read_text("utf-8").split('"')[-2]
    was, now = ([int(number) for number in re.findall("[0-9]+", each)[:2]] for each in (tag, version))
    print(f"openapi.yaml ({version}) compared with {tag}: {len(found)} breaks", *found, sep="\n")
    needed = [was[0], was[1] + 1] if was[0] == 0 else [was[0] + 1, 0]
    if found and now < needed:
        return (
            f"Keep what {tag} has, or set the version to {needed[0]}.{needed[1]}.0 in overlays/metastudio/_version.py."
        )
    return None


if __name__ == "__main__":
    sys.exit(main())
