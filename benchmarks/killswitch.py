"""The kill switch: how long until every open stream has ended with its outcome in the log.

Streams over all workers, most of them read slowly, some not at all; then an officer suspends their consumer.
What is measured is from the act's leaf to each outcome's leaf, by the broker's own clock, beside the time in
which a process may not know of it yet: a look at what is in force, and a round of the guard.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from datetime import datetime
from pathlib import Path

import grpc
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.report import percentile, show
from benchmarks.streams import TERMS
from broker.client import Client, Credentials, OfficerClient
from broker.demo.run import broker_process
from broker.demo.setup import Embedded, prepare, shipped_policies
from broker.epoch import LOOK_EVERY
from broker.guard import ROUND_SECONDS
from broker.keys.authority import Authority
from broker.keys.files import write_private_file
from broker.model import Role, Target
from broker.server.asking import ask_status
from broker.settings import load_settings
from broker.v1 import exchange_pb2, exchange_pb2_grpc

RESIDENTS = 100_000
STREAMS, STALLED = 50, 10
PAUSE = 0.05
"""Seconds that a slow reader takes for each chunk."""
ROUNDS = 5
SETTINGS = {
    "workers": 2,
    "stream_workers": 2,
    "stream_listen": "127.0.0.1:0",
    "max_streams": 4 * STREAMS,
    "stream_chunk_bytes": 65_536,
    "stall_seconds": 3600,
}
DATABASE = 'kind: sql, url: "sqlite:///public_security.db", table: czrk'
FILE = "kind: files, path: czrk.parquet, format: parquet"


def run() -> None:
    """Print the distribution, round by round."""
    rows, everything = [], {"stalled": [], "read": []}
    for name, value in SETTINGS.items():
        os.environ[f"SHAREBROKER_SERVER__{name.upper()}"] = str(value)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as running:
        prepared = _city(Path(folder))
        address = running.enter_context(broker_process(prepared))
        officer = running.enter_context(OfficerClient(address, _identity(prepared, Role.OFFICER)))
        auditor = running.enter_context(Client(address, _identity(prepared, Role.AUDITOR)))
        for number in range(1, ROUNDS + 1):
            times = _round(prepared, officer, auditor)
            for kind, found in times.items():
                everything[kind] += found
                rows.append((str(number), kind, *_row(found)))
    rows += [("all", kind, *_row(found)) for kind, found in everything.items()]
    show(
        f"The kill switch on {STREAMS} streams, {STALLED} of them not read, over 2 stream workers",
        ("round", "streams", "number", "p50 ms", "p90 ms", "last ms", "last / bound"),
        rows,
        f"from the act's leaf to the outcome's; bound: a look ({LOOK_EVERY * 1000:.0f} ms) and a round of the"
        f" guard ({ROUND_SECONDS * 1000:.0f} ms); load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores",
    )


def _row(times: list[float]) -> tuple[str, ...]:
    shares = [percentile(times, share) * 1000 for share in (0.5, 0.9, 1.0)]
    bound = shares[-1] / 1000 / (LOOK_EVERY + ROUND_SECONDS)
    return str(len(times)), *(f"{one:.0f}" for one in shares), f"{bound:.2f}"


def _city(folder: Path) -> Embedded:
    """Its register is a file: of a database a process reads at most 16 at once."""
    policies = shutil.copytree(shipped_policies(), folder / "policies")
    catalog = policies / "catalog/public_security.yaml"
    catalog.write_text(catalog.read_text("utf-8").replace(DATABASE, FILE), "utf-8")
    prepared = prepare(folder, RESIDENTS, 1, policies, ("data_authority", "medical_insurance"))
    with closing(sqlite3.connect(prepared.folder / "data/public_security.db")) as database:
        cursor = database.execute("SELECT * FROM czrk")
        names, rows = [column[0] for column in cursor.description], cursor.fetchall()
    columns = {name: [row[at] for row in rows] for at, name in enumerate(names)}
    pq.write_table(pa.table(columns), prepared.folder / "data/czrk.parquet")
    return prepared


def _identity(prepared: Embedded, role: Role) -> Credentials:
    issued = Authority.open(prepared.folder / "pki").issue("data_authority", role, "bench")
    folder = prepared.folder / f"bench-{role}"
    folder.mkdir(mode=0o700)
    write_private_file(folder / "key.pem", issued.key_pem)
    (folder / "cert.pem").write_bytes(issued.cert_pem)
    shutil.copy(prepared.folder / "pki/ca.pem", folder)
    return Credentials.load(folder)


def _round(prepared: Embedded, officer: OfficerClient, auditor: Client) -> dict[str, list[float]]:
    port = ask_status(load_settings(prepared.settings))["stream_port"]
    identity = Credentials.load(prepared.identity("medical_insurance")).channel_credentials()
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.http2.bdp_probe", 0)]
    with ExitStack() as channels:
        opened = []
        for _ in range(STREAMS):
            channel = channels.enter_context(grpc.secure_channel(f"127.0.0.1:{port}", identity, options))
            opened.append(_opened(channel))
        stalled = {leaf for leaf, _ in opened[:STALLED]}
        for _, parts in opened[STALLED:]:
            threading.Thread(target=_read, args=[parts], daemon=True).start()
        time.sleep(1.0)
        done = officer.suspend(Target.CONSUMER, "medical_insurance", reason="measured")
        ended = dict(_ended(auditor, {leaf for leaf, _ in opened}))
        officer.lift(int(done.suspension.name.partition("/")[2]), reason="measured")
    since = done.suspension.suspend_time.ToNanoseconds() / 1e9
    return {
        "stalled": [at - since for leaf, at in ended.items() if leaf in stalled],
        "read": [at - since for leaf, at in ended.items() if leaf not in stalled],
    }


def _opened(channel: grpc.Channel) -> tuple[int, Iterator[exchange_pb2.StreamExchangeResponse]]:
    application = dict(TERMS) | {"dataset": f"datasets/{TERMS['dataset']}"}
    request = exchange_pb2.StreamExchangeRequest(request_id=str(uuid.uuid4()), application=application)
    parts = exchange_pb2_grpc.ExchangeServiceStub(channel).StreamExchange(request)
    return next(parts).opening.receipt.leaf_index, parts


def _read(parts: Iterator[exchange_pb2.StreamExchangeResponse]) -> None:
    with suppress(grpc.RpcError):
        for _ in parts:
            time.sleep(PAUSE)


def _ended(auditor: Client, openings: set[int]) -> Iterator[tuple[int, float]]:
    """Opening leaf → when its outcome was recorded, once all are."""
    while True:
        said = [
            orjson.loads(one.statement) for one in auditor.receipts(kind="stream_outcome", page_size=1000)
        ]
        mine = [one for one in said if one["decision_leaf"] in openings]
        if len(mine) == len(openings):
            break
        time.sleep(0.1)
    for one in mine:
        assert one["outcome"]["reasons"][0]["code"] == "NO_LONGER_PERMITTED", "a stream had ended before"
        yield one["decision_leaf"], datetime.fromisoformat(one["recorded_at"]).timestamp()
