"""The two scenarios: who asks whom for what, and why."""

from __future__ import annotations

from collections.abc import Mapping
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

SCENARIOS = (NEWBORN, WITHDRAWAL)
WITHDRAWAL_ITEMS: Mapping[str, str] = {
    "housing_fund_withdrawal": "990100-GJJ-0003",
    "housing_fund_audit": "990100-GJJ-0009",
}
"""Service item per purpose: a wrong purpose is refused for itself, not for a mismatched item."""
