"""A recording is checked before anything is sent, and becomes a zip that is the same each time it is read."""

import io
import os
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metastudio import ConfigurationError, riff
from metastudio.limits import RecordingLimits
from metastudio.recordings import Packed, prepare

MIB = 2**20


def chunk(name: bytes, body: bytes, size: int | None = None) -> bytes:
    return name + struct.pack("<I", len(body) if size is None else size) + body + b"\0" * (len(body) % 2)


def form(code: int = 1, channels: int = 1, rate: int = 16_000, bits: int = 16, frame: int | None = None) -> bytes:
    frame = channels * bits // 8 if frame is None else frame
    return chunk(b"fmt ", struct.pack("<HHIIHH", code, channels, rate, rate * frame, frame, bits))


def riff_of(*chunks: bytes, magic: bytes = b"RIFF") -> bytes:
    body = b"WAVE" + b"".join(chunks)
    return magic + struct.pack("<I", len(body)) + body


def wav(seconds: float = 1.0, **fields: int) -> bytes:
    header = form(**fields)
    return riff_of(header, chunk(b"data", bytes(int(seconds * int.from_bytes(header[16:20], "little")))))


def ready_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.wav", wav())
    return file.getvalue()


def sent(packed: Packed) -> bytes:
    return b"".join(packed.chunks())


def only_entry(data: bytes) -> tuple[zipfile.ZipInfo, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        (info,) = archive.infolist()
        return info, archive.read(info)


class TestPacked:
    @pytest.mark.parametrize("given_as", ["str", "path", "bytes", "file", "unbuffered"])
    def test_zip(self, given_as: str, tmp_path: Path) -> None:
        """However it is given: one stored entry, as large as said, and the same bytes each time."""
        data = wav(100)  # some pieces
        path = tmp_path / "take.wav"
        path.write_bytes(data)
        with path.open("rb") as file, path.open("rb", buffering=0) as unbuffered:
            forms: dict[str, Any] = {
                "str": str(path),
                "path": path,
                "bytes": data,
                "file": file,
                "unbuffered": unbuffered,
            }
            packed = prepare(forms[given_as])
            pieces = list(packed.chunks())
            assert b"".join(pieces) == sent(packed) == sent(prepare(forms[given_as]))
        assert packed.size == sum(map(len, pieces))
        assert 0 < min(map(len, pieces)) <= max(map(len, pieces)) <= MIB
        info, content = only_entry(b"".join(pieces))
        assert content == data
        assert (info.filename, info.compress_type) == (packed.name, zipfile.ZIP_STORED)
        assert (info.date_time, info.extra) == ((1980, 1, 1, 0, 0, 0), b"")
        assert packed.name == ("recording.wav" if given_as == "bytes" else "take.wav")
        assert (packed.seconds, packed.warnings) == (100, ())

    @pytest.mark.parametrize(
        ("name", "entry"),
        [
            ("take.wav", "take.wav"),
            ("TAKE.WAV", "TAKE.WAV"),
            ("take.dat", "take.dat"),
            ("take", "recording.wav"),
            ("take.", "recording.wav"),
            ("..hidden.wav", "hidden.wav"),
            (".wav", "recording.wav"),
            ("录音 é.wav", "录音 é.wav"),
            ("a:b\\c\n.wav", "a_b_c_.wav"),
            ("\udcff.wav", "_.wav"),
            ("folder/../take.wav", "take.wav"),
            ("long" * 50_000 + ".wav", ("long" * 49 + ".wav")),
            (7, "recording.wav"),
        ],
    )
    def test_name(self, name: Any, entry: str) -> None:
        """The entry is at the root and not hidden, and its name is one that any system can unpack."""
        file = io.BytesIO(wav())
        file.name = name
        packed = prepare(file)
        info, _ = only_entry(sent(packed))
        assert packed.name == info.filename == entry
        assert bool(info.flag_bits & 0x800) is not entry.isascii()

    def test_position(self) -> None:
        """A binary file is read from where it was, stays open, and can be given again."""
        file = io.BytesIO(b"skip me" + wav())
        file.seek(7)
        packed = prepare(file)
        assert file.tell() == 7
        first = sent(packed)
        file.seek(0)
        assert sent(packed) == first
        assert only_entry(first)[1] == wav()

    def test_other_folder(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A relative path is the one it was when it was checked."""
        (tmp_path / "take.wav").write_bytes(wav())
        monkeypatch.chdir(tmp_path)
        packed = prepare("take.wav")
        monkeypatch.chdir("/")
        assert only_entry(sent(packed))[1] == wav()

    def test_file_is_closed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The file is open only while it is read, even if the reading is given up."""
        path = tmp_path / "take.wav"
        path.write_bytes(wav(100))
        opened: list[Any] = []
        real = Path.open

        def open_(self: Path, *arguments: Any) -> Any:
            opened.append(real(self, *arguments))
            return opened[-1]

        monkeypatch.setattr(Path, "open", open_)
        packed = prepare(path)
        sent(packed)
        chunks = packed.chunks()
        next(chunks)
        assert [file.closed for file in opened] == [True, True, False]
        chunks.close()  # type: ignore[attr-defined]
        assert opened[-1].closed

    @pytest.mark.parametrize("name", ["a.zip", "a.bin", None])
    @pytest.mark.parametrize("limits", [None, RecordingLimits(1, 2)])
    def test_ready_zip(self, name: str | None, limits: RecordingLimits | None) -> None:
        """A zip is sent as it is; that limits were not applied to it is said."""
        file = io.BytesIO(ready_zip())
        file.name = name
        packed = prepare(file, limits)
        assert sent(packed) == ready_zip()
        assert (packed.name, packed.size, packed.seconds) == (name or "recording.zip", len(ready_zip()), None)
        assert [w for w in packed.warnings if "ZIP format was not checked" in w] == list(packed.warnings)
        assert bool(packed.warnings) is (limits is not None)

    @pytest.mark.parametrize(
        ("name", "start", "entry", "warning"),
        [
            ("a.mp3", b"anything", "a.mp3", "MP3 format was not checked"),
            ("a.M4A", b"anything", "a.M4A", "M4A format was not checked"),
            (None, b"ID3\4", "recording.mp3", "MP3 format was not checked"),
            (None, b"\xff\xfb\x90", "recording.mp3", "MP3 format was not checked"),
            (None, b"\0\0\0\x20ftypM4A ", "recording.m4a", "M4A format was not checked"),
            (None, b"fLaC", "recording.bin", "format was not recognised"),
            (None, b"\xff\xfeh\0", "recording.bin", "format was not recognised"),  # text in UTF-16
            (None, b"\xff", "recording.bin", "format was not recognised"),
            (None, b"PK is no zip", "recording.bin", "format was not recognised"),
            ("a.flac", b"fLaC", "a.flac", "format was not recognised"),
        ],
    )
    def test_other_format(self, name: str | None, start: bytes, entry: str, warning: str) -> None:
        """What is no WAV is packed as well, with a warning."""
        file = io.BytesIO(start)
        file.name = name
        packed = prepare(file, RecordingLimits(shortest=1))
        info, content = only_entry(sent(packed))
        assert (info.filename, content, packed.seconds) == (entry, start, None)
        assert warning in "".join(packed.warnings)
        assert len(packed.warnings) == 1

    @pytest.mark.parametrize("length", [0xFFFF_0000, 0xFFFF_FFFF, 0x1_2345_6789])
    def test_large(self, length: int, tmp_path: Path) -> None:
        """From 4 GiB on the sizes are 64-bit ones. (The file has holes: it takes no space.)"""
        head, tail = riff.zip_frame("a.wav", length, 0)
        path = tmp_path / "large.zip"
        with path.open("wb") as file:
            file.write(head)
            file.seek(length, io.SEEK_CUR)
            file.write(tail)
        with zipfile.ZipFile(path) as archive:
            (info,) = archive.infolist()
            assert (info.file_size, info.compress_size, info.header_offset) == (length, length, 0)
            with archive.open(info) as entry:  # compares the local header's name
                assert entry.read(10) == bytes(10)
        local = struct.unpack("<HHQQ", head[-20:])
        assert local == (1, 16, length, length)
        _, _, offset, _ = struct.unpack("<4sIQI", tail[-42:-22])  # zipfile does not look at it, other programs do
        assert tail[offset - length - len(head) :].startswith(b"PK\6\6")

    def test_large_content(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """An entry with 64-bit sizes is read back whole."""
        monkeypatch.setattr(riff, "_ZIP64_FROM", 0)
        info, content = only_entry(sent(prepare(wav())))
        assert (info.extract_version, content) == (45, wav())


class TestRefused:
    @pytest.mark.parametrize(
        ("name", "content", "message"),
        [
            ("a.wav", b"", "is empty"),
            ("a.wav", b"ID3 is not a wav", r"is not a WAV \(RIFF/WAVE\)"),
            ("a.WAV", ready_zip(), "is not a WAV"),
            ("a.wav", b"RIFF\0\0\0\0AVI LIST", "is not a WAV"),
            ("a.zip", b"PK\3\4 but no directory", "is not a zip"),
            ("a.zip", wav(), "is not a zip"),
            ("a.wav", wav(0), "is empty: the WAV has a header but no sound"),
        ],
    )
    def test_content(self, name: str, content: bytes, message: str, tmp_path: Path) -> None:
        """What cannot be what its name says is refused, with the path."""
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigurationError, match=message) as caught:
            prepare(tmp_path / name)
        assert name in str(caught.value)

    @pytest.mark.parametrize(
        ("name", "message"),
        [("missing.wav", "does not exist"), (".", "is a folder"), ("pipe", "is a pipe"), ("nul\0", "does not exist")],
    )
    def test_path(self, name: str, message: str, tmp_path: Path) -> None:
        """What is no regular file is refused, and nothing waits for a pipe."""
        if hasattr(os, "mkfifo"):  # Windows has none
            os.mkfifo(tmp_path / "pipe")
        with pytest.raises(ConfigurationError, match=message):
            prepare(str(tmp_path / name))

    def test_permission(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A file that may not be read is said to be that. (The tests may run as root, who may read all.)"""

        def refuse(*_: Any) -> None:
            raise PermissionError(13, "Permission denied")

        (tmp_path / "a.wav").write_bytes(wav())
        monkeypatch.setattr(Path, "open", refuse)
        with pytest.raises(ConfigurationError, match=r"cannot be read \(.*Permission denied\): check"):
            prepare(tmp_path / "a.wav")

    @pytest.mark.parametrize("name", ["a.wav", "a.zip", "a.mp3"])
    def test_too_large(self, name: str, tmp_path: Path) -> None:
        """5 GB are refused by their size, before they are read."""
        (tmp_path / name).touch()
        os.truncate(tmp_path / name, 5 * 1024**3)
        with pytest.raises(ConfigurationError, match=r"has 5368709120 bytes, but must be smaller than 5 GB"):
            prepare(tmp_path / name)

    def test_zip_too_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What the zip adds counts."""
        monkeypatch.setattr("metastudio.recordings._TOO_LARGE", len(wav()) + 10)
        with pytest.raises(ConfigurationError, match="must be smaller than 5 GB"):
            prepare(wav())

    @pytest.mark.parametrize(
        ("limits", "message"),
        [
            (RecordingLimits(shortest=3), r"is 2\.000 s long; at least 3 s"),
            (RecordingLimits(longest=1), r"is 2\.000 s long; at most 1 s"),
            (RecordingLimits(2, 2), None),
            (RecordingLimits(), None),
            (None, None),
        ],
    )
    def test_limits(self, limits: RecordingLimits | None, message: str | None) -> None:
        """A length outside the limits is refused, with both numbers; the limits themselves are inside."""
        if message is None:
            assert prepare(wav(2), limits).seconds == 2
            return
        with pytest.raises(ConfigurationError, match=message):
            prepare(wav(2), limits)

    def test_object(self, tmp_path: Path) -> None:
        """Only a path, bytes or a binary file that can seek is a recording."""

        class NoSeek(io.BytesIO):
            def seekable(self) -> bool:
                return False

        (tmp_path / "a.wav").write_bytes(wav())
        closed = io.BytesIO(wav())
        closed.close()
        with (tmp_path / "a.wav").open(encoding="latin-1") as text, (tmp_path / "b.wav").open("wb") as write_only:
            unusable: list[Any] = [None, 7, bytearray(wav()), text, io.StringIO("a"), write_only, closed, NoSeek(wav())]
            for each in unusable:
                with pytest.raises(ConfigurationError, match=f"not {type(each).__name__}$"):
                    prepare(each)


class TestChanged:
    @pytest.mark.parametrize(
        "change",
        [
            pytest.param(lambda path: path.unlink(), id="vanished"),
            pytest.param(lambda path: path.write_bytes(wav(99)), id="shrank"),
            pytest.param(lambda path: path.write_bytes(wav(101)), id="grew"),
            pytest.param(lambda path: path.write_bytes(b""), id="emptied"),
            pytest.param(lambda path: path.write_bytes(wav(100)[:-1] + b"!"), id="same size"),
        ],
    )
    @pytest.mark.parametrize("when", ["before", "meanwhile"])
    def test_file(self, change: Callable[[Path], object], when: str, tmp_path: Path) -> None:
        """A file that changed since it was checked is not sent whole."""
        path = tmp_path / "take.wav"
        path.write_bytes(wav(100))
        packed = prepare(path)
        chunks, got = packed.chunks(), list[bytes]()
        if when == "meanwhile":
            got += [next(chunks), next(chunks)]
        change(path)
        if when == "meanwhile" and not path.exists():
            assert only_entry(b"".join([*got, *chunks]))[1] == wav(100)  # it is still open
            return
        with pytest.raises(ConfigurationError, match="changed while it was read"):
            got.extend(chunks)
        assert sum(map(len, got)) < packed.size
        if when == "before" and path.exists() and path.stat().st_size != len(wav(100)):
            assert not got

    def test_ready_zip_grew(self, tmp_path: Path) -> None:
        """Of a zip that grows while it is read, the last piece is kept back."""
        path = tmp_path / "a.zip"
        path.write_bytes(bytes(MIB) + ready_zip())
        chunks = prepare(path).chunks()
        next(chunks)
        with path.open("ab") as file:
            file.write(b"more")
        with pytest.raises(ConfigurationError, match="changed while it was read"):
            next(chunks)

    def test_closed(self) -> None:
        """A file object that was closed in between is a mistake of the caller's, and no failure of the network."""
        file = io.BytesIO(wav())
        packed = prepare(file)
        file.close()
        with pytest.raises(ConfigurationError, match="cannot be read"):
            next(packed.chunks())


EXTENSIBLE = struct.pack("<HHIIHHHHI", 0xFFFE, 1, 48_000, 96_000, 2, 16, 22, 16, 4)
PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")
SECOND = bytes(32_000)


class TestHeader:
    @pytest.mark.parametrize(
        ("data", "wave"),
        [
            pytest.param(wav(1.5), riff.Wave(16_000, 1, 16, 1.5), id="plain"),
            pytest.param(wav(2, code=3, bits=32, channels=2), riff.Wave(16_000, 2, 32, 2), id="float"),
            pytest.param(
                riff_of(chunk(b"fmt ", EXTENSIBLE + PCM_GUID), chunk(b"data", bytes(96_000))),
                riff.Wave(48_000, 1, 16, 1),
                id="extensible",
            ),
            pytest.param(
                riff_of(chunk(b"fmt ", EXTENSIBLE + b"\6" + PCM_GUID[1:]), chunk(b"data", bytes(96_000))),
                riff.Wave(48_000, 1, 16, None),
                id="extensible-alaw",
            ),
            pytest.param(
                riff_of(
                    chunk(b"JUNK", bytes(27)),
                    form(),
                    chunk(b"LIST", b"odd"),
                    chunk(b"data", SECOND),
                    chunk(b"id3 ", b""),
                ),
                riff.Wave(16_000, 1, 16, 1),
                id="other-chunks",
            ),
            pytest.param(
                riff_of(
                    chunk(b"ds64", struct.pack("<QQQI", 0, 16_000, 0, 0)), form(), chunk(b"data", SECOND, 2**32 - 1)
                ).replace(b"RIFF", b"RF64"),
                riff.Wave(16_000, 1, 16, 0.5),
                id="rf64",
            ),
            pytest.param(
                riff_of(form(), chunk(b"data", SECOND, 2**32 - 1), magic=b"BW64"),
                riff.Wave(16_000, 1, 16, 1),
                id="bw64-without-ds64",
            ),
            pytest.param(riff_of(form(), chunk(b"data", SECOND, 0)), riff.Wave(16_000, 1, 16, 1), id="streamed-0"),
            pytest.param(
                riff_of(form(), chunk(b"data", SECOND, 2**32 - 1)), riff.Wave(16_000, 1, 16, 1), id="streamed-max"
            ),
            pytest.param(riff_of(form(), chunk(b"data", SECOND, 10**6)), riff.Wave(16_000, 1, 16, 1), id="cut"),
            pytest.param(riff_of(form(), chunk(b"data", b"")), riff.Wave(16_000, 1, 16, 0), id="no-sound"),
            pytest.param(wav(code=2), riff.Wave(16_000, 1, 16, None), id="adpcm"),
            pytest.param(riff_of(form(rate=0), chunk(b"data", SECOND)), riff.Wave(None, 1, 16, None), id="rate-0"),
            pytest.param(riff_of(form(frame=0), chunk(b"data", SECOND)), riff.Wave(16_000, 1, 16, None), id="frame-0"),
            pytest.param(riff_of(chunk(b"data", SECOND), form()), riff.Wave(), id="no-form"),
            pytest.param(b"RIFX" + wav()[4:], riff.Wave(), id="big-endian"),
            pytest.param(b"", riff.Wave(), id="empty"),
        ],
    )
    def test_read(self, data: bytes, wave: riff.Wave) -> None:
        """The length is right for each form of header, or None; also where the WAV starts within a file."""
        assert riff.read(io.BytesIO(data)) == wave
        file = io.BytesIO(b"odd" + data)
        file.seek(3)
        assert riff.read(file) == wave

    @pytest.mark.parametrize("length", [*range(12, 44), 12 + 24 + 7])
    def test_truncated_header_is_warning(self, length: int) -> None:
        """A WAV whose header ends early is sent, with a warning that its length was not checked."""
        packed = prepare(wav()[:length], RecordingLimits(shortest=10))
        assert packed.seconds is None
        assert "could not be read, and was not checked" in packed.warnings[0]

    @pytest.mark.parametrize(
        ("fields", "warnings"),
        [
            ({"rate": 16_000}, []),
            ({"rate": 48_000}, []),
            ({"rate": 15_999}, ["15999 Hz"]),
            ({"channels": 2}, ["2 channels"]),
            ({"bits": 24}, ["24 bit"]),
            ({"rate": 8_000, "channels": 2, "bits": 8}, ["8000 Hz", "2 channels", "8 bit"]),
        ],
    )
    def test_quality_is_warning(self, fields: dict[str, int], warnings: list[str]) -> None:
        """What an assessment may not like is said, each in a sentence, and refused by nobody here."""
        packed = prepare(wav(**fields))
        assert packed.seconds == pytest.approx(1)
        assert len(packed.warnings) == len(warnings)
        assert all(part in said for part, said in zip(warnings, packed.warnings, strict=True))

    def test_many_chunks(self) -> None:
        """A header of nothing but empty chunks is given up, and not read to its end."""

        class Counting(io.BytesIO):
            reads = 0

            def read(self, size: int | None = -1, /) -> bytes:
                self.reads += 1
                return super().read(size)

        file = Counting(riff_of(*[chunk(b"JUNK", b"")] * 5000, form(), chunk(b"data", SECOND)))
        assert riff.read(file) == riff.Wave()
        assert file.reads < 1100

    @given(
        st.binary(max_size=200)
        | st.lists(
            st.builds(
                chunk,
                st.sampled_from([b"fmt ", b"data", b"ds64", b"LIST"]),
                st.binary(max_size=50),
                st.none() | st.integers(0, 2**32 - 1),
            ),
            max_size=5,
        ).map(lambda chunks: riff_of(*chunks))
    )
    def test_any_bytes(self, data: bytes) -> None:
        """Any bytes never crash the reading of a header, and no length is negative."""
        wave = riff.read(io.BytesIO(data))
        assert wave.seconds is None or wave.seconds >= 0
