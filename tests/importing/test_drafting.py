"""Real-world dirt: each is recognised, said, and served afterwards from the very same file."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet
import pytest
import sqlalchemy as sa
import xlsxwriter

from adapters.sources.contract import Query, Source
from adapters.sources.registry import load_sources
from broker.approve.bundle import bundle_of
from broker.approve.problem import PolicyProblems
from broker.errors import SetUpError
from broker.importing.drafting import Drafted, draft_table
from broker.importing.opening import Wanted, without_password
from broker.importing.shelf import with_dataset
from broker.model import Catalog, Dataset
from broker.transmit.quality import check

ZONE = ZoneInfo("Asia/Shanghai")
IDS = ("990101189901010015", "990101189901010023", "99010118990101004X")
Draft = Callable[..., Drafted]

BASE = {
    "city.yaml": "format: share-city/v1\ncity: xinghe\ntitle: 星河市\nzone: Asia/Shanghai\n"
    "levels: [L1, L2, L3, L4]\n",
    "departments.yaml": "format: share-departments/v1\ndepartments:\n"
    "  civil_affairs: {title: 民政局, title_en: CA, kind: government, region: '990100', sharing_office: x}\n",
    "service-items.yaml": "format: share-service-items/v1\npurposes: {p: x}\n"
    "service_items: {A-1: {title: x, department: civil_affairs, purpose: p}}\n",
}


def loaded(drafted: Drafted, rule: str = "") -> Dataset:
    """The drafted dataset as a broker would load it."""
    catalog = with_dataset(None, "civil_affairs", "民政局", "it", drafted.entry)
    files = {name: text.encode() for name, text in BASE.items()} | {"catalog/civil_affairs.yaml": catalog}
    if rule:
        files["sharing/it.yaml"] = rule.encode()
    return bundle_of(files, lambda *_: None).catalog.datasets["civil_affairs.it"]


def opened(dataset: Dataset, folder: Path) -> Source:
    kind = dataset.source.kind
    return load_sources((kind,))[kind](dataset.source.options, str(folder))


def served(drafted: Drafted, folder: Path, *subjects: str) -> tuple[list[dict[str, Any]], int]:
    """Sound rows about ``subjects`` (all for none) before masking, and how many bad ones there are."""
    dataset = loaded(drafted)
    columns = dataset.source.columns
    query = Query(columns, [columns[name] for name in dataset.subject_fields], subjects)
    with closing(opened(dataset, folder)) as source:
        checked = [check(batch, dataset, ZONE) for batch in source.read(query, 1000)]
    rows = [row for one in checked for row in one.good().to_pylist()]
    return rows, sum(one.bad for one in checked)


def names(drafted: Drafted) -> list[str]:
    return [column.name for column in drafted.columns]


def said(drafted: Drafted) -> str:
    return " ".join(note.en for note in drafted.notes)


def workbook(path: Path, *rows: list[Any]) -> None:
    options = {"default_date_format": "yyyy-mm-dd"}
    with xlsxwriter.Workbook(path, options) as book:
        sheet = book.add_worksheet("名单")
        for i, row in enumerate(rows):
            sheet.write_row(i, 0, row)


# ── files ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_encodings(draft: Draft, tmp_path: Path, encoding: str) -> None:
    """Legacy exports and byte order marks are read for what they say, and the same again when served."""
    drafted = draft("t.csv", f"姓名,身份证号\n张三丰,{IDS[0]}\n".encode(encoding))
    assert names(drafted) == ["姓名", "身份证号", "文件时间"]
    ((row,), bad) = served(drafted, tmp_path, IDS[0])
    assert (row["name"], row["resident_id"], bad) == ("张三丰", IDS[0], 0)
    legacy = {"gbk": "gb18030", "utf-8": None, "utf-8-sig": None}.get(encoding, encoding)
    assert drafted.source.get("encoding") == legacy


def test_damaged_characters_spoil_their_own_row(draft: Draft, tmp_path: Path) -> None:
    """A file cut and glued from two encodings is served, and says how much of it is lost."""
    content = f"姓名,身份证号\n李四,{IDS[1]}\n".encode() + "张三".encode("gbk") + f",{IDS[0]}\n".encode()
    drafted = draft("t.csv", content)
    assert "damaged characters" in said(drafted)
    rows, bad = served(drafted, tmp_path)
    assert ([row["name"] for row in rows], bad) == (["李四"], 1)


def test_a_plain_file_needs_no_options(draft: Draft, tmp_path: Path) -> None:
    """A regular CSV is left to the fast reader."""
    drafted = draft("t.csv", f"sfzh,gxsj\n{IDS[0]},2026-11-01 08:00:00\n")
    assert dict(drafted.source) == {"kind": "files", "path": "t.csv", "format": "csv"}
    assert drafted.roles.as_of == "gxsj"
    assert served(drafted, tmp_path, IDS[0])[1] == 0


def test_titles_and_merged_headers(draft: Draft, tmp_path: Path) -> None:
    """Names over two rows are joined, and the title above becomes the dataset's."""
    drafted = draft(
        "t.csv", f"婚姻登记表,,,\n男方,,女方,\n姓名,身份证号,姓名,身份证号\n张三,{IDS[0]},李四,{IDS[1]}\n"
    )
    assert names(drafted)[:4] == ["男方_姓名", "男方_身份证号", "女方_姓名", "女方_身份证号"]
    assert drafted.source["header_row"] == "2-3"
    assert drafted.roles.subjects == ("husband_resident_id", "wife_resident_id")
    assert loaded(drafted).title == "婚姻登记表"
    for subject in IDS[:2]:
        assert served(drafted, tmp_path, subject)[0][0]["husband_name"] == "张三"


def test_merged_cells_of_a_workbook(draft: Draft, tmp_path: Path) -> None:
    """The same in Excel, where a merged cell holds its text once."""
    with xlsxwriter.Workbook(tmp_path / "t.xlsx") as book:
        sheet = book.add_worksheet()
        sheet.merge_range(0, 0, 0, 2, "登记表")
        sheet.merge_range(1, 0, 1, 1, "申请人")
        sheet.merge_range(1, 2, 2, 2, "登记日期")
        sheet.write_row(2, 0, ["姓名", "身份证号"])
        sheet.write_row(3, 0, ["张三", IDS[0]])
        sheet.write_datetime(3, 2, datetime(2026, 1, 3), book.add_format({"num_format": "yyyy-mm-dd"}))
    drafted = draft("t.xlsx")
    assert names(drafted)[:3] == ["申请人_姓名", "申请人_身份证号", "登记日期"]
    ((row,), bad) = served(drafted, tmp_path, IDS[0])
    assert (row["registered_on"], bad) == (date(2026, 1, 3), 0)


def test_apostrophes_and_full_width_digits(draft: Draft, tmp_path: Path) -> None:
    """Whoever is asked for is found, however the id was typed."""
    wide = IDS[1].translate({ord(c): ord(c) + 0xFEE0 for c in "0123456789"})
    drafted = draft("t.csv", f"姓名,身份证号\n张三,'{IDS[0]}\n李四,{wide}\n王五,{IDS[2]}\t\n")
    assert drafted.source["tidy"] == "true"
    assert "3 cells" in said(drafted)
    for subject in IDS:
        rows, bad = served(drafted, tmp_path, subject)
        assert ([row["resident_id"] for row in rows], bad) == ([subject], 0)


def test_blank_rows_and_totals(draft: Draft, tmp_path: Path) -> None:
    """They are no rows, so they are neither released nor bad; how many there were is said."""
    drafted = draft(
        "t.csv", f"姓名,身份证号,金额\n张三,{IDS[0]},1\n,,\n李四,{IDS[1]},2\n合计,,3\n制表人：王五,,\n"
    )
    assert drafted.rows == 2
    assert "1 blank rows left out" in said(drafted)
    assert "2 rows of totals" in said(drafted)
    rows, bad = served(drafted, tmp_path)
    assert ([row["name"] for row in rows], bad) == (["张三", "李四"], 0)


def test_repeated_and_missing_names(draft: Draft, tmp_path: Path) -> None:
    """Every column keeps a name of its own, and a data item."""
    drafted = draft("t.csv", f"姓名,姓名,,身份证号\n张三,三儿,x,{IDS[0]}\n")
    assert names(drafted)[:4] == ["姓名", "姓名_2", "第3列", "身份证号"]
    assert [column.field for column in drafted.columns[:4]] == ["name", "name_2", "field_3", "resident_id"]
    assert served(drafted, tmp_path, IDS[0])[0][0]["name_2"] == "三儿"


def test_dates_amounts_and_truths(draft: Draft, tmp_path: Path) -> None:
    """Mixed spellings of one column become one type, in full."""
    lines = ['2026/1/3,是,"1,200.00"', "2026年1月4日,否,800", "20260105,是,7.5", '2026.01.06,否,"12,345"']
    rows = "".join(f"{IDS[i % 3]},{line}\n" for i, line in enumerate(lines))
    drafted = draft("t.csv", f"身份证号,登记日期,是否在领,金额\n{rows}")
    kinds = {column.field: str(column.guess.type) for column in drafted.columns}
    assert kinds["registered_on"] == "date"
    assert (kinds["flag"], kinds["amount"]) == ("boolean", "decimal")
    given, bad = served(drafted, tmp_path)
    assert bad == 0
    assert [row["registered_on"].day for row in given] == [3, 4, 5, 6]
    assert [row["amount"] for row in given] == ["1200.00", "800", "7.5", "12345"]
    assert [row["flag"] for row in given] == [True, False, True, False]


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
def test_ids_that_a_spreadsheet_rounded(draft: Draft, tmp_path: Path, kind: str) -> None:
    """They cannot be mended: they are counted, and whoever they may be about is doubtful and not absent."""
    rows = [["姓名", "身份证号"], ["张三", IDS[0]], ["李四", float(IDS[1])], ["王五", IDS[2]]]
    if kind == "xlsx":
        workbook(tmp_path / "t.xlsx", *rows)
        drafted = draft("t.xlsx")
    else:
        rows[2][1] = "9.90101E+17"
        drafted = draft("t.csv", "".join(f"{','.join(map(str, row))}\n" for row in rows))
    counted = drafted.columns[1].count
    assert (counted.odd, counted.rounded) == (1, 1)
    assert "已不可信" in drafted.entry
    assert served(drafted, tmp_path, IDS[1]) == ([], 1)  # a bad row: 存疑
    assert served(drafted, tmp_path, "990102189901010011") == ([], 0)  # of another place: 无


def test_a_column_of_rounded_ids_is_refused(draft: Draft, tmp_path: Path) -> None:
    """Nobody could be found by it: it must be exported again."""
    workbook(tmp_path / "t.xlsx", ["姓名", "身份证号"], ["张三", float(IDS[0])], ["李四", float(IDS[1])])
    with pytest.raises(SetUpError) as refusal:
        draft("t.xlsx")
    assert "身份证号" in refusal.value.en
    assert "export them as text" in refusal.value.en


def test_sheets_of_a_workbook(draft: Draft, tmp_path: Path) -> None:
    """Of several the first is read, is named in the catalog, and the others are told."""
    with xlsxwriter.Workbook(tmp_path / "t.xlsx") as book:
        for name in ("2025年", "2026年"):
            book.add_worksheet(name).write_row(0, 0, ["身份证号", "姓名"])
            book.get_worksheet_by_name(name).write_row(1, 0, [IDS[0], name])
    first = draft("t.xlsx")
    assert first.source["sheet"] == "2025年"
    assert "2026年" in said(first)
    second = draft("t.xlsx", wanted=Wanted(sheet="2026年"))
    assert served(second, tmp_path, IDS[0])[0][0]["name"] == "2026年"


def test_parquet(draft: Draft, tmp_path: Path) -> None:
    """Types come from the file; ids are still known by their values."""
    table = pa.table({"sfzh": IDS, "je": [1.5, None, 2.0], "gxsj": [datetime(2026, 11, 1)] * 3})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    drafted = draft("t.parquet")
    assert (drafted.roles.subjects, drafted.roles.as_of) == (("sfzh",), "gxsj")
    assert served(drafted, tmp_path, IDS[1])[0][0]["je"] is None


def test_a_file_without_update_times_is_as_old_as_itself(draft: Draft, tmp_path: Path) -> None:
    """Its modification time dates its rows, in a column that the source adds."""
    drafted = draft("t.csv", f"身份证号,文件时间\n{IDS[0]},x\n")
    assert drafted.source["modified_column"] == "文件时间_2"
    ((row,), _) = served(drafted, tmp_path, IDS[0])
    assert row[drafted.roles.as_of].timestamp() == pytest.approx((tmp_path / "t.csv").stat().st_mtime, abs=1)
    with closing(opened(loaded(drafted), tmp_path)) as source:
        assert source.newest("文件时间_2") == row[drafted.roles.as_of]


@pytest.mark.parametrize(
    ("content", "wanted", "expected"),
    [
        ("1,2\n3,4\n", Wanted(), "--header-row"),
        ("", Wanted(), "is empty"),
        (f"身份证号;姓名\n{IDS[0]};张三\n", Wanted(), "separated by commas"),
        ("<html><table>", Wanted(), "web page"),
        (f"身份证号,姓名\n{IDS[0]},1,2\n", Wanted(), "more cells"),
        ("身份证号,姓名\n", Wanted(), "no rows"),
        ("姓名,年龄\n张三,7\n", Wanted(), "No column holds identifiers"),
        (f"身份证号\n{IDS[0]}\n1\n2\n3\n", Wanted(), "most values are malformed"),
        (f"身份证号\n{IDS[0]}\n", Wanted(encoding="klingon"), "no such encoding"),
        (f"身份证号\n{IDS[0]}\n", Wanted(header_row="0"), "header_row"),
    ],
    ids=str,
)
def test_what_cannot_be_drafted(draft: Draft, content: str, wanted: Wanted, expected: str) -> None:
    """The refusal says what to do, in two languages, and quotes no cell."""
    with pytest.raises(SetUpError) as refusal:
        draft("t.csv", content, wanted)
    assert expected in refusal.value.en
    assert refusal.value.zh != refusal.value.en
    assert IDS[0] not in str(refusal.value)
    assert "张三" not in str(refusal.value)


def test_the_person_importing_decides(draft: Draft, tmp_path: Path) -> None:
    """A subject, a date and a header row that are named are taken, or refused with the columns there are."""
    content = f"a,b\n姓名,证号,法人证号,日期\n张三,{IDS[0]},{IDS[1]},2026-11-01\n"
    drafted = draft("t.csv", content, Wanted(header_row="2"), subjects=("法人证号",), as_of="日期")
    assert drafted.roles.subjects == ("legal_representative_number",)
    assert drafted.roles.as_of == "day"
    assert served(drafted, tmp_path, IDS[1])[1] == 0
    for asked, expected in (
        ({"subjects": ("没有",)}, "there are: 姓名"),
        ({"subjects": ("姓名",)}, "one kind of identifier"),
        ({"as_of": "姓名"}, "no dates"),
    ):
        with pytest.raises(SetUpError) as refusal:
            draft("t.csv", content, Wanted(header_row="2"), **asked)
        assert expected in refusal.value.en


# ── nothing is shared, nothing is told ───────────────────────────────────────────────────────────

RULE = """\
format: share-policy/v1
id: it-001
owner: civil_affairs
rules:
  - id: r
    effect: permit
    who: {departments: all}
    what: {dataset: civil_affairs.it, fields: FIELDS}
    why: {purposes: all, legal_basis: all}
    when: {from: "2026-01-01", until: "2027-12-31"}
    consent: {application_no: GX-1, consumer_head: 甲, provider_head: 乙}
"""


def test_no_rule_can_release_a_draft(draft: Draft) -> None:
    """Every field is closed: a rule that names one is refused, and ``all`` of them are none."""
    drafted = draft("t.csv", f"姓名,身份证号\n张三,{IDS[0]}\n")
    with pytest.raises(PolicyProblems, match="NOTHING"):
        loaded(drafted, RULE.replace("FIELDS", "all"))
    dataset = loaded(drafted)
    assert not any(field.shared for field in dataset.fields.values())
    for field in dataset.fields:
        with pytest.raises(PolicyProblems, match="FIELD_NOT_SHARED"):
            loaded(drafted, RULE.replace("FIELDS", f"[{field}]"))


def test_a_draft_holds_no_value(draft: Draft) -> None:
    """Of the table only names and counts leave it."""
    values = ["欧阳锋", IDS[0], "15400000001", "某街道一号", "8765.43", "2019-07-30", "6222021234567890"]
    drafted = draft("t.csv", f"姓名,身份证号,电话,地址,金额,出生日期,卡号\n{','.join(values)}\n")
    for value in values:
        assert value not in drafted.entry
        assert value not in repr(drafted)


def test_names_of_any_kind_are_written_so_that_they_are_read(draft: Draft) -> None:
    """Quotes, braces, full-width punctuation and words that YAML takes for others survive as titles."""
    header = '身份证号,"a: b",{x},# c,是，否,"y",null,"say ""hi""",2024年,[1],\'q,é,- d,&a'
    cells = ",".join(["x"] * (header.count(",")))
    drafted = draft("t.csv", f"{header}\n{IDS[0]},{cells}\n", Wanted(header_row="1"))
    dataset = loaded(drafted)
    assert [field.title for field in dataset.fields.values()][:-1] == names(drafted)[:-1]


# ── databases ────────────────────────────────────────────────────────────────────────────────────


def office(folder: Path, *statements: str) -> str:
    with closing(sqlite3.connect(folder / "office.db")) as database:
        for statement in statements:
            database.execute(statement)
        database.commit()
    return f"sqlite:///{folder}/office.db"


def test_a_table_of_sqlite(draft: Draft, tmp_path: Path) -> None:
    """The file is named from the data folder; pinyin initials are understood."""
    url = office(
        tmp_path,
        "CREATE TABLE hydj (nan_sfzh TEXT, nv_sfzh TEXT, hyzt TEXT, djrq TEXT, gxsj TEXT)",
        f"INSERT INTO hydj VALUES ('{IDS[0]}', '{IDS[1]}', '已婚', '2020-05-20', '2026-11-01 08:00:00')",
        "CREATE VIEW v AS SELECT 1 AS a",
    )
    with pytest.raises(SetUpError, match="hydj, v"):
        draft(url)
    drafted = draft(url, wanted=Wanted(table="hydj"))
    assert drafted.source["url"] == "sqlite:///office.db"
    assert drafted.roles.subjects == ("nan_sfzh", "nv_sfzh")
    assert drafted.roles.as_of == "gxsj"
    assert served(drafted, tmp_path, IDS[1])[1] == 0


def test_a_table_without_update_times_must_name_one(draft: Draft, tmp_path: Path) -> None:
    """A database does not say when its rows were true; what could say so is listed."""
    url = office(
        tmp_path, "CREATE TABLE t (sfzh TEXT, djrq TEXT)", f"INSERT INTO t VALUES ('{IDS[0]}', '2026-01-03')"
    )
    with pytest.raises(SetUpError) as refusal:
        draft(url, wanted=Wanted(table="t"))
    assert "--as-of" in refusal.value.en
    assert "djrq" in refusal.value.en
    assert draft(url, wanted=Wanted(table="t"), as_of="djrq").roles.as_of == "djrq"


@pytest.mark.parametrize("server", ["postgresql", "mariadb"])
def test_a_table_of_a_server(
    request: pytest.FixtureRequest, draft: Draft, tmp_path: Path, server: str
) -> None:
    """Comments of the columns become titles, and say what a column is."""
    url = request.getfixturevalue("new_postgres_url" if server == "postgresql" else "new_mariadb_url")()
    columns = [
        sa.Column("f1", sa.String(18), comment="身份证号"),
        sa.Column("f2", sa.Numeric(9, 2), comment="救助金额（元）"),
        sa.Column("f3", sa.DateTime, comment="更新时间\n由系统填写"),
        sa.Column("sfyx", sa.SmallInteger),
    ]
    table = sa.Table("jz", sa.MetaData(), *columns)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        table.create(connection)
        connection.execute(
            table.insert(), [{"f1": IDS[0], "f2": 800, "f3": datetime(2026, 11, 1), "sfyx": 1}]
        )
    engine.dispose()
    drafted = draft(url, wanted=Wanted(table="jz"))
    assert [column.title for column in drafted.columns] == ["身份证号", "救助金额（元）", "更新时间", "sfyx"]
    assert [str(column.guess.type) for column in drafted.columns] == [
        "text",
        "decimal",
        "timestamp",
        "boolean",
    ]
    assert (drafted.roles.subjects, drafted.roles.as_of) == (("f1",), "f3")
    rows, bad = served(drafted, tmp_path, IDS[0])
    assert (rows[0]["f2"], rows[0]["sfyx"], bad) == ("800.00", True, 0)


def test_passwords_are_taken_out_of_urls() -> None:
    """The rest of the URL is as it was."""
    url = "mysql://reader:s%40c:ret@db.example:3307/mz?ssl_ca=/etc/ca.pem"
    bare, password = without_password(url)
    assert (bare, password) == ("mysql://reader@db.example:3307/mz?ssl_ca=%2Fetc%2Fca.pem", "s@c:ret")
    assert without_password(bare) == (bare, "")
    with pytest.raises(SetUpError, match="Not a database URL"):
        without_password("mysql//nonsense")


def test_a_draft_points_to_its_password(
    catalog: Catalog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The catalog names the file, not the secret."""
    url = office(
        tmp_path, "CREATE TABLE t (sfzh TEXT, gxsj TEXT)", f"INSERT INTO t VALUES ('{IDS[0]}', '2026-11-01')"
    )
    from broker.importing.drafting import Asked

    asked = Asked("civil_affairs", "it")
    drafted = draft_table(
        url, Wanted(table="t"), asked, catalog, tmp_path, date(2026, 11, 23), "../keys/it.password"
    )
    assert drafted.source["password_file"] == "../keys/it.password"


def test_an_unreachable_database_keeps_its_secret(draft: Draft) -> None:
    """Neither password nor address is said."""
    with pytest.raises(SetUpError) as refusal:
        draft("mysql://reader:s3cret@127.0.0.1:1/mz", wanted=Wanted(table="t"))
    assert "s3cret" not in str(refusal.value)
    assert "127.0.0.1" not in str(refusal.value)
