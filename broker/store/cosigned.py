"""The newest checkpoint that enough witnesses have cosigned, through one connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from broker.journal import Cosigned
from broker.store.prepared import insert_into
from broker.store.rows import instant
from broker.store.tables import COSIGNED, LEAF


@dataclass(frozen=True, slots=True)
class CosignedTable:
    """Read anywhere; written only in a transaction of the log's lock."""

    connection: Connection

    def newest(self) -> Cosigned | None:
        """What was published last."""
        row = self.connection.execute(select(COSIGNED.c.size, COSIGNED.c.note)).first()
        return None if row is None else Cosigned(row.size, row.note)

    def publish(self, cosigned: Cosigned) -> bool:
        """Puts it in the place of a smaller one; False when there is none that is smaller."""
        statement = insert_into(COSIGNED, self.connection.dialect.name)
        newer = {name: statement.excluded[name] for name in ("size", "note")}
        statement = statement.on_conflict_do_update(
            COSIGNED.primary_key, set_=newer, where=COSIGNED.c.size < statement.excluded.size
        )
        values = {"id": 1, "size": cosigned.size, "note": cosigned.note}
        options = {"preserve_rowcount": True}
        return self.connection.execute(statement, values, execution_options=options).rowcount == 1

    def first_uncovered(self) -> datetime | None:
        """When the first leaf was recorded that it does not cover; None when it covers all."""
        newest = self.newest()
        query = select(LEAF.c.recorded_at).where(LEAF.c.leaf_index == (newest.size if newest else 0))
        recorded_at = self.connection.scalar(query)
        return None if recorded_at is None else instant(recorded_at)
