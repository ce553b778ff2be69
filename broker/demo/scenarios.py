"""The scenarios: who asks whom for what, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Title:
    """A name in both languages."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Ask:
    """One exchange of a scenario. ``subject`` names an actor of the sample city, not an identifier."""

    dataset: str
    fields: tuple[str, ...]
    subject: str
    purpose: str
    story: Title
    service_item: str = ""
    """Where it is another than the scenario's."""
    sign: bool = False
    """Policy wants an application signed with the consumer's own key."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """What one counter does for one citizen, in order."""

    id: str
    title: Title
    consumer: str
    service_item: str
    legal_basis: str
    case_no: str
    operator: str
    asks: tuple[Ask, ...]
    questions: bool = False
    """Every ask is a yes/no question (核验) about one field, and its story the question."""


NEWBORN = Scenario(
    id="newborn_registration",
    title=Title("新生儿落户", "newborn registration"),
    consumer="public_security",
    service_item="990100-GA-0012",
    legal_basis="户口登记条例 第七条",
    case_no="GA-2026-000173",
    operator="GA-0417",
    asks=(
        Ask(
            "healthcare.birth",
            ("certificate_no", "child_name", "sex", "born_on", "mother_id"),
            "newborn_mother",
            "newborn_registration",
            Title("核对出生医学证明", "check the birth certificate"),
        ),
        Ask(
            "civil_affairs.marriage",
            ("status", "registered_on"),
            "newborn_mother",
            "newborn_registration",
            Title("核对父母婚姻登记", "check the parents' marriage"),
        ),
    ),
)

WITHDRAWAL = Scenario(
    id="housing_fund_withdrawal",
    title=Title("住房公积金提取", "housing-fund withdrawal"),
    consumer="housing_fund",
    service_item="990100-GJJ-0003",
    legal_basis="住房公积金管理条例 第二十四条",
    case_no="GJJ-2026-004711",
    operator="GJJ-0088",
    asks=(
        Ask(
            "civil_affairs.marriage",
            ("status", "registered_on"),
            "applicant",
            "housing_fund_withdrawal",
            Title("核对婚姻状况", "check the marriage"),
        ),
        Ask(
            "natural_resources.property",
            ("address", "area_m2", "registered_on", "district"),
            "applicant",
            "housing_fund_audit",
            Title(
                "误用“内部审计”场景查询不动产，应被拒绝", "property under the wrong purpose, to be refused"
            ),
            service_item="990100-GJJ-0009",  # so that the purpose is refused, not a mismatched item
        ),
        Ask(
            "natural_resources.property",
            ("address", "area_m2", "registered_on", "district"),
            "applicant",
            "housing_fund_withdrawal",
            Title("改用正确场景查询不动产", "property under the right purpose"),
        ),
        Ask(
            "public_security.household",
            ("relation", "household_no", "district"),
            "applicant",
            "housing_fund_withdrawal",
            Title("核对户籍", "check the household"),
        ),
        Ask(
            "social_security.retirement",
            ("retired", "retired_on"),
            "applicant",
            "housing_fund_withdrawal",
            Title("核对退休登记", "check the retirement"),
        ),
        Ask(
            "social_security.retirement",
            ("retired", "retired_on"),
            "doubtful_applicant",
            "housing_fund_withdrawal",
            Title(
                "另一位申请人：提供部门的记录有误", "another applicant, whose record at the provider is bad"
            ),
        ),
    ),
)


def _question(dataset: str, field: str, zh: str, en: str, *, sign: bool = False) -> Ask:
    return Ask(dataset, (field,), "low_income", "low_income_check", Title(zh, en), sign=sign)


LOW_INCOME = Scenario(
    id="low_income_check",
    title=Title("低保核对：七个部门，只答是或否", "low-income check: seven departments, only yes or no"),
    consumer="civil_affairs",
    service_item="990100-MZ-0021",
    legal_basis="社会救助暂行办法 第五十八条",
    case_no="MZ-2026-000932",
    operator="MZ-0215",
    questions=True,
    asks=(
        _question("tax.income", "taxable_income", "年所得不超过 12000 元？", "income ≤ 12,000?", sign=True),
        _question(
            "social_security.retirement", "pension_monthly", "养老金不超过 1500 元？", "pension ≤ 1,500?"
        ),
        _question("housing_fund.account", "balance", "公积金余额不超过 20000 元？", "savings ≤ 20,000?"),
        _question("natural_resources.property", "area_m2", "住房不超过 60 平方米？", "home ≤ 60 m²?"),
        _question("public_security.vehicle", "price", "车辆购置价不超过 30000 元？", "car ≤ 30,000?"),
        _question(
            "medical_insurance.settlement", "out_of_pocket", "自付费用满 20000 元？", "illness ≥ 20,000?"
        ),
        _question("healthcare.support", "paid_yearly", "领取计划生育扶助金？", "family support paid?"),
    ),
)

GRID = Scenario(
    id="grid_service",
    title=Title("医保+网格通", "medical insurance + grid"),
    consumer="medical_insurance",
    service_item="990100-YB-0007",
    legal_basis="医疗保障基金使用监督管理条例 第六条",
    case_no="YB-2026-000058",
    operator="YB-0031",
    asks=(
        Ask(
            "public_security.household",
            ("name", "household_no", "district"),
            "applicant",
            "grid_service",
            Title("上门前核对户籍", "check the household before the visit"),
        ),
        Ask(
            "tax.contribution",
            ("scheme", "paid_on"),
            "applicant",
            "grid_service",
            Title("核对医保缴费", "check the contributions"),
        ),
        Ask(
            "grid_centre.population",
            ("grid_code", "residence", "visited_on"),
            "applicant",
            "grid_service",
            Title("查找所在网格", "find the grid"),
        ),
    ),
)

SCENARIOS = (NEWBORN, WITHDRAWAL, LOW_INCOME, GRID)
