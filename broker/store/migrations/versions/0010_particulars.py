"""What auditors look receipts up by: operator, case, service item, rules, reasons, subjects' tags."""

import orjson
import sqlalchemy as sa
from alembic import op

from broker.model import Particulars
from broker.particulars import particulars_of
from broker.store.rows import columns

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: None = None
depends_on: None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
COLUMNS = ("operator", "case_no", "service_item", "rules", "reasons")
AT_ONCE = 2048


def upgrade() -> None:
    for name in COLUMNS:
        op.add_column("leaf", sa.Column(name, sa.String(), nullable=False, server_default=""))
    tags = op.create_table(
        "subject_tag",
        sa.Column("tag", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_index", BIG, autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("tag", "leaf_index"),
        sqlite_with_rowid=False,
    )
    _fill(tags)
    for name in ("case_no", "operator"):
        _create_index(f"leaf_{name}", [name, "leaf_index"], f"{name} <> ''")
    _create_index("leaf_reasons", ["leaf_index"], "reasons <> ''")
    _create_index("leaf_kind", ["kind", "leaf_index"], "kind <> 'exchange'")
    _create_index("leaf_verdict", ["verdict", "leaf_index"], "verdict <> 'permit'")


def _create_index(name: str, columns: list[str], where: str) -> None:
    condition = sa.text(where)
    op.create_index(name, "leaf", columns, sqlite_where=condition, postgresql_where=condition)


def _told(content: bytes) -> Particulars:
    """Of a statement; what is damaged is looked up by nothing, and found by ``fsck``, whatever the schema."""
    try:
        said = orjson.loads(content)
    except ValueError:
        said = None
    its = particulars_of(said) if isinstance(said, dict) else Particulars()
    # PostgreSQL has no such text, and no statement of ours does.
    return Particulars() if any("\0" in value for value in columns(its).values()) else its


def _fill(tags: sa.Table) -> None:
    """From the statements that there are; what was erased is not looked up any more."""
    connection = op.get_bind()
    statement = sa.table("statement", sa.column("leaf_index"), sa.column("content"))
    leaf = sa.table("leaf", sa.column("leaf_index"), *map(sa.column, COLUMNS))
    update = (
        leaf.update()
        .where(leaf.c.leaf_index == sa.bindparam("at"))
        .values({name: sa.bindparam(f"new_{name}") for name in COLUMNS})
    )
    after = -1
    while True:
        query = sa.select(statement).where(statement.c.leaf_index > after)
        some = connection.execute(query.order_by(statement.c.leaf_index).limit(AT_ONCE)).all()
        if not some:
            return
        after = some[-1].leaf_index
        said = {row.leaf_index: _told(row.content) for row in some}
        connection.execute(
            update,
            [
                {"at": index, **{f"new_{name}": value for name, value in columns(its).items()}}
                for index, its in said.items()
            ],
        )
        rows = [{"tag": tag, "leaf_index": index} for index, its in said.items() for tag in its.subject_tags]
        if rows:
            connection.execute(tags.insert(), rows)
