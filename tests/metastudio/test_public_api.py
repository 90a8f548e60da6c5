"""The public names."""

import inspect

import metastudio


def test_all_lists_public_names() -> None:
    public = {name for name, value in vars(metastudio).items() if name[0] != "_" and not inspect.ismodule(value)}

    assert set(metastudio.__all__) == public | {"__version__"}
    assert metastudio.__all__ == sorted(metastudio.__all__)


def test_public_names_are_documented() -> None:
    undocumented = [name for name in metastudio.__all__ if not inspect.getdoc(getattr(metastudio, name))]

    assert undocumented == []
