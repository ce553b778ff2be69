"""Files masked by the pool: the plan's rows and nothing else, whole or not at all, killed or not."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from broker.bulk import journal
from broker.bulk.gate import Refused
from broker.bulk.outputs import Form
from broker.bulk.recipe import Masker, recipe_of
from broker.bulk.run import Job, run
from broker.children import interrupts_held
from broker.errors import SetUpError
from broker.keys.keyring import Keyring
from broker.keys.wrapping import VARIABLE

from .conftest import OPERATORS, PLAN, TOWNS, Quiet, people

JobOf = Callable[..., Job]
ROWS = 3_000
RECORDED = 5
"""Parts in the journal before a run is killed."""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with a Parquet file of three row groups and a CSV file of the same columns."""
    folder = tmp_path / "in"
    (folder / "sub").mkdir(parents=True)
    table = people(ROWS).replace_schema_metadata({"owner": "SECRET00000001"})
    pq.write_table(table, folder / "a.parquet", row_group_size=1_000)
    pyarrow.csv.write_csv(people(500, ROWS), folder / "sub" / "b.csv")
    (folder / "_SUCCESS").touch()
    return folder


def test_the_plan_s_columns_are_masked_row_by_row_and_nothing_else_goes_out(
    source: Path, job_of: JobOf
) -> None:
    """Order and count of the rows stay; no byte of a column that is not named, nor of the file's metadata."""
    job = job_of(workers=2)
    manifest = run(job, Quiet())
    masked = pq.read_table(job.out / "a.parquet")
    given = people(ROWS)
    assert masked.column_names == ["person", "name", "born", "town"]
    assert masked["town"].to_pylist() == given["town"].to_pylist()
    assert masked["born"].to_pylist() == [day.year for day in given["born"].to_pylist()]
    assert masked["name"].to_pylist() == ["王*****"] * ROWS
    assert masked["person"] == _directly(job, given)["person"]
    content = (job.out / "a.parquet").read_bytes()
    assert b"SECRET" not in content
    assert b"99010119900" not in content
    assert pq.read_metadata(job.out / "a.parquet").metadata is None
    assert pq.read_table(job.out / "sub" / "b.parquet") == _directly(job, people(500, ROWS))
    assert manifest["rows"] == {"read": ROWS + 500, "released": ROWS + 500}
    assert not job.out.with_name("out.partial").exists()


def _directly(job: Job, given: pa.Table) -> pa.Table:
    batch, _ = Masker(job.recipe).mask(given.combine_chunks().to_batches()[0])
    return pa.Table.from_batches([batch])


def test_the_output_is_the_same_however_the_work_was_cut(source: Path, job_of: JobOf, tmp_path: Path) -> None:
    """Another number of processes and of row groups give the same bytes."""
    first = job_of(workers=2)
    run(first, Quiet())
    pq.write_table(people(ROWS), source / "a.parquet", row_group_size=170)
    second = job_of(workers=1, out=tmp_path / "again")
    run(second, Quiet())
    for name in ("a.parquet", "sub/b.parquet"):
        assert (first.out / name).read_bytes() == (second.out / name).read_bytes()


def test_csv_goes_out_as_asked(source: Path, job_of: JobOf) -> None:
    """The rows are those of the Parquet output."""
    job = job_of(form=Form.CSV)
    run(job, Quiet())
    read = pyarrow.csv.read_csv(job.out / "sub" / "b.csv")
    assert read["name"].to_pylist() == ["王*****"] * 500


def test_a_killed_run_is_taken_up_and_gives_the_same_bytes(
    tmp_path: Path, job_of: JobOf, identity: Path, keyring_file: Path
) -> None:
    """``kill -9`` in the middle leaves finished parts, which are not masked again, and no process. None of
    those that masked had been given what opens the keyring."""
    (tmp_path / "in").mkdir()
    pq.write_table(people(4_000), tmp_path / "in" / "a.parquet", row_group_size=20)
    job = job_of()
    options = ["--identity", str(identity), "--keyring", str(keyring_file), "--workers", "1"]
    files = [str(tmp_path / name) for name in ("plan.yaml", "in", "out")]
    process = subprocess.Popen(
        [sys.executable, "-m", "broker.cli", "mask", "run", *files, *options],
        stderr=subprocess.DEVNULL,
        env={**os.environ, VARIABLE: (keyring_file.parent / "master.key").read_text().strip()},
    )
    lines = tmp_path / "out.partial" / "journal"
    while not (lines.is_file() and lines.read_bytes().count(b"\n") > RECORDED):
        assert process.poll() is None
        time.sleep(0.002)
    children = _children(process.pid)
    given = [Path(f"/proc/{child}/environ").read_bytes() for child in children]
    process.kill()
    process.wait()
    assert not job.out.exists()
    assert children
    assert not any(VARIABLE.encode() in one for one in given)
    while any(_is_alive(child) for child in children):
        time.sleep(0.01)
    parts = tmp_path / "out.partial" / "parts"
    earlier = {path: path.stat().st_mtime_ns for path in parts.glob("[0-9]*")}
    kept: list[int] = []

    class Watching(Quiet):
        def masked(self, rows: int) -> None:
            kept.append(sum(path.stat().st_mtime_ns == time for path, time in earlier.items()))

    run(job, Watching())
    assert kept[-1] >= RECORDED
    unbroken = replace(job, out=tmp_path / "unbroken")
    run(unbroken, Quiet())
    assert (job.out / "a.parquet").read_bytes() == (unbroken.out / "a.parquet").read_bytes()


def test_ctrl_c_is_told_without_a_traceback_even_while_workers_start(
    tmp_path: Path, job_of: JobOf, identity: Path, keyring_file: Path
) -> None:
    """The terminal tells all processes at once, also those that have not come to ignoring it."""
    (tmp_path / "in").mkdir()
    pq.write_table(people(4_000), tmp_path / "in" / "a.parquet", row_group_size=20)
    job_of()
    options = ["--identity", str(identity), "--keyring", str(keyring_file), "--workers", "2"]
    files = [str(tmp_path / name) for name in ("plan.yaml", "in", "out")]
    process = subprocess.Popen(
        [sys.executable, "-m", "broker.cli", "mask", "run", *files, *options],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while len(_children(process.pid)) < 2:  # the first one is multiprocessing's own
        assert process.poll() is None
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert said == (
        "做完的部分还在，再次运行同一命令会接着做。\n"
        "What is finished stays; the same command goes on from there.\n"
        "已中断。\nInterrupted.\n"
    )


def test_ctrl_c_taken_by_another_thread_waits_too() -> None:
    """A signal goes to any thread that does not block it; the main one still ends what it has begun."""
    begun, ended = threading.Event(), []
    thread = threading.Thread(target=lambda: (begun.wait(), signal.raise_signal(signal.SIGINT)))
    thread.start()

    def start_a_process() -> None:
        with interrupts_held():
            begun.set()
            thread.join()
            ended.append(True)

    with pytest.raises(KeyboardInterrupt):
        start_a_process()
    assert ended


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _is_alive(pid: int) -> bool:
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_nothing_is_taken_up_that_is_of_another_run(
    source: Path, job_of: JobOf, tmp_path: Path, keyring: Keyring
) -> None:
    """A changed plan, input or key refuses; what is there stays as it is."""
    with journal.locked(tmp_path / "out") as folder, journal.opened(folder, "of something else"):
        pass
    with pytest.raises(SetUpError, match="left from another run"):
        run(job_of(), Quiet())
    assert (tmp_path / "out.partial" / "journal").is_file()


def test_a_run_s_identity_is_all_that_its_output_depends_on(
    source: Path, job_of: JobOf, tmp_path: Path
) -> None:
    """Plan, input, form, and keys even of the same version: each gives another identity."""
    from broker.bulk.inputs import survey
    from broker.bulk.run import identity

    job = job_of()

    def of(job: Job) -> str:
        return identity(job, [survey(file, Masker(job.recipe).columns) for file in job.inputs])

    plain = of(job)
    assert of(job_of(workers=3)) == plain
    other = Keyring.new(datetime.now(UTC))
    assert of(replace(job, recipe=recipe_of(job.plan, OPERATORS, other))) != plain
    assert of(job_of(form=Form.CSV)) != plain
    assert of(job_of(PLAN.replace("keep_start: 1", "keep_start: 2"))) != plain
    pq.write_table(people(ROWS, 1), source / "a.parquet")
    assert of(job_of()) != plain


def test_two_runs_never_write_to_one_output(source: Path, job_of: JobOf, tmp_path: Path) -> None:
    """The second is refused while the first is under way, and afterwards because the output exists."""
    with journal.locked(tmp_path / "out"), pytest.raises(SetUpError, match="Another run"):
        run(job_of(), Quiet())
    (tmp_path / "out").mkdir()
    with pytest.raises(SetUpError, match="exists"):
        run(job_of(), Quiet())


def test_work_is_open_to_its_owner_only_even_in_a_folder_that_was_there(tmp_path: Path) -> None:
    """Nobody else may read what the gate has still to hold back, nor lead the work elsewhere."""
    folder = tmp_path / "out.partial"
    folder.mkdir()
    folder.chmod(0o777)
    with journal.locked(tmp_path / "out"):
        assert folder.stat().st_mode & 0o777 == 0o700
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r"out\.partial"), journal.locked(tmp_path / "out"):
        pass


def test_a_full_disk_is_told_and_what_is_finished_stays(source: Path, job_of: JobOf) -> None:
    """A file that cannot grow further ends the run; once there is room it is taken up."""
    job = job_of()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(SetUpError, match="run again"):
            run(job, Quiet())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not job.out.exists()
    assert run(job, Quiet())["rows"]["released"] == ROWS + 500


def test_values_of_another_type_are_counted_or_refused(tmp_path: Path, job_of: JobOf) -> None:
    """A text that is no date, and a code that is no region, become null; or nothing goes out at all."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text(
        "身份证号,name,born,note,town\n1,王一,1990-01-02,,990101\n2,王二,soon,,990101\n3,王三,,,here\n",
        "utf-8",
    )
    job = job_of()
    (output,) = run(job, Quiet())["outputs"]
    assert output["bad"] == {"born": 1, "town": 1}
    masked = pq.read_table(job.out / "a.parquet")
    assert masked["born"].to_pylist() == [1990, None, None]
    assert masked["town"].to_pylist() == ["990101", "990101", None]
    strict = job_of(PLAN + "bad_values: refuse\n", out=tmp_path / "strict")
    with pytest.raises(Refused, match=r"born 1, town 1"):
        run(strict, Quiet())
    assert not list(tmp_path.glob("strict*"))


GATE = "k_anonymity: {quasi_identifiers: [born, town], k: 40}\n"


def test_rows_of_small_classes_are_suppressed_over_all_files(source: Path, job_of: JobOf) -> None:
    """The classes are those of the masked values of all files together; the order of the rest stays."""
    job = job_of(PLAN + GATE)
    manifest = run(job, Quiet())
    all_rows = [*_keys(people(ROWS)), *_keys(people(500, ROWS))]
    sizes = Counter(all_rows)
    masked = [pq.read_table(job.out / name) for name in ("a.parquet", "sub/b.parquet")]
    kept = [
        pair
        for table in masked
        for pair in zip(*table.select(["born", "town"]).to_pydict().values(), strict=True)
    ]
    assert kept == [pair for pair in all_rows if sizes[pair] >= 40]
    assert 0 < len(kept) < len(all_rows)
    small = [size for size in sizes.values() if size < 40]
    assert manifest["k_anonymity"] == {
        "k": 40,
        "quasi_identifiers": ["born", "town"],
        "classes": len(sizes),
        "smallest": min(sizes.values()),
        "suppressed": {"classes": len(small), "rows": sum(small)},
    }
    assert manifest["rows"] == {"read": len(all_rows), "released": len(kept)}


def _keys(table: pa.Table) -> list[tuple[int, str]]:
    years = [day.year for day in table["born"].to_pylist()]
    return list(zip(years, table["town"].to_pylist(), strict=True))


def test_a_gate_may_refuse_the_whole_run(source: Path, job_of: JobOf, tmp_path: Path) -> None:
    """Nothing is left then, not even masked parts."""
    with pytest.raises(Refused, match="fewer than 40"):
        run(job_of(PLAN + GATE.replace("40", "40, below: refuse")), Quiet())
    assert not list(tmp_path.glob("out*"))


def test_files_without_rows_stay_files_without_rows(tmp_path: Path, job_of: JobOf) -> None:
    """A header alone, no row group, and an empty row group give the schema and no row."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("身份证号,name,born,town", "utf-8")
    people(1).schema.empty_table()
    pq.write_table(people(1).slice(1), tmp_path / "in" / "b.parquet")
    pq.ParquetWriter(tmp_path / "in" / "c.parquet", people(1).schema).close()
    job = job_of()
    run(job, Quiet())
    for name in "abc":
        table = pq.read_table(job.out / f"{name}.parquet")
        assert (table.num_rows, table.column_names) == (0, ["person", "name", "born", "town"])
    assert TOWNS
