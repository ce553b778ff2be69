"""``sharebroker policy explain``: the sample city's decisions, in words."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broker.approve.bundle import load_bundle
from broker.approve.evaluate import evaluate
from broker.authoring.asking import of_case
from broker.cli.main import app
from broker.client import export_receipt
from broker.errors import SetUpError
from broker.model import EntryKind, Receipt
from broker.receipt.statement import statement

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
    assert "同意共享：公安局为“新生儿落户”申请查看《出生医学证明信息》的出生医学证明编号" in said
    assert "Permitted: Public Security Bureau asks for certificate_no" in said
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
    assert said.startswith("不同意共享：住房公积金管理中心为“新生儿落户”申请查看《婚姻登记信息》的婚姻状态。")
    assert "使用场景不符：该数据资源未获准用于此场景。 / Wrong purpose" in said


def test_what_the_law_withholds_is_told_with_the_law() -> None:
    """A refusal states its basis."""
    said = explain("--case", f"{POLICIES}/cases/newborn.yaml#adoption-is-withheld").output
    assert "该数据资源属不予共享类。依据：《中华人民共和国民法典》第一千一百一十条" in said


def test_json_holds_the_decision_and_every_sentence() -> None:
    """For programs."""
    told = json.loads(explain(*WRONG_PURPOSE, "--json").output)
    assert told["decision"]["decision"] == "deny"
    assert told["decision"]["reasons"] == ["PURPOSE_NOT_PERMITTED"]
    assert set(told["said"]) == {"zh", "en"}


def test_receipt_is_explained_at_its_own_time(tmp_path: Path) -> None:
    """An exported receipt suffices: its application, when it was recorded; and it is said if the policies
    have changed since."""
    bundle = load_bundle(POLICIES, lambda *_: None)
    asked = of_case(CASE, bundle).application
    late = datetime(2030, 1, 1, tzinfo=UTC)
    decision = evaluate(asked, None, bundle, late)
    for hash_, said_so in ((bundle.hash, False), ("0" * 64, True)):
        written = statement(
            EntryKind.EXCHANGE,
            asked,
            replace(decision, bundle_hash=hash_),
            late,
            provider="healthcare",
            subject_tags=[bytes(16)],
            masks={},
            epoch=1,
        )
        receipt = export_receipt(Receipt(written, 7, 8, (), "a\n8\nb\n\n— a b\n"))
        (tmp_path / "receipt.json").write_bytes(receipt)
        said = explain("--receipt", str(tmp_path / "receipt.json")).output
        assert "日期是 2030-01-01；规则 newborn-registration 许可的有效期为" in said
        assert ("按另一版策略" in said) is said_so


@pytest.mark.parametrize(
    "words",
    [(), ("--case", CASE, "--department", "tax"), (*WRONG_PURPOSE, "--at", "tomorrow"), ("--case", "x")],
)
def test_what_to_explain_must_be_told_once(words: tuple[str, ...]) -> None:
    """One application, from one place, at a time that is one."""
    assert isinstance(explain(*words).exception, SetUpError)
