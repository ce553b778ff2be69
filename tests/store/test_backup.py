"""Backup and restore on real databases: whole, private, portable, and never of what is not sound."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import ipc
from sqlalchemy import create_engine, inspect, text
from sqlmodel import SQLModel

from broker.errors import SetUpError, VerificationFailed
from broker.receipt.backup import Restored, backup, restore
from broker.receipt.fsck import open_fsck
from broker.receipt.log import ReceiptLog
from broker.receipt.merkle import EMPTY_ROOT
from broker.receipt.note import parse_checkpoint, verify_note
from broker.receipt.signer import start_signer
from broker.store import SchemaState, migrate, open_store, schema_state
from broker.store.archive import open_archive
from broker.store.connection import connect
from broker.store.schema import upgrade
from broker.store.snapshot import BATCH_ROWS, open_snapshot

DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]


@pytest.fixture
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], str]:
    """URL of a new empty database of a kind."""
    numbers = iter(range(100))

    def new(kind: str) -> str:
        if kind == "sqlite":
            return f"sqlite:///{tmp_path}/{next(numbers)}.db"
        return str(request.getfixturevalue("new_postgres_url")())

    return new


@pytest.fixture
def log(tmp_path: Path, broker_log: Callable[..., Any]) -> Any:
    """A log of 41 leaves on SQLite."""
    log = broker_log(f"sqlite:///{tmp_path}/log.db", tmp_path)
    log.fill(40)
    return log


@pytest.fixture
def archived(log: Any, tmp_path: Path) -> Path:
    """Its backup."""
    backup(log.url, tmp_path / "log.backup", log.state, log.key)
    return tmp_path / "log.backup"


def rows(url: str) -> dict[str, list[tuple[object, ...]]]:
    """Everything that is in the tables, in one order for both databases."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = {
            table.name: sorted((tuple(row) for row in connection.execute(table.select())), key=repr)
            for table in SQLModel.metadata.sorted_tables
        }
    engine.dispose()
    return found


def findings(log: Any, url: str, state: Path) -> list[Any]:
    with open_fsck(url, state, log.key) as check:
        return list(check.findings())


def restored_to(log: Any, url: str, file: Path) -> Restored:
    return restore(url, file, log.state, log.key)


@pytest.mark.parametrize("kind", DATABASES)
def test_a_backup_of_a_log_that_grows_is_whole(
    kind: str, new_url: Callable[[str], str], tmp_path: Path, broker_log: Callable[..., Any]
) -> None:
    """Taken while several threads append, it restores to a log that fsck finds nothing wrong with."""
    log = broker_log(new_url(kind), tmp_path)
    log.fill(300)
    stop, files = threading.Event(), [tmp_path / f"{number}.backup" for number in range(3)]
    with log.running() as running:

        def append() -> None:
            while not stop.is_set():
                running.append(log.exchange())

        threads = [threading.Thread(target=append) for _ in range(8)]
        for thread in threads:
            thread.start()
        try:
            manifests = []
            for file in files:
                while running.size() <= (manifests[-1].log.size if manifests else 301):
                    time.sleep(0.001)
                manifests.append(backup(log.url, file, log.state, log.key))
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        size = running.size()
    assert 301 < manifests[0].log.size < manifests[1].log.size < manifests[2].log.size <= size
    for manifest, file in zip(manifests, files, strict=True):
        url = new_url(kind)
        restored = restored_to(log, url, file)
        assert restored.missing == range(manifest.log.size, size)
        checkpoint = tmp_path / "archived.checkpoint"
        checkpoint.write_text(manifest.log.checkpoint)
        signed = parse_checkpoint(verify_note(manifest.log.checkpoint, log.key))
        assert 301 < signed.size <= manifest.log.size
        assert findings(log, url, checkpoint) == []
        (behind,) = findings(log, url, log.state)
        assert "restored backup" in behind.en


@pytest.mark.postgres
def test_sqlite_to_postgresql_and_back_keeps_every_row(
    log: Any, archived: Path, new_url: Callable[[str], str], tmp_path: Path
) -> None:
    """One archive for both databases: a broker that outgrows SQLite moves with all its receipts, and on."""
    with closing(open_store(log.url)) as store, store.append_transaction() as transaction:
        transaction.epochs.keep_bundle("h" * 64, bytes(range(256)))
    archived.unlink()
    backup(log.url, archived, log.state, log.key)
    there, back = new_url("postgres"), new_url("sqlite")
    assert restored_to(log, there, archived).missing == range(41, 41)
    second = tmp_path / "second.backup"
    backup(there, second, log.state, log.key)
    restored_to(log, back, second)
    assert rows(there) == rows(back) == rows(log.url)
    assert open_archive(second).manifest.log == open_archive(archived).manifest.log
    with log.running(there) as running:
        assert running.append(log.exchange()).receipt.leaf_index == 41


def test_a_backup_is_private_and_says_what_it_holds(log: Any, archived: Path) -> None:
    """Readable by its owner only; the manifest has head, root, checkpoint and checksums; parts are Arrow."""
    assert archived.stat().st_mode & 0o777 == 0o600
    with zipfile.ZipFile(archived) as container:
        manifest = json.loads(container.read("manifest.json"))
        assert {*manifest["tables"]} == {table.name for table in SQLModel.metadata.sorted_tables}
        for name, part in manifest["tables"].items():
            content = container.read(f"{name}.arrows")
            assert (part["bytes"], part["sha256"]) == (len(content), sha256(content).hexdigest())
            with ipc.open_stream(content) as stream:
                assert part["rows"] == stream.read_all().num_rows == len(rows(log.url)[name])
    with log.running() as running:
        assert manifest["log"]["checkpoint"] == running.checkpoint()
    checkpoint = parse_checkpoint(verify_note(manifest["log"]["checkpoint"], log.key))
    assert (manifest["log"]["size"], manifest["log"]["root"]) == (41, checkpoint.root.hex())
    assert (manifest["format"], manifest["schema_revision"]) == ("sharebroker-backup/v1", "0016")


def test_a_backup_is_never_replaced(log: Any, archived: Path) -> None:
    """Two backups under one name would be one backup."""
    before = archived.read_bytes()
    with pytest.raises(SetUpError, match="exists"):
        backup(log.url, archived, log.state, log.key)
    assert archived.read_bytes() == before


def test_a_new_log_without_leaves_is_backed_up_too(
    tmp_path: Path, new_url: Callable[[str], str], broker_log: Callable[..., Any]
) -> None:
    """Before the broker's first start there is nothing to prove, and nothing to fail."""
    log, file = broker_log(new_url("sqlite"), tmp_path), tmp_path / "empty.backup"
    manifest = backup(log.url, file, log.state, log.key)
    assert (manifest.log.size, manifest.log.root, manifest.log.checkpoint) == (0, EMPTY_ROOT.hex(), "")
    restored = restored_to(log, new_url("sqlite"), file)
    assert (restored.signed, restored.missing) == (None, range(0))


def test_tables_larger_than_a_batch_are_archived_whole(
    log: Any, tmp_path: Path, new_url: Callable[[str], str]
) -> None:
    """Rows pass in batches of bounded size, and none is lost between two of them."""
    counters = {f"calls/{number}": number for number in range(2 * BATCH_ROWS + 1)}
    with closing(open_store(log.url)) as store, store.append_transaction() as transaction:
        transaction.put([], {}, counters, transaction.head.recorded_at)
    told: list[tuple[str, int, int]] = []
    file, url = tmp_path / "large.backup", new_url("sqlite")
    backup(log.url, file, log.state, log.key, lambda *about: told.append(about))
    with zipfile.ZipFile(file) as container, ipc.open_stream(container.read("quota.arrows")) as stream:
        assert max(batch.num_rows for batch in stream) == BATCH_ROWS
    restored_to(log, url, file)
    assert rows(url) == rows(log.url)
    total = len(counters) + 1
    assert [about for about in told if about[0] == "quota"][-1] == ("quota", total, total)


# ── behind ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", DATABASES)
def test_an_older_backup_says_how_far_behind_it_is_and_does_not_start(
    kind: str, log: Any, archived: Path, new_url: Callable[[str], str]
) -> None:
    """Receipts acknowledged after the backup must not be contradicted by a second history."""
    log.fill(5)
    memory = log.state.read_bytes()
    url = new_url(kind)
    restored = restored_to(log, url, archived)
    assert (restored.signed, restored.missing) == (46, range(41, 46))
    assert log.state.read_bytes() == memory
    with pytest.raises(SetUpError, match="41 leaves, but 46 were signed"), log.running(url):
        pass
    newest = archived.with_name("newest.backup")
    backup(log.url, newest, log.state, log.key)
    url = new_url(kind)
    assert restored_to(log, url, newest).missing == range(46, 46)
    with log.running(url) as running:
        assert running.size() == 46


def test_without_the_signers_memory_nothing_is_known(
    log: Any, archived: Path, new_url: Callable[[str], str], tmp_path: Path
) -> None:
    """A drill on another machine restores and verifies, and does not claim that nothing is missing."""
    restored = restore(new_url("sqlite"), archived, tmp_path / "nothing", log.key)
    assert (restored.signed, restored.missing) == (None, range(41, 41))
    assert not (tmp_path / "nothing").exists()


def test_a_database_behind_its_signer_is_not_backed_up(
    log: Any, archived: Path, new_url: Callable[[str], str], tmp_path: Path
) -> None:
    """It would look like the newest backup and be older than the one before."""
    log.fill(1)
    url, file = new_url("sqlite"), tmp_path / "behind.backup"
    restored_to(log, url, archived)
    with pytest.raises(VerificationFailed, match="signed leaves are missing"):
        backup(url, file, log.state, log.key)
    assert not file.exists()


@pytest.mark.parametrize(
    "sql", ["UPDATE tile SET hashes = zeroblob(1312)", "DELETE FROM leaf WHERE leaf_index = 7"]
)
def test_a_log_that_contradicts_itself_is_not_backed_up(log: Any, tmp_path: Path, sql: str) -> None:
    """No backup is made that cannot be restored: it might take the place of one that can."""
    execute(log.url, sql)
    with pytest.raises(VerificationFailed, match="run `sharebroker fsck`"):
        backup(log.url, tmp_path / "bad.backup", log.state, log.key)
    assert list(tmp_path.glob("*bad*")) == []


def test_a_value_of_another_type_is_not_backed_up(log: Any, tmp_path: Path) -> None:
    """SQLite lets a number stand where text should; an archive for both databases cannot."""
    execute(log.url, "UPDATE request SET verdict = x'ff' WHERE leaf_index = 2")
    with pytest.raises(VerificationFailed, match="table request: a value is not of its column's type"):
        backup(log.url, tmp_path / "bad.backup", log.state, log.key)
    assert list(tmp_path.glob("*bad*")) == []


def execute(url: str, sql: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(sql))
    engine.dispose()


# ── what is refused ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", DATABASES)
def test_only_an_empty_database_is_restored_into(
    kind: str, log: Any, archived: Path, new_url: Callable[[str], str]
) -> None:
    """Nothing is mixed and nothing overwritten; a database that was only set up is empty."""
    url = new_url(kind)
    migrate(url)
    restored_to(log, url, archived)
    before = rows(url)
    with pytest.raises(SetUpError, match="only an empty one"):
        restored_to(log, url, archived)
    assert rows(url) == before == rows(log.url)


def test_another_logs_backup_is_refused(
    archived: Path, new_url: Callable[[str], str], tmp_path: Path, broker_log: Callable[..., Any]
) -> None:
    """Its checkpoint is signed by another key, and without one its genesis names another."""
    (tmp_path / "other").mkdir()
    other = broker_log(new_url("sqlite"), tmp_path / "other")
    url = new_url("sqlite")
    with pytest.raises(VerificationFailed, match="none by the trust key"):
        restored_to(other, url, archived)
    rewrite(archived, manifest=lambda manifest: manifest["log"].update(checkpoint=""))
    with pytest.raises(SetUpError, match="another name or key"):
        restored_to(other, url, archived)
    assert schema_state(url) is SchemaState.EMPTY


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_flipped_bit_is_never_restored_as_something_else(
    log: Any, archived: Path, new_url: Callable[[str], str], place: float, bit: int
) -> None:
    """Refused, or it hit what means nothing (a time stamp of the container) and every row is as before."""
    altered = archived.with_name("altered.backup")
    data = bytearray(archived.read_bytes())
    data[int(place * len(data))] ^= 1 << bit
    altered.write_bytes(data)
    try:
        archive = open_archive(altered)
    except (VerificationFailed, SetUpError):
        return
    for table, part in open_archive(archived).manifest.tables.items():
        assert archive.manifest.tables[table] == part


@pytest.mark.parametrize("kept", [0, 1, 1000, -1, -30, -400])
def test_a_truncated_backup_is_refused(
    log: Any, archived: Path, new_url: Callable[[str], str], kept: int
) -> None:
    """Whatever is left of it."""
    archived.write_bytes(archived.read_bytes()[:kept])
    url = new_url("sqlite")
    with pytest.raises(VerificationFailed, match="backup: "):
        restored_to(log, url, archived)
    assert schema_state(url) is SchemaState.EMPTY


def rewrite(
    file: Path,
    manifest: Callable[[dict[str, Any]], None] = lambda manifest: None,
    **tables: Callable[[pa.Table], pa.Table],
) -> None:
    """The backup with other rows and a manifest that fits them: what somebody with malice could make."""
    with zipfile.ZipFile(file) as container:
        contents = {name: container.read(name) for name in container.namelist()}
    said = json.loads(contents["manifest.json"])
    for name, change in tables.items():
        with ipc.open_stream(contents[f"{name}.arrows"]) as stream:
            table = change(stream.read_all())
        sink = pa.BufferOutputStream()
        with ipc.new_stream(sink, table.schema) as stream:
            stream.write_table(table)
        content = contents[f"{name}.arrows"] = sink.getvalue().to_pybytes()
        said["tables"][name] = {
            "rows": table.num_rows, "bytes": len(content), "sha256": sha256(content).hexdigest()
        }  # fmt: skip
    manifest(said)
    contents["manifest.json"] = json.dumps(said).encode()
    with zipfile.ZipFile(file, "w") as container:
        for name, content in contents.items():
            container.writestr(name, content)


def replaced(table: pa.Table, column: str, row: int, value: object) -> pa.Table:
    values = table[column].to_pylist()
    values[row] = value
    field = table.schema.field(column)
    return table.set_column(table.schema.get_field_index(column), field, pa.array(values, field.type))


@pytest.mark.parametrize(
    ("forgery", "refusal"),
    [
        ({"leaf": lambda t: replaced(t, "log_entry", 7, b"\x01" + b"x" * 32)}, "table tile contradicts"),
        ({"leaf": lambda t: t.slice(0, 30)}, "table leaf contradicts"),
        ({"tile": lambda t: replaced(t, "hashes", 0, b"x" * 41 * 32)}, "table tile contradicts"),
        ({"head": lambda t: replaced(t, "size", 0, 40)}, "table tile contradicts"),
        ({"leaf": lambda t: t.drop_columns(["purpose"])}, "other columns in table leaf"),
        ({"manifest": lambda m: m["log"].update(root="0" * 64)}, "another root"),
        ({"manifest": lambda m: m["log"].update(size=40)}, "another root"),
        ({"manifest": lambda m: m["tables"]["leaf"].update(rows=40)}, "other number of rows"),
        ({"manifest": lambda m: m["tables"].pop("quota")}, "members missing"),
        ({"manifest": lambda m: m.update(more=1)}, "manifest malformed"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_an_altered_backup_is_refused_and_nothing_is_left_of_it(
    log: Any, archived: Path, new_url: Callable[[str], str], forgery: dict[str, Any], refusal: str
) -> None:
    """With checksums that fit, the tree still does not: it is derived again before the commit."""
    rewrite(archived, **forgery)
    url = new_url("sqlite")
    with pytest.raises(VerificationFailed, match=refusal):
        restored_to(log, url, archived)
    assert schema_state(url) is SchemaState.EMPTY


def test_a_whole_other_history_is_refused(
    log: Any, archived: Path, new_url: Callable[[str], str], tmp_path: Path
) -> None:
    """Rebuilt down to the last hash by somebody without the log's key, it is not what was signed."""
    url, forged = new_url("sqlite"), tmp_path / "forged.backup"
    restored_to(log, url, archived)
    shutil.copy(log.state, tmp_path / "copy")
    log.fill(3)
    signer = start_signer(log.private_key, tmp_path / "copy", log.ORIGIN)
    with (
        closing(signer),
        closing(open_store(url)) as store,
        closing(ReceiptLog(store, signer, log.ORIGIN, lambda: datetime.now(UTC))) as other,
    ):
        for _ in range(3):
            other.append(log.exchange())
    backup(url, forged, tmp_path / "copy", log.key)
    with pytest.raises(VerificationFailed, match="not what was signed"):
        restored_to(log, new_url("sqlite"), forged)


def test_what_is_no_backup_is_refused_with_advice(
    log: Any, archived: Path, new_url: Callable[[str], str], tmp_path: Path
) -> None:
    """Missing, another kind of file, a newer format, a newer schema: each says what to do."""
    url = new_url("sqlite")
    with pytest.raises(SetUpError, match="cannot be read"):
        restored_to(log, url, tmp_path / "missing")
    with pytest.raises(VerificationFailed, match="truncated or damaged"):
        restored_to(log, url, log.private_key)
    rewrite(archived, manifest=lambda manifest: manifest.update(schema_revision="9999"))
    with pytest.raises(SetUpError, match="newer program"):
        restored_to(log, url, archived)
    rewrite(archived, manifest=lambda manifest: manifest.update(format="sharebroker-backup/v2"))
    with pytest.raises(SetUpError, match="does not know"):
        restored_to(log, url, archived)


# ── schema ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("revision", ["0001", "0010"])
@pytest.mark.parametrize("kind", DATABASES)
def test_an_older_schema_is_backed_up_as_it_is_and_upgraded_when_restored(
    kind: str, revision: str, log: Any, new_url: Callable[[str], str], tmp_path: Path
) -> None:
    """The advice "back it up, then upgrade" can be followed; the backup is of use and sound afterwards."""
    old, url, file = new_url("sqlite"), new_url(kind), tmp_path / "old.backup"
    database = connect(old)
    with database.exclusive() as connection:
        upgrade(connection, revision)
    database.close()
    engine = create_engine(old)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM head"))
        for name in inspect(connection).get_table_names():
            if (table := SQLModel.metadata.tables.get(name)) is None:
                continue
            present = {column["name"] for column in inspect(connection).get_columns(name)}
            columns = [column.name for column in table.columns if column.name in present]
            names, places = ", ".join(columns), ", ".join(f":{column}" for column in columns)
            written = [{column: getattr(row, column) for column in columns} for row in read(log.url, name)]
            if written:
                connection.execute(text(f"INSERT INTO {name} ({names}) VALUES ({places})"), written)
    engine.dispose()
    assert schema_state(old) is SchemaState.OLDER
    assert backup(old, file, log.state, log.key).schema_revision == revision
    restored_to(log, url, file)
    assert schema_state(url) is SchemaState.CURRENT
    assert rows(url) == rows(log.url)
    with open_fsck(url, log.state, log.key) as check:
        assert list(check.findings()) == []
    newer = new_url("sqlite")
    migrate(newer)
    with pytest.raises(SetUpError, match="newer than the backup's"):
        restored_to(log, newer, file)


def read(url: str, name: str) -> list[Any]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = list(connection.execute(SQLModel.metadata.tables[name].select()))
    engine.dispose()
    return found


@pytest.mark.postgres
def test_both_databases_have_the_same_columns_in_arrow(new_url: Callable[[str], str]) -> None:
    """Every table of this program, in the order of its columns or another: else no archive fits both."""
    found = []
    for kind in ("sqlite", "postgres"):
        url = new_url(kind)
        migrate(url)
        with open_snapshot(url) as snapshot:
            found.append({name: set(schema) for name, schema in snapshot.tables.items()})
    assert found[0] == found[1]
    for table in SQLModel.metadata.sorted_tables:
        assert {field.name for field in found[0][table.name]} == {column.name for column in table.columns}


# ── a backup that does not come to its end ───────────────────────────────────────────────────────

CHILD = """
import os, resource, signal, sys
from pathlib import Path
from broker.errors import SetUpError
from broker.receipt.backup import backup
from broker.receipt.note import VerifierKey
url, file, state, key, how = sys.argv[1:]
def progress(table, done, total):
    if how == "kill" and table == "statement":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "full":
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    backup(url, Path(file), Path(state), VerifierKey.parse(key), progress)
except SetUpError as error:
    sys.exit(error.en)
"""


def run_child(log: Any, file: Path, how: str) -> subprocess.CompletedProcess[str]:
    arguments = [log.url, str(file), str(log.state), str(log.key), how]
    command = [sys.executable, "-c", CHILD, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_killed_on_its_way_it_leaves_no_backup(log: Any, tmp_path: Path) -> None:
    """A file of the final name is a whole backup, whenever the power failed; and the next one succeeds."""
    file = tmp_path / "log.backup"
    assert run_child(log, file, "kill").returncode == -signal.SIGKILL
    assert not file.exists()
    assert [path.name.endswith(".partial") for path in tmp_path.glob(".log.backup*")] == [True]
    backup(log.url, file, log.state, log.key)
    assert open_archive(file).manifest.log.size == 41


def test_on_a_full_disk_it_leaves_nothing(log: Any, tmp_path: Path) -> None:
    """It says so, and takes its half away."""
    run = run_child(log, tmp_path / "log.backup", "full")
    assert "cannot be written" in run.stderr
    assert "there is no backup" in run.stderr
    assert run.returncode == 1
    assert list(tmp_path.glob("*log.backup*")) == []


def test_where_nothing_can_be_written_it_says_so(log: Any, tmp_path: Path) -> None:
    """A folder that does not exist is named."""
    with pytest.raises(SetUpError, match="cannot be written"):
        backup(log.url, tmp_path / "no" / "log.backup", log.state, log.key)
