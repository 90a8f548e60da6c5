"""The public interface: every public name with its signature, held against `api_snapshot.txt`.

So that no change of it goes unnoticed. To change it on purpose: `python tests/metastudio/test_api_snapshot.py`, look at
the difference, and say in CHANGELOG.md what it means for users.

Signatures are taken from the source, since `inspect` prints them differently from one Python to another; that of an
`__init__` which attrs makes, from its fields.
"""

import ast
import difflib
import sys
from collections.abc import Iterator
from enum import Enum
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Generic

import attrs

import metastudio
import metastudio_batch
import metastudio_sandbox

SNAPSHOT = Path(__file__).with_name("api_snapshot.txt")
OURS = ("huaweicloud_auth", "metastudio", "metastudio_batch", "metastudio_client", "metastudio_sandbox")
SPECIAL = {"__init__", "__enter__", "__aenter__"}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def render() -> str:
    """Return the public interface as text, the same on every Python."""
    lines = []
    for module in (metastudio, metastudio_batch, metastudio_sandbox):
        for name in sorted(module.__all__):
            lines += [*_described(f"{module.__name__}.{name}", getattr(module, name)), ""]
    return "\n".join(lines)


def _described(path: str, value: Any) -> Iterator[str]:
    if isinstance(value, type):
        yield from _class(path, value)
    elif isinstance(value, ModuleType):
        yield f"module {path}"
        for node in _module(value.__name__).body:
            if name := _public_name(node):
                yield from (f"    {line}" for line in _member(name, node, value))
    else:
        yield f"{path}: {type(value).__name__}"


def _member(name: str, node: ast.stmt, module: ModuleType) -> Iterator[str]:
    if isinstance(node, _FUNCTIONS):
        yield _function(node)
    elif isinstance(node, ast.ClassDef):
        yield from _class(name, getattr(module, name))
    else:
        yield ast.unparse(node)


def _class(path: str, value: type) -> Iterator[str]:
    ours = [each for each in value.__mro__ if _is_ours(each)]
    yield f"class {path}({', '.join(_bases(value))})"
    if issubclass(value, Enum):
        yield from (f"    {member.name} = {member.value!r}" for member in value)
        return
    members: dict[str, str] = {}
    for each in ours:
        body = _definition(each).body
        init = [node for node in body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
        for node in body:
            if name := _public_name(node):
                members.setdefault(name, _function(node) if isinstance(node, _FUNCTIONS) else _field(node))
        for name in (name for node in init for name in _set_on_self(node)):
            members.setdefault(name, name)
        if not init and "__attrs_attrs__" in vars(each):
            members.setdefault("__init__", _made_by_attrs(each))
    yield from (f"    {members[name]}" for name in sorted(members))


def _bases(value: type) -> Iterator[str]:
    """Name the closest base classes that are public."""
    public = [each for each in value.__mro__[1:] if each.__name__[0] != "_" and each not in {object, Generic}]
    for each in public:
        if not any(other is not each and issubclass(other, each) for other in public):
            yield each.__name__


def _is_ours(value: type) -> bool:
    return value.__module__.partition(".")[0] in OURS


def _public_name(node: ast.stmt) -> str | None:
    """Return the name that a statement of a class or module gives to something public."""
    if isinstance(node, _FUNCTIONS):
        return node.name if node.name in SPECIAL or node.name[0] != "_" else None
    if isinstance(node, ast.ClassDef):
        return node.name if node.name[0] != "_" else None
    target = node.target if isinstance(node, ast.AnnAssign) else None
    return target.id if isinstance(target, ast.Name) and target.id[0] != "_" else None


def _function(node: ast.stmt) -> str:
    assert isinstance(node, _FUNCTIONS)
    prefix = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    decorators = "".join(f"@{ast.unparse(each)} " for each in node.decorator_list)
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{decorators}{prefix} {node.name}({ast.unparse(node.args)}){returns}"


def _field(node: ast.stmt) -> str:
    assert isinstance(node, ast.AnnAssign)
    return f"{ast.unparse(node.target)}: {ast.unparse(node.annotation)}"


def _set_on_self(function: ast.FunctionDef) -> Iterator[str]:
    for node in ast.walk(function):
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Attribute) and ast.unparse(target.value) == "self" and target.attr[0] != "_":
                yield target.attr


def _made_by_attrs(value: type) -> str:
    fields = [field for field in attrs.fields(value) if field.init]
    shown = [field.alias + ("" if field.default is attrs.NOTHING else "=...") for field in fields if not field.kw_only]
    keyword = [field.alias + ("" if field.default is attrs.NOTHING else "=...") for field in fields if field.kw_only]
    return f"def __init__({', '.join(['self', *shown, *(['*'] if keyword else []), *keyword])})"


@cache
def _module(name: str) -> ast.Module:
    return ast.parse(Path(str(sys.modules[name].__file__)).read_text("utf-8"))


def _definition(value: type) -> ast.ClassDef:
    (found,) = (
        node
        for node in _module(value.__module__).body
        if isinstance(node, ast.ClassDef) and node.name == value.__name__
    )
    return found


def test_public_interface_is_unchanged() -> None:
    difference = difflib.unified_diff(
        SNAPSHOT.read_text("utf-8").splitlines(), render().splitlines(), "as it was", "as it is", lineterm="", n=2
    )

    assert not (lines := list(difference)), "\n".join(
        ["the public interface has changed; if on purpose, run `python tests/metastudio/test_api_snapshot.py`", *lines]
    )


if __name__ == "__main__":
    SNAPSHOT.write_text(render(), "utf-8")
