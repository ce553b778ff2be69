"""Applications that people decide."""

import sqlalchemy as sa
from alembic import op

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: None = None
depends_on: None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "application",
        sa.Column("number", BIG, autoincrement=False, nullable=False),
        sa.Column("version", BIG, nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("consumer", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("concerned", sa.String(), nullable=False),
        sa.Column("filed", sa.Integer(), nullable=False),
        sa.Column("overdue", sa.Integer(), nullable=False),
        sa.Column("wake_at", BIG, nullable=True),
        sa.Column("leaf_index", BIG, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    waking = sa.text("wake_at IS NOT NULL")
    op.create_index(
        "application_wake_at", "application", ["wake_at"], sqlite_where=waking, postgresql_where=waking
    )
    op.create_index("application_state", "application", ["state", "number"])
