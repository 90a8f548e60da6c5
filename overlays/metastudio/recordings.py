"""Check a recording, and pack it as the zip to upload, without copying it or reading it into memory."""

import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import attrs

from . import riff
from .journey_errors import RecordingError
from .limits import RecordingLimits, check_seconds
from .recording_source import Recording, Source, changed, explained, source_of

_TOO_LARGE: Final = 5 * 1024**3  # for object storage, in one request
_PIECE: Final = 2**20


@attrs.frozen(eq=False)
class Packed:
    """A recording that is ready to be uploaded.

    Attributes:
        name: The name of the zip's entry, or of the file if it is a zip already.
        size: The size of the zip in bytes.
        seconds: The recording's length, or None if it is unknown.
        warnings: What may be wrong with the recording.
    """

    name: str
    size: int
    seconds: float | None
    warnings: tuple[str, ...]
    _source: Source = attrs.field(repr=False)
    _length: int = attrs.field(repr=False)
    _crc: int = attrs.field(repr=False)
    _frame: tuple[bytes, bytes] = attrs.field(repr=False)  # before and after the recording

    def chunks(self) -> Iterator[bytes]:
        """Yield the zip in chunks of at most 1 MiB, from its start: a retry of the upload calls this again.

        Raises:
            RecordingError: The recording has changed, or can no longer be read.
        """
        label, crc = self._source.label, 0
        with explained(label), self._source.open() as file:
            if riff.size(file) != self._length:
                raise changed(label)
            yield from filter(None, self._frame[:1])
            for piece in _pieces(label, file, self._length):
                crc = zlib.crc32(piece, crc)
                yield piece
        if crc != self._crc:
            raise changed(label)
        yield from filter(None, self._frame[1:])

    def check_length(self, limits: RecordingLimits) -> None:
        """Raise a `RecordingError` if the recording's length is known and outside `limits`."""
        check_seconds(self._source.label, self.seconds, limits)


def prepare(
    recording: Recording, limits: RecordingLimits | None = None, digest: Callable[[bytes], object] | None = None
) -> Packed:
    """Return `recording` as the zip to upload: a zip unchanged, anything else as the only entry of a zip.

    It is read once for its checksum, and `digest` is called with its bytes. A file object is read from its current
    position, and stays open.

    Raises:
        RecordingError: It cannot be read or uploaded, or its length is outside `limits`.
    """
    source, crc = source_of(recording), 0
    with explained(source.label), source.open() as file:
        kind, length, wave, warnings = _inspected(source, file, limits)
        for piece in _pieces(source.label, file, length):
            crc = zlib.crc32(piece, crc)
            if digest:
                digest(piece)
    name = _name(source.name, kind)
    frame = (b"", b"") if kind == ".zip" else riff.zip_frame(name, length, crc)
    size = length + sum(map(len, frame))
    _check_size(source.label, size)
    return Packed(name, size, wave.seconds, warnings, source, length, crc, frame)


def check(recording: Recording) -> tuple[int, float | None, tuple[str, ...]]:
    """Return a recording's bytes, seconds (None if unknown) and warnings; only its header is read.

    Raises:
        RecordingError: It cannot be read or uploaded.
    """
    source = source_of(recording)
    with explained(source.label), source.open() as file:
        _, length, wave, warnings = _inspected(source, file, None)
    return length, wave.seconds, warnings


def _inspected(
    source: Source, file: BinaryIO, limits: RecordingLimits | None
) -> tuple[str, int, riff.Wave, tuple[str, ...]]:
    """Return a recording's suffix, bytes, WAV header and warnings; the position of `file` does not change."""
    start, length = file.tell(), riff.size(file)
    _check_size(source.label, length)
    kind = _kind(source, file)
    file.seek(start)
    wave = riff.read(file) if kind == ".wav" else riff.Wave()
    check_seconds(source.label, wave.seconds, limits or RecordingLimits())
    file.seek(start)
    return kind, length, wave, () if kind == ".zip" and limits is None else tuple(riff.warnings(kind, wave))


def _pieces(label: str, file: BinaryIO, left: int) -> Iterator[bytes]:
    """Yield the next `left` bytes; raise before the last piece if the file does not end after them."""
    while left:
        piece = file.read(min(left, _PIECE))
        left -= len(piece)
        if not piece or (left == 0 and file.read(1)):
            raise changed(label)
        yield piece


def _check_size(label: str, size: int) -> None:
    if size <= 0:
        raise RecordingError(f"{label} is empty: pass a file with a recording in it")
    if size >= _TOO_LARGE:
        raise RecordingError(f"{label} has {size} bytes, but must be smaller than 5 GB ({_TOO_LARGE}): cut it")


def _kind(source: Source, file: BinaryIO) -> str:
    """Return the suffix for the file's content, or else the suffix of its name; empty if it is unknown."""
    head, suffix = file.read(12), Path(source.name).suffix.lower()
    kind, is_zip = riff.kind(head), (suffix == ".zip" or head[:2] == b"PK") and zipfile.is_zipfile(file)
    if suffix == ".zip" and not is_zip:
        raise RecordingError(f"{source.label} is not a zip: create it again, or pass the recording itself")
    if suffix == ".wav" and kind != ".wav":
        raise RecordingError(f"{source.label} is not a WAV (RIFF/WAVE): export it again, or correct its suffix")
    return ".zip" if is_zip else kind or (suffix if suffix in {".mp3", ".m4a"} else "")


def _name(name: str, kind: str) -> str:
    """Return a base name that any system can unpack; a default name if it has no suffix."""
    base = "".join(c if c.isprintable() and c not in '\\:*?"<>|' else "_" for c in Path(name).name[-200:].lstrip("."))
    stem, _, suffix = base.rpartition(".")
    return base if stem and suffix else f"recording{kind or '.bin'}"
