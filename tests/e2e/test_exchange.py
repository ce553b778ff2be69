"""Unary exchanges end to end: decision, masked records, status, receipt, idempotence."""

import uuid

import pytest
from orjson import loads

from broker.client import Duties, Review, verify_receipt
from broker.errors import Conflict, MalformedRequest, NotFound
from broker.model import AnswerStatus, Role, Verdict
from broker.reasons import Reason


def test_permit_releases_masked_records_with_a_receipt_that_verifies(connect, withdrawal, trust):
    """A permitted call gives the masked record, its status and a receipt that proves itself."""
    exchanged = connect("housing_fund").exchange(**withdrawal)
    assert exchanged.verdict is Verdict.PERMIT
    assert exchanged.status is AnswerStatus.FOUND
    assert exchanged.masks["registered_on"].startswith("year@")
    (record,) = exchanged.records
    assert set(record) == {"status", "registered_on"}
    assert len(str(record["registered_on"])) == 4
    statement = loads(exchanged.receipt.statement)
    assert verify_receipt(exchanged.receipt, trust).statement == statement
    assert statement["consumer"]["department"] == "housing_fund"
    assert statement["case_no"] == withdrawal["case_no"]
    assert statement["outcome"]["rows"] == {"read": 1, "bad": 0, "released": 1}


def test_statement_names_no_subject_and_no_value(connect, withdrawal):
    """The receipt holds neither the identifier asked with nor a value released."""
    exchanged = connect("housing_fund").exchange(**withdrawal)
    text = exchanged.receipt.statement.decode()
    assert withdrawal["subjects"][0] not in text


def test_two_receipts_of_one_person_do_not_link(connect, withdrawal):
    """Subject tags and salts differ between two exchanges about the same person."""
    broker = connect("housing_fund")
    first, second = (loads(broker.exchange(**withdrawal).receipt.statement) for _ in range(2))
    assert first["subject_tags"] != second["subject_tags"]
    assert first["salt"] != second["salt"]


def test_wrong_purpose_is_denied_with_its_reason_and_a_receipt(connect, withdrawal, trust):
    """A refusal is an answer: no error, no data, a reason and a receipt."""
    terms = withdrawal | {"purpose": "housing_fund_audit", "service_item": "990100-GJJ-0009"}
    exchanged = connect("housing_fund").exchange(**terms)
    assert exchanged.verdict is Verdict.DENY
    assert [reason.code for reason in exchanged.reasons] == [Reason.PURPOSE_NOT_PERMITTED]
    assert exchanged.records == []
    assert exchanged.status is None
    verify_receipt(exchanged.receipt, trust)


def test_another_department_is_denied_whatever_it_says(connect, withdrawal):
    """The same request under another department's certificate is decided for that department."""
    exchanged = connect("tax").exchange(**withdrawal)
    assert exchanged.verdict is Verdict.DENY
    assert loads(exchanged.receipt.statement)["consumer"]["department"] == "tax"


def test_missing_papers_are_listed_all_at_once(connect, withdrawal):
    """Papers that are merely missing give one notice with everything missing, and a receipt."""
    terms = {k: withdrawal[k] for k in ("dataset", "fields", "subjects", "purpose")}
    exchanged = connect("housing_fund").exchange(**terms)
    assert exchanged.verdict is Verdict.NEEDS_SUPPLEMENT
    assert {reason.code for reason in exchanged.reasons} == {
        Reason.CASE_NO_MISSING,
        Reason.SERVICE_ITEM_MISSING,
        Reason.OPERATOR_MISSING,
        Reason.LEGAL_BASIS_MISSING,
    }


def test_bad_row_is_doubtful_and_never_none(connect, withdrawal, cast):
    """A provider's bad row is counted and kept back, and the counter is told to verify by hand."""
    terms = withdrawal | {
        "dataset": "social_security.retirement",
        "fields": ["retired", "retired_on"],
        "subjects": [cast["withdrawal"]["doubtful"]],
    }
    exchanged = connect("housing_fund").exchange(**terms)
    assert exchanged.status is AnswerStatus.DOUBTFUL
    assert exchanged.records == []
    assert exchanged.advice is not None
    assert "转人工核验" in exchanged.advice[0]
    assert loads(exchanged.receipt.statement)["outcome"]["rows"]["bad"] == 1


def test_stale_row_says_so(connect, withdrawal, cast):
    """A row older than its update cycle comes with status stale."""
    terms = withdrawal | {
        "dataset": "social_security.retirement",
        "fields": ["retired"],
        "subjects": [cast["withdrawal"]["stale"]],
    }
    assert connect("housing_fund").exchange(**terms).status is AnswerStatus.STALE


def test_no_record_in_a_current_source_is_none(connect, withdrawal, cast):
    """A person whom a current register does not hold is answered with none."""
    exchanged = connect("housing_fund").exchange(
        **withdrawal | {"subjects": [cast["withdrawal"]["unmarried"]]}
    )
    assert exchanged.status is AnswerStatus.NONE
    assert exchanged.records == []


def test_retry_gives_the_original_receipt(connect, withdrawal):
    """The same request under the same id is answered again, under the receipt of the first time."""
    broker, request_id = connect("housing_fund"), str(uuid.uuid4())
    first = broker.exchange(request_id=request_id, **withdrawal)
    second = broker.exchange(request_id=request_id, **withdrawal)
    assert not first.redelivered
    assert second.redelivered
    assert second.receipt.leaf_index == first.receipt.leaf_index
    assert second.records == first.records


def test_request_id_cannot_be_used_for_another_request(connect, withdrawal):
    """Another request under a used id is refused."""
    broker, request_id = connect("housing_fund"), str(uuid.uuid4())
    broker.exchange(request_id=request_id, **withdrawal)
    with pytest.raises(Conflict) as refused:
        broker.exchange(request_id=request_id, **withdrawal | {"case_no": "another"})
    assert refused.value.reason is Reason.REQUEST_ID_REUSED


def test_validate_only_decides_without_data(connect, withdrawal):
    """A dry run gives decision and receipt, reads nothing, and leaves the request id free."""
    broker, request_id = connect("housing_fund"), str(uuid.uuid4())
    dry = broker.exchange(request_id=request_id, validate_only=True, **withdrawal)
    assert dry.verdict is Verdict.PERMIT
    assert dry.records == []
    assert dry.status is None
    assert not broker.exchange(request_id=request_id, **withdrawal).redelivered


def test_signed_application_stands_in_the_receipt(connect, withdrawal):
    """An application signed by the consumer's key is verified and bound to the receipt."""
    exchanged = connect("housing_fund").exchange(sign=True, **withdrawal)
    assert exchanged.permitted
    assert len(loads(exchanged.receipt.statement)["signed_application"]) == 64


def test_unknown_grant_permits_nothing(connect, withdrawal):
    """A grant that no approval stands behind is a refusal."""
    exchanged = connect("housing_fund").exchange(grant="made-up", **withdrawal)
    assert [reason.code for reason in exchanged.reasons] == [Reason.GRANT_UNKNOWN]


def test_every_violation_is_told_at_once_and_no_value_is_echoed(connect, withdrawal):
    """Malformed requests list all that is wrong, by place, without repeating what was sent."""
    terms = withdrawal | {"subjects": ["990101SECRET"], "fields": ["no_such_field"], "operator": "a\u0000b"}
    with pytest.raises(MalformedRequest) as refused:
        connect("housing_fund").exchange(request_id="not-a-uuid", **terms)
    violations = refused.value.violations
    assert {v.field for v in violations} == {
        "request_id",
        "application.subjects[0]",
        "application.fields[0]",
        "application.operator",
    }
    assert not any(secret in str(violations) for secret in ("SECRET", "no_such_field", "not-a-uuid"))


def test_auditor_reads_all_a_system_only_its_own(connect, withdrawal):
    """Receipts are shown to the authority's auditor, to the parties, and to nobody else."""
    leaf = connect("housing_fund").exchange(**withdrawal).receipt.leaf_index
    assert connect("data_authority", Role.AUDITOR).receipt(leaf).leaf_index == leaf
    assert connect("civil_affairs", Role.AUDITOR).receipt(leaf).leaf_index == leaf
    assert connect("housing_fund").receipt(leaf).leaf_index == leaf
    for stranger in (connect("tax"), connect("tax", Role.AUDITOR), connect("civil_affairs")):
        with pytest.raises(NotFound):
            stranger.receipt(leaf)
        assert leaf not in [receipt.leaf_index for receipt in stranger.receipts()]


def test_receipts_are_filtered(connect, withdrawal):
    """Filters by department, dataset, purpose, verdict and time are joined by 'and'."""
    connect("housing_fund").exchange(**withdrawal)
    auditor = connect("data_authority", Role.AUDITOR)
    found = list(
        auditor.receipts(
            department="housing_fund",
            dataset="civil_affairs.marriage",
            purpose="housing_fund_withdrawal",
            verdict=Verdict.PERMIT,
        )
    )
    assert found
    for receipt in found:
        statement = loads(receipt.statement)
        assert statement["dataset"] == "civil_affairs.marriage"
        assert statement["decision"]["verdict"] == "permit"


def test_who_must_review_is_told(connect, withdrawal):
    """In the answer and in its receipt: whose officers, how many, within how many working days."""
    reviewed = connect("housing_fund").exchange(**withdrawal | {"fields": ["status", "husband_name"]})
    assert reviewed.verdict is Verdict.REVIEW
    (review,) = reviewed.reviews
    assert review == Review(("civil_affairs",), 2, 3, never_own=True)
    (recorded,) = loads(reviewed.receipt.statement)["decision"]["reviews"]
    assert recorded == {
        "departments": ["civil_affairs"],
        "count": 2,
        "within_working_days": 3,
        "never_own": True,
    }


def test_duties_are_told_and_recorded(connect, withdrawal, package):
    """What the permit lays upon the consumer, of a single message and of a stream."""
    permitted = connect("housing_fund").exchange(**withdrawal)
    assert permitted.duties == Duties(retain_days=30)
    with connect("medical_insurance").stream(**package) as stream:
        assert stream.duties == Duties(retain_days=180, no_onward_sharing=True)
        assert stream.reviews == ()
        stream.table()
    for receipt in (stream.receipt, stream.outcome_receipt):
        obligations = loads(receipt.statement)["obligations"]
        assert (obligations["retain_days"], obligations["no_onward_sharing"]) == (180, True)
