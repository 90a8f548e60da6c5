"""A recording is checked here, and presented as the zip that is uploaded: neither copied nor read into memory."""

import functools
import io
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final, TypeAlias

import attrs

from . import riff
from .errors import ConfigurationError, printable
from .limits import RecordingLimits, check_seconds

Recording: TypeAlias = str | os.PathLike[str] | bytes | BinaryIO

_TOO_LARGE: Final = 5 * 1024**3  # for the store, in one request
_PIECE: Final = 2**20


@attrs.frozen(eq=False)
class _Source:
    label: str  # in messages
    name: str  # of the file, or empty
    open: Callable[[], AbstractContextManager[Any]]  # a BinaryIO, at the recording's start


@attrs.frozen(eq=False)
class Packed:
    """A recording that can be uploaded.

    Attributes:
        name: Of the zip's entry, or of the file that is a zip already.
        size: The bytes of the zip.
        seconds: The recording's length, or None where it is unknown.
        warnings: What may be wrong with it.
    """

    name: str
    size: int
    seconds: float | None
    warnings: tuple[str, ...]
    _source: _Source = attrs.field(repr=False)
    _length: int = attrs.field(repr=False)
    _crc: int = attrs.field(repr=False)
    _frame: tuple[bytes, bytes] = attrs.field(repr=False)  # before and after the recording

    def chunks(self) -> Iterator[bytes]:
        """Yield the zip in pieces of at most 1 MiB, from its beginning: a repeat of the upload calls this again.

        Raises:
            ConfigurationError: The recording changed, or cannot be read any more.
        """
        label, crc = self._source.label, 0
        with _explained(label), self._source.open() as file:
            if riff.size(file) != self._length:
                raise _changed(label)
            yield from filter(None, self._frame[:1])
            for piece in _pieces(label, file, self._length):
                crc = zlib.crc32(piece, crc)
                yield piece
        if crc != self._crc:
            raise _changed(label)
        yield from filter(None, self._frame[1:])

    def check_length(self, limits: RecordingLimits) -> None:
        """Raise a `ConfigurationError` if the recording's length is known and outside `limits`."""
        check_seconds(self._source.label, self.seconds, limits)


def prepare(recording: Recording, limits: RecordingLimits | None = None) -> Packed:
    """Return `recording` as the zip to upload: a zip as it is, anything else as the one entry of a zip.

    It is read once, for its checksum. A file object is read from its position on, and stays open.

    Raises:
        ConfigurationError: It cannot be read or sent, or its length is outside the `limits`.
    """
    source, crc = _source(recording), 0
    with _explained(source.label), source.open() as file:
        start, length = file.tell(), riff.size(file)
        _check_size(source.label, length)
        kind = _kind(source, file)
        file.seek(start)
        wave = riff.read(file) if kind == ".wav" else riff.Wave()
        check_seconds(source.label, wave.seconds, limits or RecordingLimits())
        file.seek(start)
        for piece in _pieces(source.label, file, length):
            crc = zlib.crc32(piece, crc)
    name = _name(source.name, kind)
    frame = (b"", b"") if kind == ".zip" else riff.zip_frame(name, length, crc)
    size = length + sum(map(len, frame))
    _check_size(source.label, size)
    warnings = () if kind == ".zip" and limits is None else tuple(riff.warnings(kind, wave))
    return Packed(name, size, wave.seconds, warnings, source, length, crc, frame)


def _source(recording: Recording) -> _Source:
    if isinstance(recording, bytes):
        return _Source("the recording", "", functools.partial(io.BytesIO, recording))
    if isinstance(recording, str | os.PathLike) and isinstance(os.fspath(recording), str):
        return _file(recording)
    file: Any = recording  # or anything else: it is tried out
    try:
        usable, start = file.read(0) == b"" and file.seekable(), file.tell()
    except (AttributeError, TypeError, OSError, ValueError):
        usable = False
    if not usable:
        raise ConfigurationError(
            "recording must be a path, bytes or an open binary file that can seek (mode 'rb'; write a stream to a file "
            f"first), not {type(recording).__name__}"
        )
    name = getattr(file, "name", "")  # it may be a descriptor's number
    return _Source("the recording", name if isinstance(name, str) else "", functools.partial(_rewound, file, start))


def _file(path: str | os.PathLike[str]) -> _Source:
    label, file = f"recording {printable(repr(os.fspath(path)), 200)}", Path(path).absolute()
    with _explained(label):
        if file.is_dir():
            raise ConfigurationError(f"{label} is a folder: give the file in it, or a zip of it")
        if not file.is_file():  # to open a pipe might take forever
            raise ConfigurationError(f"{label} does not exist, or is a pipe or a device: check the path")
    return _Source(label, file.name, functools.partial(file.open, "rb"))


@contextmanager
def _rewound(file: BinaryIO, start: int) -> Iterator[BinaryIO]:
    file.seek(start)
    yield file
    file.seek(start)  # not after an error: by then somebody else may be reading


@contextmanager
def _explained(label: str) -> Iterator[None]:
    """Turn what goes wrong while a recording is read into a ConfigurationError: it is no failure of the network."""
    try:
        yield
    except FileNotFoundError as error:
        raise _changed(label) from error
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(f"{label} cannot be read ({error}): check the file and its permissions") from error


def _changed(label: str) -> ConfigurationError:
    return ConfigurationError(f"{label} changed while it was read: wait until it is complete, and start again")


def _pieces(label: str, file: BinaryIO, left: int) -> Iterator[bytes]:
    """Yield the next `left` bytes, if the file ends after them: that is known before the last piece goes out."""
    while left:
        piece = file.read(min(left, _PIECE))
        left -= len(piece)
        if not piece or (left == 0 and file.read(1)):
            raise _changed(label)
        yield piece


def _check_size(label: str, size: int) -> None:
    if size <= 0:
        raise ConfigurationError(f"{label} is empty: give a file with a recording in it")
    if size >= _TOO_LARGE:
        raise ConfigurationError(f"{label} has {size} bytes, and must have less than 5 GB ({_TOO_LARGE}): cut it")


def _kind(source: _Source, file: BinaryIO) -> str:
    """Return the suffix for what the file's content is, or else its name says; empty if that is unknown."""
    head, suffix = file.read(12), Path(source.name).suffix.lower()
    kind, is_zip = riff.kind(head), (suffix == ".zip" or head[:2] == b"PK") and zipfile.is_zipfile(file)
    if suffix == ".zip" and not is_zip:
        raise ConfigurationError(f"{source.label} is no zip: make it again, or give the recording itself")
    if suffix == ".wav" and kind != ".wav":
        raise ConfigurationError(f"{source.label} is no WAV (RIFF/WAVE): export it again, or correct its suffix")
    return ".zip" if is_zip else kind or (suffix if suffix in {".mp3", ".m4a"} else "")


def _name(name: str, kind: str) -> str:
    """Return the base name as any system can unpack it; one of our own where it has no suffix."""
    base = "".join(c if c.isprintable() and c not in '\\:*?"<>|' else "_" for c in Path(name).name[-200:].lstrip("."))
    stem, _, suffix = base.rpartition(".")
    return base if stem and suffix else f"recording{kind or '.bin'}"
