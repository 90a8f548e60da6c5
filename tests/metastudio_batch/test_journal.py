"""The journal: what it keeps, who may use it, and what goes wrong with its file."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest

from metastudio import ConfigurationError
from metastudio_batch import Found, JournalError, Row, Stage
from metastudio_batch.journal import Journal
from support import HANGS_AFTER

SERVICE = ("https://metastudio.example.com", "p")
ANN = Found("ann.wav", "/recordings/ann.wav", "CN", None, {"speaker": "ann"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.journal"


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    with closing(Journal(path, *SERVICE)) as opened:
        yield opened


def planned(journal: Journal, *recordings: Found) -> list[Row | Found]:
    journal.plan(recordings, "CN", None)
    return list(journal.to_do())


@pytest.mark.skipif(os.name == "nt", reason="no modes there")
def test_journal_is_private(journal: Journal, path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_changes_are_synced(journal: Journal) -> None:
    """Power may fail: neither a write-ahead log nor a database that does not wait for the disk."""
    (synchronous,) = journal._db.execute("PRAGMA synchronous").fetchone()
    (mode,) = journal._db.execute("PRAGMA journal_mode").fetchone()

    assert (synchronous, mode) == (2, "delete")


def test_row_round_trip(path: Path) -> None:
    with closing(Journal(path, *SERVICE)) as journal:
        row = journal.claim(ANN, "hash", 10, 20)
        # Half of a surrogate pair: what the service sends may hold one.
        changed = attrs.evolve(row, stage=Stage.FINISHED, job_id="j", job={"state": "\ud83d"}, error="e", since=5.0)
        journal.save(changed)

    with closing(Journal(path, *SERVICE)) as again:
        assert again.row(row.id) == changed


class TestKey:
    """One row for path, content, language and user."""

    def test_changed_content_is_a_new_row(self, journal: Journal) -> None:
        """The old verdict stays."""
        first = journal.claim(ANN, "hash", 10, 20)
        journal.save(attrs.evolve(first, stage=Stage.FINISHED))

        second = journal.claim(ANN, "other", 10, 20)

        assert second.id != first.id
        assert journal.row(first.id).stage == Stage.FINISHED
        assert journal.claim(ANN, "hash", 11, 21).id == first.id

    def test_unused_content_is_removed(self, journal: Journal) -> None:
        """Else what was never assessed would be unfinished for ever."""
        never = journal.claim(ANN, "hash", 10, 20)
        journal.save(attrs.evolve(never, stage=Stage.CREATED, job_id="j"))

        journal.claim(ANN, "other", 10, 20)

        assert journal._db.execute("SELECT sha256 FROM recordings").fetchall() == [("other",)]

    @pytest.mark.parametrize("other", [{"path": "b"}, {"language": "EN"}, {"app_user_id": "u"}])
    def test_language_and_user_make_another_row(self, other: dict[str, Any], journal: Journal) -> None:
        first = journal.claim(ANN, "hash", 10, 20)

        assert journal.claim(attrs.evolve(ANN, **other), "hash", 10, 20).id != first.id

    def test_size_and_time_spare_reading(self, journal: Journal) -> None:
        """What a manifest or a move has changed since is taken over."""
        row = journal.claim(ANN, "hash", 10, 20)
        moved = attrs.evolve(ANN, file="/elsewhere/ann.wav", columns={"speaker": "anna"})

        known = journal.known(moved, 10, 20)

        assert known == attrs.evolve(row, file=moved.file, columns=moved.columns) == journal.row(row.id)
        assert journal.known(ANN, 11, 20) is None
        assert journal.known(ANN, 10, 21) is None


class TestPlan:
    """What is to be done."""

    def test_running_jobs_come_first(self, journal: Journal) -> None:
        """Also where their recordings are gone; `total` counts them once."""
        stages = [Stage.NEW, Stage.CREATED, Stage.UPLOADED, Stage.COMMITTED, Stage.FINISHED, Stage.FAILED]
        for stage in stages:
            row = journal.claim(Found(stage, "", "CN"), "hash", 1, 1)
            journal.save(attrs.evolve(row, stage=stage, job_id="j"))
        recordings = [Found("uploaded", "", None), Found("other", "", None)]

        assert journal.plan(recordings, "CN", None) == 3
        resumed, others = list(journal.to_do())[:2], list(journal.to_do())[2:]

        assert [each.path for each in resumed] == ["uploaded", "committed"]
        assert [each.path for each in others] == ["other", "uploaded"]
        assert all(isinstance(each, Row) and journal.is_resumed(each) for each in resumed)

    def test_same_file_twice_is_one_recording(self, journal: Journal) -> None:
        assert len(planned(journal, ANN, ANN)) == 1

    def test_duplicate_names_raise(self, journal: Journal) -> None:
        """Two folders as arguments, say: one would be taken for a new take of the other."""
        with pytest.raises(
            ConfigurationError, match=r"would both be named 'ann.wav': pass a folder that contains both"
        ):
            planned(journal, ANN, attrs.evolve(ANN, file="/other/ann.wav"))

    def test_defaults_fill_manifest(self, journal: Journal) -> None:
        journal.plan([Found("a", "", None, None), Found("b", "", "EN", "u-1")], "CN", "u-2")

        found = [(each.language, each.app_user_id) for each in journal.to_do()]

        assert found == [("CN", "u-2"), ("EN", "u-1")]

    def test_user_must_fit_a_header(self, journal: Journal) -> None:
        with pytest.raises(ConfigurationError, match="app_user_id"):
            planned(journal, attrs.evolve(ANN, app_user_id="用户"))


class TestFile:
    """What a file says it is, and who uses it."""

    def test_second_process_is_rejected(self, journal: Journal, path: Path) -> None:
        program = "import sys; from metastudio_batch.journal import Journal; Journal(*sys.argv[1:])"

        ended = subprocess.run(
            [sys.executable, "-c", program, path, *SERVICE],
            capture_output=True,
            text=True,
            check=False,
            timeout=HANGS_AFTER,
        )

        assert "is in use by another batch: wait until it ends" in ended.stderr

    @pytest.mark.parametrize("through_a_link", [False, True])
    def test_refusal_in_this_process_keeps_the_lock(self, through_a_link: bool, journal: Journal, path: Path) -> None:
        """POSIX takes a file's locks away when its process closes it anywhere; and a link has the same lock."""
        with pytest.raises(JournalError, match="is in use"):
            Journal(path, *SERVICE)
        if through_a_link:
            path.with_name("link").symlink_to(path)
            path = path.with_name("link")

        self.test_second_process_is_rejected(journal, path)

    @pytest.mark.parametrize("wrong", [7, b"a.journal", "a\0.journal", None])
    def test_path_that_is_none(self, wrong: Any) -> None:
        with pytest.raises(JournalError, match="journal must be a file path, not "):
            Journal(wrong, *SERVICE)

    def test_closed_journal_can_be_opened(self, path: Path) -> None:
        for _ in range(2):
            Journal(path, *SERVICE).close()

    @pytest.mark.parametrize(
        ("service", "message"),
        [
            (
                ("https://metastudio.example.org", "p"),
                "belongs to project p at https://metastudio.example.com, but the client uses project p at",
            ),
            (("https://metastudio.example.com", "q"), "belongs to project p at .*, but the client uses project q"),
        ],
    )
    def test_another_service_or_project(self, service: tuple[str, str], message: str, path: Path) -> None:
        Journal(path, *SERVICE).close()

        with pytest.raises(JournalError, match=message):
            Journal(path, *service)

    def test_another_version(self, path: Path) -> None:
        Journal(path, *SERVICE).close()
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA user_version = 2")

        with pytest.raises(JournalError, match="has version 2, but this release reads 1"):
            Journal(path, *SERVICE)

    def test_another_kind_of_file(self, path: Path) -> None:
        path.write_bytes(b"RIFF....WAVE" * 100)

        with pytest.raises(JournalError, match="not a database"):
            Journal(path, *SERVICE)
        assert path.read_bytes() == b"RIFF....WAVE" * 100

    def test_another_database(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE a (b)")

        with pytest.raises(JournalError, match="is not a journal"):
            Journal(path, *SERVICE)

    def test_missing_folder_raises(self, tmp_path: Path) -> None:
        with pytest.raises(JournalError, match=r"cannot be used: .*No such file or directory"):
            Journal(tmp_path / "nowhere" / "a.journal", *SERVICE)

    def test_killed_during_creation(self, path: Path) -> None:
        """An empty file is made into a journal."""
        path.touch()

        Journal(path, *SERVICE).close()

    @pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and modes")
    @pytest.mark.parametrize("exists", [False, True])
    def test_read_only_folder_raises(self, exists: bool, path: Path) -> None:
        """In a child without root's rights, which no mode would stop."""
        if exists:
            Journal(path, *SERVICE).close()
            path.chmod(0o444)
        path.parent.chmod(0o555)
        receiver, sender = os.pipe()
        child = os.fork()
        if not child:
            try:
                if os.getuid() == 0:
                    os.setuid(65534)
                Journal(path, *SERVICE)
            except JournalError as error:
                os.write(sender, str(error).encode())
            finally:
                os._exit(0)
        os.close(sender)
        os.waitpid(child, 0)
        path.parent.chmod(0o755)

        with os.fdopen(receiver, encoding="utf-8") as said:
            assert "cannot be used: " in said.read()
