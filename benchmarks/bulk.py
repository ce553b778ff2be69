"""Files masked in bulk: how fast with how many processes, in how much memory, and the same on Spark."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.mask_columns import Columns
from benchmarks.report import show
from broker.keys.authority import Authority
from broker.keys.certificates import cert_pem
from broker.keys.files import write_private_file
from broker.keys.keyring_file import KeyringFile
from broker.keys.wrapping import create_master_key
from broker.model import Role

MILLION = 1_000_000
SPEED_ROWS, MEMORY_ROWS, SPARK_ROWS = 4 * MILLION, (1 * MILLION, 5 * MILLION, 20 * MILLION), 5 * MILLION
WORKERS = (1, 2, 4)
GROUP = 250_000
MIB = 1024 * 1024
CLUSTER = "local-cluster[2,1,1024]"
PLAN = """\
format: share-mask-plan/v1
provider: tax
consumer: housing_fund
purpose: housing_fund_withdrawal
fields:
  id_no: {type: text, format: resident_id, mask: {token: {profile: resident_id}}}
  person: {type: text, column: id_no, domain: resident_id, mask: {pseudonym: {}}}
  name: {type: text, mask: {partial: {keep_start: 1}}}
  mobile: {type: text, format: mobile, mask: {partial: {keep_start: 3, keep_end: 4}}}
  card: {type: text, mask: redact}
  born: {type: date, mask: {year: {}}}
  income: {type: integer, mask: {bucket: {width: 10000}}}
  status: {type: text, mask: as_is}
"""


@dataclass(slots=True)
class Cost:
    """What a command took, all its processes together."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    """Proportional set size (PSS): memory shared by processes counts once."""


@dataclass(slots=True)
class Place:
    """A folder with plan, keys and certificate."""

    folder: Path
    files: dict[int, Path] = field(default_factory=dict)

    def people(self, rows: int) -> Path:
        """A Parquet file of so many rows: the same 250,000 people again and again, without the compression
        noticing."""
        if rows not in self.files:
            self.files[rows] = self.folder / f"{rows}.parquet"
            _write(self.files[rows], rows)
        return self.files[rows]

    def mask(self, rows: int, *options: str) -> tuple[Cost, str]:
        """Run the command; gives what it took and the output file's SHA-256."""
        out = self.folder / "out"
        command = [
            *(sys.executable, "-m", "broker.cli", "mask", "run"),
            *(str(self.folder / "plan.yaml"), str(self.people(rows)), str(out)),
            *("--identity", str(self.folder), "--keyring", str(self.folder / "keyring.json"), *options),
        ]
        cost = measured(command)
        with (out / self.people(rows).name).open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
        shutil.rmtree(out)
        return cost, digest


def run() -> None:
    """Print rows/s by processes, peak memory by rows, and Spark beside the pool."""
    with tempfile.TemporaryDirectory(prefix="bulk-") as folder:
        place = _place(Path(folder))
        _speed(place)
        _memory(place)
        _spark(place)


def _speed(place: Place) -> None:
    copied = _copied(place.people(SPEED_ROWS))
    rows = [("Arrow alone: read, write again", "1", *_figures(SPEED_ROWS, copied), "")]
    digests = set()
    for workers in WORKERS:
        cost, digest = place.mask(SPEED_ROWS, "--workers", str(workers))
        digests.add(digest)
        rows.append(("mask run", str(workers), *_figures(SPEED_ROWS, cost), f"{cost.peak_bytes / MIB:,.0f}"))
    assert len(digests) == 1, "another number of processes gives another file"
    show(
        f"{SPEED_ROWS / MILLION:.0f} M rows of 8 columns masked, {_cores()} cores",
        ("", "processes", "rows/s", "rows/s of processor time", "peak PSS, MiB"),
        rows,
        f"{_load()}; the whole command, its start included; the output is the same to the byte each time",
    )


def _memory(place: Place) -> None:
    rows = []
    for count in MEMORY_ROWS:
        cost, _ = place.mask(count, "--workers", "2")
        size = place.people(count).stat().st_size
        rows.append(
            (
                f"{count / MILLION:.0f} M",
                f"{size / MIB:,.0f}",
                f"{cost.peak_bytes / MIB:,.0f}",
                f"{cost.seconds:.1f}",
            )
        )
    show(
        "Memory by the size of the input, 2 processes",
        ("rows", "input, MiB", "peak PSS of all processes, MiB", "s"),
        rows,
        f"{_load()}; sampled every 20 ms",
    )


def _spark(place: Place) -> None:
    if importlib.util.find_spec("pyspark") is None or shutil.which("java") is None:
        print("Spark is not installed (make spark): not measured")
        return
    local, digest = place.mask(SPARK_ROWS, "--workers", "2")
    spark, on_spark = place.mask(SPARK_ROWS, "--spark", CLUSTER)
    assert digest == on_spark, "Spark gives another file"
    rows = [
        ("pool of 2 processes", f"{SPARK_ROWS / local.seconds:,.0f}", digest[:16]),
        (f"Spark, {CLUSTER}", f"{SPARK_ROWS / spark.seconds:,.0f}", on_spark[:16]),
    ]
    show(
        f"{SPARK_ROWS / MILLION:.0f} M rows, the same plan on Spark",
        ("", "rows/s", "SHA-256 of the output file"),
        rows,
        f"{_load()}; the whole command, the start of Spark and of its two workers included",
    )


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def _place(folder: Path) -> Place:
    folder.chmod(0o700)
    (folder / "plan.yaml").write_text(PLAN, "utf-8")
    wrapper = create_master_key(folder / "master.key")
    KeyringFile(folder / "keyring.json", lambda: wrapper).create(datetime.now(UTC))
    authority = Authority.create(folder / "pki", "xinghe")
    issued = authority.issue("tax", Role.OFFICER, "li")
    write_private_file(folder / "key.pem", issued.key_pem)
    (folder / "cert.pem").write_bytes(issued.cert_pem)
    (folder / "ca.pem").write_bytes(cert_pem(authority.certificate))
    return Place(folder)


def _write(path: Path, rows: int) -> None:
    people = Columns(GROUP)
    table = pa.table(
        {
            "id_no": people.resident_ids,
            "name": people.names,
            "mobile": people.mobiles,
            "card": people.cards,
            "born": people.births,
            "income": people.numbers,
            "status": people.statuses,
        }
    )
    with pq.ParquetWriter(path, table.schema) as writer:
        for _ in range(rows // GROUP):
            writer.write_table(table, row_group_size=GROUP)


def _copied(path: Path) -> Cost:
    """Reading a file and writing it again, a row group at a time, one thread: what no masking can beat."""
    code = (
        "import sys, pyarrow as pa, pyarrow.parquet as pq\n"
        "pa.set_cpu_count(1)\n"
        "given = pq.ParquetFile(sys.argv[1])\n"
        "with pq.ParquetWriter(sys.argv[2], given.schema_arrow) as writer:\n"
        "    for number in range(given.num_row_groups):\n"
        "        writer.write_table(given.read_row_group(number, use_threads=False))\n"
    )
    copy = path.with_suffix(".copy")
    cost = measured([sys.executable, "-c", code, str(path), str(copy)])
    copy.unlink()
    return cost


def measured(command: list[str]) -> Cost:
    """What a command took that must succeed."""
    cost, before = Cost(), resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    watching = threading.Thread(target=_watch, args=(process, cost))
    watching.start()
    _, said = process.communicate()
    cost.seconds = time.perf_counter() - began
    watching.join()
    assert process.returncode == 0, said
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost.cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cost


def _watch(process: subprocess.Popen[str], cost: Cost) -> None:
    while process.poll() is None:
        cost.peak_bytes = max(cost.peak_bytes, sum(map(_pss, _tree(process.pid))))
        time.sleep(0.02)


def _tree(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):
        for children in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in children.read_text().split():
                yield from _tree(int(child))


def _pss(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _figures(rows: int, cost: Cost) -> tuple[str, str]:
    return f"{rows / cost.seconds:,.0f}", f"{rows / cost.cpu_seconds:,.0f}"


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f} on {_cores()} cores"
