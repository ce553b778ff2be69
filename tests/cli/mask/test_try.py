"""``mask try``: an officer sees what masks make of a file's first rows; the plaintext goes nowhere else."""

import json
import re
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from adapters.masking.redact import Redact
from adapters.masking.resident_id import is_resident_id
from broker.cli.mask.app import mask
from broker.errors import SetUpError
from broker.keys.wrapping import create_master_key
from broker.server.parts import keyring_file
from broker.settings import load_settings
from tests.terminal import on_a_terminal

ROOT = Path(__file__).parents[3]
POLICIES = ROOT / "policies"
IDS = ("990101189901010015", "990101189901010023", "99010118990101004X")
CSV = "身份证号,姓名,手机号,编号\n" + "".join(
    f"{number},{name},1380000000{place},00{place}\n"
    for place, (number, name) in enumerate(zip(IDS, ("张三", "李四", "欧阳五"), strict=True))
)
PLAN = """\
format: share-mask-plan/v1
provider: public_security
consumer: housing_fund
purpose: housing_fund_withdrawal
fields:
  id_no: {type: text, format: resident_id, column: 身份证号, mask: {token: {profile: resident_id}}}
  name: {type: text, column: 姓名, mask: {partial: {keep_start: 1}}}
  code: {type: text, column: 编号, mask: as_is}
"""


@pytest.fixture(params=["utf-8", "utf-8-sig", "gb18030"])
def file(request, tmp_path):
    """The table, in each encoding that officers' programs write."""
    path = tmp_path / "people.csv"
    path.write_bytes(CSV.encode(request.param))
    return path


def tried(said):
    """Column → what goes out, and the mask."""
    return {one["column"]: (one["after"], one["mask"]) for one in json.loads(said)["columns"]}


def test_a_treatment_is_resolved_by_what_the_file_holds(run, file):
    """One word is enough: the column's format is told by its values, the rest by the city's profiles."""
    said = run(
        "try", file, "--mask", "身份证号=token", "--mask", "手机号=partial", "--policies", POLICIES, "--json"
    )
    found = tried(said)
    assert found["身份证号"][1] == {"token": {"profile": "resident_id"}}
    assert all(len(token) == 18 and not is_resident_id(token) for token in found["身份证号"][0])
    assert found["手机号"][0] == ["138****0000", "138****0001", "138****0002"]
    assert json.loads(said)["keys"] == "throw-away"


def test_an_operator_is_written_with_its_parameters(run, file):
    """And where no profile is at hand, an operator in words does."""
    found = tried(run("try", file, "--mask", "姓名=partial keep_start=1 fill=#", "--rows", "2", "--json"))
    assert found["姓名"][0] == ["张#", "李#"]


def test_leading_zeros_stay(run, file, tmp_path):
    """A code goes out as it stands in the file, its zeros with it."""
    (tmp_path / "plan.yaml").write_text(PLAN)
    assert tried(run("try", file, "--plan", "plan.yaml", "--json"))["编号"][0] == ["000", "001", "002"]


def test_throw_away_keys_differ_each_time_and_say_so(run, file):
    """Nobody can keep a table of tokens made by trying."""
    words = ("try", file, "--mask", "姓名=pseudonym")
    assert tried(run(*words, "--json"))["姓名"] != tried(run(*words, "--json"))["姓名"]
    assert "一次性密钥" in run(*words)


def test_real_keys_give_the_tokens_that_are_released(run, file, tmp_path):
    """With the keyring a plan's tokens are the same at every try, and only with a plan."""
    (tmp_path / "plan.yaml").write_text(PLAN)
    (tmp_path / "keys").mkdir(mode=0o700)
    create_master_key(tmp_path / "keys" / "master.key")
    (tmp_path / "sharebroker.toml").write_text("")
    keyring_file(load_settings(tmp_path / "sharebroker.toml")).create(datetime.now(UTC))
    words = ("try", file, "--plan", "plan.yaml", "--real-keys")
    assert tried(run(*words, "--json")) == tried(run(*words, "--json"))
    assert "所用为配置中的密钥" in run(*words)
    with pytest.raises(SetUpError, match="--real-keys 须有 --plan"):
        run("try", file, "--mask", "姓名=pseudonym", "--real-keys")


def test_the_plaintext_is_for_the_terminal_alone(run, file, tmp_path):
    """What is piped or kept, JSON or table, holds nothing of what went in; nor does any file."""
    words = ("try", file, "--mask", "身份证号=pseudonym", "--mask", "姓名=redact")
    for said in (run(*words), run(*words, "--json")):
        assert not any(text in said for text in (*IDS, "张三", "李四", "欧阳五"))
    assert "原值只在终端显示" in run(*words)
    assert list(tmp_path.iterdir()) == [file]


def test_on_a_terminal_both_stand_side_by_side(tmp_path, monkeypatch):
    """An officer at a terminal sees each value before and after in one row."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").write_text(CSV)
    said = on_a_terminal(mask, ("try", "people.csv", "--mask", "姓名=partial keep_start=1"), monkeypatch)
    for before, after in (("张三", "张*"), ("李四", "李*"), ("欧阳五", "欧**")):
        assert re.search(f" {before} +{re.escape(after)}$", said, re.M)


def test_a_file_cannot_give_the_terminal_orders(tmp_path, monkeypatch):
    """A cell or a title that would clear the screen or forge a line is seen for what it is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people.csv").write_text("姓名,备\x1b[2J注\n张\x1b]0;三\x07丰,甲\n")
    said = on_a_terminal(mask, ("try", "people.csv", "--mask", "姓名=partial keep_start=2"), monkeypatch)
    assert "\x1b" not in said
    assert r"张\u{1b}]0;三\u{7}丰" in said


def test_a_row_that_names_its_person_is_shifted_by_them(run, tmp_path):
    """Typed Parquet; the subject's column is read and not given."""
    table = pa.table({"id": list(IDS[:2]) * 2, "born": [date(1990, 1, 1)] * 4})
    pq.write_table(table, tmp_path / "p.parquet")
    words = ("try", tmp_path / "p.parquet", "--mask", "born=date_shift days=30")
    first, second, third, fourth = tried(run(*words, "--subject", "id", "--json"))["born"][0]
    assert (first, second) == (third, fourth)
    with pytest.raises(SetUpError, match="请写 --subject"):
        run(*words)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--mask", "身份证=redact"), "是否指“身份证号”"),
        (("--mask", "身份证号=tokn"), "列“身份证号”（text resident_id）不能这样脱敏"),
        (("--mask", "姓名=bucket width=10"), "不适用"),
        (("--mask", "姓名"), "列名=做法"),
        (("--mask", "姓名=match"), "要核对需求方逐次给出的值"),
        (("--mask", "手机号=by_level", "--policies", str(POLICIES)), "没有写明此数据项的分级"),
        ((), "写其中一种"),
    ],
)
def test_slips_are_answered_with_what_to_do(run, tmp_path, words, complaint):
    """A wrong column or treatment is answered with what there is."""
    (tmp_path / "people.csv").write_text(CSV)
    with pytest.raises(SetUpError) as caught:
        run("try", "people.csv", *words)
    assert complaint in caught.value.zh


def test_a_workbook_with_titles_above_its_header(run, tmp_path):
    """What offices really send: a title, a header below it, a total at the end, and cells with blanks."""
    with xlsxwriter.Workbook(tmp_path / "people.xlsx") as book:
        sheet = book.add_worksheet("名册")
        rows = (
            ["某某局人员名册"],
            [],
            ["身份证号", "姓名"],
            [f" {IDS[0]}", "张三"],
            [IDS[1], "李四"],
            ["合计：2人"],
        )
        for number, row in enumerate(rows):
            sheet.write_row(number, 0, row)
    found = tried(run("try", "people.xlsx", "--mask", "身份证号=partial keep_start=1 keep_end=1", "--json"))
    assert found["身份证号"][0] == ["9****************5", "9****************3"]
    assert "表头在第 3 行" in run("try", "people.xlsx", "--mask", "姓名=redact")


def test_an_operator_that_fails_says_where_and_nothing_of_the_value(run, file, monkeypatch):
    """Its own message may quote what it was given."""

    def fails(values):
        raise RuntimeError(f"cannot mask {values}")

    monkeypatch.setattr(Redact, "bind", lambda self, params, keys: fails)
    with pytest.raises(SetUpError, match="算子处理数据项“姓名”时出错") as caught:
        run("try", file, "--mask", "姓名=redact")
    assert "张三" not in str(caught.value)
    assert caught.value.__context__ is None
