"""``fsck`` on real databases: a sound log is clean, and whatever is changed in it is named."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, text
from sqlmodel import SQLModel

from broker.approve.files import pack
from broker.disposal.recording import recording
from broker.errors import VerificationFailed
from broker.journal import Cosigned
from broker.keys.authority import Authority
from broker.model import (
    Delegation,
    DisposalCause,
    DisposalMethod,
    Entry,
    EntryKind,
    Epoch,
    Identity,
    KeyInUse,
    Proposal,
    Publication,
    Role,
    Suspension,
    Target,
)
from broker.publication.manifest import Manifest
from broker.publication.signing import Approving, Covered, Proposing, sign_approval, sign_proposal
from broker.receipt.delegations import delegation
from broker.receipt.disposals import Certified, Kept, Ordered, certificate, missing, order, ordered_of, set_of
from broker.receipt.finding import row_name
from broker.receipt.fsck import Fsck, open_fsck
from broker.receipt.leaves import NO_HASH, judge
from broker.receipt.log import append_alone
from broker.receipt.memory import remembered
from broker.receipt.merkle import EMPTY_ROOT, leaf_hash
from broker.receipt.rebuild import Rebuilt, require_sound
from broker.receipt.statement import epoch_act
from broker.receipt.tiles import Tree
from broker.receipt.witnesses import cosign
from broker.store import open_store
from broker.store.disposals import WaitingFilter
from broker.store.snapshot import open_snapshot
from tests.applications import making
from tests.correction import making as correcting

LEAVES = 302
"""A full tile of leaves and a part of one, and a tile above them."""
ERASED = 9
"""A leaf in a full tile whose statement was erased."""
SIGNED = LEAVES - 32
"""What an officer approved; the leaf before it has the chain of its certificate."""
STREAM = LEAVES - 31
"""A stream with its outcome, the same again, and one that is under way."""
RETRIED, SUSPENDED, LIFTED = LEAVES - 9, LEAVES - 7, LEAVES - 6


@dataclass
class World:
    """A log with a bit of everything, and what belongs to it."""

    log: Any
    engine: Engine

    def check(self, memory: str | None = None) -> Fsck:
        state = self.log.state
        if memory is not None:
            state = state.with_name("other.checkpoint")
            state.write_text(memory)
        with open_fsck(self.log.url, state, self.log.key) as check:
            check.found = list(check.findings())  # type: ignore[attr-defined]
            return check

    def found(self) -> set[tuple[str, str, str]]:
        return {(f.table, f.row, f.column) for f in self.check().found}  # type: ignore[attr-defined]

    def execute(self, sql: str, **values: object) -> Any:
        with self.engine.begin() as connection:
            result = connection.execute(text(sql), values)
            return result.mappings().all() if result.returns_rows else None

    def row(self, table: str, where: str) -> dict[str, Any]:
        (row,) = self.execute(f"SELECT * FROM {table} WHERE {where}")
        return dict(row)

    @contextmanager
    def changed(self, table: str, where: str, column: str, value: object) -> Iterator[None]:
        """One value of one row is another, for a while."""
        row = self.row(table, where)
        self.execute(f"UPDATE {table} SET {column} = :value WHERE {where}", value=value)
        yield
        self._put_back(table, where if column not in where else f"{column} = :new", row, new=value)

    @contextmanager
    def without(self, table: str, where: str) -> Iterator[None]:
        """One row is not there, for a while."""
        row = self.row(table, where)
        self.execute(f"DELETE FROM {table} WHERE {where}")
        yield
        names = ", ".join(row)
        self.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{n}' for n in row)})", **row)

    def _put_back(self, table: str, where: str, row: dict[str, Any], **values: object) -> None:
        columns = ", ".join(f"{name} = :{name}" for name in row)
        changed = {name: value for name, value in values.items() if f":{name}" in where}
        self.execute(f"UPDATE {table} SET {columns} WHERE {where}", **row, **changed)


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, broker_log: Callable[..., Any]
) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("fsck")
    url = f"sqlite:///{folder}/log.db"
    if request.param == "postgres":
        url = request.getfixturevalue("new_postgres_url")()
    log = broker_log(url, folder)
    log.fill(SIGNED - 6)
    with closing(open_store(url)) as store:
        correcting.settled(store, PERMIT)
    with log.running() as running:
        running.append(log.signed())
    streams(log)
    deliveries(log)
    disposals(log)
    needs(log)
    retried = log.exchange()
    with log.running() as running:
        running.append(retried)
        running.append(replace(retried, statement=log.exchange().statement))
        acts(url)
        publish(url, folder)
        applications(url)
        lend(url)
        running.sign()
        cosigned(url, running.checkpoint())
    engine = create_engine(url)
    world = World(log, engine)
    world.execute(f"DELETE FROM statement WHERE leaf_index = {ERASED}")
    world.execute(f"DELETE FROM statement WHERE leaf_index = {RETRIED - 2}")
    yield world
    engine.dispose()


def streams(log: Any) -> None:
    """One stream has ended, twice with the same; another is under way. Five leaves."""
    with log.running() as running:
        for request_id in ("s1", "s1"):
            opening = running.append(log.opening(request_id)).receipt.leaf_index
            running.append(log.outcome(request_id, opening))
        running.append(log.opening("s2"))


def cosigned(url: str, note: str) -> None:
    """A witness has cosigned the newest head."""
    text, size = note.partition("\n\n")[0] + "\n", int(note.split("\n")[1])
    with closing(open_store(url)) as store:
        line = cosign(text, "audit.example/w", Ed25519PrivateKey.generate(), 1)
        assert store.publish_cosigned(Cosigned(size, note + line))


def needs(log: Any) -> None:
    """A need is entered and counted twice more. Another one's last statement is erased later. Five leaves."""
    with log.running() as running:
        for dataset in ("tax.vehicle", "tax.tractor", "tax.vehicle", "tax.vehicle", "tax.tractor"):
            running.append(log.need(dataset))


def deliveries(log: Any) -> None:
    """One delivery is acknowledged, one is disputed and not acknowledged in time. Five leaves."""
    told = [log.delivery(datetime.now(UTC)) for _ in range(2)]
    with log.running() as running:
        first, second = [running.append(entry).receipt.leaf_index for entry in told]
        running.append(log.said_of(EntryKind.ACKNOWLEDGEMENT, first, told[0]))
        running.append(log.said_of(EntryKind.ACKNOWLEDGEMENT_MISSING, second, told[1]))
        running.append(log.said_of(EntryKind.ACKNOWLEDGEMENT_DISPUTED, second, told[1]))


def disposals(log: Any) -> None:
    """Two of three deliveries are ordered to be disposed of: certified late, and in part. Six leaves."""
    now = datetime.now(UTC)
    with log.running() as running:
        told = [log.retained(now) for _ in range(3)]
        leaves = [running.append(entry).receipt.leaf_index for entry in told[:2]]
        with closing(open_store(log.url)) as store:
            with store.disposals() as tables:
                (waiting,) = tables.waiting(WaitingFilter(), 9)
            sets = (set_of(now, leaves),)
            ordered = Ordered(waiting.of, DisposalCause.RETENTION, DisposalMethod.CLEAR, sets, now)
            running.append(told[2])
            with recording(store, lambda: datetime.now(UTC)) as acting:
                tables = acting.transaction.disposals
                assert tables.take([waiting])
                said = order(ordered, acting.now)
                leaf = acting.append(EntryKind.DISPOSAL_ORDER, said, waiting.of)
                disposal = ordered_of(orjson.loads(said), leaf)
                tables.put(disposal)
            with recording(store, lambda: datetime.now(UTC)) as acting:
                tables, said = acting.transaction.disposals, missing(disposal, acting.now)
                tables.missed(leaf, acting.append(EntryKind.DISPOSAL_MISSING, said, waiting.of))
            with recording(store, lambda: datetime.now(UTC)) as acting:
                kept = (Kept((leaves[0],), "a law"),)
                certified = Certified(
                    b"COSE", b"d" * 32, disposal.method, now, "li", kept, "spiffe://x", b"f" * 32, 1
                )
                tables, said = acting.transaction.disposals, certificate(disposal, certified, acting.now)
                tables.certified(leaf, acting.append(EntryKind.DISPOSAL_CERTIFICATE, said, waiting.of), 1)


def acts(url: str) -> None:
    """The epoch begins, something is suspended, and that is lifted."""
    now = datetime.now(UTC)
    suspension = Suspension(2, Target.DATASET, "tax.income", "leak", "li", now, mend_by=now)
    crl, bundle = b"-----BEGIN X509 CRL-----", b"share-bundle/v1\n"
    epoch = Epoch(1, sha256(bundle).hexdigest(), 1, now, KeyInUse(1, "0123456789abcdef"))
    with closing(open_store(url)) as store:
        for number, act in enumerate(("begin", "suspend", "lift"), 1):
            with store.append_transaction() as transaction:
                tables = transaction.epochs
                epoch = replace(epoch, sequence=number)
                if act == "begin":
                    tables.keep_bundle(epoch.bundle_hash, bundle)
                    tables.keep_crl(1, crl)
                    tables.begin(epoch)
                    tables.proposals.keep_publication(Publication(1, epoch.bundle_hash, 1, now, "li", "leak"))
                else:
                    tables.move(epoch)
                    tables.suspend(suspension) if act == "suspend" else tables.lift(2, 3)
                about = suspension if number > 1 else None
                digest = sha256(crl).digest()
                said = epoch_act(act, epoch, crl_digest=digest, actor="li", reason="leak", suspension=about)
                stopped = {"provider": "tax", "dataset": "tax.income"} if about else {}
                append_alone(transaction, store, Entry(EntryKind.EPOCH, said, now, **stopped))


def publish(url: str, folder: Path) -> None:
    """One officer proposes a bundle, another approves it, and it is published; a second proposal waits."""
    authority = Authority.create(folder / "pki", "xinghe")
    now = datetime.now(UTC).replace(microsecond=0)

    def officer(name: str) -> tuple[Any, x509.Certificate]:
        issued = authority.issue("tax", Role.OFFICER, name)
        key = serialization.load_pem_private_key(issued.key_pem, None)
        return key, x509.load_pem_x509_certificate(issued.cert_pem)

    with closing(open_store(url)) as store, store.append_transaction() as transaction:
        tables = transaction.epochs
        before = tables.epoch()
        assert before is not None
        packed = [
            pack({"city.yaml": text, "manifest.json": Manifest(2, before.bundle_hash).content()})
            for text in (b"one", b"two")
        ]
        hashes = [sha256(content).hexdigest() for content in packed]
        for number, (hash_, content) in enumerate(zip(hashes, packed, strict=True), 1):
            key, certificate = officer("li")
            signed = sign_proposal(Proposing(hash_, now, "why"), key, certificate)
            uri = "spiffe://xinghe/department/tax/officer/li"
            tables.keep_bundle(hash_, content)
            tables.proposals.keep_proposal(
                Proposal(number, hash_, 2, before.bundle_hash, uri, "why", now, signed)
            )
        until = now + timedelta(days=30)
        approving = Approving(hashes[0], now, until, {"city.yaml": Covered(sha256(b"one").digest())})
        tables.proposals.keep_approval(hashes[0], until, sign_approval(approving, *officer("zhou")))
        epoch = replace(before, sequence=before.sequence + 1, bundle_hash=hashes[0], since=now)
        tables.move(epoch)
        tables.proposals.keep_publication(Publication(2, hashes[0], epoch.sequence, now, "li", "go", 1))
        crl = sha256(tables.crl(1) or b"").digest()
        told = {"sequence": 2, "previous": before.bundle_hash, "proposal": 1}
        said = epoch_act("policy", epoch, crl_digest=crl, actor="li", reason="go", publication=told)
        append_alone(transaction, store, Entry(EntryKind.EPOCH, said, now))


def applications(url: str) -> None:
    """One application is created and filed. Two leaves."""
    now = datetime.now(UTC)
    with closing(open_store(url)) as store:
        created = making.draft()
        for step in (created, making.consented(created)):
            with store.append_transaction() as transaction:
                leaf = append_alone(transaction, store, making.entry(step, now))
                transaction.applications.keep(step, leaf)


def lend(url: str) -> None:
    """An officer lets another review in their place, and takes that back."""
    now = datetime.now(UTC)
    caller = Identity("xinghe", "tax", Role.OFFICER, "li", 7, now, bytes(32))
    one = Delegation(
        1, caller.uri, "tax", "spiffe://xinghe/department/tax/officer/zhou", "tax", now, now + timedelta(1)
    )
    with closing(open_store(url)) as store:
        for given in (replace(one, serial=7), replace(one, serial=7, revoked_at=now)):
            with store.append_transaction() as transaction:
                said = delegation(given, now, caller)
                entry = Entry(EntryKind.DELEGATION, said, now, consumer="tax", consumer_uri=caller.uri)
                transaction.delegations.keep(given, append_alone(transaction, store, entry))


def test_a_sound_log_is_clean(world: World) -> None:
    """Permits, refusals, a redelivery, acts, an erased statement: nothing of what a broker does is wrong."""
    check = world.check()
    assert check.found == []  # type: ignore[attr-defined]
    assert (check.size, check.erased, check.signed) == (LEAVES, 2, LEAVES)
    with closing(open_store(world.log.url)) as store:
        assert check.root == Tree(LEAVES, store.tile).root()
        kinds = [store.leaf(index).entry.kind for index in (0, RETRIED, SUSPENDED, LIFTED)]  # type: ignore[union-attr]
    assert kinds == [EntryKind.GENESIS, EntryKind.REDELIVERED, EntryKind.EPOCH, EntryKind.EPOCH]


# ── a changed value ──────────────────────────────────────────────────────────────────────────────

PERMIT = 3
"""A leaf whose statement claims its request id; its neighbour below is a refusal."""
WHERE = {
    "head": "id = 1",
    "leaf": f"leaf_index = {PERMIT}",
    "statement": f"leaf_index = {PERMIT}",
    "tile": "level = 0 AND tile_index = 1",
    "request": f"leaf_index = {PERMIT}",
    "quota": "used > 0",
    "epoch": "id = 1",
    "bundle": "hash = (SELECT bundle_hash FROM publication WHERE sequence = 1)",
    "cosigned": "id = 1",
    "crl": "pem IS NOT NULL",
    "suspension": "number = 2",
    "lease": f"opening = {STREAM + 4}",
    "need": "dataset = 'tax.vehicle'",
    "delivery": "disputed IS NOT NULL",
    "retained": "deliveries = 1",
    "disposal": "missing IS NOT NULL",
    "subject_tag": f"leaf_index = {PERMIT}",
    "proposal": "number = 1",
    "approval": "digest IS NOT NULL",
    "publication": "sequence = 2",
    "certificate": f"leaf_index = {SIGNED - 1}",
    "act": f"leaf_index = {SIGNED}",
    "application": "number = 1",
    "correction": "told IS NOT NULL",
    "delegation": "number = 1",
}
CANNOT_BE_CHECKED = {
    ("head", "id"),  # the database allows no other value
    ("cosigned", "id"),
    ("epoch", "id"),
    ("request", "request_mac"),  # stand in no other place
    ("quota", "counter"),
    ("quota", "used"),
    ("lease", "renewals"),
    ("lease", "unfinished"),
    ("proposal", "checks"),
    ("correction", "held"),  # sealed, and absent from the row below
    ("correction", "request_mac"),
}
COLUMNS = [(table.name, column.name) for table in SQLModel.metadata.sorted_tables for column in table.columns]


def flip(value: object) -> object:
    """The value with one bit, or one digit, changed."""
    if isinstance(value, bytes):
        middle = len(value) // 2
        return value[:middle] + bytes([value[middle] ^ 4]) + value[middle + 1 :]
    if isinstance(value, int):
        return value ^ (1 << 40) if value > 1 << 40 else value ^ (1 << 20)
    assert isinstance(value, str)
    return value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x"


def key_name(table: str, row: dict[str, Any]) -> str:
    return row_name({column.name: row[column.name] for column in SQLModel.metadata.tables[table].primary_key})


@pytest.mark.parametrize(("table", "column"), sorted(set(COLUMNS) - CANNOT_BE_CHECKED))
def test_a_flipped_bit_is_named_by_table_and_row(world: World, table: str, column: str) -> None:
    """Whatever column of whatever table it hits; a flipped key makes one row too many, or one missing."""
    where = WHERE[table]
    before = world.row(table, where)
    value = flip(before[column])
    if (table, column) == ("tile", "level"):
        value = 7
    with world.changed(table, where, column, value):
        found = world.found()
        names = {key_name(table, before), key_name(table, {**before, column: value})}
    assert {row for named, row, _ in found if named == table} & names, found
    keys = {key.name for key in SQLModel.metadata.tables[table].primary_key}
    if column not in keys:
        assert {(t, r) for t, r, _ in found} <= {(table, key_name(table, before))} | {("", "")}, found
    assert world.found() == set()


@pytest.mark.parametrize("column", ["held", "request_mac"])
def test_what_is_held_of_a_person_too_long_is_named(world: World, column: str) -> None:
    """Once those who received the value are told, nothing may be left of whom it was about."""
    with world.changed("correction", "told IS NOT NULL", column, b"sealed"):
        ((table, _, found),) = world.found()
    assert (table, found) == ("correction", column)


def test_every_column_is_flipped() -> None:
    """A new table or column is covered here, or said to be beyond checking."""
    assert set(COLUMNS) >= CANNOT_BE_CHECKED
    assert {table for table, _ in COLUMNS} == set(WHERE)


@pytest.mark.parametrize(
    ("table", "column"),
    [("leaf", "log_entry"), ("leaf", "kind"), ("leaf", "recorded_at"), ("tile", "hashes")],
)
def test_erasure_does_not_hide_what_is_changed(world: World, table: str, column: str) -> None:
    """Without the statement, the tile above says whether leaf or tile is to be believed."""
    if table == "leaf":
        where = f"leaf_index = {ERASED}"
        changed = world.changed(table, where, column, flip(world.row(table, where)[column]))
        expected = ("leaf", f"leaf_index={ERASED}", column)
    else:
        hashes = bytearray(world.row("tile", "level = 0 AND tile_index = 0")["hashes"])
        hashes[32 * ERASED] ^= 1
        changed = world.changed("tile", "level = 0 AND tile_index = 0", "hashes", bytes(hashes))
        expected = ("tile", "level=0 tile_index=0", "hashes")
    with changed:
        found = world.found()
    # Of a tile that contradicts an erased leaf and the tile above it, nothing is left that could tell.
    blamed = {expected} | ({("leaf", f"leaf_index={ERASED}", "log_entry")} if table == "tile" else set())
    assert found == blamed


@pytest.mark.parametrize(
    ("table", "where", "named"),
    [
        ("leaf", f"leaf_index = {PERMIT}", ("leaf", f"leaf_index={PERMIT}", "")),
        ("leaf", f"leaf_index = {LIFTED}", ("leaf", f"leaf_index={LIFTED}", "")),
        ("tile", "level = 0 AND tile_index = 0", ("tile", "level=0 tile_index=0", "hashes")),
        ("tile", "level = 0 AND tile_index = 1", ("tile", "level=0 tile_index=1", "hashes")),
        ("tile", "level = 1 AND tile_index = 0", ("tile", "level=1 tile_index=0", "hashes")),
        ("head", "id = 1", ("head", "id=1", "size")),
        ("statement", "leaf_index = 0", ("statement", "leaf_index=0", "content")),
        ("epoch", "id = 1", ("epoch", "id=1", "")),
        ("suspension", "number = 2", ("suspension", "number=2", "")),
        ("crl", "number = '1'", ("crl", "number=1", "")),
    ],
)
def test_a_missing_row_is_named(world: World, table: str, where: str, named: tuple[str, str, str]) -> None:
    """A gap among the leaves, a lost tile, a lost head: what is left says what is gone."""
    with world.without(table, where):
        assert named in world.found()
    assert world.found() == set()


def test_a_used_request_id_that_is_forgotten_is_named(world: World) -> None:
    """Without the row a retry would be released, and charged, as a first attempt."""
    row = world.row("request", f"leaf_index = {PERMIT}")
    with world.without("request", f"leaf_index = {PERMIT}"):
        found = world.found()
    name = row_name({"request_id": row["request_id"], "consumer_uri": row["consumer_uri"]})
    assert found == {("request", name, "")}


def test_damage_in_two_places_is_named_in_both(world: World) -> None:
    """One finding does not end the search."""
    first, second = (f"leaf_index = {index}" for index in (PERMIT, RETRIED))
    with (
        world.changed("statement", first, "content", b"{}"),
        world.changed("leaf", second, "purpose", "other"),
    ):
        found = world.found()
    assert found == {
        ("statement", f"leaf_index={PERMIT}", "content"),
        ("leaf", f"leaf_index={RETRIED}", "purpose"),
    }


def test_a_history_rewritten_with_all_its_hashes_contradicts_what_was_signed(world: World) -> None:
    """Whoever changes statement, leaf and tiles alike is left with the signatures over the old root."""
    where = f"leaf_index = {LIFTED}"
    forged = world.row("statement", where)["content"].replace(b'"li"', b'"wu"')
    entry = b"\x01" + sha256(forged).digest()
    tile, after = world.row("tile", "level = 0 AND tile_index = 1")["hashes"], 32 * (LEAVES - LIFTED - 1)
    hashes = tile[: -after - 32] + leaf_hash(entry) + tile[-after:]
    with (
        world.changed("statement", where, "content", forged),
        world.changed("leaf", where, "log_entry", entry),
        world.changed("tile", "level = 0 AND tile_index = 1", "hashes", hashes),
        world.changed("tile", "level = 0 AND tile_index = 1", "hashes", hashes),
    ):
        assert world.found() == {("", "", ""), ("cosigned", "id=1", "note")}


def test_the_signers_memory_is_compared_and_must_be_the_logs(world: World, tmp_path: Path) -> None:
    """A memory ahead of the database, or not signed by the trusted key, is wrong; none is not compared."""
    check = world.check(memory="")
    assert (check.found, check.signed) == ([], None)  # type: ignore[attr-defined]
    memory = remembered(world.log.state, world.log.key)
    (found,) = world.check(memory.replace("=\n\n", "A\n\n")).found  # type: ignore[attr-defined]
    assert "cannot be trusted" in found.en
    with world.changed("head", "id = 1", "size", LEAVES - 1):
        assert ("head", "id=1", "size") in world.found()


def test_runs_beside_a_log_that_grows(world: World) -> None:
    """One snapshot: what is appended meanwhile is neither seen nor wrong."""
    stop = threading.Event()
    with world.log.running() as running:
        size = running.size()

        def append() -> None:
            while not stop.is_set():
                running.append(world.log.exchange())

        threads = [threading.Thread(target=append) for _ in range(4)]
        for thread in threads:
            thread.start()
        try:
            checks: list[Fsck] = []
            for _ in range(3):
                while running.size() <= (checks[-1].size if checks else size):
                    time.sleep(0.001)
                checks.append(world.check())
        finally:
            stop.set()
            for thread in threads:
                thread.join()
    assert [check.found for check in checks] == [[], [], []]  # type: ignore[attr-defined]
    assert size < checks[0].size < checks[1].size < checks[2].size


# ── SQLite's own ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory, broker_log: Callable[..., Any]) -> World:
    folder = tmp_path_factory.mktemp("file")
    log = broker_log(f"sqlite:///{folder}/log.db", folder)
    log.fill(60)
    with closing(sqlite3.connect(folder / "log.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return World(log, create_engine(log.url))


@contextmanager
def flipped(file: World, sought: bytes, bit: int = 1) -> Iterator[None]:
    """One bit flipped in the file itself, where these bytes stand."""
    path = Path(str(file.engine.url.database))
    data = path.read_bytes()
    place = data.index(sought)
    path.write_bytes(data[:place] + bytes([data[place] ^ bit]) + data[place + 1 :])
    yield
    path.write_bytes(data)


def test_a_bit_flipped_on_disk_is_named(file: World) -> None:
    """Not through SQL but in the file: the statement, the leaf's entry, and text that is then no UTF-8."""
    statement = file.row("statement", "leaf_index = 5")["content"]
    with flipped(file, statement[40:]):
        assert ("statement", "leaf_index=5", "content") in file.found()
    with flipped(file, file.row("leaf", "leaf_index = 5")["log_entry"]):
        assert ("leaf", "leaf_index=5", "log_entry") in file.found()
    with flipped(file, b"low_income_checkpermit", 0x80):
        assert any(table == "leaf" and column == "purpose" for table, _, column in file.found())
    assert file.found() == set()


def test_an_index_that_contradicts_its_table_is_found(file: World) -> None:
    """Receipts are listed by indexes; one that lies hides them, though every table is right."""
    path = Path(str(file.engine.url.database))
    with closing(sqlite3.connect(path)) as connection:
        sql = "SELECT pageno FROM dbstat WHERE name = 'leaf_dataset' AND pagetype = 'leaf'"
        try:
            page = connection.execute(sql).fetchone()[0]
        except sqlite3.OperationalError:
            pytest.skip("this SQLite has no dbstat")
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    data = path.read_bytes()
    place = data.index(b"civil_affairs.marriage", (page - 1) * size)
    path.write_bytes(data[:place] + b"d" + data[place + 1 :])
    try:
        found = {(f.table, f.en.partition(":")[0]) for f in file.check().found}  # type: ignore[attr-defined]
    finally:
        path.write_bytes(data)
    assert found == {("", "the SQLite file is damaged")}


def test_a_file_that_cannot_be_read_to_its_end_is_wrong(file: World) -> None:
    """A page of rubbish ends one check and not the others; what the driver says holds no value."""
    path = Path(str(file.engine.url.database))
    data = path.read_bytes()
    place = data.index(file.row("statement", "leaf_index = 5")["content"]) // 4096 * 4096
    path.write_bytes(data[:place] + os.urandom(4096) + data[place + 4096 :])
    try:
        found = file.check().found  # type: ignore[attr-defined]
    finally:
        path.write_bytes(data)
    assert found
    assert "990101" not in str(found)


# ── the parts alone ──────────────────────────────────────────────────────────────────────────────


def test_of_three_witnesses_two_are_believed() -> None:
    """Every way in which statement, entry and tile can agree or not, the tile believed or not."""
    a, b = b"a" * 32, b"b" * 32
    for told, own, stored, believed in product((a, b, None), (a, b), (a, b, None), (True, False)):
        value, wrong = judge({"statement": told, "leaf": own, "tile": stored}, lambda: believed)  # noqa: B023
        present = [hash_ for hash_ in (told, own, stored) if hash_]
        most = {hash_ for hash_ in present if present.count(hash_) * 2 > len(present)}
        if most:
            assert {value} == most
        elif stored and believed:
            assert value == stored
        else:
            assert wrong == {"leaf", "tile" if stored else "statement"}
        assert bool(wrong) == (len(set(present)) > 1)
    assert judge({"statement": None, "leaf": None, "tile": None}, lambda: True) == (NO_HASH, set())
    assert judge({"statement": None, "leaf": b"", "tile": a}, lambda: False) == (a, {"leaf"})


@given(st.lists(st.integers(0, 700), max_size=4), st.lists(st.integers(0, 700), max_size=4))
def test_a_rebuilt_tree_is_the_tree(chunks: list[int], sizes: list[int]) -> None:
    """In whatever portions the leaves come: same root, same tiles, same roots on the way."""
    hashes = [leaf_hash(number.to_bytes(2, "big")) for number in range(sum(chunks))]
    rebuilt, tiles, start = Rebuilt(sizes), {}, 0
    for chunk in chunks:
        tiles.update(rebuilt.add(hashes[start : start + chunk]))
        start += chunk
    tiles.update(rebuilt.edge())
    tree, expected = Tree(0, lambda level, index: b"").append(hashes)
    assert tiles == expected
    assert rebuilt.root() == tree.root()
    assert {size for size in sizes if size <= len(hashes)} - {0} <= rebuilt.roots.keys()
    for size, root in rebuilt.roots.items():
        wanted, _ = Tree(0, lambda level, index: b"").append(hashes[:size])
        assert root == (wanted.root() if size else EMPTY_ROOT)


@pytest.mark.parametrize("table", ["leaf", "tile", "head"])
def test_what_contradicts_itself_is_not_sound(world: World, table: str) -> None:
    """Backup and restore stop at the first contradiction of the tree, and name its table."""
    column = {"leaf": "log_entry", "tile": "hashes", "head": "size"}[table]
    where = WHERE[table]
    with (
        world.changed(table, where, column, flip(world.row(table, where)[column])),
        open_snapshot(world.log.url) as snapshot,
        pytest.raises(VerificationFailed, match=r"table (leaf|tile) contradicts"),
    ):
        require_sound(snapshot)


def test_a_sound_log_has_size_and_root(world: World) -> None:
    """And every smaller signed size is compared on the way."""
    with open_snapshot(world.log.url) as snapshot:
        size, root = require_sound(snapshot)
        with closing(open_store(world.log.url)) as store:
            assert root == Tree(size, store.tile).root()


def test_times_out_of_order_are_named_even_where_statements_are_gone(world: World) -> None:
    """An erased leaf's time has no statement to be compared with, but it has neighbours."""
    hour = timedelta(hours=1) // timedelta(microseconds=1)
    time = world.row("leaf", f"leaf_index = {ERASED}")["recorded_at"]
    for wrong in (time - hour, time + hour):
        with world.changed("leaf", f"leaf_index = {ERASED}", "recorded_at", wrong):
            assert world.found() == {("leaf", f"leaf_index={ERASED}", "recorded_at")}
