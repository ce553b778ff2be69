"""``sharebroker policy explain``: the sample city's decisions, in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.cli.main import app
from broker.errors import SetUpError

POLICIES = Path(__file__).parents[3] / "policies"
CASE = f"{POLICIES}/cases/newborn.yaml#birth-permitted"
WRONG_PURPOSE = (
    *("--department", "housing_fund", "--dataset", "civil_affairs.marriage", "--field", "status"),
    *("--purpose", "newborn_registration", "--at", "2026-11-23 10:00"),
)


def explain(*words: str):
    return CliRunner().invoke(app, ["policy", "explain", str(POLICIES), *words])


def test_permit_is_a_sentence_with_its_duties_and_rules() -> None:
    """Who sees what and why, under which masks and limits, and where the rule is written."""
    said = explain("--case", CASE).output
    assert "同意共享：公安局为“新生儿落户”查看《出生医学证明信息》的出生医学证明编号" in said
    assert "Permitted: Public Security Bureau sees certificate_no" in said
    assert "母亲身份号码：只留前 1 位、后 1 位 / mother_id: first 1 and last 1 kept" in said
    assert "最多保存 30 天 / kept for at most 30 days" in said
    assert "healthcare-birth-001/newborn-registration  sharing/healthcare-birth.yaml:" in said


def test_consumer_learns_no_rule() -> None:
    """As the consumer: decision, reasons and duties, and neither a rule's text nor its place."""
    owner, consumer = explain("--case", CASE).output, explain("--case", CASE, "--as", "consumer").output
    assert "sharing/" in owner
    assert "sharing/" not in consumer
    assert "最多保存 30 天" in consumer
    told = json.loads(explain("--case", CASE, "--as", "consumer", "--json").output)
    assert set(told) == {"decision", "said", "reasons", "duties"}


def test_denial_gives_its_reason() -> None:
    """In both languages, Chinese first."""
    said = explain(*WRONG_PURPOSE).output
    assert said.startswith("不同意共享：住房公积金管理中心为“新生儿落户”查看《婚姻登记信息》的婚姻状态。")
    assert "使用场景不符：该数据资源未获准用于此场景。 / Wrong purpose" in said


def test_json_holds_the_decision_and_every_sentence() -> None:
    """For programs."""
    told = json.loads(explain(*WRONG_PURPOSE, "--json").output)
    assert told["decision"]["decision"] == "deny"
    assert told["decision"]["reasons"] == ["PURPOSE_NOT_PERMITTED"]
    assert set(told["said"]) == {"zh", "en"}


@pytest.mark.parametrize(
    "words",
    [(), ("--case", CASE, "--department", "tax"), (*WRONG_PURPOSE, "--at", "tomorrow"), ("--case", "x")],
)
def test_what_to_explain_must_be_told_once(words: tuple[str, ...]) -> None:
    """One application, from one place, at a time that is one."""
    assert isinstance(explain(*words).exception, SetUpError)
