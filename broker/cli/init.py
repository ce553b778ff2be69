"""``sharebroker init``: a city of one's own, ready to serve."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from broker.approve.shapes import NAME
from broker.cli.city_files import AUTHORITY, city_files
from broker.errors import SetUpError
from broker.formats import FORMATS
from broker.keys.authority import DEFAULT_DAYS
from broker.keys.spiffe import is_id

DEPARTMENTS = ("civil_affairs=民政局", "housing_fund=住房公积金管理中心")


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="新目录，应为空 / a new or empty folder")],
    city: Annotated[
        str, typer.Option(help="城市标识（证书信任域）/ id of the city, its trust domain")
    ] = "mycity",
    title: Annotated[str, typer.Option(help="城市名称 / name of the city")] = "我的城市",
    region: Annotated[str, typer.Option(help="行政区划代码 / GB/T 2260 code")] = "990100",
    department: Annotated[
        list[str] | None,
        typer.Option(metavar="ID=TITLE", help="部门，可重复 / a department, repeatable"),
    ] = None,
) -> None:
    """新建一座自己的城市：策略、密钥、证书、数据库 / set up a city of your own: policies, keys, database."""
    departments = _departments(department or DEPARTMENTS)
    _check(folder, city, title, region)

    # Databases, cryptography and gRPC are loaded by this command only.
    from adapters.masking.registry import load_operators
    from broker.scaffold import Home, Plan, furnish
    from broker.server.bundles import checked_bundle
    from broker.settings import Masking

    home = Home(folder.resolve())
    policies = home.folder / "policies"
    _write(policies, city_files(city, title, region, departments))
    (home.folder / "data").mkdir()
    checked_bundle(policies, load_operators(Masking().allowed))
    origin = f"{city}.example/sharebroker/log"
    furnish(home, Plan(f"{title} / {city}", city, origin, "policies", departments, DEFAULT_DAYS))
    _say(folder, departments)


def _departments(written: Iterable[str]) -> dict[str, str]:
    """Id → title; the authority first, added where it was not named."""
    departments = {AUTHORITY: "政务数据管理局"}
    for one in written:
        name, _, title = one.partition("=")
        if not NAME.fits(name) or not is_id(name) or not title.strip():
            raise SetUpError(
                "--department 须写作 编号=名称，编号用小写字母、数字、下划线，如 tax=税务局。",
                "Write --department as id=title; ids are lower case, digits and _, e.g. tax=Tax bureau.",
            )
        departments[name] = title.strip()
    if len(departments) < 2:
        raise SetUpError(
            "除主管部门外至少要有一个部门。", "Name at least one department beside the authority."
        )
    return departments


def _check(folder: Path, city: str, title: str, region: str) -> None:
    if not is_id(city):
        raise SetUpError(
            "--city 以小写字母开头，只用小写字母、数字和 _ -。",
            "--city begins with a lower case letter; lower case, digits, _ and - only.",
        )
    if not title.strip() or not title.isprintable():
        raise SetUpError("--title 须为一行文字。", "--title must be one line of text.")
    if not FORMATS["region"].matches(region):
        raise SetUpError("--region 须为六位行政区划代码。", "--region must be a six-digit GB/T 2260 code.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise SetUpError(
            f"{folder} 已有内容，未作改动；请换一个空目录。",
            f"{folder} is not empty, nothing was changed; name an empty folder.",
        )


def _write(folder: Path, files: Mapping[str, str]) -> None:
    try:
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, "utf-8")
    except OSError as error:
        raise SetUpError(
            f"无法写入 {folder}（{error.strerror}）。", f"{folder} cannot be written ({error.strerror})."
        ) from None


def _say(folder: Path, departments: Mapping[str, str]) -> None:
    provider = next(name for name in departments if name != AUTHORITY)
    typer.echo(f"已建好 {folder}：策略、密钥、证书、数据库。{folder} is ready: policies, keys, database.")
    typer.echo(
        "！！仅供开发：证书管理机构的私钥就在 pki/ 里，正式使用前须换成单独保管的机构（docs/identity.md）。"
    )
    typer.echo(
        "!! DEVELOPMENT ONLY: the authority's key lies in pki/; use one kept apart before real service."
    )
    typer.echo("！！主密钥 keys/master.key 与密钥文件放在一起：正式使用前请移到别处（docs/keys.md）。")
    typer.echo(
        "!! The master key keys/master.key lies beside the keyring: move it elsewhere before real service."
    )
    typer.echo("接下来 / next:")
    typer.echo(f"  cd {folder}")
    typer.echo(f"  sharebroker catalog import <FILE|URL> --department {provider} --name my_table")
    typer.echo("  sharebroker serve")
