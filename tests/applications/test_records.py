"""What becomes of the record: each act, its bytes, what is signed of it, what is missing in it."""

from dataclasses import replace
from datetime import timedelta

import orjson
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

from broker.applications import steps
from broker.applications.demanded import missing, reviews
from broker.applications.form import terms_violations
from broker.applications.message import terms_message, terms_of
from broker.applications.notices import TOLD
from broker.applications.states import NoTransition
from broker.audit.verify.applications import act as check
from broker.audit.verify.applications import judge
from broker.audit.verify.said import Said
from broker.demo.setup import load_shipped, shipped_policies
from broker.errors import VerificationFailed
from broker.filing_signatures import read, require_of, sign, terms_digest
from broker.filings import dumped, loaded
from broker.keys.authority import Authority
from broker.model import Act, EntryKind, ReviewBy, Role, SharingMode, Stage, State, Terms
from broker.publication.signing import Payload, signed_by
from broker.reasons import Reason
from broker.receipt.indexed import indexed
from tests.applications.making import (
    NOW,
    consented,
    draft,
    entry,
    person,
    recorded,
    whole_terms,
)
from tests.applications.making import (
    signed_by as signed_as,
)

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
TIMES = st.none() | st.integers(0, 4_000_000_000).map(lambda seconds: NOW + timedelta(seconds=seconds // 10))


def answering(filed, bundle):
    """The application in the stage of the answer, whatever stage comes before it."""
    if filed.stage is not Stage.CONFORMITY:
        return filed
    return steps.approved(filed, signed_as(person("data_authority"), filed, b"checked"), "", bundle, NOW)


@pytest.fixture(scope="module")
def bundle():
    """The sample city's bundle."""
    return load_shipped(shipped_policies())


@st.composite
def any_terms(draw):
    """Terms as they may come, sound or not."""
    return replace(
        whole_terms(),
        legal_basis=draw(TEXTS),
        scenario=draw(TEXTS),
        mode=draw(st.none() | st.sampled_from(SharingMode)),
        rows_per_call=draw(st.none() | st.integers(1, 2**53)),
        rows_total=draw(st.none() | st.integers(1, 2**53)),
        valid_from=draw(TIMES),
        valid_until=draw(TIMES),
        operator=draw(TEXTS),
    )


@given(any_terms(), any_terms())
def test_terms_survive_the_wire_and_the_record(one, other):
    """What is signed, sent and kept is the same thing; other terms have another digest."""
    assert terms_of(terms_message(one)) == one
    filed = replace(draft(), terms=one)
    assert loaded(dumped(filed), 5) == recorded(filed, 5)
    assert dumped(loaded(dumped(filed), 5)) == dumped(filed)
    assert (terms_digest(1, one) == terms_digest(1, other)) is (one == other)
    assert terms_digest(1, one) != terms_digest(2, one)


def test_a_whole_life_survives_the_record(bundle):
    """A record with consent, reviews, approvals, an extension and a suspension is read back as it was."""
    filed = answering(steps.checked(consented(draft()), bundle, NOW), bundle)
    asked = steps.extended(filed, 5, "核对", person("civil_affairs"), bundle, NOW)
    longer = steps.extended(asked, 0, "", person("data_authority"), bundle, NOW)
    approved = steps.approved(longer, signed_as(person("civil_affairs"), longer), "", bundle, NOW)
    active = steps.due(approved, bundle, NOW)
    stopped = steps.suspended(active, "异常", person("civil_affairs"), NOW)
    for one in (filed, asked, longer, approved, active, stopped):
        assert loaded(dumped(one)) == one
    assert [step.act for step in stopped.steps if step.act is not Act.ENDORSE] == [
        *("create", "consent", "accept", "ask_extension", "extend", "approve", "activate", "suspend")
    ]
    assert stopped.version == len(stopped.steps)
    ended = steps.due(stopped, bundle, NOW + timedelta(days=91))
    assert (ended.state, ended.wake_at, ended.suspended_by) == (State.EXPIRED, None, "")
    assert steps.due(ended, bundle, NOW + timedelta(days=91)) is None


def test_other_terms_make_signatures_void(bundle):
    """Who has consented has not consented to what came later."""
    lacking = replace(draft(), terms=replace(whole_terms(), scenario=""))
    returned = steps.checked(consented(lacking), bundle, NOW)
    assert [why.reason for why in returned.missing] == [Reason.SCENARIO_MISSING]
    supplied = steps.supplemented(returned, whole_terms(), person("housing_fund"), NOW)
    assert (supplied.state, supplied.signed) == (State.NEEDS_SUPPLEMENT, ())
    with pytest.raises(NoTransition):
        steps.approved(supplied, signed_as(person("civil_affairs"), supplied), "", bundle, NOW)


def test_everything_missing_at_once(bundle):
    """All that Article 20 asks for and is not there, what the dataset does not offer, and what is over."""
    bare = Terms("housing_fund", "civil_affairs.marriage", ("status",), "housing_fund_withdrawal")
    codes = {why.reason for why in missing(bare, bundle, NOW)}
    assert codes == {
        Reason.LEGAL_BASIS_MISSING, Reason.SCENARIO_MISSING, Reason.SHARING_MODE_MISSING,
        Reason.ROWS_MISSING, Reason.PERIOD_MISSING, Reason.OPERATOR_MISSING,
    }  # fmt: skip
    assert missing(whole_terms(), bundle, NOW) == ()
    late = replace(whole_terms(), mode=SharingMode.FILE)
    codes = [why.reason for why in missing(late, bundle, NOW + timedelta(days=90))]
    assert codes == [Reason.SHARING_MODE_NOT_OFFERED, Reason.PERIOD_OVER]
    gone = replace(whole_terms(), dataset="civil_affairs.gone")
    assert [why.reason for why in missing(gone, bundle, NOW)] == [Reason.NO_LONGER_IN_CATALOG]


def test_who_must_review_comes_from_policy(bundle):
    """One officer of the provider; two where its rule about names says so."""
    assert reviews(whole_terms(), bundle) == (ReviewBy(frozenset({"civil_affairs"})),)
    (review,) = reviews(replace(whole_terms(), fields=("husband_name",)), bundle)
    assert (review.departments, review.count) == (frozenset({"civil_affairs"}), 2)


def test_form_is_told_all_at_once(bundle):
    """Whatever breaks the contract is named by its place; what is only missing is not."""
    caller, catalog = person("housing_fund"), bundle.catalog
    assert list(terms_violations(whole_terms(), caller, catalog)) == []
    bare = Terms("housing_fund", "civil_affairs.marriage", ("status",), "housing_fund_withdrawal")
    assert list(terms_violations(bare, caller, catalog)) == []
    wrong = replace(
        whole_terms(),
        consumer="tax",
        fields=("status", "status", "no_such"),
        purpose="mischief",
        scenario="x" * 501,
        rows_per_call=-1,
        valid_until=NOW - timedelta(days=1),
        papers=(replace(whole_terms().papers[0], digest=b"short", name=""),),
    )
    named = {violation.field for violation in terms_violations(wrong, caller, catalog)}
    assert named == {
        "terms.consumer", "terms.fields[1]", "terms.fields[2]", "terms.purpose", "terms.scenario",
        "terms.rows_per_call", "terms.valid_until_time", "terms.papers[0].name", "terms.papers[0].digest",
    }  # fmt: skip


@pytest.fixture
def officers(tmp_path):
    """Gives a signature over an application, by somebody of a new authority; and that authority's root."""
    authority = Authority.create(tmp_path / "pki", "xinghe")

    def sign_as(act, filed, department, role=Role.OFFICER, at=None):
        issued = authority.issue(department, role, "zhao")
        key = load_pem_private_key(issued.key_pem, None)
        certificate = x509.load_pem_x509_certificate(issued.cert_pem)
        at = at or certificate.not_valid_before_utc + timedelta(minutes=10)
        return sign(act, filed.number, filed.terms, at, key, certificate), key, certificate

    return sign_as, x509.load_pem_x509_certificate((tmp_path / "pki" / "ca.pem").read_bytes())


def test_a_signature_is_of_one_act_and_one_application(officers):
    """A consent is no approval; of another application, of other terms, by a system or with a member more it
    is nothing."""
    sign_as, ca = officers
    filed = draft()
    message, key, certificate = sign_as(Act.CONSENT, filed, "housing_fund")
    signed = read(Act.CONSENT, message, ca)
    require_of(signed, filed)
    assert signed.signer.department == "housing_fund"
    for other in (replace(filed, number=2), replace(filed, terms=replace(filed.terms, rows_per_call=11))):
        with pytest.raises(VerificationFailed):
            require_of(signed, other)
    system, _, _ = sign_as(Act.CONSENT, filed, "housing_fund", Role.SYSTEM)
    payload: Payload = {"application": 1, "terms": bytes(32), "signed": 0, "more": 1}
    more = signed_by(key, certificate, payload, "application/vnd.sharebroker.application-consent+cbor")
    for act, wrong in ((Act.APPROVE, message), (Act.CONSENT, system), (Act.CONSENT, more)):
        with pytest.raises(VerificationFailed):
            read(act, wrong, ca)


def test_a_stage_after_another(bundle, monkeypatch):
    """Where the authority checks first, its officer's approval leads to the answer and not to a grant."""
    monkeypatch.setattr("broker.applications.clocks.stages", lambda *_: (Stage.CONFORMITY, Stage.ANSWER))
    filed = steps.checked(consented(draft()), bundle, NOW)
    assert filed.stage is Stage.CONFORMITY
    checked = steps.approved(filed, signed_as(person("data_authority"), filed), "", bundle, NOW)
    assert (checked.state, checked.stage) == (State.UNDER_REVIEW, Stage.ANSWER)
    granted = steps.approved(checked, signed_as(person("civil_affairs"), checked), "", bundle, NOW)
    assert (granted.state, granted.stage) == (State.APPROVED, None)


class Known:
    """Evidence that lacks nothing."""

    as_of = 0

    def hidden(self, leaf):
        return False

    def hides(self, leaf, *kinds):
        return False


def said(filed, index, **changes):
    """A statement as audit's checks are told of it."""
    content = orjson.loads(entry(filed).statement) | changes
    statement = orjson.dumps(content, option=orjson.OPT_SORT_KEYS)
    return Said(index, indexed(statement), None, statement)


def test_auditors_follow_an_application(bundle):
    """Each act must lead on from the one before it, go with the state, and have what it needs."""
    first, second = draft(), consented(draft())
    ends = [end for index, one in enumerate((first, second)) for end in check(said(one, index))]
    assert list(judge(ends, Known())) == []
    assert len(list(judge(ends[1:], Known()))) == 1
    assert len(list(judge([ends[0], ends[0]], Known()))) == 1
    jumped = list(check(said(first, 0, before="draft", after="approved", act="approve")))
    assert [remark.finding.column for remark in jumped[:-1]] == ["act", "signed"]


def test_a_notice_names_nobody():
    """It has departments, dataset, state and receipt; drafts are told to their own department only."""
    for one, supervised in ((draft(), False), (consented(draft()), True)):
        content = orjson.loads(entry(one).statement)
        notice = TOLD[EntryKind.APPLICATION](7, content)
        assert (notice.name, notice.receipt, notice.state) == ("applications/1", 7, one.state)
        assert notice.is_for(person("housing_fund"), of_authority=False)
        assert notice.is_for(person("civil_affairs"), of_authority=False) is supervised
        assert notice.is_for(person("data_authority"), of_authority=True) is supervised
        assert not notice.is_for(person("tax"), of_authority=False)
        assert whole_terms().operator.encode() not in entry(one).statement
