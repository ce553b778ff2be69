"""Deliveries made, acknowledged, missed, disputed in any order: what a batch settles, the leaves tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from broker.journal import Claim, Delivery, DeliverySettled
from broker.model import Entry, EntryKind
from broker.receipt.batch import Admitted, Batch, request_key
from broker.receipt.deliveries import Deliveries
from broker.receipt.indexed import indexed

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SAID = (
    EntryKind.ACKNOWLEDGEMENT,
    EntryKind.ACKNOWLEDGEMENT_DISPUTED,
    EntryKind.ACKNOWLEDGEMENT_MISSING,
)


@dataclass
class Database:
    """What the tables hold, from one transaction to the next."""

    leaves: list[Entry] = field(default_factory=list)
    claims: dict[tuple[str, str], Claim] = field(default_factory=dict)
    waiting: dict[int, Delivery] = field(default_factory=dict)

    def append(self, *entries: Entry) -> list[Admitted | None]:
        """Entries in one transaction; None: it had been settled."""
        about = {entry.delivery for entry in entries}
        found = {leaf: delivery for leaf, delivery in self.waiting.items() if leaf in about}
        keys = {request_key(entry) for entry in entries}
        claims = {key: claim for key, claim in self.claims.items() if key in keys}
        batch = Batch(len(self.leaves), 1, NOW, claims, {}, deliveries=found)
        admitted = [_admitted(batch, entry) for entry in entries]
        for leaf in batch.leaves:
            self.leaves.append(leaf.entry)
            if leaf.entry.acknowledge_by is not None:
                self.waiting[leaf.index] = Delivery(leaf.index, leaf.entry.acknowledge_by)
            if (key := request_key(leaf.entry)) is not None:
                self.claims[key] = batch.claims[key]
        for leaf_index, delivery in batch.settled.items():
            if delivery is None:
                self.waiting.pop(leaf_index, None)
            else:
                self.waiting[leaf_index] = delivery
        return admitted


def _admitted(batch: Batch, entry: Entry) -> Admitted | None:
    try:
        return batch.admit(entry, 0)
    except DeliverySettled:
        return None


def machine(files: Any) -> type[RuleBasedStateMachine]:
    """Deliveries with and without deadline; whatever is said of them, alone or several in a transaction."""

    class Machine(RuleBasedStateMachine):
        made = Bundle("made")

        def __init__(self) -> None:
            super().__init__()
            self.database = Database()

        @rule(target=made, due=st.booleans())
        def deliver(self, due: bool) -> tuple[int, Entry]:
            entry = files.delivery(NOW) if due else files.exchange()
            (admitted,) = self.database.append(entry)
            assert admitted is not None
            return admitted.leaf_index, entry

        @rule(said=st.lists(st.tuples(st.sampled_from(SAID), made), min_size=1, max_size=4))
        def say(self, said: list[tuple[EntryKind, tuple[int, Entry]]]) -> None:
            said = [(kind, one) for kind, one in said if kind is not SAID[2] or one[1].acknowledge_by]
            entries = [files.said_of(kind, leaf, entry) for kind, (leaf, entry) in said]
            for entry, admitted in zip(entries, self.database.append(*entries), strict=True):
                if admitted is None:
                    assert entry.kind is EntryKind.ACKNOWLEDGEMENT_MISSING
                else:
                    told = self.database.leaves[admitted.leaf_index]
                    assert (told.kind, told.delivery) == (entry.kind, entry.delivery)

        @invariant()
        def each_is_said_once(self) -> None:
            told = Counter((entry.kind, entry.delivery) for entry in self.database.leaves)
            for (kind, _), count in told.items():
                if kind in SAID:
                    assert count <= (2 if kind is EntryKind.ACKNOWLEDGEMENT_DISPUTED else 1)

        @invariant()
        def the_leaves_tell_the_table_again(self) -> None:
            again = Deliveries(cast("Any", None))
            for index, entry in enumerate(self.database.leaves):
                said = indexed(entry.statement)
                assert said is not None
                again.heard(index, said)
            assert again._waiting == self.database.waiting

    return Machine


def test_whatever_is_said_of_deliveries_is_said_once_and_told_by_the_leaves(
    broker_log: Callable[..., Any],
) -> None:
    """In any order, several in a transaction: the table is what the leaves say, as fsck judges it."""
    run_state_machine_as_test(machine(broker_log), settings=settings(max_examples=40))
