"""What is to be disposed of one day, the orders to do so, and what came of them."""

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: None = None
depends_on: None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "retained",
        sa.Column("consumer", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("dispose_by", BIG, autoincrement=False, nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("grant_number", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("first_leaf", BIG, nullable=False),
        sa.Column("last_leaf", BIG, nullable=False),
        sa.Column("deliveries", BIG, nullable=False),
        sa.PrimaryKeyConstraint("consumer", "dataset", "dispose_by", "purpose", "grant_number", "provider"),
    )
    op.create_index("retained_dispose_by", "retained", ["dispose_by"])
    op.create_table(
        "disposal",
        sa.Column("leaf_index", BIG, autoincrement=False, nullable=False),
        *(
            sa.Column(name, sa.String(), nullable=False)
            for name in ("consumer", "provider", "dataset", "purpose", "grant_number", "cause", "method")
        ),
        sa.Column("deliveries", BIG, nullable=False),
        sa.Column("ordered_at", BIG, nullable=False),
        sa.Column("due_at", BIG, nullable=False),
        sa.Column("certificate", BIG, nullable=True),
        sa.Column("exceptions", BIG, nullable=False),
        sa.Column("missing", BIG, nullable=True),
        sa.PrimaryKeyConstraint("leaf_index"),
    )
    waits = sa.text("certificate IS NULL AND missing IS NULL")
    op.create_index("disposal_due", "disposal", ["due_at"], sqlite_where=waits, postgresql_where=waits)
    op.create_index("disposal_consumer", "disposal", ["consumer", "leaf_index"])
    op.create_index("disposal_provider", "disposal", ["provider", "leaf_index"])
