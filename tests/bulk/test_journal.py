"""The journal: what it says is finished is finished, whatever a power failure has left of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from broker.bulk import journal
from broker.bulk.journal import Work
from broker.errors import SetUpError


def _finished_part(work: Work, content: bytes) -> Path:
    part = work.part(0)
    part.write_bytes(content)
    work.record("part 0", {"sha256": hashlib.sha256(content).hexdigest(), "rows": 1, "bad": {}})
    return part


def test_a_torn_line_was_never_written(tmp_path: Path) -> None:
    """The lines before it count, and further ones can be added."""
    with journal.locked(tmp_path / "out") as folder:
        with journal.opened(folder, "a run") as work:
            _finished_part(work, b"rows")
        lines = folder / "journal"
        lines.write_bytes(lines.read_bytes() + b'{"done":"part 1","sha2')
        for _ in range(2):
            with journal.opened(folder, "a run") as work:
                assert work.finished("part 0", work.part(0)) == {
                    "sha256": hashlib.sha256(b"rows").hexdigest(),
                    "rows": 1,
                    "bad": {},
                }
                assert work.finished("part 1", work.part(1)) is None
                work.record("part 2", {"sha256": ""})


def test_a_part_that_is_not_what_was_written_is_not_finished(tmp_path: Path) -> None:
    """Damaged or gone, it is masked again."""
    with journal.locked(tmp_path / "out") as folder, journal.opened(folder, "a run") as work:
        part = _finished_part(work, b"rows")
        for damage in (lambda: part.write_bytes(b"rowz"), part.unlink):
            damage()
            assert work.finished("part 0", part) is None


def test_what_was_begun_without_a_journal_is_begun_anew(tmp_path: Path) -> None:
    """Files of a run that did not come as far as its first line are nobody's."""
    with journal.locked(tmp_path / "out") as folder:
        (folder / "parts").mkdir()
        (folder / "parts" / "00000000.arrow").touch()
        with journal.opened(folder, "a run") as work:
            assert not list(work.parts.iterdir())
            (work.out / ".a.parquet.123").touch()
        with journal.opened(folder, "a run") as work:
            assert not list(work.out.iterdir())
        with pytest.raises(SetUpError, match="left from another run"), journal.opened(folder, "another"):
            pass


def test_the_folder_is_its_owner_s_and_goes_when_there_is_nothing_in_it(tmp_path: Path) -> None:
    """Masked rows before a gate are nobody else's to read; a run that began nothing leaves nothing."""
    with journal.locked(tmp_path / "out") as folder:
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()
