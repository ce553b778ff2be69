"""Exports of a broker's log, of every form: they verify, and nothing in them can be changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from broker.audit.files import read_export, write_export
from broker.audit.form import Form, Header, Line
from broker.audit.verify import exports
from broker.audit.verify.exports import verify_export
from broker.audit.verify.heads import open_head
from broker.audit.verify.run import Job, Report
from broker.errors import SetUpError, VerificationFailed
from broker.receipt.tiles import Tree
from broker.store import open_store
from tests.audit.verify.conftest import Auditor, natures

LEAVES = 600


@pytest.fixture(scope="module")
def lines(auditor: Auditor) -> list[Line]:
    """Every leaf, newest first."""
    with closing(open_store(auditor.log.url)) as store:
        tree = Tree(LEAVES, store.tile)
        found = [store.leaf(index) for index in reversed(range(LEAVES))]
        return [Line(one.index, one.entry.statement, tree.inclusion_proof(one.index)) for one in found if one]


Exporter = Callable[..., Path]


@pytest.fixture
def export(auditor: Auditor, lines: list[Line], tmp_path: Path) -> Exporter:
    """Writes an export; ``change`` is given its lines."""

    def write(
        form: Form = Form.JSONL,
        change: Callable[[list[Line]], list[Line]] = lambda lines: lines,
        checkpoint: str | None = None,
    ) -> Path:
        changed = change(list(lines))
        note = auditor.note if checkpoint is None else checkpoint
        header = Header("2026-11-24T00:00:00Z", "spiffe://xinghe/…", len(changed), {}, LEAVES, note)
        path = tmp_path / f"export.{form}"
        write_export(path, form, header, changed)
        return path

    return write


def verified(auditor: Auditor, path: Path, **more: object) -> Report:
    opened = read_export(path)
    head, _ = open_head(opened.header.checkpoint, auditor.anchors)
    return verify_export(Job(None, auditor.anchors, head, **more), opened)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", list(Form))
def test_a_whole_export_verifies(auditor: Auditor, export: Exporter, form: Form, tmp_path: Path) -> None:
    """Of every form; it says as much of the statements as the database does; and is gone on with."""
    path, journal = export(form), tmp_path / "journal"
    report = verified(auditor, path, journal=journal)
    assert (report.remarks, report.absent) == ([], 0)
    assert report.kinds == auditor.database().kinds
    assert verified(auditor, path, journal=journal).resumed == LEAVES


def test_processes_find_what_one_finds(
    auditor: Auditor, export: Exporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In chunks of any size."""
    monkeypatch.setattr(exports, "CHUNK_LINES", 100)
    path = export()
    assert verified(auditor, path, workers=2).kinds == verified(auditor, path).kinds


def test_what_an_export_lacks_is_held_against_nobody(auditor: Auditor, export: Exporter) -> None:
    """Every second line; a stream's opening without its outcome is only said to be undecided."""
    report = verified(auditor, export(change=lambda lines: lines[::2]))
    assert report.unverified == 0
    assert report.absent == 300
    assert {nature for nature, *_ in natures(report)} <= {"erased"}


def test_an_erased_statement_is_allowed(auditor: Auditor, export: Exporter) -> None:
    """Its line is empty, and is counted."""
    report = verified(auditor, export(change=lambda ls: [replace(ls[0], statement=b""), *ls[1:]]))
    assert (report.unverified, report.absent) == (0, 1)


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize(
    "change",
    [
        lambda ls: [*ls[:5], replace(ls[5], statement=ls[6].statement), *ls[6:]],
        lambda ls: [*ls[:5], replace(ls[5], proof=ls[6].proof), *ls[6:]],
        lambda ls: [*ls[:5], replace(ls[5], proof=()), *ls[6:]],
        lambda ls: [*ls[:5], replace(ls[5], proof=(*ls[5].proof, bytes(32))), *ls[6:]],
        lambda ls: [*ls[:5], replace(ls[5], leaf_index=ls[5].leaf_index + 1), *ls[5 + 1 :]],
        lambda ls: [*ls[:5], ls[6], ls[5], *ls[7:]],
        lambda ls: [*ls[:5], ls[5], *ls[5:]],
        lambda ls: [replace(ls[0], leaf_index=LEAVES), *ls[1:]],
        lambda ls: [replace(ls[0], leaf_index=2**63 - 1), *ls[1:]],
    ],
)
def test_changed_lines_are_forged(
    auditor: Auditor, export: Exporter, form: Form, change: Callable[[list[Line]], list[Line]]
) -> None:
    """Another statement, proof or place, no proof, a longer one, lines swapped, repeated or outside."""
    report = verified(auditor, export(form, change))
    assert "forged" in {nature for nature, *_ in natures(report)}


def test_the_head_is_signed(auditor: Auditor, export: Exporter) -> None:
    """A head of others, or none, ends it at once."""
    for checkpoint in ("x", auditor.note.replace("600", "601")):
        with pytest.raises(VerificationFailed):
            verified(auditor, export(checkpoint=checkpoint))


def altered(before: bytes, data: st.DataObject) -> bytes:
    """A byte flipped, the rest cut off, or a line moved, dropped or doubled."""
    rows = before.splitlines(keepends=True)
    place, byte = data.draw(st.integers(1, len(rows) - 2)), data.draw(st.integers(0, len(before) - 1))
    how = data.draw(st.sampled_from(["flip", "cut", "swap", "drop", "double"]))
    if how == "flip":
        return before[:byte] + bytes([before[byte] ^ 1 << byte % 8]) + before[byte + 1 :]
    if how == "cut":
        return before[:byte]
    one, two = rows[place], rows[place + 1]
    middle = {"swap": [two, one], "drop": [two], "double": [one, one, two]}[how]
    return b"".join([*rows[:place], *middle, *rows[place + 2 :]])


@pytest.fixture(scope="module")
def small(auditor: Auditor, lines: list[Line], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven lines as JSON Lines, to be changed."""
    folder = tmp_path_factory.mktemp("small")
    header = Header("2026-11-24T00:00:00Z", "spiffe://xinghe/…", 7, {}, LEAVES, auditor.note)
    write_export(folder / "sound", Form.JSONL, header, lines[100:107])
    shutil.copy(folder / "sound", folder / "changed")
    return folder / "changed"


def said_of(path: Path) -> list[tuple[int, bytes, tuple[bytes, ...]]]:
    return [(line.leaf_index, line.statement, line.proof) for line in read_export(path).lines]


@settings(max_examples=150)
@given(st.data())
def test_any_change_of_a_file_is_found(auditor: Auditor, small: Path, data: st.DataObject) -> None:
    """Or it changes nothing that is claimed: who made the export and when, or how its JSON is spelt. Nothing
    crashes."""
    sound = small.with_name("sound")
    before = sound.read_bytes()
    small.write_bytes(after := altered(before, data))
    try:
        report = verified(auditor, small)
    except (VerificationFailed, SetUpError):
        return
    if report.unverified == 0 and after != before:
        assert said_of(small) == said_of(sound)
