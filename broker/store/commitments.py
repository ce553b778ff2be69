"""Lodged use commitments, told from the leaves: to lodge one is a leaf, and to withdraw it another."""

from __future__ import annotations

from sqlalchemy import Connection, literal_column, select

from broker.journal import Leaf
from broker.model import EntryKind
from broker.store import rows
from broker.store.tables import LEAF, STATEMENT

_KINDS = (EntryKind.COMMITMENT.value, EntryKind.EPOCH.value)
"""Of an act upon the epoch that names consumer, dataset and purpose, all three, it is a withdrawal."""
_READ = select(LEAF, STATEMENT.c.content).join_from(
    LEAF, STATEMENT, LEAF.c.leaf_index == STATEMENT.c.leaf_index
)


def commitments(connection: Connection, consumer: str, dataset: str, purpose: str) -> list[Leaf]:
    """The leaves that lodge or withdraw commitments of a consumer for a dataset and purpose; newest first."""
    query = _READ.where(
        LEAF.c.consumer == consumer,
        LEAF.c.dataset == dataset,
        LEAF.c.purpose == purpose,
        LEAF.c.kind.in_(_KINDS),
        LEAF.c.kind != literal_column(f"'{EntryKind.EXCHANGE.value}'"),  # as the condition of the index
    )
    found = connection.execute(query.order_by(LEAF.c.leaf_index.desc())).mappings()
    return [rows.leaf(row) for row in found]
