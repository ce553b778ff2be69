"""``sharebroker audit verify`` as an auditor runs it: what it takes for evidence, and what it says."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from typer.testing import CliRunner, Result

from broker.audit.files import write_export
from broker.audit.form import Form, Header, Line
from broker.audit.verify import requests
from broker.cli.main import app
from broker.errors import SetUpError, VerificationFailed
from broker.receipt.bundle import export as export_receipt
from broker.receipt.note import VerifierKey
from broker.receipt.tiles import Tree
from broker.receipt.witnesses import WitnessKey, cosign
from broker.store import open_store

LEAVES = 21


class Desk:
    """An auditor's desk: the log's key, and evidence of every kind of a log of 21 leaves."""

    def __init__(self, folder: Path, log: Any) -> None:
        self.folder = folder
        self.log = log
        self.settings = folder / "sharebroker.toml"
        self.settings.write_text(
            f'[store]\nurl = "sqlite:///log.db"\n[log]\norigin = "{log.ORIGIN}"\n'
            '[keys]\nlog_key = "log.key"\nsigner_state = "log.checkpoint"\n'
        )
        self.key = folder / "log.vkey"
        self.key.write_text(f"{log.key}\n")
        with log.running() as running:
            (folder / "receipt.json").write_bytes(export_receipt(running.receipt(7)))
            (folder / "older").write_text(running.checkpoint())
        log.fill(10)
        with log.running() as running:
            (folder / "head").write_text(running.checkpoint())
        CliRunner().invoke(app, ["log", "export", str(folder / "www"), "--config", str(self.settings)])
        self.export()

    def export(self) -> None:
        with closing(open_store(self.log.url)) as store:
            tree = Tree(LEAVES, store.tile)
            leaves = [store.leaf(index) for index in reversed(range(LEAVES))]
            lines = [Line(o.index, o.entry.statement, tree.inclusion_proof(o.index)) for o in leaves if o]
        note = (self.folder / "head").read_text()
        header = Header("2026-11-24T00:00:00Z", "spiffe://xinghe/…", LEAVES, {}, LEAVES, note)
        write_export(self.folder / "export.jsonl", Form.JSONL, header, lines)

    def operate(self, *words: str) -> Any:
        """What ``sharebroker log`` says to machines."""
        done = CliRunner().invoke(app, ["log", *words, "--config", str(self.settings)])
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def run(self, what: str, *more: object) -> Result:
        place = what if "://" in what else str(self.folder / what)
        words = ["audit", "verify", place, "--key", str(self.key), *map(str, more)]
        return CliRunner().invoke(app, words)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, broker_log: Callable[..., Any]) -> Desk:
    folder = tmp_path_factory.mktemp("desk")
    log = broker_log(f"sqlite:///{folder}/log.db", folder)
    log.fill(10)
    return Desk(folder, log)


def test_every_kind_of_evidence_is_verified(desk: Desk) -> None:
    """Settings of a running broker, its database by file or URL, the published folder, an export."""
    head = ("--checkpoint", desk.folder / "head")
    for what, more in (
        ("sharebroker.toml", ()),
        ("log.db", head),
        (f"sqlite:///{desk.folder}/log.db", head),
        ("www", ()),
        ("export.jsonl", ()),
    ):
        result = desk.run(what, *more)
        assert result.exit_code == 0, result.output
        assert "核验通过" in result.stdout
        assert f"first {LEAVES} leaves" in result.stdout


def test_it_says_the_same_to_machines(desk: Desk) -> None:
    """As JSON, with every nature counted."""
    said = json.loads(desk.run("sharebroker.toml", "--json").stdout)
    assert (said["leaves"], said["root"], said["findings"]) == (LEAVES, said["signed_root"], [])
    assert said["statements"] == {"exchange": 20, "genesis": 1}
    assert set(said["counted"]) == {"forged", "contradictory", "incomplete", "overdue", "erased"}


def test_heads_and_receipts_kept_from_before_are_compared(desk: Desk) -> None:
    """In any form; and for an export that cannot be done, which is said."""
    kept = ("--earlier", desk.folder / "older", "--earlier", desk.folder / "receipt.json")
    assert desk.run("www", *kept).exit_code == 0
    assert isinstance(desk.run("export.jsonl", *kept).exception, SetUpError)


def test_what_does_not_hold_ends_with_3(desk: Desk, tmp_path: Path) -> None:
    """As the shell sees it, in both languages, with the place and its nature and no traceback."""
    shutil.copytree(desk.folder / "www", tmp_path / "www")
    bundle = next((tmp_path / "www/tile/entries").rglob("*.p/*"))
    content = bundle.read_bytes()
    bundle.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    command = ["audit", "verify", str(tmp_path / "www"), "--key", str(desk.key)]
    done = subprocess.run([sys.executable, "-m", "broker.cli", *command], capture_output=True, text=True)
    assert done.returncode == 3
    assert "[伪造或改动 forged] leaf leaf_index=20 log_entry" in done.stdout
    assert "Does not verify" in done.stdout
    assert "Traceback" not in done.stderr


def test_what_is_owed_ends_with_1(
    tmp_path: Path, broker_log: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stream that had time enough has no outcome, and everything is genuine."""
    log = broker_log(f"sqlite:///{tmp_path}/log.db", tmp_path)
    log.fill(10)
    desk = Desk(tmp_path, log)
    monkeypatch.setattr(requests, "LONGEST_STREAM", -1)
    with desk.log.running() as running:
        running.append(desk.log.opening("s1"))
        running.append(desk.log.exchange())
    result = desk.run("sharebroker.toml")
    assert result.exit_code == 1
    assert "[逾期未记 overdue] statement leaf_index=21" in result.stdout
    assert "核验通过" in result.stdout


def test_what_is_missing_is_said(desk: Desk, tmp_path: Path) -> None:
    """A database without a head, what is no evidence, files that are not there, an export without proofs."""
    (tmp_path / "note.txt").write_text("hello")
    header = Header("2026-11-24T00:00:00Z", "spiffe://xinghe/…", 1)
    write_export(tmp_path / "bare.jsonl", Form.JSONL, header, [Line(3, b"{}")])
    for what in ("log.db", "nowhere", str(tmp_path / "note.txt")):
        assert isinstance(desk.run(what).exception, SetUpError), what
    assert isinstance(desk.run(str(tmp_path / "bare.jsonl")).exception, VerificationFailed)
    assert isinstance(desk.run("www", "--checkpoint", tmp_path / "none").exception, SetUpError)
    assert isinstance(desk.run("www", "--checkpoint", tmp_path / "note.txt").exception, VerificationFailed)


def test_another_key_is_no_trust(desk: Desk, tmp_path: Path) -> None:
    """Whatever the evidence itself says about keys."""
    (tmp_path / "vkey").write_text(str(VerifierKey.of(desk.log.ORIGIN, Ed25519PrivateKey.generate())))
    words = ["audit", "verify", str(desk.folder / "www"), "--key", str(tmp_path / "vkey")]
    assert isinstance(CliRunner().invoke(app, words).exception, VerificationFailed)


@pytest.mark.parametrize("form", list(Form))
def test_an_export_brings_the_keys_that_came_later(
    form: Form, tmp_path: Path, broker_log: Callable[..., Any]
) -> None:
    """The log's key was replaced, twice, one of them made before: the auditor's first key is still enough."""
    log = broker_log(f"sqlite:///{tmp_path}/log.db", tmp_path)
    log.fill(10)
    desk = Desk(tmp_path, log)
    prepared = desk.operate("rotate-key", "--prepare", "--json")
    rotated = [desk.operate("rotate-key", "--reason", "yearly", "--both-days", "0", "--json") for _ in "12"]
    assert rotated[0]["new"] == prepared["new"]
    assert [each["old"] for each in rotated] == [str(log.key), rotated[0]["new"]]
    with log.running() as running:
        size, note, successions = running.proving_head()
        entries = [running.entry(index) for index in reversed(range(size))]
        proofs = running.inclusion_proofs(
            {index: entries[-1 - index].statement for index in range(size)}, size
        )
    lines = [Line(size - 1 - n, each.statement, proofs[size - 1 - n]) for n, each in enumerate(entries)]
    header = Header("2026-11-24T00:00:00Z", "spiffe://xinghe/…", size, {}, size, note, successions)
    write_export(tmp_path / "all", form, header, lines)
    result = desk.run("all")
    assert result.exit_code == 0, result.output
    write_export(tmp_path / "cut", form, replace(header, successions=successions[:1]), lines)
    assert isinstance(desk.run("cut").exception, VerificationFailed)
    write_export(tmp_path / "none", form, replace(header, successions=("none",)), lines)
    assert isinstance(desk.run("none").exception, VerificationFailed)


def test_witnesses_are_demanded(desk: Desk, tmp_path: Path) -> None:
    """Too few is incomplete, enough is well, a false one is forged."""
    private = Ed25519PrivateKey.generate()
    witness = WitnessKey.of("audit.example/w1", private)
    (tmp_path / "policy").write_text(f"witness audit {witness}\nquorum audit\n")
    note = (desk.folder / "head").read_text()
    line = cosign(note.partition("\n\n")[0] + "\n", witness.name, private, 1)
    forged = cosign("another\n", witness.name, private, 1)
    for extra, code, nature in (("", 3, "incomplete"), (line, 0, ""), (forged, 3, "forged")):
        (tmp_path / "head").write_text(note + extra)
        more = ("--witnesses", tmp_path / "policy", "--checkpoint", tmp_path / "head", "--json")
        result = desk.run("www", *more)
        assert result.exit_code == code, result.output
        counted = json.loads(result.stdout)["counted"]
        assert {name for name, count in counted.items() if count} == ({nature} if nature else set())


def test_a_database_in_use_is_not_written_to(desk: Desk) -> None:
    """Verification leaves no trace in the evidence."""
    with closing(sqlite3.connect(desk.folder / "log.db")) as connection:
        before = connection.execute("PRAGMA data_version").fetchone()
        assert desk.run("sharebroker.toml").exit_code == 0
        assert connection.execute("PRAGMA data_version").fetchone() == before
