"""Who may review now, and who is still missing."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.applications.reviewers import Bar, Voice, demands, lacking, voice, voices
from broker.model import Act, Delegation, FiledApplication, ReviewBy, SignedAct, Stage, State, Terms

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
FUND, TAX, POLICE, DATA = "housing_fund", "tax", "public_security", "data_authority"
AUTHORITIES = frozenset({DATA})


def officer(department: str, name: str) -> str:
    return f"spiffe://xinghe/department/{department}/officer/{name}"


def signed(act: Act, department: str, name: str, stage: Stage | None, for_: str = "") -> SignedAct:
    return SignedAct(act, officer(department, name), department, bytes(32), NOW, stage, for_)


def filed(*reviews: ReviewBy, stage: Stage | None = Stage.ANSWER, by: str = "clerk") -> FiledApplication:
    """Of the housing fund for data of the tax office, created by ``by`` and consented to by its head."""
    return FiledApplication(
        number=1,
        version=3,
        state=State.UNDER_REVIEW,
        terms=Terms(FUND, "tax.contributions", ("months",), "withdrawal"),
        provider=TAX,
        created_by=officer(FUND, by),
        stage=stage,
        reviews=reviews,
        signed=(signed(Act.CONSENT, FUND, "head", None),),
    )


def approved(one: FiledApplication, department: str, name: str, for_: str = "") -> FiledApplication:
    return replace(one, signed=(*one.signed, signed(Act.APPROVE, department, name, one.stage, for_)))


def delegation(by: str, whose: str, to: str, department: str, days: int = 5) -> Delegation:
    return Delegation(
        1, officer(whose, by), whose, officer(department, to), department, NOW, NOW + timedelta(days=days)
    )


def may(one: FiledApplication, department: str, name: str, *delegations: Delegation) -> Voice | Bar:
    return voice(one, officer(department, name), department, AUTHORITIES, delegations, NOW)


def own(department: str, name: str) -> Voice:
    return Voice(officer(department, name), department, department)


def test_without_a_word_of_policy_one_officer_of_the_provider_reviews() -> None:
    """The default: the provider's, any of them, nobody of others."""
    assert may(filed(), TAX, "li") == own(TAX, "li")
    assert may(filed(), POLICE, "li") is Bar.NOT_ASKED
    assert may(filed(), FUND, "other") is Bar.NOT_ASKED
    assert [short for _, short in lacking(filed(), AUTHORITIES)] == [1]
    assert lacking(approved(filed(), TAX, "li"), AUTHORITIES) == ()


def test_conformity_is_the_authority_s() -> None:
    """In the first stage nobody but the authority's officers is asked, for its own applications too."""
    one = filed(ReviewBy(frozenset({TAX})), stage=Stage.CONFORMITY)
    assert may(one, DATA, "wang") == own(DATA, "wang")
    assert may(one, TAX, "li") is Bar.NOT_ASKED
    theirs = replace(one, terms=replace(one.terms, consumer=DATA))
    assert may(theirs, DATA, "wang") == own(DATA, "wang")


def test_stages_count_apart() -> None:
    """Who checked conformity may answer too where policy names them: it is another stage."""
    both = ReviewBy(frozenset({DATA, TAX}))
    checked = approved(filed(both, stage=Stage.CONFORMITY), DATA, "wang")
    assert lacking(checked, AUTHORITIES) == ()
    answering = replace(checked, stage=Stage.ANSWER)
    assert voices(answering) == ()
    assert may(answering, DATA, "wang") == own(DATA, "wang")


def test_nobody_reviews_what_is_not_under_review() -> None:
    """Before it is accepted and after it is decided there is no stage."""
    assert may(filed(stage=None), TAX, "li") is Bar.NOT_UNDER_REVIEW


@pytest.mark.parametrize("never_own", [True, False])
def test_own_department(never_own: bool) -> None:
    """Where policy says so nobody of the consumer's reviews; elsewhere a colleague may."""
    one = filed(ReviewBy(frozenset({FUND}), never_own=never_own))
    assert may(one, FUND, "other") == (Bar.OWN_DEPARTMENT if never_own else own(FUND, "other"))


@pytest.mark.parametrize("name", ["clerk", "head"])
def test_never_one_s_own_application(name: str) -> None:
    """Who created it and who consented to it never review it, not even in another's place."""
    one = filed(ReviewBy(frozenset({FUND, TAX}), never_own=False))
    assert may(one, FUND, name) is Bar.OWN_APPLICATION
    assert may(one, FUND, name, delegation("li", TAX, name, FUND)) is Bar.OWN_APPLICATION
    assert may(one, FUND, "other", delegation(name, FUND, "other", FUND)) == own(FUND, "other")


def test_k_of_n_takes_k_persons() -> None:
    """Two of the provider's: the first may not sign again, the second is enough."""
    two = ReviewBy(frozenset({TAX}), count=2)
    one = approved(filed(two), TAX, "li")
    assert lacking(one, AUTHORITIES) == ((two, 1),)
    assert may(one, TAX, "li") is Bar.SPOKEN
    assert may(one, TAX, "zhao") == own(TAX, "zhao")
    assert lacking(one, AUTHORITIES, [own(TAX, "zhao")]) == ()
    assert may(approved(one, TAX, "zhao"), TAX, "chen") is Bar.NOT_ASKED


def test_all_demands_must_be_met() -> None:
    """Of two rules each names its reviewers; a voice counts for each that it is of."""
    one = filed(ReviewBy(frozenset({TAX})), ReviewBy(frozenset({TAX, DATA}), count=2))
    one = approved(one, TAX, "li")
    assert [short for _, short in lacking(one, AUTHORITIES)] == [1]
    assert may(one, DATA, "wang") == own(DATA, "wang")
    assert lacking(approved(one, DATA, "wang"), AUTHORITIES) == ()


# ── delegation ───────────────────────────────────────────────────────────────────────────────────


def test_delegate_speaks_in_the_others_place() -> None:
    """An officer of another department counts as the one who delegated, and it is said."""
    lent = delegation("li", TAX, "wang", DATA)
    found = may(filed(), DATA, "wang", lent)
    assert found == Voice(officer(DATA, "wang"), DATA, TAX, officer(TAX, "li"))
    done = approved(filed(), DATA, "wang", officer(TAX, "li"))
    assert lacking(done, AUTHORITIES) == ()
    assert voices(done) == (found,)


def test_delegated_voice_is_one_voice() -> None:
    """Neither who delegated nor who spoke for them speaks again; a third one may."""
    two = ReviewBy(frozenset({TAX}), count=2)
    lent = delegation("li", TAX, "zhao", TAX)
    one = approved(filed(two), TAX, "zhao", officer(TAX, "li"))
    assert may(one, TAX, "li") is Bar.SPOKEN
    assert may(one, TAX, "zhao", lent) is Bar.SPOKEN
    assert may(one, TAX, "chen") == own(TAX, "chen")


def test_who_can_speak_for_themself_does() -> None:
    """A delegation is used only where the officer's own voice would not count."""
    assert may(filed(), TAX, "zhao", delegation("li", TAX, "zhao", TAX)) == own(TAX, "zhao")


def test_another_delegation_serves_where_one_was_used() -> None:
    """Of two who delegated to one officer, the one who has spoken is passed over."""
    two = ReviewBy(frozenset({TAX}), count=2)
    one = approved(filed(two), TAX, "li")
    lent = delegation("li", TAX, "wang", DATA), delegation("zhao", TAX, "wang", DATA)
    assert may(one, DATA, "wang", lent[0]) is Bar.NOT_ASKED
    assert may(one, DATA, "wang", *lent) == Voice(officer(DATA, "wang"), DATA, TAX, officer(TAX, "zhao"))


def test_delegate_of_the_consumer_stays_out() -> None:
    """Four eyes hold for who signs as for whom: no officer of the consumer's in the provider's place."""
    lent = delegation("li", TAX, "other", FUND)
    assert may(filed(), FUND, "other", lent) is Bar.NOT_ASKED


@pytest.mark.parametrize(
    ("change", "counts"),
    [
        ({}, True),
        ({"valid_from": NOW + timedelta(seconds=1)}, False),
        ({"valid_until": NOW}, False),
        ({"valid_until": NOW + timedelta(microseconds=1)}, True),
        ({"revoked_at": NOW}, False),
        ({"to": officer(DATA, "chen")}, False),
    ],
)
def test_delegation_counts_while_it_is_in_force(change: dict[str, object], counts: bool) -> None:
    """From its first instant to before its last, unless it was revoked, for nobody but its delegate."""
    lent = replace(delegation("li", TAX, "wang", DATA), **change)  # type: ignore[arg-type]
    assert isinstance(may(filed(), DATA, "wang", lent), Voice) is counts


# ── whatever the order ───────────────────────────────────────────────────────────────────────────

DEPARTMENTS = st.sampled_from([FUND, TAX, POLICE, DATA])
NAMES = st.sampled_from(["clerk", "head", "li", "zhao"])
REVIEWS = st.builds(
    ReviewBy,
    st.frozensets(DEPARTMENTS, min_size=1),
    st.integers(1, 3),
    st.none(),
    st.booleans(),
)
DELEGATIONS = st.builds(delegation, NAMES, DEPARTMENTS, NAMES, DEPARTMENTS, st.integers(1, 3))


@given(
    st.lists(REVIEWS, max_size=3),
    st.lists(DELEGATIONS, max_size=4),
    st.lists(st.tuples(DEPARTMENTS, NAMES), max_size=12),
)
def test_four_eyes_hold_whoever_comes(
    reviews: list[ReviewBy], lent: list[Delegation], comers: list[tuple[str, str]]
) -> None:
    """However officers come and delegate: nobody speaks twice, never for their own, and each voice brings
    the end nearer, until nobody is asked any more."""
    one = filed(*reviews)
    spoken: list[str] = []
    for department, name in comers:
        short = sum(count for _, count in lacking(one, AUTHORITIES))
        found = may(one, department, name, *lent)
        if isinstance(found, Bar):
            continue
        assert not {officer(FUND, "clerk"), officer(FUND, "head")} & {*found.persons}
        spoken += found.persons
        one = approved(one, department, name, found.on_behalf_of)
        assert voices(one)[-1] == found
        assert sum(count for _, count in lacking(one, AUTHORITIES)) < short
    assert len(spoken) == len(set(spoken))
    if not lacking(one, AUTHORITIES):
        assert not any(isinstance(may(one, *comer, *lent), Voice) for comer in comers)


def test_demands_of_the_answer_are_those_of_policy() -> None:
    """What policy said when it was accepted stands; without it the provider's."""
    said = ReviewBy(frozenset({POLICE}), 2)
    assert demands(filed(said), AUTHORITIES) == (said,)
    assert demands(filed(), AUTHORITIES) == (ReviewBy(frozenset({TAX})),)
