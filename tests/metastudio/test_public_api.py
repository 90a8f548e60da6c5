"""The public names."""

import inspect

import metastudio


def test_all_is_what_is_there() -> None:
    public = {name for name, value in vars(metastudio).items() if name[0] != "_" and not inspect.ismodule(value)}

    assert set(metastudio.__all__) == public | {"__version__"}
    assert metastudio.__all__ == sorted(metastudio.__all__)


def test_every_public_name_is_documented() -> None:
    undocumented = [name for name in metastudio.__all__ if not inspect.getdoc(getattr(metastudio, name))]

    assert undocumented == []
