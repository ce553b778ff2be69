"""Deliveries that wait to be acknowledged: due from here on, for before nobody could."""

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: None = None
depends_on: None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "delivery",
        sa.Column("leaf_index", BIG, autoincrement=False, nullable=False),
        sa.Column("due_at", BIG, nullable=True),
        sa.Column("missing", BIG, nullable=True),
        sa.Column("disputed", BIG, nullable=True),
        sa.PrimaryKeyConstraint("leaf_index"),
    )
    untold = sa.text("missing IS NULL")
    op.create_index("delivery_due", "delivery", ["due_at"], sqlite_where=untold, postgresql_where=untold)
