"""The same plan on the departments' own Spark, through ``mapInArrow``; needs the extra ``spark`` and Java 17.

Executors import this package, so it must be installed where their Python is; they mask with the very code of
the pool, and refuse to with other versions of the operators. :func:`masked` is for jobs of one's own.
:func:`run` does what ``sharebroker mask run`` does: Spark masks, and then the driver puts the rows of each
file together in their order, signs and publishes, so that the output is the same to the byte.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from broker.bulk import journal
from broker.bulk.inputs import InputFile, survey
from broker.bulk.journal import Work
from broker.bulk.manifest import Manifest
from broker.bulk.recipe import BATCH_ROWS, Masker, Recipe
from broker.bulk.run import Job, Progress, finish, identity
from broker.errors import SetUpError

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession
    from pyspark.sql.types import StructType

SUBMITTED = "submit"
"""In place of a master: the one that ``spark-submit`` was given."""
ROW, BAD = "_row", "_bad"
"""Columns beside the masked ones until the rows are put together: a row's number in its file; and in one row
of each batch, as JSON, field → values that were not of its type. No field of a plan begins with ``_``."""

_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "true",
    "spark.sql.execution.arrow.maxRecordsPerBatch": str(BATCH_ROWS),
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.datetimeRebaseModeInWrite": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
}
"""Of the session: without them Spark reads and writes other times than Arrow does."""


def masked(frame: DataFrame, recipe: Recipe) -> DataFrame:
    """The rows of ``frame``, which has the columns that the recipe reads, as they may be given out.

    The session's time zone must be UTC. Values that are not of their field's type or format become null.
    """
    masker = Masker(recipe)
    read = frame.select(*_read(frame, masker))
    return read.mapInArrow(partial(_mask, recipe), _spark_schema(masker.schema))


def run(job: Job, master: str, progress: Progress) -> Manifest:
    """As :func:`broker.bulk.run.run`, by Spark. IN and OUT must have the same paths on all its hosts.

    A run that was killed is taken up again file by file.

    Raises:
        SetUpError: something must be put right first.
        Refused: the plan does not allow these data to go out.
    """
    job.signer.identity(job.plan.provider)
    for file in job.inputs:
        if file.is_csv:
            raise SetUpError(
                f"Spark 只处理 Parquet 文件；{file.name} 请不用 --spark 处理，或先转换。",
                f"On Spark only Parquet files are masked; mask {file.name} without --spark or convert it.",
            )
    masker = Masker(job.recipe)
    with journal.locked(job.out) as folder, _session(master) as session:
        surveyed = [survey(file, masker.columns) for file in job.inputs]
        progress.looked(len(job.inputs))
        with journal.opened(folder, identity(job, surveyed)) as work:
            return finish(job, work, surveyed, masker.schema, _OnSpark(job, masker, session, work, progress))


# ── on the executors ─────────────────────────────────────────────────────────────────────────────


def _mask(recipe: Recipe, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    masker = Masker(recipe)
    for batch in batches:
        yield masker.mask(_named(batch, masker))[0]


def _mask_numbered(recipe: Recipe, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    masker = Masker(recipe)
    for batch in batches:
        result, bad = masker.mask(_named(batch, masker))
        told = [orjson.dumps(bad).decode() if bad else None, *[None] * (len(batch) - 1)]
        extra = [batch.column(ROW), pa.array(told[: len(batch)], pa.string())]
        yield pa.RecordBatch.from_arrays([*result.columns, *extra], [*result.schema.names, ROW, BAD])


def _named(batch: pa.RecordBatch, masker: Masker) -> pa.RecordBatch:
    """The columns that :func:`_read` has selected, under their own names again."""
    return pa.RecordBatch.from_arrays(batch.columns[: len(masker.columns)], masker.columns)


# ── on the driver ────────────────────────────────────────────────────────────────────────────────


class _OnSpark:
    """Files masked by Spark, each into a folder of Parquet files, read back in the order of their rows."""

    def __init__(
        self, job: Job, masker: Masker, session: SparkSession, work: Work, progress: Progress
    ) -> None:
        self._job, self._session, self._work, self._progress = job, session, work, progress
        self._masker, self._schema = masker, masker.schema
        self._bad: dict[int, Counter[str]] = {}

    def rows(self, number: int) -> Iterator[pa.RecordBatch]:
        file = self._job.inputs[number]
        if number not in self._bad:
            self._write(number, file)
        bad: Counter[str] = Counter()
        self._bad[number] = bad
        count = 0
        for batch in self._written(number):
            check_order(batch.column(ROW), count, file)
            count += batch.num_rows
            for told in batch.column(BAD).drop_null().to_pylist():
                bad.update(orjson.loads(told))
            yield batch.select(self._schema.names).cast(self._schema)
        file.check_unchanged()
        self._progress.masked(count)

    def bad(self, number: int) -> Mapping[str, int]:
        return dict(self._bad[number])

    def forget(self, number: int) -> None:
        shutil.rmtree(self._folder(number))

    def _folder(self, number: int) -> Path:
        return (self._work.parts / f"{number:08}.spark").absolute()

    def _write(self, number: int, file: InputFile) -> None:
        from py4j.protocol import Py4JError
        from pyspark.errors import PySparkException
        from pyspark.sql.types import LongType, StringType, StructField

        schema = _spark_schema(self._schema)
        schema = type(schema)([*schema.fields, StructField(ROW, LongType()), StructField(BAD, StringType())])
        try:
            frame = self._session.read.parquet(_place(file.path.absolute()))
            row = frame.metadataColumn("_metadata")["row_index"].alias(ROW)
            numbered = frame.select(*_read(frame, self._masker), row)
            masked_rows = numbered.mapInArrow(partial(_mask_numbered, self._job.recipe), schema)
            masked_rows.write.mode("overwrite").parquet(f"file:{self._folder(number)}")
        except (PySparkException, Py4JError) as error:
            cause = type(error).__name__  # not chained: a message of Spark's may quote rows
        else:
            return
        raise SetUpError(
            f"Spark 未能处理文件 {file.name}（{cause}），原因见 Spark 日志；"
            "各节点须装有相同版本的本软件，且能读写 IN 与 OUT。",
            f"Spark failed on {file.name} ({cause}), see its log; every host needs the same version of this "
            "software, and must reach IN and OUT.",
        )

    def _written(self, number: int) -> Iterator[pa.RecordBatch]:
        for path in sorted(self._folder(number).glob("part-*.parquet")):
            with pq.ParquetFile(path, pre_buffer=False) as opened:
                yield from opened.iter_batches(BATCH_ROWS)


def check_order(numbers: pa.Array, first: int, file: InputFile) -> None:
    """That these are the rows that come next: Spark promises no order, so it is not taken for granted.

    Raises:
        SetUpError: they are not.
    """
    expected = pa.array(np.arange(first, first + len(numbers)), pa.int64())
    if not pc.all(pc.equal(numbers, expected), min_count=0).as_py() or numbers.null_count:
        raise SetUpError(
            f"Spark 没有按原来的次序给出 {file.name} 的行，未作输出；请不用 --spark 处理。",
            f"Spark gave the rows of {file.name} in another order, so nothing was written; mask it without "
            "--spark.",
        )


@contextmanager
def _session(master: str) -> Iterator[SparkSession]:
    try:
        from pyspark.sql import SparkSession as Session
    except ImportError:
        raise SetUpError(
            "没有安装 Spark：请安装 sharebroker[spark]，并备好 Java 17。",
            "Spark is not installed: install sharebroker[spark] and have Java 17.",
        ) from None
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = Session.builder.appName("sharebroker mask run")
    session = (builder if master == SUBMITTED else builder.master(master)).getOrCreate()
    for name, value in _SETTINGS.items():
        session.conf.set(name, value)
    try:
        yield session
    finally:
        session.stop()


def _spark_schema(schema: pa.Schema) -> StructType:
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema)


def _read(frame: DataFrame, masker: Masker) -> list[Column]:
    """The columns that are read, in order, under names without need of quotes: Spark forgets those."""
    quoted = ["`" + name.replace("`", "``") + "`" for name in masker.columns]
    return [frame[name].alias(f"c{number}") for number, name in enumerate(quoted)]


def _place(path: Path) -> str:
    """A path in which nothing is a pattern."""
    return "file:" + re.sub(r"([\\*?\[\]{}])", r"\\\1", str(path))
