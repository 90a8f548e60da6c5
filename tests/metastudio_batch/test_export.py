"""What a journal says, as tables."""

import csv
import io
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from metastudio import AssessResult
from metastudio_batch import Found, JournalError, Stage, rows
from metastudio_batch.export import write_csv, write_json_lines
from metastudio_batch.journal import Journal

VERDICT = {
    "state": "SUCCEED",
    "assess_result": {"snr": {"actual": "30 dB", "expected": ">20", "status": 0, "suggestion": "无"}, "speed": None},
}


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """One recording that was assessed, one whose job failed, one that is on its way."""
    path = tmp_path / "a.journal"
    with closing(Journal(path, "https://metastudio.example.com", "p")) as opened:
        for name, columns, changes in (
            ("c.wav", {}, {"stage": Stage.COMMITTED, "job_id": "j-c", "error": "late"}),
            ("a.wav", {"speaker": "安", "state": "mine", "tags": ["x"]}, {"stage": Stage.FINISHED, "job": VERDICT}),
            ("b.wav", {"room": "1"}, {"stage": Stage.FAILED, "job": {"state": "FAILED"}, "error": "bad audio"}),
        ):
            row = opened.claim(Found(name, "", "CN", None, columns), "hash", 1, 1)
            opened.save(attrs.evolve(row, **changes))
    return path


def test_rows_have_verdicts_and_columns(journal: Path) -> None:
    """By path; a column that has the name of one of ours gets another one."""
    first, second, third = rows(journal)

    assert {name: first[name] for name in ("path", "language", "state", "error")} == {
        "path": "a.wav",
        "language": "CN",
        "state": "SUCCEED",
        "error": None,
    }
    snr = [first[f"snr_{field}"] for field in ("actual", "expected", "status", "suggestion")]
    assert snr == ["30 dB", ">20", 0, "无"]
    assert first["speed_actual"] is None
    assert (first["speaker"], first["manifest_state"], first["tags"]) == ("安", "mine", ["x"])
    assert (second["state"], second["error"], second["room"]) == ("FAILED", "bad audio", "1")
    assert (third["state"], third["job_id"], third["error"]) == ("committed", "j-c", "late")


def test_each_metric_has_columns(journal: Path) -> None:
    (first, *_) = rows(journal)

    others = {"suggestion", "additional_properties"}
    metrics = [field.name for field in attrs.fields(AssessResult) if field.name not in others]
    assert list(first)[5:29] == [
        f"{metric}_{field}" for metric in metrics for field in ("actual", "expected", "status", "suggestion")
    ]


def test_csv_has_all_columns_of_all_rows(journal: Path) -> None:
    file = io.StringIO()
    write_csv(journal, file)

    read = list(csv.DictReader(io.StringIO(file.getvalue())))

    assert [each["path"] for each in read] == ["a.wav", "b.wav", "c.wav"]
    assert (read[0]["speaker"], read[0]["tags"], read[0]["room"]) == ("安", '["x"]', "")
    assert (read[1]["room"], read[1]["snr_actual"]) == ("1", "")


def test_csv_of_hostile_values(tmp_path: Path) -> None:
    """A line break is no end of a row, two columns do not become one, and Excel runs no formula."""
    columns = {"cr": "x\ry", "state": "1", "manifest_state": "2", "sum": "=1+1", "minus": "-3", "at": "@x"}
    path = tmp_path / "a.journal"
    with closing(Journal(path, "https://metastudio.example.com", "p")) as opened:
        opened.claim(Found("a.wav", "", "CN", None, columns), "hash", 1, 1)
    plain, for_excel = io.StringIO(newline=""), io.StringIO(newline="")
    write_csv(path, plain)
    write_csv(path, for_excel, for_excel=True)

    (row,), (excel,) = (list(csv.DictReader(io.StringIO(each.getvalue(), newline=""))) for each in (plain, for_excel))

    wanted = {"cr": "x\ry", "manifest_state": "1", "manifest_manifest_state": "2", "sum": "=1+1", "minus": "-3"}
    assert row == row | wanted
    assert (excel["sum"], excel["minus"], excel["at"]) == ("'=1+1", "-3", "'@x")


def test_json_lines_are_the_rows(journal: Path) -> None:
    file = io.StringIO()
    write_json_lines(journal, file)

    assert [json.loads(line) for line in file.getvalue().splitlines()] == list(rows(journal))


def test_journal_can_be_read_during_batch(journal: Path) -> None:
    """More rows than one page: a reader keeps nobody waiting, and sees what is added."""
    with closing(Journal(journal, "https://metastudio.example.com", "p")) as opened:
        for number in range(1200):
            opened.claim(Found(f"m{number:04}.wav", "", "CN"), "hash", 1, 1)
        reading = rows(journal)
        seen: list[Any] = [next(reading)]
        opened.claim(Found("z.wav", "", "CN"), "hash", 1, 1)
        seen += reading

    assert len(seen) == 1204
    assert seen[-1]["path"] == "z.wav"


@pytest.mark.parametrize("content", [None, b"", b"no journal"])
def test_file_must_be_a_journal(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "b.journal"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(JournalError):
        list(rows(path))
    assert path.exists() is (content is not None)
