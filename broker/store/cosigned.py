"""The newest checkpoint that enough witnesses have cosigned, through one connection."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, or_, select

from broker.journal import Cosigned
from broker.store.prepared import insert_into
from broker.store.tables import COSIGNED


@dataclass(frozen=True, slots=True)
class CosignedTable:
    """Read anywhere; written only in a transaction of the log's lock."""

    connection: Connection

    def newest(self) -> Cosigned | None:
        """What was published last."""
        row = self.connection.execute(select(COSIGNED.c.size, COSIGNED.c.note)).first()
        return None if row is None else Cosigned(row.size, row.note)

    def publish(self, cosigned: Cosigned, instead_of: str = "") -> bool:
        """Puts it in the place of a smaller one, or of the one with the note ``instead_of``; False when
        neither is there, but another one."""
        statement = insert_into(COSIGNED, self.connection.dialect.name)
        newer = {name: statement.excluded[name] for name in ("size", "note")}
        statement = statement.on_conflict_do_update(
            COSIGNED.primary_key,
            set_=newer,
            where=or_(COSIGNED.c.size < statement.excluded.size, COSIGNED.c.note == instead_of),
        )
        values = {"id": 1, "size": cosigned.size, "note": cosigned.note}
        options = {"preserve_rowcount": True}
        return self.connection.execute(statement, values, execution_options=options).rowcount == 1
