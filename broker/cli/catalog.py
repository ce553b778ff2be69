"""``sharebroker catalog import``: a draft of the catalog from the table that a department has."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from broker.approve.shapes import NAME
from broker.errors import SetUpError
from broker.keys.authority import write_public_file
from broker.keys.files import write_private_file
from broker.settings import Settings, load_settings

if TYPE_CHECKING:
    from broker.importing.directory import Resource
    from broker.importing.drafting import Asked, Drafted
    from broker.importing.opening import Wanted
    from broker.importing.survey import Column
    from broker.model import Catalog

app = typer.Typer(help="数据目录 / the catalog", no_args_is_help=True)
DRAFTS = "drafts"
"""Folder for entries that have no source yet: beside the policies, so that no broker reads them."""


@app.callback()
def catalog() -> None:
    """数据目录 / the catalog."""


@app.command("import")
def import_(
    target: Annotated[
        str,
        typer.Argument(
            metavar="FILE|URL", help="CSV、Excel、Parquet 文件，或数据库地址 / a file or a database"
        ),
    ],
    department: Annotated[str, typer.Option(help="提供部门编号 / id of the providing department")],
    name: Annotated[str, typer.Option(help="数据资源编号 / id of the dataset")] = "",
    table: Annotated[str, typer.Option(help="数据库中的表 / table of the database")] = "",
    schema: Annotated[str, typer.Option(help="数据库模式 / schema of the table")] = "",
    sheet: Annotated[str, typer.Option(help="工作表，默认第一张 / worksheet, the first by default")] = "",
    header_row: Annotated[
        str, typer.Option(help="表头所在行，如 3 或 2-3 / row of the column names, such as 3 or 2-3")
    ] = "",
    encoding: Annotated[str, typer.Option(help="CSV 的编码 / encoding of a CSV")] = "",
    subject: Annotated[
        list[str] | None, typer.Option(help="按谁查的列，可重复 / column of the subject, repeatable")
    ] = None,
    as_of: Annotated[str, typer.Option(help="数据时点所在列 / column that dates a row")] = "",
    title: Annotated[str, typer.Option(help="数据资源名称 / title of the dataset")] = "",
    code: Annotated[str, typer.Option(help="国家目录代码 / national catalog code")] = "",
    out: Annotated[
        Path | None, typer.Option(help="改写到此目录文件 / catalog file to write to instead")
    ] = None,
    config: Annotated[Path, typer.Option("--config", "-c", help="配置文件（TOML）/ settings file")] = Path(
        "sharebroker.toml"
    ),
) -> None:
    """由表格起草目录，其中什么都不共享 / draft the catalog from a table; nothing of it is shared."""
    from broker.importing.drafting import Asked  # Arrow and the databases are loaded by this command only
    from broker.importing.opening import Wanted

    office = _Office(load_settings(config), department)
    wanted = Wanted(table, schema, sheet, header_row, encoding)
    if resources := _resources(target, wanted):
        _import_directory(office, resources, target, name, out)
        return
    asked = Asked(department, name or _name_of(target, table), title, code, tuple(subject or ()), as_of)
    if not NAME.fits(asked.name):
        raise SetUpError(
            "请用 --name 给数据资源编号：小写字母开头，只用小写字母、数字、下划线。",
            "Give the dataset an id with --name: lower case, digits and _, a letter first.",
        )
    _import_table(office, target, wanted, asked, out)


# ── one table ────────────────────────────────────────────────────────────────────────────────────


class _Office:
    """Where a department's entries go: its folder of policies as it is now."""

    def __init__(self, settings: Settings, department: str) -> None:
        from broker.server.bundles import compiler, operators_of, read_files

        self.policies = settings.path(settings.policies.folder)
        self.base = settings.path(settings.sources.folder).resolve()
        self.keys = settings.path(settings.keys.keyring).parent
        self.files = read_files(self.policies)
        self._compile = compiler(operators_of(settings))
        self.catalog: Catalog = self._compile(self.files).catalog
        self.department = department
        if department not in self.catalog.departments:
            known = ", ".join(self.catalog.departments)
            raise SetUpError(
                f"没有部门 {department}；有：{known}", f"No department {department}; there are: {known}"
            )

    @property
    def title(self) -> str:
        return self.catalog.departments[self.department].title

    def put(self, name: str, entry: str, out: Path | None) -> Path:
        """Add the dataset to the department's catalog, if the whole folder is sound with it."""
        from broker.importing.shelf import catalog_file, with_dataset

        file = catalog_file(self.department)
        if out is not None:
            content = out.read_bytes() if out.is_file() else None
            write_public_file(out, with_dataset(content, self.department, self.title, name, entry))
            return out
        content = with_dataset(self.files.get(file), self.department, self.title, name, entry)
        self._compile({**self.files, file: content})
        path = self.policies / file
        path.parent.mkdir(exist_ok=True)
        write_public_file(path, content)
        return path


def _import_table(office: _Office, target: str, wanted: Wanted, asked: Asked, out: Path | None) -> None:
    from broker.importing.drafting import draft_table
    from broker.importing.opening import without_password

    password = without_password(target)[1] if "://" in target else ""
    secret = office.keys.resolve() / f"{asked.department}-{asked.name}.password"
    pointer = os.path.relpath(secret, office.base) if password else ""
    drafted = draft_table(target, wanted, asked, office.catalog, office.base, date.today(), pointer)
    _report(drafted, office.catalog.levels)
    path = office.put(asked.name, drafted.entry, out)
    if password:
        office.keys.mkdir(mode=0o700, exist_ok=True)
        write_private_file(secret, password.encode() + b"\n")
        typer.echo(f"密码另存于 {secret}，目录中没有。The password is in {secret}, not in the catalog.")
    typer.echo(f"已写入 {path}：{asked.department}.{asked.name}。草稿，所有数据项都不共享。")
    typer.echo(f"Written to {path}: {asked.department}.{asked.name}, a draft; no field of it is shared.")
    typer.echo(
        "接下来 / next: 核对此文件，在 sharing/ 写规则 / check the file, write a rule in sharing/, then"
    )
    typer.echo("  sharebroker serve                    # 首次 · the first time")
    typer.echo("  sharebroker policy publish policies  # 服务已在运行 · while it runs")


def _name_of(target: str, table: str) -> str:
    """The table's or file's own name, where it can be an id."""
    return re.sub("[ -]+", "_", (table if "://" in target else Path(target).stem).lower())


def _report(drafted: Drafted, levels: Sequence[str]) -> None:
    more = "" if drafted.is_complete else "（只数到这里）"
    width = len(drafted.columns)
    typer.echo(f"读了 {drafted.rows} 行 {width} 列{more}。{drafted.rows} rows, {width} columns.")
    for note in drafted.notes:
        typer.echo(f"  {note.zh} · {note.en}")
    for column in drafted.columns:
        _report_column(column, levels)
    roles = drafted.roles
    typer.echo(f"  按谁查 subject: {', '.join(roles.subjects)} ({roles.subject_format})")
    typer.echo(f"  数据时点 as of: {roles.as_of}　辖区 region: {roles.region or '—'}")


def _report_column(column: Column, levels: Sequence[str]) -> None:
    kind = f"{column.guess.type} {column.guess.format}".strip()
    level = column.care.level(levels)
    typer.echo(f"  {column.name} → {column.field}: {kind}, {level}　{column.guess.zh} · {column.guess.en}")
    count = column.count
    if count.odd:
        typer.echo(f"    ! {count.values} 行中 {count.odd} 行异常 · {count.odd} odd of {count.values}")
    if count.rounded:
        typer.echo(f"    ! {count.rounded} 个长号码被表格软件舍入，不可信，请按文本重新导出")
        typer.echo(f"    ! {count.rounded} long numbers were rounded by a spreadsheet: export them as text")


# ── a catalog in Excel ───────────────────────────────────────────────────────────────────────────


def _resources(target: str, wanted: Wanted) -> list[Resource]:
    from broker.importing.directory import resources_of
    from broker.importing.opening import few_rows

    return [] if "://" in target else resources_of(few_rows(Path(target), wanted)) or []


def _import_directory(
    office: _Office, resources: Sequence[Resource], target: str, prefix: str, out: Path | None
) -> None:
    from broker.importing.directory import columns_of, heading_of, roles_in
    from broker.importing.draft import dataset_text
    from broker.importing.shelf import with_dataset

    path = out or office.policies.parent / DRAFTS / f"{office.department}.yaml"
    content = path.read_bytes() if path.is_file() else None
    typer.echo(
        f"这是一份目录，有 {len(resources)} 个数据资源。A catalog that describes {len(resources)} datasets."
    )
    for number, resource in enumerate(_of_department(resources, office.title), 1):
        name = f"{prefix or 'dataset'}_{number}"
        heading = heading_of(resource, office.department, name, f"{Path(target).name}，{date.today()}")
        columns = columns_of(resource, office.catalog.levels)
        source = {"kind": "todo"}
        entry = dataset_text(heading, columns, roles_in(columns), source, office.catalog.levels)
        content = with_dataset(content, office.department, office.title, name, entry)
        typer.echo(f"  {resource.title} → {name}: {len(columns)} 个数据项 · {len(columns)} fields")
    if content is not None:
        path.parent.mkdir(exist_ok=True)
        write_public_file(path, content)
    typer.echo(
        f"已写入 {path}：草稿，服务不读它。补上 todo 处（来源、按谁查、数据时点）后移入 policies/catalog/。"
    )
    typer.echo(
        f"Written to {path}, which no broker reads. Fill in every todo, then move it to policies/catalog/."
    )


def _of_department(resources: Sequence[Resource], title: str) -> Sequence[Resource]:
    """Those that name the department, if any does: a city's catalog lists everybody's."""
    own = [resource for resource in resources if title in resource.provider]
    return own or resources
