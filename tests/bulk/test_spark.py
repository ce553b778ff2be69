"""The same plan on a real Spark cluster of two workers gives the same files, byte for byte."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from broker.bulk.run import Job, run
from broker.bulk.spark import check_order
from broker.bulk.spark import run as run_on_spark
from broker.errors import SetUpError

from .conftest import PLAN, Quiet, people

MORE = """\
  amount: {type: decimal, mask: as_is}
  paid: {type: integer, column: "pa`.id", mask: as_is}
  local: {type: timestamp, mask: as_is}
  at: {type: timestamp, mask: as_is}
  yes: {type: boolean, column: flag, mask: as_is}
k_anonymity: {quasi_identifiers: [born, town], k: 51}
"""
ROWS = 4_000


def _table() -> pa.Table:
    """All types, nulls, and values that are not of their type."""
    numbers = range(ROWS)
    more = {
        "amount": pa.array([Decimal(n) / 4 if n % 9 else None for n in numbers], pa.decimal128(12, 2)),
        "pa`.id": pa.array([f"{n:,}" if n % 11 else "none" for n in numbers]),
        "local": pa.array([n * 86_400_000_000 for n in numbers], pa.timestamp("us")),
        "at": pa.array([n * 10**9 for n in numbers], pa.timestamp("us", "Asia/Shanghai")),
        "flag": pa.array([n % 2 for n in numbers], pa.int8()),
    }
    table = people(ROWS)
    for name, column in more.items():
        table = table.append_column(name, column)
    return table


@pytest.mark.spark
@pytest.mark.skipif(importlib.util.find_spec("pyspark") is None, reason="Spark is not installed: make spark")
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java 17")
def test_spark_gives_the_same_bytes(
    tmp_path: Path, job_of: Callable[..., Job], keyring_file: Path, identity: Path
) -> None:
    """Files, gate and counts of bad values, with parts of one file masked by both workers."""
    (tmp_path / "in" / "[年]").mkdir(parents=True)
    pq.write_table(_table(), tmp_path / "in" / "a.parquet", row_group_size=500)
    pq.write_table(_table().slice(0, 10), tmp_path / "in" / "[年]" / "b.parquet")
    local = job_of(PLAN + MORE)
    told = run(local, Quiet())
    said = _on_spark(tmp_path, keyring_file, identity)
    assert said["executors"] == ["2"]
    assert int(said["parts"][0]) > 2
    assert said["rows"] == [str(ROWS)]
    assert said["columns"] == ["person", "name", "born", "town", "amount", "paid", "local", "at", "yes"]
    for one in told["outputs"]:
        assert (local.out / one["name"]).read_bytes() == (tmp_path / "spark" / one["name"]).read_bytes()
    assert told["outputs"][1]["bad"] == {"paid": len(range(0, ROWS, 11))}
    assert told["rows"]["released"] < told["rows"]["read"] == ROWS + 10


def _on_spark(folder: Path, keyring: Path, identity: Path) -> dict[str, list[str]]:
    environment = {
        **os.environ,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYTHONPATH": os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH", "")])),
    }
    script = Path(__file__).with_name("on_spark.py")
    done = subprocess.run(
        [sys.executable, str(script), str(folder), str(keyring), str(identity)],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines() if line}


def test_spark_is_for_parquet_and_told_when_missing(
    tmp_path: Path, job_of: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CSV file, and a machine without Spark: two sentences, not a traceback."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("x\n", "utf-8")
    with pytest.raises(SetUpError, match="only Parquet"):
        run_on_spark(job_of(), "local[1]", Quiet())
    (tmp_path / "in" / "a.csv").unlink()
    pq.write_table(people(1), tmp_path / "in" / "a.parquet")
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(SetUpError, match=r"sharebroker\[spark\]"):
        run_on_spark(job_of(), "local[1]", Quiet())
    assert not list(tmp_path.glob("out*"))


def test_rows_in_another_order_are_never_put_together(tmp_path: Path, job_of: Callable[..., Job]) -> None:
    """Spark promises none: swapped, missing, repeated and unnumbered rows are refused."""
    (tmp_path / "in").mkdir()
    pq.write_table(people(1), tmp_path / "in" / "a.parquet")
    (file,) = job_of().inputs
    check_order(pa.array([5, 6, 7], pa.int64()), 5, file)
    check_order(pa.array([], pa.int64()), 5, file)
    for numbers in ([5, 7, 6], [6, 7], [5, 5], [5, None]):
        with pytest.raises(SetUpError, match="another order"):
            check_order(pa.array(numbers, pa.int64()), 5, file)
