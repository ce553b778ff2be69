"""Run by a test in a process of its own: the same job on a Spark cluster of two workers."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from adapters.masking.registry import load_operators
from broker.bulk.inputs import find_inputs
from broker.bulk.plan import read_plan
from broker.bulk.recipe import recipe_of
from broker.bulk.run import Job
from broker.bulk.spark import SUBMITTED, masked, run
from broker.cli.mask.run import opened_keyring, progress, signer_in
from broker.settings import Masking

CLUSTER = "local-cluster[2,1,512]"


def main(folder: Path, keyring: Path, identity: Path) -> None:
    os.environ["PYSPARK_PYTHON"] = sys.executable
    from pyspark.sql import SparkSession

    operators = load_operators(Masking().allowed)
    plan = read_plan(folder / "plan.yaml", operators)
    recipe = recipe_of(plan, operators, opened_keyring(keyring, Path()))
    job = Job(plan, recipe, find_inputs(folder / "in"), folder / "spark", signer_in(identity))
    session = (
        SparkSession.builder.master(CLUSTER)
        .config("spark.executor.memory", "512m")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.files.maxPartitionBytes", 20_000)  # so that both workers have parts of one file
        .getOrCreate()
    )
    frame = session.read.parquet(str(folder / "in" / "a.parquet"))
    print("columns", *masked(frame, recipe).columns)
    print("rows", masked(frame, recipe).count())
    print("parts", frame.rdd.getNumPartitions())
    print("executors", len(session.sparkContext._jsc.sc().statusTracker().getExecutorInfos()) - 1)
    with progress() as report:
        print("released", run(job, SUBMITTED, report)["rows"]["released"])


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
