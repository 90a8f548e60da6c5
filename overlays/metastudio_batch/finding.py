"""Finding the recordings of a batch, one by one: from paths, folders, globs and manifests."""

import csv
import glob
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs

from metastudio import ConfigurationError
from metastudio.errors import printable
from metastudio.validation import header_value

#: Extensions of recordings in a folder. A zip may contain anything, so it must be passed by its path.
AUDIO: Final = frozenset({".wav", ".mp3", ".m4a", ".flac", ".ogg", ".aac", ".pcm"})
_MANIFESTS: Final = frozenset({".csv", ".jsonl"})
_OURS: Final = frozenset({"path", "language", "app_user_id"})


@attrs.frozen
class Found:
    """A recording of a batch.

    Attributes:
        path: Its name in the journal: the path relative to the argument that it was found with.
        file: Where its file is.
        language: CN or EN; None means the batch's language.
        app_user_id: Sent as `X-App-UserId`; None means the batch's.
        columns: Additional columns of the manifest.
    """

    path: str
    file: str
    language: str | None = None
    app_user_id: str | None = None
    columns: dict[str, Any] = attrs.field(factory=dict)


Recordings: TypeAlias = str | os.PathLike[str] | Found | Iterable[str | os.PathLike[str] | Found]


def find(recordings: Recordings) -> Iterator[Found]:
    """Yield every recording of paths, folders (audio files at any depth), globs and manifests (`.csv`, `.jsonl`).

    Raises:
        ConfigurationError: An argument contains no recording, or a manifest is malformed.
    """
    several = [recordings] if isinstance(recordings, str | bytes | os.PathLike | Found) else recordings
    if not isinstance(several, Iterable):
        raise ConfigurationError(f"recordings must be paths, not {type(recordings)}")
    for each in several:
        if isinstance(each, Found):
            yield each
        elif not isinstance(each, str | os.PathLike) or not isinstance(os.fspath(each), str) or not os.fspath(each):
            raise ConfigurationError(f"recordings must be paths, not {printable(repr(each), 80)}")
        else:
            yield from _at_least_one(os.fspath(each))


def shard(recordings: Iterable[Found], number: int, of: int) -> Iterator[Found]:
    """Yield the recordings of one shard: the `number`-th of `of`, counted from 1. A hash of each path decides."""
    for each in recordings:
        if int.from_bytes(hashlib.sha256(each.path.encode()).digest(), "big") % of == number - 1:
            yield each


def _at_least_one(argument: str) -> Iterator[Found]:
    found = _of(argument)
    first = next(found, None)
    if first is None:
        raise ConfigurationError(f"no recording in {_shown(argument)}: audio files end in {', '.join(sorted(AUDIO))}")
    yield first
    yield from found


def _of(argument: str) -> Iterator[Found]:
    # os.path, unlike Path, reports a path that no file system accepts as missing.
    if os.path.isdir(argument):  # noqa: PTH112
        return (_found(path, argument) for path in _walk(argument))
    if os.path.isfile(argument) and Path(argument).suffix.lower() in _MANIFESTS:  # noqa: PTH113
        return _in_manifest(Path(argument))
    if os.path.lexists(argument):
        return iter([_found(argument, os.path.dirname(argument))])  # noqa: PTH120
    if glob.has_magic(argument):
        return _matching(argument)
    raise ConfigurationError(f"{_shown(argument)} does not exist: check the path")


def _walk(folder: str) -> Iterator[str]:
    """Yield the audio files of a folder, at any depth; skip hidden entries and links to folders."""
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield from _walk(entry.path)
                elif os.path.splitext(entry.name)[1].lower() in AUDIO and not entry.is_dir():  # noqa: PTH122
                    yield entry.path
    except OSError as error:
        raise ConfigurationError(f"cannot read a folder ({error}): check its permissions") from error


def _matching(pattern: str) -> Iterator[Found]:
    parts = Path(pattern).parts
    fixed = Path(*parts[: next(number for number, part in enumerate(parts) if glob.has_magic(part))])
    for name in glob.iglob(pattern, recursive=True):  # noqa: PTH207  # Path.glob takes no absolute pattern
        path = Path(name)
        is_linked = any(each.is_symlink() for each in path.parents if each.is_relative_to(fixed) and each != fixed)
        if path.suffix.lower() in AUDIO | {".zip"} and path.is_file() and not is_linked:
            yield _found(name, fixed)


def _in_manifest(manifest: Path) -> Iterator[Found]:
    records = _csv if manifest.suffix.lower() == ".csv" else _json_lines
    try:
        with manifest.open(encoding="utf-8-sig", newline="") as file:
            for line, record in records(file):
                yield _recorded(manifest, line, record)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        what = f"cannot read the manifest {_shown(manifest)} ({error})"
        raise ConfigurationError(f"{what}: it must be well-formed and in UTF-8") from error


def _csv(file: Iterable[str]) -> Iterator[tuple[int, object]]:
    reader = csv.DictReader(file, restkey="", strict=True)
    for record in reader:
        record.pop("", None)  # more values than columns
        yield reader.line_num, record


def _json_lines(file: Iterable[str]) -> Iterator[tuple[int, object]]:
    for number, line in enumerate(file, 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                yield number, None


def _recorded(manifest: Path, line: int, record: object) -> Found:
    where = f"{_shown(manifest)}, line {line}"
    path = record.get("path") if isinstance(record, dict) else None
    if not isinstance(record, dict) or not isinstance(path, str) or not path or "\0" in path:
        raise ConfigurationError(f"{where}: no valid path; each line needs a `path`")
    columns = {name: value for name, value in record.items() if name not in _OURS and value is not None}
    language, user = record.get("language") or None, record.get("app_user_id") or None
    try:
        path.encode()  # JSON permits lone surrogates, UTF-8 does not
        for name, value in (("language", language), ("app_user_id", user)):
            if value is not None:
                header_value(name, value)
    except ValueError as error:
        raise ConfigurationError(f"{where}: {error}") from error
    found = _found(manifest.parent / path, manifest.parent)
    return attrs.evolve(found, language=language, app_user_id=user, columns=columns)


def _found(path: str | os.PathLike[str], base: str | os.PathLike[str]) -> Found:
    file, root = Path(os.path.abspath(path)), Path(os.path.abspath(base))  # noqa: PTH100  # Path.resolve follows links
    relative = file.relative_to(root) if file.is_relative_to(root) else file
    return Found(_text(relative.as_posix()), str(file))


def _text(path: str) -> str:
    """Return a path as valid Unicode: bytes that are not UTF-8, which Linux permits, are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _shown(path: str | Path) -> str:
    return printable(repr(os.fspath(path)), 200)
