"""Streams under way, each with its lease."""

import sqlalchemy as sa
from alembic import op

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: None = None
depends_on: None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "lease",
        sa.Column("opening", BIG, autoincrement=False, nullable=False),
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("consumer_uri", sa.String(), nullable=False),
        sa.Column("milliseconds", BIG, nullable=False),
        sa.Column("renewals", BIG, nullable=False),
        sa.Column("unfinished", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("opening"),
    )
    op.create_index("lease_request", "lease", ["request_id", "consumer_uri"], unique=True)
