"""A recording is checked here, and presented as the zip that is uploaded: neither copied nor read into memory."""

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

_TOO_LARGE: Final = 5 * 1024**3  # for the store, in one request
_PIECE: Final = 2**20


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
    _source: Source = attrs.field(repr=False)
    _length: int = attrs.field(repr=False)
    _crc: int = attrs.field(repr=False)
    _frame: tuple[bytes, bytes] = attrs.field(repr=False)  # before and after the recording

    def chunks(self) -> Iterator[bytes]:
        """Yield the zip in pieces of at most 1 MiB, from its beginning: a repeat of the upload calls this again.

        Raises:
            RecordingError: The recording changed, or cannot be read any more.
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
    """Return `recording` as the zip to upload: a zip as it is, anything else as the one entry of a zip.

    It is read once, for its checksum; `digest` gets its bytes. A file object is read from its position on, and stays
    open.

    Raises:
        RecordingError: It cannot be read or sent, or its length is outside the `limits`.
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
    """Return a recording's bytes, seconds (None where unknown) and warnings; only its head is read.

    Raises:
        RecordingError: It cannot be read or sent.
    """
    source = source_of(recording)
    with explained(source.label), source.open() as file:
        _, length, wave, warnings = _inspected(source, file, None)
    return length, wave.seconds, warnings


def _inspected(
    source: Source, file: BinaryIO, limits: RecordingLimits | None
) -> tuple[str, int, riff.Wave, tuple[str, ...]]:
    """Return the suffix for a recording's format, its length, its head and the warnings; `file` is where it was."""
    start, length = file.tell(), riff.size(file)
    _check_size(source.label, length)
    kind = _kind(source, file)
    file.seek(start)
    wave = riff.read(file) if kind == ".wav" else riff.Wave()
    check_seconds(source.label, wave.seconds, limits or RecordingLimits())
    file.seek(start)
    return kind, length, wave, () if kind == ".zip" and limits is None else tuple(riff.warnings(kind, wave))


def _pieces(label: str, file: BinaryIO, left: int) -> Iterator[bytes]:
    """Yield the next `left` bytes, if the file ends after them: that is known before the last piece goes out."""
    while left:
        piece = file.read(min(left, _PIECE))
        left -= len(piece)
        if not piece or (left == 0 and file.read(1)):
            raise changed(label)
        yield piece


def _check_size(label: str, size: int) -> None:
    if size <= 0:
        raise RecordingError(f"{label} is empty: give a file with a recording in it")
    if size >= _TOO_LARGE:
        raise RecordingError(f"{label} has {size} bytes, and must have less than 5 GB ({_TOO_LARGE}): cut it")


def _kind(source: Source, file: BinaryIO) -> str:
    """Return the suffix for what the file's content is, or else its name says; empty if that is unknown."""
    head, suffix = file.read(12), Path(source.name).suffix.lower()
    kind, is_zip = riff.kind(head), (suffix == ".zip" or head[:2] == b"PK") and zipfile.is_zipfile(file)
    if suffix == ".zip" and not is_zip:
        raise RecordingError(f"{source.label} is no zip: make it again, or give the recording itself")
    if suffix == ".wav" and kind != ".wav":
        raise RecordingError(f"{source.label} is no WAV (RIFF/WAVE): export it again, or correct its suffix")
    return ".zip" if is_zip else kind or (suffix if suffix in {".mp3", ".m4a"} else "")


def _name(name: str, kind: str) -> str:
    """Return the base name as any system can unpack it; one of our own where it has no suffix."""
    base = "".join(c if c.isprintable() and c not in '\\:*?"<>|' else "_" for c in Path(name).name[-200:].lstrip("."))
    stem, _, suffix = base.rpartition(".")
    return base if stem and suffix else f"recording{kind or '.bin'}"
