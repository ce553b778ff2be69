"""``sharebroker mask run``: mask files of any size by a plan."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer

from broker.cli.connection import Folder, Json
from broker.cli.policy.bundles import DEFAULT_CONFIG, Config, operators
from broker.settings import load_settings

if TYPE_CHECKING:
    from broker.bulk.manifest import Manifest, Signer
    from broker.bulk.run import Job, Progress
    from broker.keys.keyring import Keyring

EXIT_REFUSED = 1
Plan = Annotated[Path, typer.Argument(metavar="PLAN", help="脱敏计划（YAML） / mask plan")]
Keys = Annotated[
    Path | None, typer.Option("--keyring", help="密钥文件，缺省取自配置 / keyring; else the settings'")
]


def run(
    plan: Plan,
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="Parquet 或 CSV 文件，或其目录 / file, or folder of files")
    ],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="输出目录，不得已存在 / folder; must not exist")],
    identity: Folder,
    keyring: Keys = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="进程数，缺省为核数 / processes; by default one a core")
    ] = None,
    spark: Annotated[
        str | None,
        typer.Option(
            metavar="MASTER",
            help="由 Spark 处理，如 spark://host:7077；在 spark-submit 中写 submit / by this Spark",
        ),
    ] = None,
    csv: Annotated[bool, typer.Option("--csv", help="输出 CSV / write CSV")] = False,
    config: Config = DEFAULT_CONFIG,
    as_json: Json = False,
) -> None:
    """按计划整批脱敏文件并签署清单，中断后可接着做 / mask files, resumable, signed manifest."""
    from broker.bulk import run as bulk
    from broker.bulk.gate import Refused
    from broker.bulk.inputs import find_inputs
    from broker.bulk.outputs import Form
    from broker.bulk.plan import read_plan
    from broker.bulk.recipe import recipe_of
    from broker.keys.wrapping import VARIABLE

    allowed = operators(config)
    read = read_plan(plan, allowed)
    opened = opened_keyring(keyring, config)
    os.environ.pop(VARIABLE, None)  # it has done its work, and those who mask would inherit it
    job = bulk.Job(
        plan=read,
        recipe=recipe_of(read, allowed, opened),
        inputs=find_inputs(source, read.encoding),
        out=out,
        signer=signer_in(identity),
        form=Form.CSV if csv else Form.PARQUET,
        workers=workers or bulk.cores(),
    )
    try:
        with progress() as report:
            manifest = bulk.run(job, report) if spark is None else on_spark(job, spark, report)
    except Refused as refused:
        typer.echo(f"{refused.zh}\n{refused.en}", err=True)
        raise typer.Exit(EXIT_REFUSED) from None
    except KeyboardInterrupt:
        typer.echo("做完的部分还在，再次运行同一命令会接着做。", err=True)
        typer.echo("What is finished stays; the same command goes on from there.", err=True)
        raise
    typer.echo(orjson.dumps(manifest).decode() if as_json else f"已写入 / written: {out}")
    if not as_json:
        tell(manifest)


def on_spark(job: Job, master: str, report: Progress) -> Manifest:
    """As :func:`broker.bulk.run.run`, by Spark."""
    from broker.bulk.spark import run as run_on_spark

    return run_on_spark(job, master, report)


def opened_keyring(file: Path | None, config: Path) -> Keyring:
    """The keyring named, with the master key in the environment or beside it; else that of the settings.

    Raises:
        SetUpError: it cannot be read.
    """
    from broker.keys.keyring_file import KeyringFile
    from broker.keys.wrapping import master_key_of
    from broker.server.parts import keyring_of

    if file is None:
        return keyring_of(load_settings(config))
    return KeyringFile(file, lambda: master_key_of(file.parent / "master.key")).read()


def signer_in(folder: Path) -> Signer:
    """Who signs the manifest.

    Raises:
        SetUpError: a file of the identity is missing, or its key open to others.
    """
    from broker.bulk.manifest import Signer
    from broker.client import Credentials

    credentials = Credentials.load(folder)
    return Signer(credentials.private_key(), credentials.chain[0])


def tell(manifest: Manifest) -> None:
    """What was masked, for people."""
    rows, gate = manifest["rows"], manifest["k_anonymity"]
    typer.echo(f"  文件 files: {len(manifest['outputs'])}  行 rows: {rows['read']:,} → {rows['released']:,}")
    masks = ", ".join(f"{name} {one['operator']}@{one['version']}" for name, one in manifest["masks"].items())
    typer.echo(f"  脱敏 masks: {masks}")
    for one in manifest["outputs"]:
        if one["bad"]:
            counts = ", ".join(f"{name} {count:,}" for name, count in one["bad"].items())
            typer.echo(
                f"  {one['name']}: 不合类型或格式的值已置空 / values of another type, now empty: {counts}"
            )
    if gate:
        gone = gate["suppressed"]["rows"]
        typer.echo(
            f"  k-匿名 k-anonymity: k={gate['k']}，{gate['classes']:,} 组 classes，删去 suppressed {gone:,}"
        )
    typer.echo(f"  签署 signed by: {manifest['signer']}  {manifest['masked_at']}")


@contextmanager
def progress() -> Iterator[Progress]:
    """Where a run tells how far it is: a bar on a terminal, else a line for each tenth."""
    if sys.stderr.isatty():
        with _Bar() as bar:
            yield bar
    else:
        yield _Lines()


class _Lines:
    """Plain lines on standard error."""

    def __init__(self) -> None:
        self._parts = self._done = self._rows = 0

    def looked(self, parts: int) -> None:
        self._parts = parts
        self._print(f"已查看输入文件，共 {parts:,} 段 / looked at the input: {parts:,} parts")

    def masked(self, rows: int) -> None:
        before = self._done * 10 // self._parts
        self._done, self._rows = self._done + 1, self._rows + rows
        if (tenths := self._done * 10 // self._parts) > before:
            self._print(f"{tenths * 10} %  {self._rows:,} 行 rows")

    def _print(self, line: str) -> None:
        typer.echo(line, err=True)


class _Bar:
    """A bar on standard error."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), transient=True)
        self._rows = 0

    def __enter__(self) -> _Bar:
        self._bar.start()
        self._task = self._bar.add_task("查看输入 looking", total=None)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def looked(self, parts: int) -> None:
        self._bar.update(self._task, total=parts, description="脱敏 masking")

    def masked(self, rows: int) -> None:
        self._rows += rows
        self._bar.update(self._task, advance=1, description=f"脱敏 masking，{self._rows:,} 行 rows")
