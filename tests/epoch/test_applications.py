"""Applications driven through random acts, legal and illegal, by several officers at once and on two workers:
no illegal state, no lost act, each one receipted, and of several decisions at once exactly one is made."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from broker.applications.duties import Duties
from broker.applications.register import Asking, Register
from broker.errors import BrokerError, Changed, NotAuthorised, NotFound, NotPossible
from broker.filing_signatures import sign
from broker.journal import ApplicationFilter
from broker.model import Act, EntryKind, SharingMode, Stage, State, Terms
from broker.publish import grant_standing
from broker.reasons import Reason
from broker.receipt.fsck import open_fsck
from broker.server.parts import ca_of

BASIS = "政务数据共享条例 第二十条"

# Written out again, and not taken from the code: what leads where, and who may (C consumer's officer or
# system, c its officer alone, p provider's, a authority's, r reviewer, n nobody).
MAY = {
    "supplement": ("C", {"draft": "draft", "needs_supplement": "needs_supplement"}),
    "consent": ("c", {"draft": "filed", "needs_supplement": "filed"}),
    "approve": ("r", {"under_review": "approved"}),
    "refuse": ("r", {"under_review": "refused"}),
    "withdraw": ("C", dict.fromkeys(("draft", "needs_supplement", "under_review"), "withdrawn")),
    "suspend": ("pa", {"active": "suspended"}),
    "resume": ("pa", {"suspended": "active"}),
    "terminate": ("cpa", dict.fromkeys(("approved", "active", "suspended"), "terminated")),
}
STEPS = {
    ("create", None, "draft"), ("supplement", "draft", "draft"),
    ("supplement", "needs_supplement", "needs_supplement"), ("consent", "draft", "filed"),
    ("consent", "needs_supplement", "filed"), ("return", "filed", "needs_supplement"),
    ("accept", "filed", "under_review"), ("endorse", "under_review", "under_review"),
    ("approve", "under_review", "approved"), ("refuse", "under_review", "refused"),
    ("withdraw", "draft", "withdrawn"), ("withdraw", "needs_supplement", "withdrawn"),
    ("withdraw", "under_review", "withdrawn"), ("activate", "approved", "active"),
    ("suspend", "active", "suspended"), ("resume", "suspended", "active"),
    ("terminate", "approved", "terminated"), ("terminate", "active", "terminated"),
    ("terminate", "suspended", "terminated"), ("expire", "approved", "expired"),
    ("expire", "active", "expired"), ("expire", "suspended", "expired"),
    ("remind", "under_review", "under_review"), ("escalate", "under_review", "under_review"),
    ("remind", "needs_supplement", "needs_supplement"), ("escalate", "needs_supplement", "needs_supplement"),
}  # fmt: skip
PEOPLE = {
    "wang": ("housing_fund", "Cc"),
    "wu": ("housing_fund", "Cc"),
    "zhao": ("civil_affairs", "pr"),
    "qian": ("civil_affairs", "pr"),
    "sun": ("civil_affairs", "pr"),
    "chen": ("data_authority", "ar"),
    "he": ("tax", ""),
}


@dataclass
class Cast:
    """Two workers on one database, and the officers."""

    world: Any
    registers: list[Register] = field(init=False)
    people: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.registers = [self._register() for _ in range(2)]
        self.people = {name: self.world.officer(department, name) for name, (department, _) in PEOPLE.items()}

    def _register(self) -> Register:
        store = self.world.open_store()
        log = self.world.open_log(store)
        ca = ca_of(self.world.settings)
        return Register(self.world.epochs(store), store, log, ca, self.world.now, grant_standing)

    def terms(self, *, whole: bool, names: bool) -> Terms:
        """Terms of which nothing is missing, or much; names are reviewed by two officers, else it is one."""
        now = self.world.now().replace(microsecond=0)
        terms = Terms(
            consumer="housing_fund",
            dataset="civil_affairs.marriage",
            fields=("husband_name", "status") if names else ("status",),
            purpose="housing_fund_withdrawal",
            valid_from=now + timedelta(hours=1),
            valid_until=now + timedelta(hours=9),
        )
        return (
            replace(
                terms,
                legal_basis="住房公积金管理条例 第二十四条",
                scenario="购房提取",
                mode=SharingMode.API,
                rows_per_call=10,
                operator="王敏",
            )
            if whole
            else terms
        )

    def act(self, act: str, name: str, number: int, version: int, worker: int) -> Any:
        """Somebody does something, as they have seen it."""
        person, register = self.people[name], self.registers[worker]
        asking = Asking(person.identity, str(uuid.uuid4()), number, version)
        if act in ("consent", "approve"):
            signed = sign(
                Act(act),
                number,
                register.proved(number).terms,
                self.world.now(),
                person.key,
                person.certificate,
            )
            return getattr(register, act)(asking, signed)
        if act == "supplement":
            terms = register.proved(number).terms
            return register.supplement(asking, replace(terms, operator=f"{terms.operator}a"[-9:]))
        stated = {"withdraw": ("",), "suspend": ("异常",), "resume": ("已整改",)}.get(
            act, ("超出范围", BASIS)
        )
        return getattr(register, act)(asking, *stated)


@dataclass
class Model:
    """What an application should be."""

    state: str
    version: int
    approvals: set[str] = field(default_factory=set)
    needed: int = 1
    checking: bool = False
    """Whether the authority checks first, which takes one of its officers."""
    suspended_by: str = ""


class Machine(RuleBasedStateMachine):
    """Beside each application what it should be, by other code."""

    cast: Cast

    def __init__(self) -> None:
        super().__init__()
        self.models: dict[int, Model] = {}

    def may(self, model: Model, act: str, name: str) -> bool:
        """Whether the act goes with the state, and is that person's."""
        department, roles = PEOPLE[name]
        whose, leads = MAY[act]
        if model.state not in leads or not set(whose) & set(roles):
            return False
        if whose == "r" and (name in model.approvals or (name == "chen") is not model.checking):
            return False
        return act != "resume" or department in (model.suspended_by, "data_authority")

    def follow(self, number: int) -> None:
        """Take over what became of it, once it is as the tables here say."""
        filed, model = self.cast.registers[0].proved(number), self.models[number]
        known = filed.steps[model.version :]
        assert filed.version == len(filed.steps)
        state: str | None = model.state
        for step in known:
            assert (step.act, step.before, step.after) in STEPS
            assert step.before == state
            state = step.after
        model.state, model.version = str(filed.state), filed.version
        assert model.state == state
        model.checking = filed.stage is Stage.CONFORMITY
        of_stage = (one for one in filed.approvals if one.stage is filed.stage)
        model.approvals = {one.officer.rpartition("/")[2] for one in of_stage}
        model.suspended_by = filed.suspended_by

    @initialize(is_grant=st.booleans())
    def begin(self, is_grant: bool) -> None:
        """With one under review by two officers, or a grant: what comes late is driven as often."""
        self.create(whole=True, names=True, worker=0)
        number = next(iter(self.models))
        self.one_acts(number, "consent", "wang", 0)
        if is_grant:
            if self.models[number].checking:
                self.one_acts(number, "approve", "chen", 0)
            self.one_acts(number, "approve", "zhao", 1)
            self.one_acts(number, "approve", "qian", 0)
            self.time_passes(70)

    @precondition(lambda self: len(self.models) < 3)
    @rule(whole=st.booleans(), names=st.booleans(), worker=st.integers(0, 1))
    def create(self, whole: bool, names: bool, worker: int) -> None:
        """A draft, and the same again by a retry."""
        register, person = self.cast.registers[worker], self.cast.people["wang"]
        terms, request_id = self.cast.terms(whole=whole, names=names), str(uuid.uuid4())
        done = register.create(person.identity, request_id, terms)
        again = self.cast.registers[1 - worker].create(person.identity, request_id, terms)
        assert again.repeated
        assert (again.filed.number, again.receipt.leaf_index) == (done.filed.number, done.receipt.leaf_index)
        self.models[done.filed.number] = Model("draft", 1, needed=1 + names)

    @rule(data=st.data(), act=st.sampled_from(sorted(MAY)), name=st.sampled_from(sorted(PEOPLE)))
    def somebody_acts(self, data: st.DataObject, act: str, name: str) -> None:
        """One act, legal or not, on some application."""
        number = data.draw(st.sampled_from(sorted(self.models)))
        self.one_acts(number, act, name, data.draw(st.integers(0, 1)))

    @precondition(lambda self: self.legal())
    @rule(data=st.data(), worker=st.integers(0, 1))
    def somebody_may_act(self, data: st.DataObject, worker: int) -> None:
        """One act that is legal, so that what comes late in an application's life is driven, too."""
        number, act, name = data.draw(st.sampled_from(self.legal()))
        self.one_acts(number, act, name, worker)

    def legal(self) -> list[tuple[int, str, str]]:
        """All that may be done; what only ends an application, for a third of them."""
        return [
            (number, act, name)
            for number, model in self.models.items()
            for act in sorted(MAY)
            for name in sorted(PEOPLE)
            if self.may(model, act, name)
            and (act not in ("withdraw", "refuse", "terminate") or number % 3 == 0)
        ]

    def one_acts(self, number: int, act: str, name: str, worker: int) -> None:
        model = self.models[number]
        legal, before = self.may(model, act, name), model.state
        try:
            done = self.cast.act(act, name, number, model.version, worker)
        except (NotAuthorised, NotPossible, NotFound):
            assert not legal
            self.follow(number)
            assert model.state == before
            return
        assert legal
        said = orjson.loads(done.receipt.statement)
        assert (said["application"], said["version"]) == (number, model.version + 1)
        expected = MAY[act][1][before]
        if act == "approve" and (model.checking or len(model.approvals) + 1 < model.needed):
            expected = "under_review"
        assert said["after"] == expected
        self.follow(number)

    @rule(
        data=st.data(),
        acts=st.lists(
            st.tuples(st.sampled_from(sorted(MAY)), st.sampled_from(sorted(PEOPLE))), min_size=2, max_size=4
        ),
    )
    def several_act_at_once(self, data: st.DataObject, acts: list[tuple[str, str]]) -> None:
        """All have seen the same. One of those whose act is legal does it, the others learn who was first."""
        number = data.draw(st.sampled_from(sorted(self.models)))
        model = self.models[number]
        start = threading.Barrier(len(acts))

        def run(place: int) -> BrokerError | None:
            act, name = acts[place]
            start.wait(60)
            try:
                self.cast.act(act, name, number, model.version, place % 2)
            except BrokerError as error:
                return error
            return None

        with ThreadPoolExecutor(len(acts)) as threads:
            ended = list(threads.map(run, range(len(acts))))
        legal = [self.may(model, *one) for one in acts]
        assert sum(error is None for error in ended) == (1 if any(legal) else 0)
        for is_legal, error in zip(legal, ended, strict=True):
            if is_legal and error is not None:
                # What was signed may be of other terms by now: told before it is seen that it moved.
                assert isinstance(error, Changed) or error.reason is Reason.APPLICATION_SIGNATURE_INVALID
            assert is_legal or error is not None
        self.follow(number)

    @rule(minutes=st.sampled_from([1, 70, 70, 500]))
    def time_passes(self, minutes: int) -> None:
        """What begins or ends by itself does so, once, though both workers look."""
        self.cast.world.ahead += timedelta(minutes=minutes)
        duties = [Duties(register) for register in self.cast.registers]
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(lambda one: one.perform(), duties))
        now = self.cast.world.now()
        for number, model in self.models.items():
            self.follow(number)
            terms = self.cast.registers[0].proved(number).terms
            assert terms.valid_from is not None
            assert terms.valid_until is not None
            assert model.state != "filed"
            assert not (model.state == "approved" and terms.valid_from <= now)
            assert not (model.state in ("approved", "active", "suspended") and terms.valid_until <= now)

    def teardown(self) -> None:
        """Each application's leaves are its acts, all of them, in order."""
        leaves: dict[int, list[dict[str, Any]]] = {}
        for leaf in self.cast.registers[0].store.told([EntryKind.APPLICATION], -1, 100_000):
            said = orjson.loads(leaf.entry.statement)
            leaves.setdefault(said["application"], []).append({**said, "leaf": leaf.index})
        for number in self.models:
            filed = self.cast.registers[1].proved(number)
            told = [(one["act"], one["before"], one["after"], one["leaf"]) for one in leaves[number]]
            assert told == [(step.act, step.before, step.after, step.receipt) for step in filed.steps]
            assert [one["version"] for one in leaves[number]] == list(range(1, filed.version + 1))


def test_random_acts_by_several_officers_at_once(any_world: Any) -> None:
    """Whatever is done in whatever order, by whomever and at once; and fsck finds nothing afterwards."""

    class Driven(Machine):
        cast = Cast(any_world)

    run_state_machine_as_test(Driven, settings=settings(max_examples=8, stateful_step_count=20))
    any_world.log.sign()
    url = any_world.settings.store_url
    key = any_world.log.keys
    with open_fsck(url, any_world.state, key) as check:
        assert list(check.findings()) == []


def test_exactly_one_of_many_who_decide_at_once(any_world: Any) -> None:
    """Eight decisions on what all have seen alike: one is made, seven officers learn which."""
    cast = Cast(any_world)
    draft = cast.registers[0].create(
        cast.people["wang"].identity, str(uuid.uuid4()), cast.terms(whole=True, names=False)
    )
    seen = cast.act("consent", "wang", draft.filed.number, draft.filed.version, 1).filed
    if seen.stage is Stage.CONFORMITY:
        seen = cast.act("approve", "chen", seen.number, seen.version, 0).filed
    start = threading.Barrier(8)

    def decide(place: int) -> str:
        start.wait(60)
        act, name = ("approve", "refuse")[place % 2], ("zhao", "qian", "sun")[place % 3]
        try:
            cast.act(act, name, seen.number, seen.version, place % 2)
        except Changed as error:
            return f"{error.reason} {error.about}"
        return act

    with ThreadPoolExecutor(8) as threads:
        told = Counter(threads.map(decide, range(8)))
    won = cast.registers[0].proved(seen.number).steps[seen.version].act
    assert told == {won: 1, f"{Reason.APPLICATION_MOVED} {won}": 7}


def test_a_record_that_was_altered_is_not_believed(any_world: Any) -> None:
    """Whoever can write to the database cannot make a grant, nor take one back."""
    cast = Cast(any_world)
    register, officer = cast.registers[0], cast.people["wang"].identity
    draft = register.create(officer, str(uuid.uuid4()), cast.terms(whole=True, names=False)).filed
    forged = replace(draft, state=State.ACTIVE)
    with register.store.append_transaction() as transaction:
        leaf = draft.steps[-1].receipt
        assert leaf is not None
        transaction.applications.keep(forged, leaf)
    with pytest.raises(BrokerError) as told:
        register.get(draft.number, officer)
    assert told.value.reason is Reason.LOG_UNAVAILABLE
    assert [one.number for one in register.listed(ApplicationFilter(reader="housing_fund"), None, 9)]
