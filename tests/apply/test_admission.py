"""Admission: what is malformed is told all at once and never repeated; what is merely missing passes."""

from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.apply.admission import (
    MAX_CLAIMED,
    MAX_FIELDS,
    MAX_NAME,
    MAX_SIGNED_APPLICATION,
    MAX_SUBJECTS,
    MAX_TEXT,
    Request,
    admit,
)
from broker.demo.setup import load_shipped, shipped_policies
from broker.errors import MalformedRequest
from broker.model import Claim, Identity, Role, SignedApplication
from broker.reasons import Reason

CATALOG = load_shipped(shipped_policies()).catalog
CONSUMER = Identity("xinghe", "housing_fund", Role.SYSTEM, "counter", 1, datetime.now(UTC), bytes(32))
SIGNED = SignedApplication(b"held", CONSUMER)
DIGEST = sha256(SIGNED.message).digest()
REQUEST = Request(
    request_id="11111111-2222-4333-8444-555555555555",
    dataset="datasets/civil_affairs.marriage",
    fields=("status", "registered_on"),
    subjects=("990101189901010015", "990101189901010023"),
    purpose="housing_fund_withdrawal",
    service_item="990100-GJJ-0003",
    case_no="GJJ-2026-000001",
    legal_basis="住房公积金管理条例 第二十四条",
    operator="张三 GJJ-0088",
    grant="grants/spring",
)


def no_commitment(messages, application):
    raise AssertionError("there is none")


def no_signature(message, application):
    raise AssertionError("nothing was signed")


def application(**changes):
    return admit(replace(REQUEST, **changes), CONSUMER, CATALOG, no_signature, no_commitment)


def violations(**changes):
    """Field → number of violations."""
    with pytest.raises(MalformedRequest) as refused:
        application(**changes)
    assert refused.value.reason is Reason.REQUEST_MALFORMED
    found = [violation.field for violation in refused.value.violations]
    return {field: found.count(field) for field in found}


def test_application_is_what_was_asked_by_whom_it_was_proved():
    """Names lose their collection, everything else stays as it came; the consumer is the certificate's."""
    admitted = application()
    assert admitted.consumer is CONSUMER
    assert (admitted.dataset, admitted.grant) == ("civil_affairs.marriage", "spring")
    for name in ("request_id", "fields", "subjects", "purpose", "service_item", "case_no", "operator"):
        assert getattr(admitted, name) == getattr(REQUEST, name)
    assert admitted.legal_basis == REQUEST.legal_basis
    assert (admitted.validate_only, admitted.streamed, admitted.signed_digest) == (False, False, b"")


def test_missing_papers_are_not_malformed():
    """Policy, not form, says which papers a sharing needs."""
    admitted = application(service_item="", case_no="", legal_basis="", operator="", grant="")
    assert (admitted.service_item, admitted.case_no, admitted.operator, admitted.grant) == ("", "", "", "")


@pytest.mark.parametrize(
    "request_id",
    [
        "",
        "11111111-2222-4333-8444-55555555555",
        "1111111122224333844455555555555 ",
        "11111111222243338444555555555555",
        "AAAAAAAA-2222-4333-8444-555555555555",
        "{11111111-2222-4333-8444-555555555555}",
        "urn:uuid:11111111-2222-4333-8444-555555555555",
        "１1111111-2222-4333-8444-555555555555",
    ],
)
def test_request_id_has_one_spelling(request_id):
    """Two spellings of one UUID would be two exchanges."""
    assert violations(request_id=request_id) == {"request_id": 1}


def test_names():
    """Resource names carry their collection; a purpose is one of the catalog's."""
    assert violations(dataset="civil_affairs.marriage") == {"application.dataset": 1}
    assert violations(grant="spring") == {"grant": 1}
    for purpose in ("", "no_such", "housing_fund_withdrawal "):
        assert violations(purpose=purpose) == {"application.purpose": 1}


def test_unknown_dataset_is_a_need_in_the_words_of_a_catalog():
    """It is admitted as asked, with fields and subjects that no catalog can judge; nothing else goes in."""
    asked = application(dataset="datasets/tax.vehicle", fields=("plate_no",), subjects=("anybody",))
    assert (asked.dataset, asked.fields, asked.subjects) == ("tax.vehicle", ("plate_no",), ("anybody",))
    assert application(dataset="datasets/" + "a" * MAX_NAME)
    assert violations(dataset="datasets/tax.vehicle", purpose="") == {"application.purpose": 1}
    for name in (
        "",
        "datasets/civil_affairs.marriage",
        "a" * (MAX_NAME + 1),
        "Tax",
        "a.b.c",
        "车辆",
        "a\n",
        "1a",
    ):
        assert violations(dataset=f"datasets/{name}") == {"application.dataset": 1}, name
    for field in ("", "Plate", "车牌", "a.b", "a b", "990101189901010015", "a" * (MAX_NAME + 1)):
        assert violations(dataset="datasets/tax.vehicle", fields=(field,)) == {"application.fields[0]": 1}
    for subject in ("x" * (MAX_TEXT + 1), "a\x00b", " a"):
        found = violations(dataset="datasets/tax.vehicle", subjects=(subject,))
        assert found == {"application.subjects[0]": 1}


PAPERS = ("service_item", "case_no", "legal_basis", "operator")


@pytest.mark.parametrize("paper", PAPERS)
def test_papers_hold_what_people_can_read(paper):
    """They stand in receipts for years: no controls, no invisible characters, no endless text."""
    path = f"application.{paper}"
    assert application(**{paper: "字" * MAX_TEXT})
    assert application(**{paper: "𠮷野家 — a b"})
    assert violations(**{paper: "字" * (MAX_TEXT + 1)}) == {path: 1}
    for invisible in (
        " a",
        "a ",
        "a\u3000",
        "a\nb",
        "a\x00b",
        "a\u200bb",
        "a\u202eb",
        "a\u2028b",
        "a\u2029b",
        "\ue000",
    ):
        assert violations(**{paper: invisible}) == {path: 1}, ascii(invisible)


def test_grant_holds_what_people_can_read():
    """A grant's name stands in the receipt as well."""
    assert violations(grant="grants/" + "x" * (MAX_TEXT + 1)) == {"grant": 1}
    assert violations(grant="grants/a\x00b") == {"grant": 1}


def test_fields():
    """Each once, each in the catalog, at least one and not too many."""
    assert violations(fields=()) == {"application.fields": 1}
    assert violations(fields=("status", "status")) == {"application.fields[1]": 1}
    assert violations(fields=("status", "no_such", "Status")) == {
        "application.fields[1]": 1,
        "application.fields[2]": 1,
    }
    assert violations(fields=("status",) * (MAX_FIELDS + 1)) == {"application.fields": 1}


def test_subjects():
    """Each once, each in the dataset's format; at least one, but a stream may ask for all."""
    assert violations(subjects=()) == {"application.subjects": 1}
    assert application(subjects=(), streamed=True).subjects == ()
    assert violations(subjects=REQUEST.subjects[:1] * 2) == {"application.subjects[1]": 1}
    wrong = ("990101189901010014", "", "990101189901010015 ", "99010118990101001５")
    for subject in wrong:
        assert violations(subjects=(REQUEST.subjects[0], subject)) == {"application.subjects[1]": 1}
    too_many = tuple(str(number) for number in range(MAX_SUBJECTS + 1))
    assert violations(subjects=too_many)["application.subjects"] == 1


def test_everything_wrong_at_once():
    """One answer names all that is to be put right."""
    assert set(
        violations(request_id="x", dataset="x", grant="x", purpose="x", operator=" ", fields=(), subjects=())
    ) == {
        "request_id",
        "application.dataset",
        "grant",
        "application.purpose",
        "application.operator",
        "application.fields",
        "application.subjects",
    }


def test_signed_application_is_verified_against_the_request():
    """What the verifier gives becomes part of the application; without a signature it is not asked."""
    asked = []

    def verify(message, application):
        asked.append((message, application))
        return SIGNED

    signed = admit(replace(REQUEST, signed_application=b"cose"), CONSUMER, CATALOG, verify, no_commitment)
    assert signed == replace(application(), signed=SIGNED, signed_digest=DIGEST)
    assert asked == [(b"cose", application())]
    assert violations(signed_application=bytes(MAX_SIGNED_APPLICATION + 1)) == {"signed_application": 1}


def test_malformed_request_is_refused_before_its_signature_is_looked_at():
    """Verification costs time, and its result would be of no use."""
    assert violations(signed_application=b"cose", purpose="") == {"application.purpose": 1}


WORD = st.text(max_size=10)
ODD = WORD.map(lambda text: f"canary{text}canary")


@given(
    st.builds(
        Request,
        request_id=ODD,
        dataset=ODD | st.just(REQUEST.dataset),
        fields=st.lists(ODD | st.just("status"), max_size=4).map(tuple),
        subjects=st.lists(ODD, max_size=4).map(tuple),
        purpose=ODD,
        operator=ODD,
        case_no=ODD,
        grant=ODD,
    )
)
def test_violations_repeat_nothing(request_):
    """Whatever was sent, what is said of it is ours: paths and sentences, no value."""
    with pytest.raises(MalformedRequest) as refused:
        admit(request_, CONSUMER, CATALOG, no_signature, no_commitment)
    told = f"{refused.value} {refused.value.violations}"
    assert "canary" not in told
    for violation in refused.value.violations:
        assert violation.zh
        assert violation.en


def claimed(*pairs):
    return tuple(Claim(field, texts) for field, texts in pairs)


def test_claims_are_about_fields_and_subjects_asked():
    """One for each subject, of one field once; not every subject needs one."""
    sound = claimed(("status", ("在婚", "")), ("registered_on", ("2020-02-29", "2021-01-01")))
    assert application(claims=sound).claims == sound
    wrong = claimed(("status", ("在婚",)), ("district", ("990101", "")), ("status", ("", "")))
    assert violations(claims=wrong) == {
        "application.claims[0].values": 1,
        "application.claims[1].field": 1,
        "application.claims[2]": 1,
        "application.claims[2].values": 1,
    }
    many = tuple(f"99010118990101{number:04}" for number in range(MAX_CLAIMED + 1))
    asked = violations(subjects=many, claims=claimed(("status", ("在婚",) * len(many))))
    assert asked["application.claims"] == 1
    assert violations(streamed=True, claims=sound) == {"application.claims": 1}


@pytest.mark.parametrize(
    "said", ["2021-02-29", "20210101", "2021-1-1", "２０２１-01-01", "x" * 201, "\u200b"]
)
def test_claims_are_spelled_as_their_type_and_never_repeated(said):
    """A date that nobody can read would be told no; what is refused does not come back."""
    with pytest.raises(MalformedRequest) as refused:
        application(claims=claimed(("registered_on", (said, ""))))
    assert {found.field for found in refused.value.violations} == {"application.claims[0].values[0]"}
    assert said not in "".join(found.zh + found.en for found in refused.value.violations)
