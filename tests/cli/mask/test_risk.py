"""``mask risk``: how likely somebody is found again in an officer's file, and what to do."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from broker.cli.mask import assessment
from broker.cli.mask.reading import opened_table
from broker.errors import SetUpError

HEADER = "区划,出生年,性别,月收入,诊断\n"
ROWS = [
    ("990101", 1980, 1, 5000, "流感"),
    ("990101", 1980, 1, 6000, "骨折"),
    ("990102", 1981, 1, 5000, "流感"),
    ("990102", 1982, 1, 9000, "流感"),
    ("990201", 1999, 2, 9000, "骨折"),
    ("990201", 1999, 2, 9000, "骨折"),
]
QUASI = ("--quasi", "区划,出生年，性别")


@pytest.fixture
def people(tmp_path):
    """A table as a department's spreadsheet saves it: in GBK."""
    path = tmp_path / "people.csv"
    path.write_bytes((HEADER + "".join(",".join(map(str, row)) + "\n" for row in ROWS)).encode("gbk"))
    return path


def test_figures_of_a_file_in_gbk(run, people):
    """k, uniques and the attackers' risks; a column in which a whole class agrees is told."""
    said = run("risk", people, *QUASI, "--sensitive", "月收入,诊断", code=1)
    assert "编码：gb18030" in said
    assert "people.csv：6 行，按 区划、出生年、性别 分为 4 类" in said
    assert "k = 1" in said
    assert "独一无二 unique        2 行 rows，33.33%" in said
    assert "检察官风险 prosecutor  最高 highest 100.00%，平均 average 66.67%" in said
    assert "不高于检察官风险" in said
    assert "敏感项 sensitive 诊断: l = 1" in said
    assert "有的类中 诊断 全部相同" in said
    assert "月收入: l = 1" in said
    assert "（有序 ordered）" in said
    assert "（无序 unordered）" in said


def test_changes_say_what_they_would_achieve(run, people):
    """Each quasi-identifier left out or made coarser, with the k that it leads to by counting again."""
    found = json.loads(run("risk", people, *QUASI, "--threshold", "0.5", "--json", code=1))
    made = {
        (
            one["changes"][0]["column"],
            one["changes"][0]["mask"] and one["changes"][0]["mask"]["operator"],
        ): one
        for one in found["single"]
    }
    assert made["出生年", None]["anonymity"]["k"] == 2
    assert made["区划", None]["anonymity"]["k"] == 1
    assert ("区划", "region") in made
    assert made["出生年", "bucket"]["anonymity"]["k"] >= 1
    assert ("性别", "bucket") not in made, "a code of two values has no range to divide"
    assert found["together"]["prosecutor"]["above"] == 0
    said = run("risk", people, *QUASI, "--threshold", "0.5", code=1)
    assert "k 须至少为 2" in said
    assert "出生年: 去掉 left out → k = 2" in said
    assert "少给 2 行" in said


def test_within_the_threshold_is_done(run, people):
    """Where nobody is at more risk than is acceptable, the command says so and ends with 0."""
    said = run("risk", people, "--quasi", "性别", "--threshold", "0.5")
    assert "k = 2" in said
    assert "结论：不超过门限 0.5" in said
    assert "怎么办" not in said


def test_a_population_is_matched_across_formats(run, people, tmp_path):
    """The journalist's risk by a register in Parquet with its own types: 1980 is 1980, text or number."""
    register = pa.table(
        {
            "区划": [row[0] for row in ROWS] * 10,
            "出生年": pa.array([row[1] for row in ROWS] * 10, pa.int32()),
            "性别": pa.array([row[2] for row in ROWS] * 10, pa.int8()),
        }
    )
    pq.write_table(register.slice(0, 57), tmp_path / "register.parquet")
    found = json.loads(
        run("risk", people, *QUASI, "--population", tmp_path / "register.parquet", "--json", code=1)
    )
    assert found["journalist"]["highest"] == 1 / 9
    assert found["missing"] == 0
    assert found["prosecutor"]["highest"] == 1


def test_the_size_of_the_population_gives_an_expectation(run, people):
    """With a number alone the risk is estimated, and lies below the prosecutor's."""
    found = json.loads(run("risk", people, *QUASI, "--people", "600", "--json", code=1))
    assert 0.01 < found["journalist"]["highest"] < 0.1
    with pytest.raises(SetUpError, match="少于文件行数 6"):
        run("risk", people, *QUASI, "--people", "5")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--quasi", "出生牛"), "没有列“出生牛”，是否指“出生年”"),
        (("--quasi", "x"), "有：区划、出生年、性别、月收入、诊断"),
        (("--quasi", "区划", "--sensitive", "区划"), "列重复：区划"),
        (("--quasi", "区划", "--threshold", "0"), "须大于 0"),
        (("--quasi", "区划", "--people", "9", "--population", "x.csv"), "只写一个"),
        (("--quasi", "，"), "至少写一列"),
    ],
)
def test_slips_are_answered_with_what_to_do(run, people, words, complaint):
    """A wrong column is answered with the nearest, a wrong option with what is wanted."""
    with pytest.raises(SetUpError) as caught:
        run("risk", people, *words)
    assert complaint in caught.value.zh


def test_an_empty_file_has_no_risk(run, tmp_path):
    """A file with a header alone is told to be empty, whatever kind it is."""
    (tmp_path / "empty.csv").write_text(HEADER)
    with pytest.raises(SetUpError, match="没有数据"):
        run("risk", tmp_path / "empty.csv", *QUASI)


def test_memory_has_a_bound(run, people, monkeypatch):
    """More combinations than may be held end the command, with which columns to leave out."""
    monkeypatch.setattr(assessment, "MOST_COMBINATIONS", 3)
    with pytest.raises(SetUpError, match="几乎能唯一确定每一行"):
        run("risk", people, *QUASI)


def test_a_long_file_is_read_page_by_page(tmp_path):
    """A Parquet file may be larger than memory, even as one row group: at no time is much of it held."""
    number = pa.array(range(600_000), pa.int64())
    pq.write_table(pa.table({"n": number}), tmp_path / "long.parquet", row_group_size=len(number))
    before = pa.total_allocated_bytes()
    rows, most = 0, 0
    with opened_table(tmp_path / "long.parquet") as table:
        for batch in table.batches(["n"]):
            rows += batch.num_rows
            most = max(most, pa.total_allocated_bytes() - before)
    assert rows == len(number)
    assert most < number.nbytes


def test_a_damaged_file_is_told_without_its_content(run, tmp_path):
    """What begins as Parquet and is none, or has one name twice, cannot be assessed."""
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(SetUpError, match="无法读取：ArrowInvalid"):
        run("risk", "bad.parquet", "--quasi", "a")
    pq.write_table(pa.table([[1], [2]], ["a", "a"]), tmp_path / "twice.parquet")
    with pytest.raises(SetUpError, match="有两列同名"):
        run("risk", "twice.parquet", "--quasi", "a")


def test_columns_of_every_type(run, tmp_path):
    """Times, decimals and truths are grouped by, and made coarser if they can be; lists are refused."""
    table = pa.table(
        {
            "at": pa.array(
                [datetime(2020, 1, 1) + timedelta(days=40 * i) for i in range(8)], pa.timestamp("us")
            ),
            "zoned": pa.array([datetime(2020, 1, 1, tzinfo=UTC)] * 8, pa.timestamp("us", "UTC")),
            "amount": pa.array([Decimal(i) for i in range(8)], pa.decimal128(10, 2)),
            "truth": [True, None] * 4,
            "kind": pa.array(["x", "y"] * 4).dictionary_encode(),
            "list": [[1]] * 8,
        }
    )
    pq.write_table(table, tmp_path / "types.parquet")
    words = ("risk", "types.parquet", "--quasi", "at,zoned,amount,truth,kind", "--json")
    found = json.loads(run(*words, code=1))
    assert found["anonymity"]["classes"] == 8
    assert {one["changes"][0]["column"] for one in found["single"]} == {
        "at",
        "zoned",
        "amount",
        "truth",
        "kind",
    }
    years = [
        one for one in found["single"] if one["changes"][0]["mask"] == {"operator": "year", "params": {}}
    ]
    assert {one["changes"][0]["column"] for one in years} == {"at", "zoned"}
    with pytest.raises(SetUpError, match="列的类型不能用于分组"):
        run("risk", "types.parquet", "--quasi", "list")


def test_where_the_header_is_can_be_said(run, tmp_path):
    """The tools take the options that their messages name."""
    (tmp_path / "odd.csv").write_text("甲\n乙\n丙,丁\n1,2\n1,2\n")
    found = json.loads(
        run("risk", "odd.csv", "--quasi", "丙", "--header-row", "3", "--threshold", "0.5", "--json")
    )
    assert found["anonymity"]["k"] == 2


def test_an_absent_value_is_a_value_of_its_own(run, tmp_path):
    """Who has none differs from who has the least: two values in the class, not one."""
    (tmp_path / "a.csv").write_text("性别,月收入\n1,\n1,2000\n2,2000\n2,3000\n")
    found = json.loads(
        run("risk", "a.csv", "--quasi", "性别", "--sensitive", "月收入", "--threshold", "0.5", "--json")
    )
    assert found["sensitive"]["月收入"]["ordered"]
    assert found["sensitive"]["月收入"]["disclosure"]["distinct"] == 2
    assert found["sensitive"]["月收入"]["disclosure"]["alpha"] == 0.5


def test_a_mask_that_would_lose_values_is_not_offered(run, tmp_path):
    """A code that is none would become empty: that is no coarser column but one with a hole."""
    codes = [f"9901{place:02}" for place in range(1, 20)]
    for last, offered in (("990120", True), ("未知", False)):
        (tmp_path / "a.csv").write_text("区划\n" + "\n".join([*codes, last]) + "\n")
        found = json.loads(run("risk", "a.csv", "--quasi", "区划", "--json", code=1))
        masks = [one["changes"][0]["mask"] for one in found["single"] if one["changes"][0]["mask"]]
        assert bool(masks) is offered
