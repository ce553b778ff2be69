"""Statements about applications that people decide: each act leads on from the one before it.

The key is the application's number. The state machine is the broker's (:mod:`broker.applications.states`);
an auditor with a program of their own takes it from ``docs/applications.md``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from broker.applications.states import BY_ACT, NoTransition, next_state
from broker.audit.verify.remarks import Nature, Remark, of_statement
from broker.audit.verify.said import Said
from broker.audit.verify.ties import End, Known, Relation, key_of
from broker.model import Act, EntryKind, State

STEP = 0
"""The only role: an end has the version that an act made, and the states before and after it."""

_STATES = (None, *State)
_WIDTH = len(_STATES)


def act(said: Said) -> Iterator[Remark | End]:
    """The act goes with the state, and has what it needs."""
    content = said.content
    done, before, after = Act(content["act"]), _state(content["before"]), State(content["after"])
    transition = BY_ACT[done]
    try:
        possible = next_state(before, done) is after
    except NoTransition:
        possible = False
    if not possible:
        zh, en = "此状态不能有此办理动作", "tells of an act that does not go with the state"
        yield of_statement(Nature.CONTRADICTORY, said.index, "act", zh, en)
    needs = {"signed": transition.signed, "reason": transition.reasoned, "legal_basis": transition.based}
    for name, needed in needs.items():
        if needed and not content.get(name):
            zh, en = "缺少此办理动作必需的内容", "lacks what the act needs"
            yield of_statement(Nature.CONTRADICTORY, said.index, name, zh, en)
    fact = _STATES.index(before) * _WIDTH + _STATES.index(after)
    yield End("application", key_of(content["application"]), said.index, STEP, content["version"], fact)


def judge(ends: Sequence[End], known: Known) -> Iterator[Remark]:
    """All acts upon one application, in the order of the log."""
    version, state = 0, 0
    hides = known.hides(-1, EntryKind.APPLICATION)
    for end in ends:
        before, after = divmod(end.fact, _WIDTH)
        follows = end.number == version + 1 and before == state
        if not follows and not (hides and end.number > version):
            zh, en = "与该申请前一存证不连贯", "does not lead on from the act before it"
            yield of_statement(Nature.CONTRADICTORY, end.leaf, "version", zh, en)
        version, state = end.number, after


APPLICATION = Relation(judge)


def _state(name: str | None) -> State | None:
    return None if name is None else State(name)
