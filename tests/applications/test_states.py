"""The one state machine of applications."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.applications.states import (
    BY_ACT,
    FINAL,
    TRANSITIONS,
    Actor,
    NoTransition,
    diagram,
    next_state,
    possible,
    table,
)
from broker.model import Act, State

STATES = [None, *State]


def test_every_act_has_one_transition():
    """No act is missing in the table, and none stands in it twice."""
    assert sorted(BY_ACT) == sorted(Act)
    assert len(TRANSITIONS) == len(Act)


@given(st.sampled_from(STATES), st.sampled_from(Act))
def test_what_the_table_does_not_have_is_impossible(state, act):
    """An act leads on from the states that the table names, and raises from all others."""
    if state in BY_ACT[act].before:
        assert next_state(state, act) == (BY_ACT[act].after or state)
        assert state is None or act in possible(state)
    else:
        with pytest.raises(NoTransition):
            next_state(state, act)


@given(st.lists(st.sampled_from(Act), max_size=30))
def test_no_grant_without_consent_and_review(acts):
    """Whatever is tried in whatever order, a grant was consented to, accepted and approved before."""
    state, done = None, []
    for act in acts:
        try:
            state = next_state(state, act)
        except NoTransition:
            continue
        done.append(act)
    if state in (State.APPROVED, State.ACTIVE, State.SUSPENDED):
        wanted = [act for act in done if act in (Act.CONSENT, Act.ACCEPT, Act.APPROVE)]
        assert wanted[-3:] == [Act.CONSENT, Act.ACCEPT, Act.APPROVE]


def test_nothing_follows_an_end():
    """From a final state nothing is possible; from every other something is, and it can be reached."""
    reached = {one.after for one in TRANSITIONS} - {None}
    assert reached == set(State)
    assert {state for state in State if not possible(state)} == FINAL


def test_people_sign_and_give_reasons():
    """Consent and approvals are signed; a refusal and a termination have a reason and a legal basis; what the
    broker does by itself has neither."""
    assert {one.act for one in TRANSITIONS if one.signed} == {Act.CONSENT, Act.ENDORSE, Act.APPROVE}
    assert {one.act for one in TRANSITIONS if one.based} == {Act.REFUSE, Act.TERMINATE}
    assert all(one.reasoned for one in TRANSITIONS if one.based)
    assert not any(one.signed or one.reasoned for one in TRANSITIONS if Actor.BROKER in one.actors)


def test_drawn_whole():
    """The diagram has every change of state, the table every act."""
    drawn = diagram()
    assert "[*] --> draft: create" in drawn
    assert drawn.count("-->") == sum(len(one.before) for one in TRANSITIONS if one.after) + len(FINAL)
    assert all(f"| `{act}` |" in table() for act in Act)
