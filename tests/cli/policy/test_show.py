"""``policy show``: an officer finds who may see what."""

import json

import pytest

from broker.errors import SetUpError


def rules(printed):
    """The ids of the rules in the printed JSON."""
    return [rule["id"].partition("/")[2] for rule in json.loads(printed)["rules"]]


def test_every_dataset_is_headed_and_every_rule_said(run, folder):
    """Without a filter datasets that nobody may see stand there too, and why."""
    said = run("show", folder)
    for words in (
        "婚姻登记信息 civil_affairs.marriage",
        "许可 permit  civil-affairs-marriage-001/housing-fund-withdrawal",
        "    谁 who       住房公积金管理中心 housing_fund",
        "    为何 why     住房公积金提取 housing_fund_withdrawal",
        "结婚登记日期 registered_on（只留年份 · year only）",
        "    何时 when    2025-08-01 至 2029-12-31 · from 2025-08-01 to 2029-12-31",
        "最多保存 30 天 · kept for at most 30 days",
        "任何规则都不能许可 · no rule can permit it",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("filters", "shown", "hidden"),
    [
        (
            ("--department", "tax"),
            {"names-by-review", "no-list-of-owners", "low-income-check"},
            {"grid-service"},
        ),
        (("--department", "税务局", "--purpose", "新生儿落户"), {"names-by-review"}, {"low-income-check"}),
        (("--dataset", "civil_affairs.marriage"), {"newborn-registration"}, {"grid-service"}),
        (("--purpose", "grid_service"), {"names-by-review", "grid-service"}, {"low-income-check"}),
        (("--rule", "grid-service"), {"grid-service"}, {"names-by-review"}),
        (("--rule", "tax-income-001/low-income-check"), {"low-income-check"}, {"names-by-review"}),
        (("--department", "tax", "--dataset", "healthcare.birth"), set(), {"newborn-registration"}),
    ],
)
def test_filters(run, folder, filters, shown, hidden):
    """Each filter keeps what concerns it, by id or title; a rule that says “all” concerns everybody."""
    found = set(rules(run("show", folder, "--json", *filters)))
    assert shown <= found
    assert not hidden & found


@pytest.mark.parametrize(
    ("filters", "meant"),
    [
        (("--department", "税务"), "税务局 tax"),
        (("--dataset", "civil_affairs.mariage"), "婚姻登记信息 civil_affairs.marriage"),
        (("--purpose", "grid_servce"), "网格服务 grid_service"),
        (("--rule", "low-income"), "tax-income-001/low-income-check"),
    ],
)
def test_a_slip_is_answered_with_the_nearest_name(run, folder, filters, meant):
    """A name that is not there is never an empty page."""
    with pytest.raises(SetUpError, match=meant) as raised:
        run("show", folder, *filters)
    assert "是否指" in raised.value.zh


def test_a_name_that_two_rules_have_is_not_guessed(run, folder):
    """Several policies have a rule of that name; the officer says which."""
    with pytest.raises(SetUpError, match="civil-affairs-marriage-001/housing-fund-withdrawal, natural"):
        run("show", folder, "--rule", "housing-fund-withdrawal")


def test_one_rule_is_a_sentence_with_its_place(run, folder):
    """Where it is written, and what it does in both languages."""
    said = run("show", folder, "--rule", "grid-service")
    lines = (folder / "sharing/public-security-household.yaml").read_text("utf-8").splitlines()
    assert f"sharing/public-security-household.yaml:{lines.index('  - id: grid-service') + 1}" in said
    assert "公安局许可医疗保障局为“网格服务”查看" in said
    assert "Public Security Bureau permits Healthcare Security Bureau to see" in said


def test_json_says_all_that_the_page_does(run, folder):
    """Fields with their masks, limits, duties and the sentence."""
    (rule,) = json.loads(run("show", folder, "--json", "--rule", "tax-income-001/low-income-check"))["rules"]
    assert rule["fields"] == {"tax_year": None, "taxable_income": {"predicate": {"op": "le", "value": 12000}}}
    assert rule["limits"]["rows_per_day"] == 10000
    assert rule["obligations"].items() >= {"retain_days": 10, "signed_application": True}.items()
    assert rule["sentence"]["zh"].startswith("税务局许可民政局")


def test_a_dataset_without_rules(run, folder):
    """Conditional, it is said to be closed; unconditional, its default permit stands there."""
    for policy in (folder / "sharing").iterdir():
        policy.unlink()
    assert "没有规则，一律不给 · no rule: nothing is shared" in run("show", folder)
    file = folder / "catalog/tax.yaml"
    text = file.read_text("utf-8").replace(
        "sharing_attribute: conditional", "sharing_attribute: unconditional"
    )
    file.write_text(text, "utf-8")
    assert "默认许可" in run("show", folder, "--rule", "unconditional/tax.income")


def test_a_folder_with_problems_is_not_shown(run, folder):
    """What cannot be loaded decides nothing; every problem is listed instead."""
    file = folder / "sharing" / "tax-income.yaml"
    file.write_text(file.read_text("utf-8").replace("low_income_check", "low_incme_check"), "utf-8")
    with pytest.raises(SetUpError, match="UNKNOWN_PURPOSE"):
        run("show", folder)


def test_settings_that_are_named_must_be_there(run, folder):
    """A missing settings file is no reason to take others, if it was named."""
    with pytest.raises(SetUpError, match="missing"):
        run("show", folder, "--config", "elsewhere.toml")
