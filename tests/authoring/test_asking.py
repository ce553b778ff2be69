"""What is explained comes from options, a file, a case or a receipt, and is read as strictly as a policy."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest

from broker.approve.bundle import Bundle
from broker.approve.evaluate import evaluate
from broker.approve.problem import PolicyProblems
from broker.authoring.asking import of_case, of_file, of_options, of_statement
from broker.errors import SetUpError, VerificationFailed
from broker.model import Application, EntryKind
from broker.receipt.statement import statement

ASKED = {
    "department": "fund",
    "dataset": "registry.marriage",
    "fields": ["status"],
    "purpose": "withdrawal",
    "service_item": "F-1",
    "case_no": "C-1",
    "legal_basis": "条例 第一条",
    "operator": "0001",
}
NOW = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)


def receipted(asked: Application, bundle: Bundle, kind: EntryKind = EntryKind.EXCHANGE) -> dict[str, object]:
    """The statement that the broker would have written of an application."""
    decision = evaluate(asked, None, bundle, NOW)
    tags = [bytes(16) for _ in asked.subjects]
    written = statement(kind, asked, decision, NOW, provider="registry", subject_tags=tags, masks={}, epoch=1)
    return orjson.loads(written)


def test_options_and_files_say_the_same(bundle: Bundle, tmp_path: Path) -> None:
    """An application is the same from options, from JSON and from YAML."""
    asked = of_options(ASKED, bundle).application
    (tmp_path / "a.json").write_text(json.dumps(ASKED), "utf-8")
    lines = [f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in ASKED.items()]
    (tmp_path / "a.yaml").write_text("\n".join(lines), "utf-8")
    assert of_file(tmp_path / "a.json", bundle).application == asked
    assert of_file(tmp_path / "a.yaml", bundle).application == asked


def test_slips_in_options_are_told_by_their_option(bundle: Bundle) -> None:
    """All of them at once, each with the nearest name."""
    with pytest.raises(SetUpError) as refused:
        of_options({**ASKED, "department": "funds", "fields": ["statuss"]}, bundle)
    assert refused.value.zh == (
        "--department 没有部门“funds”，是否指“fund”？\n--field 没有数据项“statuss”，是否指“status”？"
    )


def test_slips_in_files_are_told_with_their_place(bundle: Bundle, tmp_path: Path) -> None:
    """As in a policy."""
    (tmp_path / "a.json").write_text('{"department": "funds"}', "utf-8")
    with pytest.raises(PolicyProblems, match=r"a\.json:1:16 UNKNOWN_DEPARTMENT"):
        of_file(tmp_path / "a.json", bundle)


def test_case_is_found_by_file_and_id(bundle: Bundle, tmp_path: Path) -> None:
    """With its own clock; another id is refused."""
    file = tmp_path / "a.yaml"
    one = json.dumps(ASKED, ensure_ascii=False)
    file.write_text(
        'format: share-cases/v1\nat: "2026-11-23 10:00"\n'
        f"applications: {{one: {one}}}\ncases: [{{id: x, application: one, expect: {{decision: permit}}}}]\n",
        "utf-8",
    )
    question = of_case(f"{file}#x", bundle)
    assert question.now == NOW
    assert question.application == of_options(ASKED, bundle).application
    for reference in (f"{file}#y", "x"):
        with pytest.raises(SetUpError, match="没有用例"):
            of_case(reference, bundle)


@pytest.mark.parametrize("subjects", ["1", "3", "all"])
def test_receipt_is_decided_as_it_was(subjects: str, bundle: Bundle) -> None:
    """A statement names no subjects, but all that policy looks at: the decision is the same again."""
    asked = of_options({**ASKED, "subjects": subjects}, bundle).application
    kind = EntryKind.STREAM_DECISION if subjects == "all" else EntryKind.EXCHANGE
    question = of_statement(receipted(asked, bundle, kind), bundle)
    assert question.now == NOW
    assert question.bundle_hash == bundle.hash
    assert evaluate(question.application, None, bundle, NOW) == evaluate(asked, None, bundle, NOW)


@pytest.mark.parametrize(
    "change",
    [
        {"consumer": "fund"},
        {"fields": "status"},
        {"recorded_at": "yesterday"},
        {"purpose": 1},
        {"subject_tags": None},
    ],
)
def test_statement_of_another_form_is_refused(change: dict[str, object], bundle: Bundle) -> None:
    """Nobody has verified what is in the file."""
    sound = receipted(of_options(ASKED, bundle).application, bundle)
    with pytest.raises(VerificationFailed):
        of_statement({**sound, **change}, bundle)
    for member in ("decision", "consumer", "kind"):
        with pytest.raises(VerificationFailed):
            of_statement({name: value for name, value in sound.items() if name != member}, bundle)
