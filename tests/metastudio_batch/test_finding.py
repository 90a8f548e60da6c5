"""Which recordings a batch has, and what they are called."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from metastudio import ConfigurationError
from metastudio_batch import Found, find, shard


def make(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def paths(recordings: Any) -> list[str]:
    return [each.path for each in find(recordings)]


def test_folder_is_searched_at_any_depth(tmp_path: Path) -> None:
    """Only audio, nothing hidden (as macOS leaves it on other disks)."""
    make(tmp_path, "b/2.WAV", "b/1.mp3", "a.flac", "notes.txt", "all.zip", "b/._1.mp3", ".trash/c.wav")

    assert sorted(paths(tmp_path)) == ["a.flac", "b/1.mp3", "b/2.WAV"]
    assert all(Path(each.file).is_absolute() for each in find(tmp_path))


def test_path_is_relative_to_its_argument(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path, "recs/a/1.wav", "recs/2.zip")
    monkeypatch.chdir(tmp_path)

    assert paths(["recs/a", "recs/2.zip"]) == ["1.wav", "2.zip"]
    assert paths("recs/**/*.wav") == ["a/1.wav"]
    assert paths(os.fspath(tmp_path / "rec?" / "*")) == ["recs/2.zip"]
    assert paths([Found("mine", "anywhere.wav")]) == ["mine"]


@pytest.mark.parametrize("wrong", ["nowhere.wav", "nowhere/*.wav", "empty"])
def test_no_recordings_raises(wrong: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigurationError, match=r"does not exist|no recording in"):
        paths(wrong)


def test_csv_manifest_keeps_its_columns(tmp_path: Path) -> None:
    """With the byte order mark that Excel writes, and a path of its own line."""
    manifest = tmp_path / "all.csv"
    manifest.write_text("\ufeffpath,language,app_user_id,speaker\nx/a.wav,EN,u-1,安\nb.wav,,,\n", "utf-8")

    first, second = find(manifest)

    assert (first.path, first.language, first.app_user_id, first.columns) == ("x/a.wav", "EN", "u-1", {"speaker": "安"})
    assert first.file == os.fspath(tmp_path / "x" / "a.wav")
    assert (second.path, second.language, second.app_user_id, second.columns) == ("b.wav", None, None, {"speaker": ""})


def test_json_lines_manifest_keeps_its_values(tmp_path: Path) -> None:
    manifest = tmp_path / "all.jsonl"
    manifest.write_text(json.dumps({"path": "a.wav", "take": 3, "tags": ["x"]}) + "\n\n", "utf-8")

    (found,) = find(manifest)

    assert (found.path, found.columns) == ("a.wav", {"take": 3, "tags": ["x"]})


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", b"file\na.wav\n", "line 2: no valid path"),
        ("a.csv", b"path\n\xff.wav\n", "cannot read the manifest"),
        ("a.csv", b'path\n"a.wav\n', "cannot read the manifest"),
        ("a.jsonl", b'{"path": "a.wav"}\n[]\n', "line 2: no valid path"),
        ("a.jsonl", b"{\n", "line 1: no valid path"),
        ("a.jsonl", b'{"path": ""}\n', "line 1: no valid path"),
        ("a.jsonl", b'{"path": "a.wav", "language": 3}\n', "line 1: language must be"),
        ("a.csv", b"path\n", "no recording in"),
        ("a.jsonl", b'{"path": "\\ud800.wav"}\n', "line 1: "),
        ("a.jsonl", b'{"path": "a\\u0000.wav"}\n', "line 1: no valid path"),
        ("a.csv", "path,app_user_id\na.wav,用户\n".encode(), "line 2: app_user_id must be"),
        ("a.jsonl", b"[" * 100_000 + b"\n", "line 1: no valid path"),
    ],
)
def test_malformed_manifest_names_the_line(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)

    with pytest.raises(ConfigurationError, match=message):
        paths(tmp_path / name)


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_non_unicode_name(tmp_path: Path) -> None:
    """It has a name in the journal, and its file is found."""
    file = os.fsencode(tmp_path) + b"/\xff.wav"
    Path(os.fsdecode(file)).write_bytes(b"")

    (found,) = find(tmp_path)

    assert found.path == "\\xff.wav"
    assert Path(found.file).exists()


@pytest.mark.parametrize("pattern", ["recs", "recs/**/*.wav"])
def test_links_to_folders_are_not_followed(pattern: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that leads back would be gone through again and again, and each time be paid for."""
    make(tmp_path, "recs/sub/a.wav")
    (tmp_path / "recs" / "sub" / "back").symlink_to("..")
    monkeypatch.chdir(tmp_path)

    assert [Path(each.file).name for each in find(pattern)] == ["a.wav"]


def test_shards_are_a_partition() -> None:
    everything = [Found(f"{number}.wav", "") for number in range(1000)]

    parts = [{each.path for each in shard(everything, number, 4)} for number in (1, 2, 3, 4)]

    assert sum(map(len, parts)) == len(set.union(*parts)) == 1000
    assert all(200 < len(part) < 300 for part in parts)
    assert parts[0] == {each.path for each in shard(reversed(everything), 1, 4)}
