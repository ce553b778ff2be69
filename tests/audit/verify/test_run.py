"""A sound log verifies, in whatever way it is read; and whatever is changed in it is found, by its nature."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from broker.audit.verify import run
from broker.audit.verify.evidence import DatabasePlace, FolderPlace
from broker.audit.verify.heads import learnt, open_head
from broker.audit.verify.remarks import Nature
from broker.audit.verify.run import Report, spans
from broker.audit.verify.whole import Earlier
from broker.errors import SetUpError, VerificationFailed
from broker.keys.log_key import load_log_key
from broker.model import Receipt
from broker.receipt import key_history
from broker.receipt.log_keys import Succession
from broker.receipt.merkle import leaf_entry, leaf_hash
from broker.receipt.note import Checkpoint, VerifierKey, sign_note
from broker.receipt.statement import instant
from broker.receipt.tiles import Tree
from broker.store import open_store
from broker.store.rows import microseconds
from tests import plain_tlog
from tests.audit.verify.conftest import Auditor, natures

LEAVES = 600
STREAM = 592
"""Opened, ended, opened again, ended again, and another that is under way."""


def copy(auditor: Auditor, folder: Path) -> Auditor:
    """One of their own to change: database and folder."""
    places = (auditor.folder.parent / "log.db", folder / "log.db")
    with closing(sqlite3.connect(places[0])) as source, closing(sqlite3.connect(places[1])) as target:
        source.backup(target)
    shutil.copytree(auditor.folder, folder / "www")
    return replace(auditor, folder=folder / "www")


def changed(auditor: Auditor, folder: Path, *statements: str) -> Report:
    """The report on a database after these SQL statements."""
    mine = copy(auditor, folder)
    with closing(sqlite3.connect(folder / "log.db")) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return mine.verify(DatabasePlace(f"sqlite:///{folder}/log.db"))


def statement(auditor: Auditor, index: int) -> bytes:
    with closing(open_store(auditor.log.url)) as store:
        leaf = store.leaf(index)
        assert leaf is not None
        return bytes(leaf.entry.statement)


def test_a_sound_log_verifies(auditor: Auditor) -> None:
    """From the database with its statements, from the folder without, and one reads as much as the other."""
    database, published = auditor.database(), auditor.published()
    assert (database.remarks, published.remarks) == ([], [])
    assert database.root == published.root == database.head.root
    assert database.head.size == LEAVES
    assert sum(database.kinds.values()) == LEAVES
    assert dict(database.kinds)["stream_outcome"] == 2
    assert (
        plain_tlog.checked(lambda path: (auditor.folder / path).read_bytes(), str(auditor.log.key)) == LEAVES
    )


def test_processes_find_what_one_finds(
    auditor: Auditor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a journal made by one of them serves the others."""
    monkeypatch.setattr(run, "SPAN_TILES", 1)
    alone, journal = auditor.database(), tmp_path / "journal"
    several = auditor.database(workers=2, journal=journal)
    assert (several.root, several.kinds, several.remarks) == (alone.root, alone.kinds, alone.remarks)
    again = auditor.database(journal=journal)
    assert (again.resumed, again.root, again.remarks) == (LEAVES, alone.root, [])


def test_an_open_stream_is_overdue_only_later(auditor: Auditor) -> None:
    """A day after it was opened nobody takes it to be under way."""
    later = microseconds(datetime.now(UTC)) + 2 * 24 * 3600 * 10**6
    report = auditor.database(as_of=later)
    assert natures(report) == {("overdue", "statement", f"leaf_index={STREAM + 4}", "")}
    assert report.unverified == 0


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        (
            "UPDATE statement SET content = replace(content, 'tax', 'pax') WHERE leaf_index = 5",
            {("forged", "statement", "leaf_index=5", "content")},
        ),
        (
            "UPDATE leaf SET log_entry = zeroblob(33) WHERE leaf_index = 300",
            {("forged", "leaf", "leaf_index=300", "log_entry")},
        ),
        (
            "UPDATE leaf SET log_entry = 'text' WHERE leaf_index = 5",
            {("forged", "leaf", "leaf_index=5", "log_entry")},
        ),
        ("DELETE FROM leaf WHERE leaf_index = 5", {("incomplete", "leaf", "leaf_index=5", "")}),
        (
            "DELETE FROM tile WHERE level = 0 AND tile_index = 1",
            {("incomplete", "tile", "level=0 tile_index=1", "hashes")},
        ),
        ("DELETE FROM tile WHERE level = 1", {("incomplete", "tile", "level=1 tile_index=0", "hashes")}),
        (
            "UPDATE tile SET hashes = zeroblob(8192) WHERE level = 0 AND tile_index = 1",
            {("forged", "tile", "level=0 tile_index=1", "hashes")},
        ),
        ("DELETE FROM statement WHERE leaf_index = 5", {("erased", "leaf", "leaf_index=5", "")}),
        (
            f"DELETE FROM statement WHERE leaf_index = {STREAM}",
            {("erased", "leaf", f"leaf_index={STREAM}", "")},
        ),
    ],
)
def test_what_is_changed_in_a_database_is_named(
    auditor: Auditor, tmp_path: Path, sql: str, expected: set[tuple[str, str, str, str]]
) -> None:
    """Where, and of what nature; of an erased statement that nothing explains why."""
    report = changed(auditor, tmp_path, sql)
    assert natures(report) == expected
    assert report.root == report.head.root  # two witnesses of three are enough to tell
    assert report.absent == (1 if "statement" in sql or "FROM leaf" in sql or "log_entry" in sql else 0)


def test_an_outcome_that_was_erased_cannot_be_told_from_none(auditor: Auditor, tmp_path: Path) -> None:
    """So it is said, and nothing is called overdue."""
    report = changed(auditor, tmp_path, f"DELETE FROM statement WHERE leaf_index = {STREAM + 3}")
    assert natures(report) == {
        ("erased", "statement", f"leaf_index={STREAM + 2}", ""),
        ("erased", "leaf", f"leaf_index={STREAM + 3}", ""),
    }
    assert report.unverified == 0


def relogged(auditor: Auditor, folder: Path, contents: dict[int, bytes]) -> Report:
    """The report on a log whose broker logged other statements, and signed that."""
    place, root = logged(auditor, folder, contents)
    head = Checkpoint(auditor.log.key.name, LEAVES, root)
    return run.verify(run.Job(place, auditor.anchors, head))


def logged(auditor: Auditor, folder: Path, contents: dict[int, bytes]) -> tuple[DatabasePlace, bytes]:
    """A database with other statements at some leaves, and its root."""
    copy(auditor, folder)
    with closing(sqlite3.connect(folder / "log.db")) as connection, connection:
        for index, content in contents.items():
            connection.execute("UPDATE statement SET content = ? WHERE leaf_index = ?", (content, index))
            entry = leaf_entry(content)
            connection.execute("UPDATE leaf SET log_entry = ? WHERE leaf_index = ?", (entry, index))
        entries = [e for (e,) in connection.execute("SELECT log_entry FROM leaf ORDER BY leaf_index")]
        tree, tiles = Tree(0, lambda _, __: b"").append(list(map(leaf_hash, entries)))
        for (level, index), content in tiles.items():
            where = "WHERE level = ? AND tile_index = ?"
            connection.execute(f"UPDATE tile SET hashes = ? {where}", (content, level, index))
    return DatabasePlace(f"sqlite:///{folder}/log.db"), tree.root()


@pytest.mark.parametrize(
    ("index", "old", "new", "where"),
    [
        (5, b'"format"', b'"form\\u0061t"', "content"),
        (5, b'"kind":"exchange"', b'"kind":"unheard-of"', "content"),
        (STREAM + 1, b'"decision_leaf":592', b'"decision_leaf":5', "decision_leaf"),
        (STREAM + 1, b'"decision_leaf":592', b'"decision_leaf":"x"', ""),
        (STREAM + 1, b'"decision_leaf":592', b'"decision_leaf":99999999999999999999', ""),
        (STREAM + 1, b'"request_id":"s1"', b'"request_id":"s9"', "decision_leaf"),
        (7, b'"recorded_at":"20', b'"recorded_at":"19', "recorded_at"),
        (7, b'"kind":"exchange"', b'"kind":"genesis"', "kind"),
    ],
)
def test_a_broker_that_logs_nonsense_is_named(
    auditor: Auditor, tmp_path: Path, index: int, old: bytes, new: bytes, where: str
) -> None:
    """What is proved to be in the log and cannot be so is contradictory; nothing of it ends the check."""
    content = statement(auditor, index)
    assert old in content
    report = relogged(auditor, tmp_path, {index: content.replace(old, new, 1)})
    assert report.root == report.head.root
    found = {one[2:] for one in natures(report) if one[0] == "contradictory"}
    assert (f"leaf_index={index}", where) in found


def test_a_request_answered_twice_is_named(auditor: Auditor, tmp_path: Path) -> None:
    """However far apart, and in whatever span."""
    report = relogged(auditor, tmp_path, {599: statement(auditor, 2)})
    assert ("contradictory", "statement", "leaf_index=599", "request_id") in natures(report)


@pytest.mark.parametrize(
    "junk", [b"", b"{}", b"[]", b"null", b"\xff", b'{"format":"share-statement/v1"}', b"9" * 30]
)
def test_junk_for_a_statement_is_a_finding(auditor: Auditor, tmp_path: Path, junk: bytes) -> None:
    """Never a crash."""
    report = relogged(auditor, tmp_path, {5: junk})
    assert natures(report) == {("contradictory", "statement", "leaf_index=5", "content")}


def test_a_log_under_another_key_is_followed(auditor: Auditor, tmp_path: Path) -> None:
    """By the succession that its database has, from the first key on; without it, the head is nobody's."""
    old, new = load_log_key(auditor.log.private_key), Ed25519PrivateKey.generate()
    name, now = auditor.log.key.name, datetime.now(UTC).replace(microsecond=0)
    succession = Succession(auditor.log.key, LEAVES - 1, VerifierKey.of(name, new), LEAVES, now)
    said = {
        "format": "share-statement/v1",
        "kind": "log_key",
        "recorded_at": instant(now),
        "salt": "00" * 32,
        "succession": succession.signed(old, new),
        "verifier_key": str(succession.new),
    }
    place, root = logged(auditor, tmp_path, {LEAVES - 1: orjson.dumps(said, option=orjson.OPT_SORT_KEYS)})
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection, connection:
        connection.execute("UPDATE leaf SET kind = 'log_key' WHERE leaf_index = ?", (LEAVES - 1,))
    note = sign_note(Checkpoint(name, LEAVES, root).text(), name, new)
    with pytest.raises(VerificationFailed, match="signature"):
        open_head(note, auditor.anchors)
    with closing(sqlite3.connect(tmp_path / "log.db")) as connection:
        entries = connection.execute("SELECT log_entry FROM leaf ORDER BY leaf_index").fetchall()
    tree, _ = Tree(0, lambda _, __: b"").append([leaf_hash(entry) for (entry,) in entries])
    statement = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    receipt = Receipt(statement, LEAVES - 1, LEAVES, tree.inclusion_proof(LEAVES - 1), note)
    (tmp_path / "www/log-keys").write_bytes(key_history.export([receipt]))
    anchors = replace(auditor.anchors, keys=learnt(place, auditor.anchors.keys))
    assert learnt(FolderPlace(tmp_path / "www"), auditor.anchors.keys) == anchors.keys
    head, remarks = open_head(note, anchors)
    report = run.verify(run.Job(place, anchors, head))
    assert (remarks, report.remarks, report.root) == ([], [], root)


# ── heads that others kept ───────────────────────────────────────────────────────────────────────


def head_at(auditor: Auditor, size: int) -> Checkpoint:
    with closing(open_store(auditor.log.url)) as store:
        return Checkpoint(auditor.log.key.name, size, Tree(size, store.tile).root())


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 513, 599, 600])
def test_every_earlier_head_is_a_beginning(auditor: Auditor, size: int) -> None:
    """At every kind of edge of tiles; and one with another root is not."""
    head = head_at(auditor, size)
    forged = replace(head, root=bytes(32))
    kept = [Earlier("kept", head), Earlier("forged", forged)]
    for report in (auditor.published(earlier=kept), auditor.database(earlier=kept)):
        assert natures(report) == {("forged", "checkpoint", "forged", "root")}


def test_a_longer_log_was_signed_once(auditor: Auditor) -> None:
    """Then leaves are missing from what is shown."""
    longer = Earlier("kept", Checkpoint(auditor.log.key.name, 601, bytes(32)))
    assert natures(auditor.published(earlier=[longer])) == {("incomplete", "checkpoint", "kept", "size")}


@given(st.lists(st.integers(0, 2_000_000), max_size=5), st.integers(0, 2_000_000))
def test_spans_cover_a_log_once(sizes: list[int], size: int) -> None:
    """Every leaf and every earlier size, whatever they are."""
    kept = [Earlier("", Checkpoint("a", one, bytes(32))) for one in sizes]
    found = list(spans(size, kept))
    assert sum(span.leaves for span in found) == size
    assert [span.first for span in found[1:]] == [span.stop for span in found[:-1]]
    wanted = {one for one in sizes if one % 256 and one <= size}
    assert wanted == {edge for span in found for edge in span.sizes}


# ── the folder, byte by byte ─────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def mine(auditor: Auditor, tmp_path_factory: pytest.TempPathFactory) -> Auditor:
    return copy(auditor, tmp_path_factory.mktemp("mine"))


def files(folder: Path) -> list[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file() and file.name != "checkpoint")


fast = settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def refused(mine: Auditor) -> bool:
    """By us and by a verifier of no kin, which must agree."""
    ours = mine.verify(FolderPlace(mine.folder)).unverified > 0
    try:
        plain_tlog.checked(lambda path: (mine.folder / path).read_bytes(), str(mine.log.key))
    except (plain_tlog.Wrong, OSError):
        theirs = True
    else:
        theirs = False
    assert ours == theirs
    return ours


@fast
@given(st.data())
def test_any_changed_file_is_found_and_both_verifiers_agree(mine: Auditor, data: st.DataObject) -> None:
    """A byte flipped, leaves swapped, dropped or doubled, a file cut, emptied, longer or gone."""
    file = data.draw(st.sampled_from(files(mine.folder)))
    before = file.read_bytes()
    unit = 35 if "entries" in file.parts else 32
    places = st.integers(0, len(before) // unit - 1)
    place, other = sorted((data.draw(places) * unit, data.draw(places) * unit))
    one, two = before[place : place + unit], before[other : other + unit]
    byte = data.draw(st.integers(0, len(before) - 1))
    after = {
        "flipped": before[:byte] + bytes([before[byte] ^ 1 << byte % 8]) + before[byte + 1 :],
        "swapped": before[:place] + two + before[place + unit : other] + one + before[other + unit :]
        if place < other
        else before,
        "dropped": before[:place] + before[place + unit :],
        "doubled": before[:place] + one + before[place:],
        "cut": before[:byte],
        "longer": before + b"\x00",
        "gone": None,
    }[data.draw(st.sampled_from(["flipped", "swapped", "dropped", "doubled", "cut", "longer", "gone"]))]
    try:
        file.unlink() if after is None else file.write_bytes(after)
        assert refused(mine) == (after != before)
    finally:
        file.write_bytes(before)


def test_partial_tiles_of_earlier_heads_are_held_against_the_log(mine: Auditor) -> None:
    """Strangers with an older head still read them."""
    whole = (mine.folder / "tile/0/000").read_bytes()
    bundle = (mine.folder / "tile/entries/000").read_bytes()
    for path, content in {
        "tile/0/000.p/7": whole[: 7 * 32],
        "tile/entries/000.p/7": bundle[: 7 * 35],
    }.items():
        file = mine.folder / path
        file.parent.mkdir()
        file.write_bytes(content)
        assert mine.published().remarks == []
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert natures(mine.published()) == {("forged", "tile", path, "")}
        shutil.rmtree(file.parent)


# ── the journal ──────────────────────────────────────────────────────────────────────────────────


def test_a_journal_is_no_way_to_hide_a_change(mine: Auditor, tmp_path: Path) -> None:
    """What was verified and changed since, with size and times put back, is verified again."""
    journal, file = tmp_path / "journal", mine.folder / "tile/entries/001"
    assert mine.published(journal=journal).remarks == []
    assert mine.published(journal=journal).resumed == LEAVES
    before, about = file.read_bytes(), file.stat()
    file.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    report = mine.published(journal=journal)
    file.write_bytes(before)
    assert (report.resumed, report.counted[Nature.FORGED]) == (0, 1)


def test_an_interrupted_verification_goes_on(
    auditor: Auditor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With what was finished, a line torn at its end notwithstanding; and the findings are all there."""
    monkeypatch.setattr(run, "SPAN_TILES", 1)
    journal = tmp_path / "journal"
    mine = copy(auditor, tmp_path)
    file = mine.folder / "tile/entries/000"
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    first = mine.published(journal=journal)
    lines = journal.read_bytes().splitlines(keepends=True)
    assert len(lines) == 4
    journal.write_bytes(b"".join(lines[:2]) + lines[2][:50])
    again = mine.published(journal=journal)
    assert again.resumed == 256
    assert natures(again) == natures(first) != set()


@pytest.mark.parametrize("what", ["mode", "damaged", "other"])
def test_a_journal_that_cannot_be_relied_on_is_refused(auditor: Auditor, tmp_path: Path, what: str) -> None:
    """One that others may write to, that is damaged, or of another verification."""
    journal = tmp_path / "journal"
    more: dict[str, Any] = {}
    auditor.published(journal=journal)
    if what == "mode":
        journal.chmod(0o666)
    elif what == "damaged":
        journal.write_bytes(b"{}x\n")
    else:
        more = {"earlier": [Earlier("kept", head_at(auditor, 3))]}
    with pytest.raises(SetUpError, match="journal"):
        auditor.published(journal=journal, **more)


def test_a_finished_journal_is_kept_by_its_owner_alone(auditor: Auditor, tmp_path: Path) -> None:
    """Nobody else can read in it what was verified."""
    auditor.published(journal=tmp_path / "journal")
    assert (tmp_path / "journal").stat().st_mode & 0o077 == 0
