"""``mask list`` and ``mask show``: an officer finds an operator and learns what it does."""

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from adapters.masking.registry import load_operators
from broker.errors import SetUpError
from broker.settings import Masking

POLICIES = Path(__file__).parents[3] / "policies"
ALLOWED = load_operators(Masking().allowed)


def test_every_allowed_operator_is_listed_with_its_title(run):
    """The list leaves nothing out, and its table fits a terminal of 80 columns."""
    said = run("list")
    for name, operator in ALLOWED.items():
        assert name in said
        assert operator.title in said
    table = said[: said.index("可逆 reversible")]
    assert max(cell_len(line) for line in table.splitlines()) <= 80
    assert f"共 {len(ALLOWED)} 个" in said


def test_the_order_of_a_city_ranks_them(run):
    """With a folder of policies the weakest stands first, each with its rank, still within 80 columns."""
    found = json.loads(run("list", "--policies", POLICIES, "--json"))["operators"]
    ranks = [one["strictness"] for one in found if one["strictness"] is not None]
    assert ranks == sorted(ranks)
    assert found[-1]["name"] == "redact"
    said = run("list", "--policies", POLICIES)
    assert "1 最弱" in said
    assert max(cell_len(line) for line in said[: said.index("可逆 reversible")].splitlines()) <= 80


def test_what_is_installed_and_not_allowed_is_named(run, tmp_path):
    """Whoever wonders where an operator is finds that the settings leave it out."""
    (tmp_path / "sharebroker.toml").write_text('[masking]\nallowed = ["redact"]\n')
    listed = json.loads(run("list", "--json"))
    assert [one["name"] for one in listed["operators"]] == ["redact"]
    assert listed["not_allowed"]["token"][0].startswith("sharebroker ")
    assert "未允许 / installed, not allowed by the settings: token" in run("list")


@pytest.mark.parametrize("name", ALLOWED)
def test_everything_about_one_is_shown(run, name):
    """Parameters, properties and every known answer of each operator, and a policy that can be copied."""
    operator = ALLOWED[name]
    said = run("show", name)
    for words in (operator.title, operator.summary, *operator.params.model_fields, *operator.accepts):
        assert words in said
    assert said.count(" → ") == sum(len(known.values) for known in operator.known_answers)
    assert f"{{mask: {{数据项 FIELD: {{{name}: " in said
    found = json.loads(run("show", name, "--json"))
    assert found["version"] == operator.version
    assert found["properties"]["reversible"] == operator.properties.reversible
    assert found["parameters"] == operator.params.model_json_schema()


def test_bounds_and_behaviour_are_told(run):
    """The bounds are those of the parameter model, and what becomes of odd values is said."""
    said = run("show", "age_band")
    assert "width: integer，2 … 100（默认 default 10）" in said
    assert "at: date（必填 required）" in said
    assert "过短的值变为空值 · a value too short: null" in said


def test_an_operator_is_found_by_its_title_and_the_nearest_is_offered(run):
    """Officers know titles; a slip of the keyboard is answered with the name that was meant."""
    assert run("show", "可逆令牌").startswith("token ")
    with pytest.raises(SetUpError, match="是否指“可逆令牌 token”"):
        run("show", "tokn")
