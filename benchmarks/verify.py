"""``audit verify`` of a whole log, on 1, 2 and 4 processes, beside a bare SHA-256 loop over the same bytes.

The log is made here, of statements as a broker writes them, and put into a database as a broker does.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from benchmarks.bulk import measured
from benchmarks.report import show
from broker.journal import Leaf
from broker.model import Entry, EntryKind
from broker.receipt.export import export
from broker.receipt.log_keys import LogKeys
from broker.receipt.merkle import leaf_entry, leaf_hash
from broker.receipt.note import Checkpoint, VerifierKey, sign_note
from broker.receipt.public import PublicLog
from broker.receipt.rebuild import Rebuilt
from broker.receipt.statement import genesis, instant
from broker.store import migrate, open_store
from broker.store.rows import instant as time_of
from broker.store.store import Store

LEAVES, SMALLER = 400_000, 100_000
WORKERS = (1, 2, 4)
ORIGIN = "bench.example/log"
BATCH = 4_096
BEGAN = 1_790_000_000_000_000
"""Microseconds since 1970-01-01 UTC."""
MIB = 1024 * 1024


def run() -> None:
    """Print entries a second by processes, of a database and of a published folder, and memory by size."""
    with tempfile.TemporaryDirectory(prefix="verify-") as name:
        folder, smaller = Path(name) / "log", Path(name) / "smaller"
        _make(folder, LEAVES)
        _make(smaller, SMALLER)
        bare = _bare(folder / "statements")
        rows = [("bare SHA-256, same statements", "1", f"{LEAVES / bare:,.0f}", "", "1.000", "")]
        for what in ("log.db", "www"):
            rows += [_row(folder, what, LEAVES, bare, workers) for workers in WORKERS]
        journal = ("--journal", str(folder / "journal"))
        _row(folder, "log.db", LEAVES, bare, 1, *journal)
        rows.append(_row(folder, "log.db", LEAVES, bare, 1, *journal))
        rows.append(_row(smaller, "log.db", SMALLER, bare * SMALLER / LEAVES, 2))
    show(
        f"audit verify, {LEAVES:,} entries ({SMALLER:,} in the last row)",
        ("", "processes", "entries/s", "per CPU second", "÷ bare loop", "peak PSS, MiB"),
        rows,
        "statements of 1.2 kB; the whole command, its start and that of its processes included",
    )


def _row(folder: Path, what: str, leaves: int, bare: float, workers: int, *more: str) -> tuple[str, ...]:
    command = [
        *(sys.executable, "-m", "broker.cli", "audit", "verify", str(folder / what)),
        *("--key", str(folder / "log.vkey"), "--checkpoint", str(folder / "www/checkpoint")),
        *("--workers", str(workers), *more),
    ]
    cost = measured(command)
    title = {"log.db": "database", "www": "published folder"}[what]
    return (
        f"{title}, by its journal" if more else title,
        str(workers),
        f"{leaves / cost.seconds:,.0f}",
        f"{leaves / cost.cpu_seconds:,.0f}",
        f"{bare / cost.seconds:.3f}",
        f"{cost.peak_bytes / MIB:,.0f}",
    )


def _bare(file: Path) -> float:
    """Seconds to hash every statement once, which no verification can do without."""
    statements = file.read_bytes().split(b"\n")
    began = time.perf_counter()
    for statement in statements:
        sha256(statement).digest()
    return time.perf_counter() - began


# ── the log ──────────────────────────────────────────────────────────────────────────────────────


def _make(folder: Path, leaves: int) -> None:
    folder.mkdir()
    private = Ed25519PrivateKey.generate()
    key, url = VerifierKey.of(ORIGIN, private), f"sqlite:///{folder}/log.db"
    (folder / "log.vkey").write_text(f"{key}\n")
    migrate(url)
    with closing(open_store(url)) as store:
        head = _fill(folder, store, key, leaves)
        note = sign_note(head.text(), ORIGIN, private)
        export(PublicLog(store, lambda: note, LogKeys.of(key)), folder / "www")


def _fill(folder: Path, store: Store, key: VerifierKey, leaves: int) -> Checkpoint:
    tree = Rebuilt()
    with (folder / "statements").open("wb") as said:
        for batch in _batches(key, leaves):
            tiles = dict(tree.add([leaf_hash(leaf.log_entry) for leaf in batch]))
            if batch[-1].index == leaves - 1:
                tiles.update(tree.edge())
            with store.append_transaction() as transaction:
                transaction.put(batch, tiles, {}, batch[-1].entry.recorded_at)
            said.write(b"".join(leaf.entry.statement + b"\n" for leaf in batch))
    return Checkpoint(ORIGIN, leaves, tree.root())


def _batches(key: VerifierKey, leaves: int) -> Iterator[list[Leaf]]:
    for start in range(0, leaves, BATCH):
        yield [_leaf(index, key) for index in range(start, min(start + BATCH, leaves))]


def _leaf(index: int, key: VerifierKey) -> Leaf:
    kind = EntryKind.EXCHANGE if index else EntryKind.GENESIS
    said = _statement(index, key)
    return Leaf(index, leaf_entry(said), Entry(kind, said, time_of(BEGAN + index * 1_000)))


def _statement(index: int, key: VerifierKey) -> bytes:
    recorded_at = time_of(BEGAN + index * 1_000)
    if index == 0:
        return genesis(ORIGIN, str(key), recorded_at)
    return orjson.dumps(_CONTENT | {"recorded_at": instant(recorded_at), "request_id": f"{index:036}"})


_CONTENT = {
    "case_no": "GJJ-2026-000001",
    "consumer": {
        "certificate": "ab" * 32,
        "department": "housing_fund",
        "uri": "spiffe://xinghe/department/housing_fund/system/counter-1",
    },
    "dataset": "civil_affairs.marriage",
    "decision": {
        "bundle": "cd" * 32,
        "epoch": 1,
        "missing": [],
        "reasons": [],
        "rules": ["civil-affairs-marriage-001/housing-fund"],
        "verdict": "permit",
    },
    "fields": ["registered_on", "status"],
    "format": "share-statement/v1",
    "grant": "",
    "kind": "exchange",
    "legal_basis": "住房公积金管理条例 第二十四条",
    "obligations": {"masks": {}, "retain_days": 30},
    "operator": "0012",
    "outcome": {
        "as_of": "2026-11-23T04:00:00.000000Z",
        "digest": "ef" * 32,
        "interrupted": False,
        "reasons": [],
        "rows": {"bad": 0, "read": 1, "released": 1},
        "status": "found",
        "subjects": [{"rows": 1, "status": "found"}],
    },
    "provider": "civil_affairs",
    "purpose": "housing_fund_withdrawal",
    "recorded_at": "",
    "request_id": "",
    "salt": "01" * 32,
    "service_item": "990100-GJJ-0003",
    "signed_application": "",
    "subject_tags": ["23" * 16],
}
"""Sorted, as statements are."""
