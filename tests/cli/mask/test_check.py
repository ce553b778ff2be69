"""``mask check``: operators against their contract, and a plan against the file that it is for."""

import json

import pytest

from adapters.masking import partial, registry
from adapters.masking.conformance import violations
from adapters.masking.contract import KnownAnswer
from broker.errors import SetUpError
from broker.settings import Masking

IDS = ("990101189901010015", "990101189901010023", "99010118990101004X")
PLAN = """\
format: share-mask-plan/v1
provider: public_security
consumer: housing_fund
purpose: housing_fund_withdrawal
fields:
  id_no: {type: text, format: resident_id, column: 身份证号, mask: {token: {profile: resident_id}}}
  card: {type: text, column: 卡号, mask: {token: {profile: bank_card}}}
  remark: {type: text, column: 备注, mask: as_is}
  code: {type: integer, column: 编号, mask: as_is}
"""


@pytest.fixture
def plan(tmp_path):
    """Writes the plan, changed as a test wants it."""

    def written(*changes):
        text = PLAN
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        (tmp_path / "plan.yaml").write_text(text)
        return tmp_path / "plan.yaml"

    return written


@pytest.fixture
def file(tmp_path):
    """Rows as cities have them: a small x, a number cut short, an id within a remark, rounded by Excel."""
    rows = (
        (IDS[0], "4111111111111111", "好", "7"),
        (IDS[1], "123", f"身份证{IDS[1]}。", "8"),
        (IDS[2].lower(), "", "电话13800138000", "0009"),
        ("9.90101E+17", "4111111111111111", f"证{IDS[2].lower()}", ""),
    )
    path = tmp_path / "people.csv"
    path.write_text("身份证号,卡号,备注,编号,多余\n" + "".join(",".join((*row, "")) + "\n" for row in rows))
    return path


def test_every_allowed_operator_keeps_its_contract(run):
    """The shipped operators are checked by the suite that third parties use, and pass."""
    said = run("check")
    assert said.count("✓") == len(Masking().allowed)
    assert "0 个不守约定" in said
    assert json.loads(run("check", "--operator", "redact", "--json")) == {"violations": {"redact": []}}


class Loose(partial.Partial):
    """Promises another answer than it gives, and a sentence that is none."""

    summary = "No sentence"
    known_answers = (
        KnownAnswer(("13800138000",), ("138****9999",), {"keep_start": 3, "keep_end": 4}),
        KnownAnswer(("张三",), ("张三",), {"keep_start": 1}),
    )


class Raises(partial.Partial):
    """Fails with what it was given."""

    def bind(self, params, keys):
        def mask(values):
            raise RuntimeError(f"cannot mask {values}")

        return mask


def test_every_broken_clause_is_told(run, monkeypatch):
    """Not only the first: an officer learns all that is wrong with an operator, in one go."""
    monkeypatch.setattr(registry, "load_operators", lambda _: {"partial": Loose()})
    said = run("check", "--operator", "partial", code=1)
    assert "✗ partial@2 部分遮盖" in said
    assert said.count("不守约定 breaks: partial") == 3
    assert "the summary is a sentence" in said
    assert said.count("a known answer") == 2


def test_an_operator_that_fails_is_not_quoted():
    """Its message may hold a value, so only the kind of the error is told."""
    told = list(violations(Raises(), rows=10))
    assert told
    assert set(told) == {"partial: raised RuntimeError"}


def test_what_a_plan_would_lose_is_counted(run, plan, file):
    """Values not of the format, only untidy, too short for the operator, rounded, with leading zeros."""
    found = json.loads(run("check", plan(), file, "--json", code=1))
    columns = {one["column"]: one for one in found["columns"]}
    assert (columns["身份证号"]["bad"], columns["身份证号"]["curable"], columns["身份证号"]["rounded"]) == (
        2,
        1,
        1,
    )
    assert (columns["卡号"]["empty"], columns["卡号"]["lost"]) == (1, 1)
    assert columns["编号"]["zeros"] == 1
    assert columns["备注"]["clear"] == {"resident_id": 2, "mobile": 1}
    said = run("check", plan(), file, code=1)
    for words in (
        "错误 error  备注：2 个值含公民身份号码，却原样给出：请脱敏",
        "错误 error  备注：1 个值含手机号码",
        "警告 warning  身份证号：2 个值（50.0%）不是公民身份号码，会变为空值",
        "其中 1 个只是有空格或小写 x",
        "错误 error  身份证号：1 个长号码被表格软件舍入",
        "警告 warning  卡号：1 个值（33.3%）过短或不合算子要求",
        "警告 warning  编号：1 个值有前导零",
        "提示 note  多余：计划未提及，不给出",
        "3 个错误",
    ):
        assert words in said, words
    assert not any(number in said for number in IDS)


def test_a_column_of_cards_in_clear_is_found(run, plan, file):
    """Half of the values pass the check digit: that is no chance."""
    changed = plan(("card: {type: text, column: 卡号, mask: {token: {profile: bank_card}}}",
                    "card: {type: text, column: 卡号, mask: as_is}"))  # fmt: skip
    assert "错误 error  卡号：2 个值含银行卡号" in run("check", changed, file, code=1)


def test_a_wrong_type_is_found_when_nothing_is_of_it(run, plan, file):
    """A column that would become null throughout is an error of the plan, not of the data."""
    changed = plan(("{type: text, column: 备注", "{type: date, column: 备注"))
    assert "错误 error  备注：没有一个值是date 类型" in run("check", changed, file, code=1)


def test_the_gate_is_tried(run, plan, file):
    """How many rows the k-anonymity gate would leave out, or that it would refuse the whole."""
    fields = ("fields:\n", "k_anonymity: {quasi_identifiers: [code], k: 2}\nfields:\n")
    assert "code：4 行所在的组不足 2 行，会删去" in run("check", plan(fields), file, code=1)
    refusing = ("fields:\n", "k_anonymity: {quasi_identifiers: [code], k: 2, below: refuse}\nfields:\n")
    assert "整个文件不给出" in run("check", plan(refusing), file, code=1)


def test_a_plan_that_fits_is_done(run, plan, tmp_path):
    """Nothing to say is exit code 0; a plan alone is checked for itself."""
    (tmp_path / "good.csv").write_text(f"身份证号,卡号,备注,编号\n{IDS[0]},4111111111111111,好,7\n")
    assert "计划适合此文件" in run("check", plan(), tmp_path / "good.csv")
    assert "计划可用" in run("check", plan())
    assert json.loads(run("check", plan(), "--json")) == {"columns": [], "findings": []}


def test_a_plan_fits_only_what_a_run_can_read(run, plan, tmp_path):
    """A run guesses no encoding and knows no workbook: check says so, though it can read the file itself."""
    content = f"身份证号,卡号,备注,编号\n{IDS[0]},4111111111111111,好,7\n"
    (tmp_path / "gbk.csv").write_bytes(content.encode("gbk"))
    assert "encoding: gb18030" in run("check", plan(), tmp_path / "gbk.csv", code=1)
    gbk = plan(("fields:\n", "encoding: gb18030\nfields:\n"))
    assert "计划适合此文件" in run("check", gbk, tmp_path / "gbk.csv")
    (tmp_path / "titled.csv").write_text("名单,,,\n" + content)
    assert "mask run" in run("check", plan(), tmp_path / "titled.csv", code=1)


def test_of_many_columns_only_the_first_are_told(run, plan, tmp_path):
    """A wide table would fill the screen."""
    (tmp_path / "wide.csv").write_text(",".join(f"c{n}" for n in range(200)) + "\n" + ",".join("1" * 200))
    with pytest.raises(SetUpError, match=r"c19 …（200）$"):
        run("check", plan(), tmp_path / "wide.csv")


def test_an_empty_file_is_called_empty(run, plan, tmp_path):
    """Not a file of which the header must be found."""
    (tmp_path / "none.csv").touch()
    with pytest.raises(SetUpError, match="空文件"):
        run("check", plan(), tmp_path / "none.csv")


def test_a_missing_column_is_named_with_the_nearest(run, plan, tmp_path):
    """The first thing an officer must know of a file is that it is another one."""
    (tmp_path / "other.csv").write_text("身份证号码,卡号,备注,编号\n1,2,3,4\n")
    with pytest.raises(SetUpError, match="没有列“身份证号”，是否指“身份证号码”"):
        run("check", plan(), tmp_path / "other.csv")


def test_an_unknown_operator_is_answered_with_those_there_are(run, plan):
    """A slip in the name, or a name beside a plan."""
    with pytest.raises(SetUpError, match="算子无法载入"):
        run("check", "--operator", "plate")
    with pytest.raises(SetUpError, match="不与计划同用"):
        run("check", plan(), "--operator", "redact")
