"""Corrections that consumers have asked for, and what came of them."""

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: None = None
depends_on: None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "correction",
        sa.Column("leaf_index", BIG, autoincrement=False, nullable=False),
        sa.Column("receipt", BIG, nullable=False),
        sa.Column("error", sa.String(), nullable=False),
        sa.Column("field_names", sa.String(), nullable=False),
        sa.Column("due_at", BIG, nullable=False),
        sa.Column("settlement", sa.String(), nullable=True),
        sa.Column("answered", BIG, nullable=True),
        sa.Column("overdue", BIG, nullable=True),
        sa.Column("told", BIG, nullable=True),
        sa.Column("held", sa.LargeBinary(), nullable=True),
        sa.Column("request_mac", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("leaf_index"),
    )
    unanswered = sa.text("answered IS NULL")
    op.create_index(
        "correction_due",
        "correction",
        ["due_at"],
        sqlite_where=unanswered,
        postgresql_where=unanswered,
    )
    op.create_index("correction_receipt", "correction", ["receipt"])
