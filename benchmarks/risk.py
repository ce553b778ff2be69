"""The risk of a table beside ``pycanon``: the same figures, and how long they take.

``pycanon`` needs other versions of pandas and numpy than the program, so it runs in an environment of its
own, ``.venv-peers``, which ``make bench`` and ``make peers`` set up.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.masking.registry import load_operators
from benchmarks import adult
from benchmarks.report import show
from broker.cli.mask.assessment import Assessment, Population, assess
from broker.cli.mask.reading import opened_table

ROOT = Path(__file__).parents[1]
PEERS = ROOT / ".venv-peers" / "bin" / "python"
THRESHOLD = 0.2
MANY = 5_000_000


def run() -> None:
    """Print the figures of every case by both, and the speed on a larger file."""
    theirs = _theirs()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "adult.parquet"
        pq.write_table(pa.table(adult.table()), path)
        rows = [row for case in adult.CASES for row in _beside(case, _ours(path, case), theirs[case])]
        show(
            f"Risk of {adult.ROWS:,} rows, beside pycanon in {PEERS.parents[1].name}",
            ("case", "column", "figure", "ours", "pycanon", "same", "ours s", "pycanon s"),
            rows,
            "ours: reading the file, all attackers and every coarser column included; entropy l rounded down",
        )
        _show_large(Path(folder))


def _ours(path: Path, case: str) -> tuple[Assessment, float]:
    quasi, sensitive = adult.CASES[case]
    start = time.perf_counter()
    with opened_table(path) as table:
        found = assess(table, quasi, sensitive, THRESHOLD, Population(), load_operators(None))
    return found, time.perf_counter() - start


def _theirs() -> Any:
    assert PEERS.exists(), "set the peers up first: make peers"
    command = [str(PEERS), str(ROOT / "benchmarks" / "pycanon_figures.py")]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def _beside(case: str, ours: tuple[Assessment, float], theirs: Any) -> list[tuple[str, ...]]:
    found, seconds = ours
    times = f"{seconds:.2f}", f"{theirs['seconds']:.2f}"
    rows = [_row(case, ",".join(found.quasi_identifiers), "k", found.anonymity.k, theirs["k"], *times)]
    for name, one in found.sensitive.items():
        known, other = one.disclosure, theirs["sensitive"][name]
        for figure, value in (
            ("distinct", known.distinct),
            ("entropy", int(known.entropy)),
            ("closeness", known.closeness),
            ("alpha", known.alpha),
        ):
            rows.append(_row("", name, figure, value, other[figure], "", ""))
    return rows


def _row(case: str, column: str, figure: str, ours: float, theirs: float, *times: str) -> tuple[str, ...]:
    same = abs(ours - theirs) < 1e-9
    assert same, f"{case} {column} {figure}: {ours} is not {theirs}"
    return case, column, figure, f"{ours:.6g}", f"{theirs:.6g}", "yes", *times


def _show_large(folder: Path) -> None:
    drawn = pa.table(adult.table())
    path = folder / "large.parquet"
    with pq.ParquetWriter(path, drawn.schema) as writer:
        for _ in range(-(-MANY // drawn.num_rows)):
            writer.write_table(drawn)
    rows = []
    for case, (quasi, _) in adult.CASES.items():
        found, seconds = _ours(path, case)
        rate = f"{found.anonymity.rows / seconds / 1e6:.2f}"
        rows.append((case, ",".join(quasi), f"{found.anonymity.classes:,}", f"{seconds:.2f}", rate))
    show(f"Risk of {MANY:,} rows", ("case", "quasi-identifiers", "classes", "s", "M rows/s"), rows)
