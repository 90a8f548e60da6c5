"""Binary formats: the format of a recording, the header of a WAV, and the frame of a zip around its entry.

The standard library's `wave` rejects what recorders write: floats, 64-bit sizes, and the sizes of streamed files.
"""

import io
import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

import attrs

_ZIP64_FROM: Final = 0xFFFF_FFFF - 2**16  # the directory's offset, which is slightly larger, must fit too
_MOST_CHUNKS: Final = 1000
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
#: Written for a size that is not known (yet), or does not fit.
_UNKNOWN: Final = (0, 0xFFFF_FFFF)


@attrs.frozen
class Wave:
    """The header of a WAV. A value that could not be read is None.

    Attributes:
        rate: Samples per second.
        channels: The number of channels.
        bits: Bits per sample.
        seconds: The length, calculated from the number of bytes.
    """

    rate: int | None = None
    channels: int | None = None
    bits: int | None = None
    seconds: float | None = None


def warnings(kind: str, wave: Wave) -> Iterator[str]:
    """Yield what may be wrong with a recording; `kind` is its suffix, or empty if it is unknown."""
    if not kind:
        yield "the recording's format was not recognised, and its length was not checked"
    elif kind != ".wav":
        yield f"the length of a recording in {kind[1:].upper()} format was not checked"
    elif wave.seconds is None:
        yield "the length of the WAV could not be read, and was not checked"
    if wave.rate is not None and wave.rate < 16_000:
        yield f"the WAV has {wave.rate} Hz, which is below 16000 Hz"
    if wave.channels is not None and wave.channels > 1:
        yield f"the WAV has {wave.channels} channels; one is recommended"
    if wave.bits is not None and wave.bits != 16:
        yield f"the WAV has {wave.bits} bits per sample; 16 are recommended"


def kind(head: bytes) -> str:
    """Return the suffix for a file that starts with the 12 bytes `head`: .wav, .mp3, .m4a, or empty."""
    if head[:4] in {b"RIFF", b"RF64", b"BW64"} and head[8:] == b"WAVE":
        return ".wav"
    if head[4:8] == b"ftyp":
        return ".m4a"
    is_mp3 = head[:3] == b"ID3" or (head[:1] == b"\xff" and head[1:2] and head[1] & 0xE6 == 0xE2)  # MPEG, layer III
    return ".mp3" if is_mp3 else ""


def size(file: BinaryIO) -> int:
    """Return the number of bytes from a file's position to its end. The position does not change."""
    start = file.tell()
    file.seek(0, io.SEEK_END)
    end = file.tell()
    file.seek(start)
    return end - start


def read(file: BinaryIO) -> Wave:
    """Read the header of the WAV at a file's position. The position changes."""
    end = file.tell() + size(file)
    if kind(file.read(12)) != ".wav":
        return Wave()
    form, long_size = b"", 0
    for _ in range(_MOST_CHUNKS):
        header = file.read(8)
        if len(header) < 8:
            break
        name, length = struct.unpack("<4sI", header)
        body = file.tell()
        if name == b"data":
            return _wave(form, _length(length, long_size, end - body))
        if name == b"fmt ":
            form = file.read(min(length, 40))
        if name == b"ds64":
            long_size = int.from_bytes(file.read(min(length, 16))[8:], "little")
        file.seek(body + length + length % 2)  # chunks start at even offsets
    return _wave(form, None)


def _length(size: int, long_size: int, rest: int) -> int:
    """Return the bytes of sound: the size in the header, or the rest of the file if it is missing or too large."""
    said = long_size if size in _UNKNOWN else size
    return said if 0 < said <= rest else rest


def _wave(form: bytes, length: int | None) -> Wave:
    if len(form) < 16:
        return Wave()
    code, channels, rate, _, frame, bits = struct.unpack("<HHIIHH", form[:16])
    if code == _EXTENSIBLE:
        code = int.from_bytes(form[24:26], "little")  # the actual code is at the start of the GUID
    seconds = None
    if code in {_PCM, _FLOAT} and rate and frame and length is not None:
        seconds = length / (rate * frame)
    return Wave(rate or None, channels or None, bits or None, seconds)


def zip_frame(name: str, length: int, crc: int) -> tuple[bytes, bytes]:
    """Return the bytes of a zip before and after the data of its only, stored entry."""
    raw, large = name.encode(), length >= _ZIP64_FROM
    version, flags, shown = 45 if large else 20, 0 if name.isascii() else 0x800, 0xFFFF_FFFF if large else length
    extra = struct.pack("<HHQQ", 1, 16, length, length) if large else b""
    # Stored, with the date 1980-01-01 0:00, so that the same recording gives the same bytes.
    entry = struct.pack("<HHHHHIIIHH", version, flags, 0, 0, 0x21, crc, shown, shown, len(raw), len(extra))
    head = b"PK\3\4" + entry + raw + extra
    made_by = struct.pack("<H", 3 << 8 | version)  # Unix, as are the permissions
    central = b"PK\1\2" + made_by + entry + struct.pack("<HHHII", 0, 0, 0, 0o100644 << 16, 0) + raw + extra
    start, end = len(head) + length, b""
    if large:
        end = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 3 << 8 | 45, 45, 0, 0, 1, 1, len(central), start)
        end += struct.pack("<4sIQI", b"PK\6\7", 0, start + len(central), 1)
    shown = 0xFFFF_FFFF if large else start
    return head, central + end + struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 1, 1, len(central), shown, 0)
