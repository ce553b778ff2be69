"""Messages and domain: every word of one side has its word on the other, and nothing is lost between them."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.client.duties import Duties, Review, duties_of, reviews_of
from broker.client.evidence import PAPERS
from broker.demo.setup import load_shipped, shipped_policies
from broker.exchange import Closing, Exchanged, Opening
from broker.model import (
    AnswerStatus,
    Decision,
    DepartmentKind,
    FieldType,
    Mask,
    Obligations,
    Receipt,
    ReviewBy,
    RowCounts,
    SharingAttribute,
    SubjectAnswer,
    Verdict,
    Why,
)
from broker.reasons import Reason, sentence
from broker.receipt.statement import Outcome
from broker.server import wire
from broker.transmit.reading import Answer
from broker.v1 import catalog_pb2, exchange_pb2

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone(timedelta(hours=8)))
RECEIPT = Receipt(b"{}", 7, 9, (bytes(32), bytes(range(32))), "note")
PERMIT = Decision(
    Verdict.PERMIT,
    "ab" * 32,
    ("policy/rule",),
    obligations=Obligations({"name": Mask("partial"), "born_on": Mask("year")}, 30, signed_application=True),
)


@pytest.mark.parametrize(
    ("words", "kind", "prefix"),
    [
        (Verdict, exchange_pb2.Verdict, "VERDICT_"),
        (AnswerStatus, exchange_pb2.AnswerStatus, "ANSWER_STATUS_"),
        (DepartmentKind, catalog_pb2.DepartmentKind, "DEPARTMENT_KIND_"),
        (SharingAttribute, catalog_pb2.SharingAttribute, "SHARING_ATTRIBUTE_"),
        (FieldType, catalog_pb2.FieldType, "FIELD_TYPE_"),
    ],
)
def test_enums_have_the_same_words(words, kind, prefix):
    """What the domain knows the wire can say, and the other way round; zero stays unspecified."""
    assert set(kind.keys()) == {f"{prefix}UNSPECIFIED"} | {f"{prefix}{word.name}" for word in words}
    assert kind.Value(f"{prefix}UNSPECIFIED") == 0


def test_every_status_but_found_has_advice():
    """The counter is told what to do; doubtful and stale mean 转人工核验."""
    assert set(wire.ADVICE) == set(AnswerStatus) - {AnswerStatus.FOUND}
    for status in (AnswerStatus.DOUBTFUL, AnswerStatus.STALE):
        assert "转人工核验" in wire.ADVICE[status].zh
        assert "by hand" in wire.ADVICE[status].en


TEXT = st.text(max_size=20)
TERMS = {
    "dataset": TEXT,
    "fields": st.lists(TEXT, max_size=3),
    "subjects": st.lists(TEXT, max_size=3),
    **dict.fromkeys(PAPERS, TEXT),
}


@given(
    st.builds(
        exchange_pb2.ExchangeRequest,
        request_id=TEXT,
        application=st.builds(exchange_pb2.Application, **TERMS),
        grant=TEXT,
        signed_application=st.binary(max_size=10),
        validate_only=st.booleans(),
    )
)
def test_request_arrives_as_it_was_sent(message):
    """Field by field and unjudged: to judge is admission's."""
    request = wire.request_of(message)
    assert request.request_id == message.request_id
    assert (request.fields, request.subjects) == (
        tuple(message.application.fields),
        tuple(message.application.subjects),
    )
    for name in ("dataset", *PAPERS):
        assert getattr(request, name) == getattr(message.application, name)
    assert (request.grant, request.signed_application) == (message.grant, message.signed_application)
    assert (request.validate_only, request.streamed) == (message.validate_only, False)


def test_request_of_a_stream():
    """A stream's request says that it is one, and is never a dry run."""
    request = wire.request_of(exchange_pb2.StreamExchangeRequest(request_id="x"))
    assert (request.request_id, request.streamed, request.validate_only) == ("x", True, False)


def test_permit():
    """The obligations name the operators as bound, and as the policy has them where nothing was bound."""
    message = wire.decision_message(PERMIT, {"name": "partial@1", "born_on": "", "sex": ""})
    assert message.verdict == exchange_pb2.VERDICT_PERMIT
    assert list(message.rules) == ["policy/rule"]
    assert message.bundle_hash == "ab" * 32
    assert dict(message.obligations.masks) == {"name": "partial@1", "born_on": "year"}
    assert message.obligations.retain_days == 30
    assert message.obligations.signed_application


DUTIES = Obligations(
    retain_days=1,
    acknowledge_hours=48,
    no_onward_sharing=True,
    watermark=True,
    notify_subject=True,
    countersignature=True,
    commitments=("strict-use",),
)


def test_duties_of_a_permit():
    """Each duty of a permit is on the wire under its own name, and as much for a review that knows them."""
    for verdict in (Verdict.PERMIT, Verdict.REVIEW):
        message = wire.decision_message(Decision(verdict, "00", obligations=DUTIES), {})
        for name in set(Duties.__slots__) - {"commitments"}:
            assert getattr(message.obligations, name) == (getattr(DUTIES, name) or 0)
        assert message.obligations.commitments == ["commitmentTemplates/strict-use"]
        said = Duties(1, 48, True, True, True, countersignature=True, commitments=("strict-use",))
        assert duties_of(message) == said


def test_reviews():
    """Who must review, how many, how soon; a limit that is not set is 0. Without them no obligations."""
    reviews = (ReviewBy(frozenset({"tax", "civil_affairs"}), 2, 5), ReviewBy(frozenset({"data_authority"})))
    message = wire.decision_message(Decision(Verdict.REVIEW, "00", reviews=reviews), {})
    assert [list(review.departments) for review in message.reviews] == [
        ["departments/civil_affairs", "departments/tax"],
        ["departments/data_authority"],
    ]
    assert reviews_of(message) == (
        Review(("civil_affairs", "tax"), 2, 5, True),
        Review(("data_authority",), 1, 0, True),
    )
    assert not message.HasField("obligations")


def test_refusal():
    """Reasons and missing papers come with code, both languages and what they are about; no obligations."""
    decision = Decision(
        Verdict.NEEDS_SUPPLEMENT,
        "00",
        reasons=(Why(Reason.FIELD_NOT_PERMITTED, "mobile"),),
        missing=(Why(Reason.CASE_NO_MISSING), Why(Reason.OPERATOR_MISSING)),
        obligations=Obligations({"name": Mask("partial")}),
    )
    message = wire.decision_message(decision, {})
    assert not message.HasField("obligations")
    (reason,) = message.reasons
    said = sentence(Reason.FIELD_NOT_PERMITTED, "mobile")
    assert (reason.code, reason.zh, reason.en, reason.about) == ("FIELD_NOT_PERMITTED", *said, "mobile")
    assert [missing.code for missing in message.missing] == ["CASE_NO_MISSING", "OPERATOR_MISSING"]


def test_receipt():
    """All of it, under its resource name."""
    message = wire.receipt_message(RECEIPT)
    assert (message.name, message.leaf_index, message.tree_size) == ("receipts/7", 7, 9)
    assert (message.statement, tuple(message.proof), message.checkpoint) == (b"{}", RECEIPT.proof, "note")


def test_refused_exchange_has_no_answer():
    """Not an empty one either."""
    response = wire.exchange_response(Exchanged(Decision(Verdict.DENY, "00"), RECEIPT))
    assert not response.HasField("answer")
    assert response.receipt.leaf_index == 7
    assert not response.redelivered


def test_answer():
    """Values keep their kind, records their subjects, columns their masks, absent values stay absent."""
    answer = Answer(
        status=AnswerStatus.DOUBTFUL,
        as_of=NOON,
        subjects=(SubjectAnswer(0, AnswerStatus.FOUND, 2), SubjectAnswer(1, AnswerStatus.DOUBTFUL, 0)),
        counts=RowCounts(3, 1, 2),
        records=[{"name": "张*", "children": 0, "married": False}, {"name": ""}],
        record_subjects=[(0,), (0, 1)],
    )
    masks = {"name": "partial@1", "children": "", "married": ""}
    exchanged = Exchanged(PERMIT, RECEIPT, answer, masks, b"n" * 32, b"d" * 32, redelivered=True)
    response = wire.exchange_response(exchanged)
    message = response.answer
    assert response.redelivered
    assert message.status == exchange_pb2.ANSWER_STATUS_DOUBTFUL
    assert message.as_of.ToDatetime(tzinfo=UTC) == NOON
    assert [(s.index, s.status, s.records) for s in message.subjects] == [(0, 1, 2), (1, 3, 0)]
    assert [(column.field, column.mask) for column in message.columns] == list(masks.items())
    first, second = message.records
    assert {name: value.WhichOneof("kind") for name, value in first.values.items()} == {
        "name": "text",
        "children": "integer",
        "married": "truth",
    }
    assert (first.values["children"].integer, first.values["married"].truth) == (0, False)
    assert list(second.values) == ["name"]
    assert second.values["name"].WhichOneof("kind") == "text"
    assert (list(first.subjects), list(second.subjects)) == ([0], [0, 1])
    assert (message.counts.read, message.counts.bad, message.counts.released) == (3, 1, 2)
    assert (message.nonce, message.digest) == (b"n" * 32, b"d" * 32)
    assert message.advice == wire.ADVICE[AnswerStatus.DOUBTFUL]


def test_found_answer_needs_no_advice():
    """Advice is for the other three; a time that is unknown stays unset."""
    answer = Answer(AnswerStatus.FOUND, None, (), RowCounts(), [], [])
    message = wire.exchange_response(Exchanged(PERMIT, RECEIPT, answer)).answer
    assert not message.HasField("advice")
    assert not message.HasField("as_of")


@given(st.integers(-(2**63), 2**63 - 1))
def test_whole_numbers_of_64_bits(number):
    """No digit is lost."""
    answer = Answer(AnswerStatus.FOUND, None, (), RowCounts(), [{"n": number}], [()])
    message = wire.exchange_response(Exchanged(PERMIT, RECEIPT, answer)).answer
    value = message.records[0].values["n"]
    assert getattr(value, value.WhichOneof("kind")) in (number, str(number))


def test_parts_of_a_stream():
    """The opening tells columns and nonce, the closing status, time, counts and digest; each its receipt."""
    opening = wire.opening_part(Opening(PERMIT, RECEIPT, {"name": "partial@1"}, b"n" * 32)).opening
    assert [(column.field, column.mask) for column in opening.columns] == [("name", "partial@1")]
    assert (opening.nonce, opening.receipt.leaf_index) == (b"n" * 32, 7)
    outcome = Outcome(AnswerStatus.STALE, NOON, RowCounts(3, 1, 2), b"d" * 32)
    closing = wire.closing_part(Closing(outcome, RECEIPT)).outcome
    assert (closing.status, closing.digest) == (exchange_pb2.ANSWER_STATUS_STALE, b"d" * 32)
    assert closing.as_of.ToDatetime(tzinfo=UTC) == NOON
    assert (closing.counts.read, closing.counts.bad, closing.counts.released) == (3, 1, 2)


def test_opening_of_a_refusal():
    """It has neither columns nor a nonce."""
    opening = wire.opening_part(Opening(Decision(Verdict.DENY, "00"), RECEIPT)).opening
    assert (list(opening.columns), opening.nonce) == ([], b"")


@given(st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30), timezones=st.timezones()))
def test_times(time):
    """Whatever the zone, the instant is the same, to the microsecond."""
    assert wire.timestamp(time).ToDatetime(tzinfo=UTC) == time.astimezone(UTC)


def test_no_time():
    """What is not known stays unset."""
    assert wire.timestamp(None) is None


def test_catalog():
    """Departments, datasets and fields of a real catalog keep all that is published of them."""
    catalog = load_shipped(shipped_policies()).catalog
    for department in catalog.departments.values():
        message = wire.department_message(department)
        assert message.name == f"departments/{department.id}"
        assert catalog_pb2.DepartmentKind.Name(message.kind).endswith(department.kind.name)
    for dataset in catalog.datasets.values():
        message = wire.dataset_message(dataset)
        assert (message.name, message.department) == (
            f"datasets/{dataset.id}",
            f"departments/{dataset.department}",
        )
        assert message.update_cycle_seconds == dataset.update_cycle.total_seconds()
        assert [field.field for field in message.fields] == list(dataset.fields)
        for field, kept in zip(message.fields, dataset.fields.values(), strict=True):
            assert field.name == f"{message.name}/fields/{kept.name}"
            assert (field.level, field.required, field.shared) == (kept.level, kept.required, kept.shared)
            assert field.format == (kept.format or "")
