"""Where values go: every cell of the sources is a canary, and none of those kept back may be found anywhere.

A city of its own with one provider and one consumer: three datasets, in SQLite, Parquet and CSV, and three
whose source fails when it is read. Every kind of exchange is run over it. Then all that the broker sent,
logged and stored is searched for what it was to keep back, in the encodings a value could hide in.
"""

import base64
import csv
import datetime as dt
import os
import sqlite3
import string
import uuid
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import grpc
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from broker.client import Client, Credentials
from broker.demo.run import broker_process
from broker.demo.setup import prepare
from broker.formats import RESIDENT_CHECKS, RESIDENT_WEIGHTS
from broker.model import Role
from broker.v1 import exchange_pb2 as pb
from broker.v1 import receipt_pb2

KEPT = "qzxkeptjwv"
"""In every text that must not leave the source: masked and unreleased fields, bad and foreign rows."""
GIVEN = "qzxgivenjwv"
"""In every text that is released: to be found in answers, and nowhere else."""
ASKED = "qzxaskedjwv"
"""In what malformed requests hold: never to be echoed, logged or stored."""
PAPER = "qzxpaperjwv"
"""In case numbers and the names of operators: to be found in receipts, never in the log."""
BORN = "99010118590223"
"""All canary resident ids begin so."""
COUNTED = "735560817"
"""All whole numbers begin so."""
AMOUNT = "5827461903"
"""All amounts begin so."""

SHANGHAI = ZoneInfo("Asia/Shanghai")
PERMITTED = ("open", "spouse", "redacted", "shortened", "token", "born", "amount", "mobile")
FIELDS = """
      subject: {title: 身份号码, type: text, format: resident_id, level: L3, required: true}
      spouse: {title: 配偶身份号码, type: text, format: resident_id, level: L3}
      open: {title: 公开项, type: text, level: L1, required: true}
      redacted: {title: 隐去项, type: text, level: L3, required: true}
      shortened: {title: 截断项, type: text, level: L3, required: true}
      token: {title: 假名项, type: text, level: L3, required: true}
      born: {title: 出生日期, type: date, level: L3, required: true}
      amount: {title: 金额, type: decimal, level: L4, required: true}
      mobile: {title: 手机号码, type: text, format: mobile, level: L3, required: true}
      hidden: {title: 未许可文本, type: text, level: L3}
      counted: {title: 未许可整数, type: integer, level: L3}
      hidden_on: {title: 未许可日期, type: date, level: L3}
      hidden_at: {title: 未许可时间, type: timestamp, level: L3}
      district: {title: 区划, type: text, format: region, level: L1, required: true}
      updated_at: {title: 更新时间, type: timestamp, level: L1, required: true, shared: false}
"""
SOURCES = {
    "sql": '{kind: sql, url: "sqlite:///canary.db", table: people}',
    "parquet": "{kind: files, path: canary.parquet, format: parquet}",
    "csv": "{kind: files, path: canary.csv, format: csv}",
    "lost": '{kind: sql, url: "sqlite:///lost.db", table: people}',
    "torn": "{kind: files, path: torn.parquet, format: parquet}",
    "ragged": "{kind: files, path: ragged.csv, format: csv}",
}
ITEMS = {"by_call": "item-1", "whole": "item-2", "other": "item-3"}
SOUND = ("sql", "parquet", "csv")
MASKS = """
        spouse: {pseudonym: {}}
        redacted: {redact: {}}
        shortened: {partial: {keep_start: 1, keep_end: 1}}
        token: {pseudonym: {}}
        born: {year: {}}
        amount: {predicate: {op: ge, value: 1000}}
        mobile: {partial: {keep_start: 3, keep_end: 4}}
"""


# ── the city ─────────────────────────────────────────────────────────────────────────────────────


def write_policies(folder):
    """One provider, one consumer; each dataset is shared by call for one purpose, whole for another."""
    for name in ("catalog", "sharing"):
        (folder / name).mkdir(parents=True)
    (folder / "city.yaml").write_text(
        "format: share-city/v1\ncity: xinghe\ntitle: 星河市\nzone: Asia/Shanghai\nlevels: [L1, L2, L3, L4]\n"
    )
    departments = "".join(
        f'  {name}: {{title: {name}, title_en: {name}, kind: {kind}, region: "{region}", '
        "sharing_office: 办公室}\n"
        for name, kind, region in (
            ("data_authority", "authority", "990100"),
            ("provider", "government", "990100"),
            ("consumer", "government", "990101"),
            ("stranger", "government", "990101"),
        )
    )
    (folder / "departments.yaml").write_text(f"format: share-departments/v1\ndepartments:\n{departments}")
    items = "".join(
        f"  {code}: {{title: {purpose}, department: consumer, purpose: {purpose}}}\n"
        for purpose, code in ITEMS.items()
    )
    (folder / "service-items.yaml").write_text(
        "format: share-service-items/v1\n"
        f"purposes: {{{', '.join(f'{purpose}: {purpose}' for purpose in ITEMS)}}}\nservice_items:\n{items}"
    )
    datasets = "".join(
        f"""
  {name}:
    title: {name}
    catalog_code: "990100-{name}"
    sharing_attribute: conditional
    attribute_basis: 限法定职责需核验的机关
    sharing_modes: [api, batch]
    use_conditions: 逐件
    update_cycle: P1W
    subject: {{format: resident_id, fields: [subject]}}
    as_of: updated_at
    region: district
    source: {source}
    fields:{FIELDS}"""
        for name, source in SOURCES.items()
    )
    (folder / "catalog" / "provider.yaml").write_text(
        f"format: share-catalog/v1\ndepartment: provider\ndatasets:{datasets}"
    )
    rules = "".join(
        f"""
  - id: {name}-{purpose.replace("_", "-")}
    effect: permit
    who: {{departments: [consumer]}}
    what: {{dataset: provider.{name}, fields: [{", ".join(PERMITTED)}]}}
    why: {{purposes: [{purpose}], legal_basis: [某条例 第一条]}}
    when: {{from: "2025-08-01", until: "2029-12-31"}}
    rows: {{district: caller{extra}}}
    {limits}
    obligations:
      mask:{MASKS}
    consent: {{application_no: GX-1, consumer_head: 甲, provider_head: 乙}}"""
        for name in SOURCES
        for purpose, extra, limits in (
            ("by_call", "", "limits: {rows_per_call: 3}"),
            ("whole", ", subjects: all", ""),
        )
    )
    (folder / "sharing" / "provider.yaml").write_text(
        f"format: share-policy/v1\nid: canary\nowner: provider\nrules:{rules}"
    )


@dataclass
class Canaries:
    """Makes rows in which no two cells are equal, and knows what of them must not be found."""

    chance: Random = field(default_factory=lambda: Random(11))
    numbers: count = field(default_factory=lambda: count(100))
    kept: list[str] = field(default_factory=list)
    """Values kept back that bear no mark: dates, times, mobile numbers."""
    integers: list[int] = field(default_factory=list)

    def row(self, *, given=True, stale=False, district="990101", **broken):
        """One row; ``given``: its field ``open`` is released. ``broken`` cells replace good ones."""
        now = dt.datetime(2026, 1, 1) if stale else dt.datetime.now(SHANGHAI).replace(tzinfo=None)
        now -= dt.timedelta(minutes=next(self.numbers))
        row = {
            "subject": self.resident_id(),
            "spouse": self.resident_id(),
            "open": self.text(GIVEN if given else KEPT),
            **{name: self.text(KEPT) for name in ("redacted", "shortened", "token", "hidden")},
            "born": self.date(),
            "amount": f"{AMOUNT}{next(self.numbers)}.{self.chance.randrange(10, 99)}",
            "mobile": self.keep(f"139{self.chance.randrange(10**8):08d}"),
            "counted": self.whole(),
            "hidden_on": self.date(),
            "hidden_at": self.time(now),
            "district": district,
            "updated_at": self.time(now, keep=not given),
        }
        return row | broken

    def keep(self, value):
        self.kept.append(value)
        return value

    def letters(self):
        return "".join(self.chance.choices(string.ascii_lowercase, k=8))

    def text(self, mark):
        return f"钟{self.letters()}{mark}{self.letters()}"

    def whole(self):
        self.integers.append(int(f"{COUNTED}{self.chance.randrange(10**8, 10**9)}"))
        return self.integers[-1]

    def date(self):
        """A day of a year that is nobody's, so that its year alone tells nothing."""
        day = dt.date(1859, 1, 1) + dt.timedelta(days=next(self.numbers))
        return self.keep(day.isoformat())

    def time(self, base, keep=True):
        moment = base.replace(microsecond=self.chance.randrange(100_001, 999_999))
        if keep:  # without the hour, which depends on the zone
            self.keep(moment.strftime("%M:%S.%f"))
            self.integers.append(
                int(moment.replace(tzinfo=SHANGHAI).timestamp()) * 10**6 + moment.microsecond
            )
        return moment.isoformat(" ")

    def resident_id(self, valid=True):
        body = f"{BORN}{next(self.numbers):03d}"
        check = sum(w * int(c) for w, c in zip(RESIDENT_WEIGHTS, body, strict=True)) % 11
        return body + RESIDENT_CHECKS[check if valid else (check + 1) % 11]


def write_sources(folder, canaries):
    """The six sources; gives, by dataset and kind of row, the subjects to ask for."""
    subjects, tables = {}, {}
    for name in (*SOUND, "lost"):
        rows = {
            kind: [canaries.row(**how) for _ in range(2)] for kind, how in kinds_of_rows(canaries).items()
        }
        rows["many"] = [canaries.row() for _ in range(4)]
        for row in rows["many"]:
            row["subject"] = rows["many"][0]["subject"]
        subjects[name] = {kind: sorted({row["subject"] for row in of_kind}) for kind, of_kind in rows.items()}
        tables[name] = [row for of_kind in rows.values() for row in of_kind]
    for name, file in (("sql", "canary.db"), ("lost", "lost.db")):
        write_sqlite(folder / file, tables[name])
    with (folder / "canary.csv").open("w") as file:
        writer = csv.DictWriter(file, tables["csv"][0])
        writer.writeheader()
        writer.writerows(tables["csv"])
    pq.write_table(typed(tables["parquet"]), folder / "canary.parquet")
    for name in ("torn.parquet", "ragged.csv"):
        (folder / name).write_text(
            "subject,open\n" + "".join(f"{canaries.text(KEPT)}," * n + "\n" for n in (2, 5, 3))
        )
    subjects |= {"torn": subjects["sql"], "ragged": subjects["sql"]}
    return subjects


def kinds_of_rows(canaries):
    """Every kind of row there is, and what is wrong with it."""
    return {
        "good": {},
        "stale": {"stale": True},
        "foreign": {"given": False, "district": "990102"},
        "bad_id": {"given": False, "spouse": canaries.resident_id(valid=False)},
        "bad_date": {"given": False, "born": canaries.text(KEPT)},
        "bad_amount": {"given": False, "amount": canaries.text(KEPT)},
        "bad_mobile": {"given": False, "mobile": canaries.text(KEPT)},
        "unasked": {},
    }


def write_sqlite(path, rows):
    columns = list(rows[0])
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"CREATE TABLE people ({', '.join(columns)})")
        marks = ", ".join("?" * len(columns))
        database.executemany(f"INSERT INTO people VALUES ({marks})", [tuple(row.values()) for row in rows])


def typed(rows):
    """The rows with binary times, dates and numbers, where they are not to be bad."""
    table = pa.Table.from_pylist(rows)
    kinds = {
        "counted": pa.int64(),
        "hidden_on": pa.date32(),
        "hidden_at": pa.timestamp("us"),
        "updated_at": pa.timestamp("us"),
    }
    for name, kind in kinds.items():
        table = table.set_column(table.schema.get_field_index(name), name, table[name].cast(kind))
    return table


# ── the exchanges ────────────────────────────────────────────────────────────────────────────────


class Wire:
    """A caller that keeps every byte it gets: messages, metadata, error texts."""

    def __init__(self, address, identity):
        credentials = Credentials.load(identity)
        options = [("grpc.use_local_subchannel_pool", 1)]
        self.channel = grpc.secure_channel(address, credentials.channel_credentials(), options)
        self.frames, self.chunks, self.metadata, self.codes = [], [], [], []

    def unary(self, method, request, timeout=120):
        try:
            frame, call = self.channel.unary_unary(method).with_call(
                request.SerializeToString(), timeout=timeout
            )
            self.frames.append(frame)
        except grpc.RpcError as failure:
            call = failure
        self._end(call)

    def stream(self, request, most=None):
        call = self.channel.unary_stream(STREAM)(request.SerializeToString(), timeout=120)
        try:
            for number, frame in enumerate(call, 1):
                self.frames.append(frame)
                self.chunks.append(pb.StreamExchangeResponse.FromString(frame).chunk)
                if number == most:
                    call.cancel()
        except grpc.RpcError:
            pass
        self._end(call)

    def _end(self, call):
        self.codes.append(call.code())
        self.metadata.append((call.details() or "").encode())
        for key, value in (*(call.initial_metadata() or ()), *(call.trailing_metadata() or ())):
            self.metadata.append(f"{key}=".encode() + (value if isinstance(value, bytes) else value.encode()))


UNARY, STREAM = "/broker.v1.ExchangeService/Exchange", "/broker.v1.ExchangeService/StreamExchange"
LIST, GET = "/broker.v1.ReceiptService/ListReceipts", "/broker.v1.ReceiptService/GetReceipt"


def asking(kind, dataset, subjects, *, fields=PERMITTED, purpose="by_call", papers=PAPER, **members):
    """A request of either kind."""
    application = pb.Application(
        dataset=f"datasets/provider.{dataset}",
        fields=fields,
        subjects=subjects,
        purpose=purpose,
        service_item=ITEMS.get(purpose, "item-1"),
        case_no=f"{papers} case",
        legal_basis="某条例 第一条",
        operator=f"{papers} 经办",
    )
    return kind(**{"request_id": str(uuid.uuid4()), "application": application} | members)


def unary(*arguments, **members):
    return asking(pb.ExchangeRequest, *arguments, **members)


def streamed(*arguments, **members):
    return asking(pb.StreamExchangeRequest, *arguments, **members)


def run_everything(consumer, stranger, auditor, folder, subjects):
    """Every way in which an exchange can end, on every dataset."""
    for dataset, kinds in subjects.items():
        asked = {kind: ids for kind, ids in kinds.items() if kind != "unasked"}
        for ids in asked.values():
            for one in ids:
                consumer.unary(UNARY, unary(dataset, [one]))
                consumer.unary(UNARY, unary(dataset, [one], fields=["open"], validate_only=True))
                stranger.unary(UNARY, unary(dataset, [one]))
            consumer.stream(streamed(dataset, ids))
        everyone = [one for ids in asked.values() for one in ids]
        consumer.unary(UNARY, unary(dataset, everyone))  # too many rows
        consumer.unary(UNARY, unary(dataset, everyone, purpose="whole"))  # larger than an answer may be
        refused(consumer, dataset, asked["good"])
        consumer.stream(streamed(dataset, [], purpose="whole"))
        consumer.stream(streamed(dataset, [], purpose="whole"), most=1)
        consumer.stream(streamed(dataset, []))  # needs subjects
    malformed(consumer, subjects["sql"]["good"])
    again(consumer, folder, subjects["sql"]["good"][0])
    receipts(auditor)


def refused(consumer, dataset, ids):
    """Well formed, and not permitted."""
    for hidden in ("subject", "hidden", "counted", "hidden_on", "hidden_at", "updated_at"):
        consumer.unary(UNARY, unary(dataset, ids[:1], fields=["open", hidden]))
    consumer.unary(UNARY, unary(dataset, ids, purpose="other"))
    consumer.unary(UNARY, unary(dataset, ids, grant="grants/none"))
    bare = unary(dataset, ids)
    bare.application.operator = bare.application.case_no = ""
    consumer.unary(UNARY, bare)
    for subject in (ASKED, ids[0]):  # of a dataset that the catalog does not have, no format is known
        consumer.unary(UNARY, unary("vehicle", [subject], fields=["plate_no"]))
        consumer.stream(streamed("vehicle", [subject], fields=["plate_no"]))
    consumer.unary(UNARY, unary(dataset, ids), timeout=0.001)


def malformed(consumer, ids):
    """What breaks the contract, each time with a value that must not come back."""
    bad = f"钟{ASKED}\n"
    consumer.unary(UNARY, unary(f"{ASKED}!", ids))
    consumer.unary(UNARY, unary("vehicle", ids, fields=[f"{ASKED}!"]))
    consumer.unary(UNARY, unary("sql", [bad, ASKED, BORN, f"{BORN}1234"]))
    consumer.unary(UNARY, unary("sql", ids * 2))
    consumer.unary(UNARY, unary("sql", ids, fields=[ASKED, bad]))
    consumer.unary(UNARY, unary("sql", ids, purpose=ASKED))
    consumer.unary(UNARY, unary("sql", ids, papers=bad))
    consumer.unary(UNARY, unary("sql", ids, papers=ASKED * 30))
    for member in ("request_id", "grant"):
        consumer.unary(UNARY, unary("sql", ids, **{member: ASKED}))
    consumer.unary(UNARY, unary("sql", ids, signed_application=ASKED.encode() * 9))
    consumer.stream(streamed("sql", [ASKED]))
    for method in (LIST, GET, "/broker.v1.CatalogService/GetDataset", f"/broker.v1.{ASKED}/Nothing"):
        consumer.unary(method, receipt_pb2.GetReceiptRequest(name=ASKED))
        consumer.unary(
            method, receipt_pb2.ListReceiptsRequest(page_token=ASKED, dataset=ASKED, purpose=ASKED)
        )


def again(consumer, folder, subject):
    """A retry, another request under its id, and a retry after the data changed."""
    request = unary("sql", [subject])
    consumer.unary(UNARY, request)
    consumer.unary(UNARY, request)
    consumer.unary(UNARY, unary("sql", [subject], papers=f"{PAPER} 2", request_id=request.request_id))
    with closing(sqlite3.connect(folder / "canary.db")) as database, database:
        database.execute("UPDATE people SET open = open || 'x' WHERE subject = ?", [subject])
    consumer.unary(UNARY, request)


def sign(address, identity, subject):
    """A signed application, which names its subject once more."""
    with Client(address, Credentials.load(identity)) as client:
        signed = client.exchange(
            timeout=120,
            sign=True,
            dataset="provider.sql",
            fields=PERMITTED,
            subjects=[subject],
            purpose="by_call",
            service_item=ITEMS["by_call"],
            case_no=PAPER,
            legal_basis="某条例 第一条",
            operator=PAPER,
        )
    assert signed.records


def receipts(auditor):
    """Every receipt, and a proof of each tenth."""
    auditor.unary(LIST, receipt_pb2.ListReceiptsRequest(page_size=1000))
    for receipt in receipt_pb2.ListReceiptsResponse.FromString(auditor.frames[-1]).receipts[::10]:
        auditor.unary(GET, receipt_pb2.GetReceiptRequest(name=receipt.name))


# ── the search ───────────────────────────────────────────────────────────────────────────────────


def spellings(text):
    """The ways in which ``text`` could stand in bytes."""
    plain = text.encode()
    shifted = [
        base64.b64encode(b"\0" * n + plain)[(0, 2, 3)[n] : (n + len(plain)) * 8 // 6] for n in range(3)
    ]
    return {
        plain,
        text.encode("utf-16-le"),
        text.encode("utf-16-be"),
        plain.hex().encode(),
        plain.hex().upper().encode(),
        *shifted,
        *(piece.translate(bytes.maketrans(b"+/", b"-_")) for piece in shifted),
    }


def numerals(number):
    """The ways in which a whole number could stand in bytes: 8 bytes, and as protobuf's varint."""
    rest, varint = number, bytearray()
    while rest:
        varint.append(rest & 0x7F | (0x80 if rest > 0x7F else 0))
        rest >>= 7
    return {number.to_bytes(8, "little"), number.to_bytes(8, "big"), bytes(varint)}


def found(needles, hay):
    """Those of the needles, each of 8 bytes or more, that are in the hay."""
    if len(hay) < 8:
        return []
    windows = np.lib.stride_tricks.sliding_window_view(np.frombuffer(hay, np.uint8), 8)
    beginnings = np.unique(np.ascontiguousarray(windows).view(np.uint64))
    needles = sorted(needles)
    wanted = np.frombuffer(b"".join(needle[:8] for needle in needles), np.uint64)
    return [needles[n] for n in np.flatnonzero(np.isin(wanted, beginnings)) if needles[n] in hay]


def needles_of(canaries):
    """Everything that must be found nowhere."""
    marks = (KEPT, ASKED, BORN, COUNTED, AMOUNT)
    texts = {spelling for text in (*marks, *canaries.kept) for spelling in spellings(text)}
    return texts | {spelling for number in canaries.integers for spelling in numerals(number)}


def stored(folder):
    """All that the broker keeps in files, its sources and keys apart, as one text each."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    apart = {folder / name for name in ("data", "keys", "pki", "policies")}
    return {path.name: path.read_bytes() for path in files if not apart & set(path.parents)}


def everything_in(folder):
    """The content of every file below."""
    return b"\n".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def unlinked():
    """Files that this process's descendants hold open without a name, such as spilled sorts."""
    held = [link for pid in descendants(os.getpid()) for link in Path(f"/proc/{pid}/fd").iterdir()]
    return b"\n".join(link.read_bytes() for link in held if os.readlink(link).endswith("(deleted)"))


def descendants(pid):
    children = [
        int(child)
        for file in Path(f"/proc/{pid}/task").glob("*/children")
        for child in file.read_text().split()
    ]
    return [*children, *(further for child in children for further in descendants(child))]


@dataclass
class Evidence:
    """What one broker gave away in the course of all exchanges."""

    canaries: Canaries
    frames: bytes
    chunks: list[bytes]
    """What of the frames is parts of Arrow streams."""
    metadata: bytes
    codes: set
    files: dict[str, bytes]


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    """A broker over the canaries, everything run once, and all that was sent, logged and stored thereby."""
    folder, policies = tmp_path_factory.mktemp("broker"), tmp_path_factory.mktemp("policies")
    temporary, canaries = tmp_path_factory.mktemp("temporary"), Canaries()
    write_policies(policies)
    departments = ("data_authority", "consumer", "stranger")
    embedded = prepare(folder, 200, 7, policies, departments)
    subjects = write_sources(folder / "data", canaries)
    with pytest.MonkeyPatch.context() as patch, ExitStack() as ending:
        patch.setenv("TMPDIR", str(temporary))
        patch.setenv("SHAREBROKER_SERVER__WORKERS", "1")
        patch.setenv("SHAREBROKER_SERVER__MAX_ANSWER_BYTES", "1500")
        address = ending.enter_context(broker_process(embedded))
        with closing(sqlite3.connect(folder / "data" / "lost.db")) as database, database:
            database.execute("ALTER TABLE people DROP COLUMN open")
        callers = [
            Wire(address, embedded.identity(department, role))
            for department, role in (
                ("consumer", Role.SYSTEM),
                ("stranger", Role.SYSTEM),
                ("data_authority", Role.AUDITOR),
            )
        ]
        run_everything(*callers, folder / "data", subjects)
        sign(address, embedded.identity("consumer"), subjects["sql"]["good"][0])
        for caller in callers:
            caller.channel.close()
        running = stored(folder) | {"temporary": everything_in(temporary), "unlinked": unlinked()}
    ended = {f"{name} afterwards": content for name, content in stored(folder).items()}
    frames, metadata = (
        b"\n".join(piece for caller in callers for piece in getattr(caller, name))
        for name in ("frames", "metadata")
    )
    codes = {code for caller in callers for code in caller.codes}
    return Evidence(canaries, frames, callers[0].chunks, metadata, codes, running | ended)


def test_the_search_finds_what_is_there(evidence):
    """What is released is found in messages, and a canary in each spelling at each offset."""
    assert GIVEN.encode() in evidence.frames
    assert GIVEN.encode() in b"".join(evidence.chunks)
    assert PAPER.encode() in evidence.files["sharebroker.db-wal"] + evidence.files["sharebroker.db"]
    value = f"钟{KEPT}xyz"
    for encode in (str.encode, lambda t: t.encode("utf-16-le"), lambda t: t.encode("utf-16-be")):
        assert found(spellings(KEPT), encode(value))
    for offset in range(3):
        hidden = b"\xff" * offset + value.encode()
        for encode in (bytes.hex, lambda h: h.hex().upper(), base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(hidden)
            assert found(spellings(KEPT), encoded if isinstance(encoded, bytes) else encoded.encode())
    for number in evidence.canaries.integers[:5]:
        assert found(numerals(number), pa.array([number]).buffers()[1].to_pybytes())


def test_every_way_to_end_was_taken(evidence):
    """The search means something only if all kinds of answers and refusals were among what it searched."""
    code = grpc.StatusCode
    assert evidence.codes >= {
        code.OK,
        code.INVALID_ARGUMENT,
        code.NOT_FOUND,
        code.ALREADY_EXISTS,
        code.ABORTED,
        code.UNAVAILABLE,
        code.FAILED_PRECONDITION,
        code.DEADLINE_EXCEEDED,
        code.CANCELLED,
        code.UNIMPLEMENTED,
    }
    assert not evidence.codes & {code.INTERNAL, code.UNKNOWN}
    log = evidence.files["broker.log"]
    for reason in (b"TOO_MANY_ROWS", b"FIELD_NOT_PERMITTED", b"GRANT_UNKNOWN", b"SERVICE_ITEM_MISMATCH"):
        assert reason in log
    for status in (b"found", b"none", b"stale", b"doubtful"):
        assert b'"status":"%s"' % status in evidence.frames


@pytest.mark.parametrize("where", ["frames", "metadata"])
def test_nothing_kept_back_was_sent(evidence, where):
    """No masked or unreleased value, nor any subject asked for, is in a message, a header or an error."""
    assert found(needles_of(evidence.canaries), getattr(evidence, where)) == []


def test_nothing_kept_back_was_stored_or_logged(evidence):
    """Nor in the log, the database with its WAL, temporary files, or anything else in the broker's folder."""
    needles = needles_of(evidence.canaries)
    assert [name for name, content in evidence.files.items() if found(needles, content)] == []


def test_what_is_released_is_stored_nowhere(evidence):
    """A released value goes to the consumer only; who asked for which case is in receipts, not in the log."""
    assert [name for name, content in evidence.files.items() if found(spellings(GIVEN), content)] == []
    assert found(spellings(PAPER), evidence.files["broker.log afterwards"]) == []
