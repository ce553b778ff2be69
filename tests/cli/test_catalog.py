"""``sharebroker catalog import`` as an office uses it."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import xlsxwriter
from typer.testing import CliRunner, Result

from adapters.sources.sql import SqlSource
from broker.approve.bundle import load_bundle
from broker.cli.main import app
from broker.errors import SetUpError

IDS = ("990101189901010015", "990101189901010023")
TABLE = f"姓名,身份证号,电话,健康状况\n欧阳锋,{IDS[0]},15400000001,良好\n李四,'{IDS[1]},0571-1,\n"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("city") / "mine"
    done = CliRunner().invoke(app, ["init", str(folder)])
    assert done.exit_code == 0, done.exception
    return folder


@pytest.fixture
def city(pristine: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new city's policies, settings and empty data folder; the command runs there."""
    (tmp_path / "data").mkdir()
    for file in pristine.joinpath("policies").rglob("*.yaml"):
        target = tmp_path / file.relative_to(pristine)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.read_bytes())
    (tmp_path / "sharebroker.toml").write_bytes((pristine / "sharebroker.toml").read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["catalog", "import", *map(str, arguments)])


def done(*arguments: object) -> str:
    result = run(*arguments)
    assert result.exit_code == 0, result.exception
    return result.output


def failure(*arguments: object) -> SetUpError:
    error = run(*arguments).exception
    assert isinstance(error, SetUpError), error
    assert error.zh != error.en
    return error


def table(city: Path, name: str = "relief.csv", content: str = TABLE) -> Path:
    (city / "data" / name).write_text(content, "utf-8")
    return city / "data" / name


FOR = ("--department", "civil_affairs")


def test_a_table_becomes_a_draft_that_loads(city: Path) -> None:
    """What was recognised and why is said with counts; the entry stands in the department's catalog."""
    said = done(table(city), *FOR)
    assert "2 rows, 5 columns" in said
    assert "身份证号 → resident_id: text resident_id, L3" in said
    assert "健康状况 → health: text, L4" in said
    assert "1 cells with blanks, apostrophes" in said
    assert "subject: resident_id (resident_id)" in said
    dataset = load_bundle(city / "policies", lambda f, m: None).catalog.datasets["civil_affairs.relief"]
    assert not any(field.shared for field in dataset.fields.values())
    assert dataset.source.options["path"] == "relief.csv"
    assert "sharebroker serve" in said
    assert "sharebroker policy publish policies" in said


def test_no_value_is_ever_printed(city: Path) -> None:
    """Neither in the report nor in the draft."""
    said = done(table(city), *FOR)
    written = (city / "policies/catalog/civil_affairs.yaml").read_text("utf-8")
    for value in ("欧阳锋", *IDS, "15400000001", "0571", "良好"):
        assert value not in said + written


def test_a_second_dataset_goes_beside_the_first(city: Path) -> None:
    """Comments and edits of the officer stay; the same name twice is refused."""
    done(table(city), *FOR)
    path = city / "policies/catalog/civil_affairs.yaml"
    edited = path.read_bytes().replace(b"    title:", "    # 王科长核对过\n    title:".encode())
    path.write_bytes(edited)
    assert "nothing was changed" in failure(table(city), *FOR).en
    assert path.read_bytes() == edited
    done(table(city), *FOR, "--name", "relief_2", "--title", "第二份", "--code", "990100-MZ-9")
    assert path.read_bytes().startswith(edited)
    datasets = load_bundle(city / "policies", lambda f, m: None).catalog.datasets
    assert datasets["civil_affairs.relief_2"].title == "第二份"
    assert datasets["civil_affairs.relief_2"].catalog_code == "990100-MZ-9"


def test_a_draft_that_would_not_load_is_not_written(city: Path) -> None:
    """A catalog code that another department has is told with its place, and nothing changes."""
    done(table(city), *FOR, "--code", "X-1")
    before = sorted((city / "policies").rglob("*"))
    assert "TWO_SOURCES" in failure(table(city), "--department", "housing_fund", "--code", "X-1").en
    assert sorted((city / "policies").rglob("*")) == before


def test_elsewhere(city: Path) -> None:
    """With ``--out`` the draft goes to a file of its own; a table outside the data folder is named whole."""
    (city / "elsewhere.csv").write_text(TABLE, "utf-8")
    done("elsewhere.csv", *FOR, "--out", "draft.yaml")
    assert f'path: "{city}/elsewhere.csv"' in (city / "draft.yaml").read_text("utf-8")
    assert not (city / "policies/catalog/civil_affairs.yaml").exists()


def test_mistakes(city: Path) -> None:
    """Each says what to do."""
    path = table(city)
    assert "there are: data_authority" in failure(path, "--department", "nobody").en
    assert "--name" in failure(table(city, "名单.csv"), *FOR).en
    assert "--name" in failure(path, *FOR, "--name", "Relief").en
    assert "No such file" in failure("none.csv", *FOR, "--name", "x").en
    assert "Settings file" in failure(path, *FOR, "--config", "none.toml").en
    assert "Not a database URL" in failure("my sql://x", *FOR, "--name", "x").en


def test_a_password_goes_into_a_file_of_its_own(city: Path, new_mariadb_url) -> None:  # type: ignore[no-untyped-def]
    """The catalog names the file; the broker's source finds it there."""
    import sqlalchemy as sa

    url = sa.make_url(new_mariadb_url())
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE jz (sfzh VARCHAR(18), gxsj DATETIME)")
        connection.exec_driver_sql(f"INSERT INTO jz VALUES ('{IDS[0]}', NOW())")
        connection.exec_driver_sql("CREATE USER reader@localhost IDENTIFIED BY 's3cret:/'")
        connection.exec_driver_sql(f"GRANT SELECT ON {url.database}.* TO reader@localhost")
    engine.dispose()
    secret = url.set(username="reader", password="s3cret:/").render_as_string(hide_password=False)
    said = done(secret, *FOR, "--table", "jz")
    written = (city / "policies/catalog/civil_affairs.yaml").read_text("utf-8")
    assert "s3cret" not in said + written
    path = city / "keys" / "civil_affairs-jz.password"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    dataset = load_bundle(city / "policies", lambda f, m: None).catalog.datasets["civil_affairs.jz"]
    source = SqlSource(dataset.source.options, str(city / "data"))
    assert list(source.columns()) == ["sfzh", "gxsj"]
    source.close()


def test_a_catalog_in_excel_becomes_drafts(city: Path) -> None:
    """They lie apart, so that the broker starts as before; another department's datasets are left out."""
    with xlsxwriter.Workbook(city / "目录.xlsx") as book:
        sheet = book.add_worksheet()
        for i, row in enumerate(
            [
                ["信息资源名称", "提供单位", "数据项", "数据格式", "更新频率", "共享属性"],
                ["婚姻登记", "民政局", "身份证号、登记日期", "", "每日", "有条件共享"],
                ["户籍", "公安局", "身份证号", "", "每日", "有条件共享"],
            ]
        ):
            sheet.write_row(i, 0, row)
    said = done("目录.xlsx", *FOR)
    assert "A catalog that describes 2 datasets" in said
    assert "婚姻登记 → dataset_1: 2" in said
    assert "户籍" not in said
    assert 'catalog_code: "DRAFT-civil_affairs-dataset_1"' in (city / "drafts/civil_affairs.yaml").read_text(
        "utf-8"
    )
    assert not load_bundle(city / "policies", lambda f, m: None).catalog.datasets
    assert "nothing was changed" in failure("目录.xlsx", *FOR).en
    done("目录.xlsx", *FOR, "--name", "again")


def test_help_is_bilingual() -> None:
    """Every command explains itself in Chinese and English."""
    for command in (["catalog", "import", "--help"], ["init", "--help"]):
        text = CliRunner().invoke(app, command).output
        assert any("\u4e00" <= character <= "\u9fff" for character in text)
        assert "catalog" in text or "city" in text
