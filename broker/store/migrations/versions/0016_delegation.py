"""Officers who review in another's place."""

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: None = None
depends_on: None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "delegation",
        sa.Column("number", BIG, autoincrement=False, nullable=False),
        sa.Column("officer", sa.String(), nullable=False),
        sa.Column("department", sa.String(), nullable=False),
        sa.Column("delegate", sa.String(), nullable=False),
        sa.Column("delegate_department", sa.String(), nullable=False),
        sa.Column("serial", sa.String(), nullable=False),
        sa.Column("valid_from", BIG, nullable=False),
        sa.Column("valid_until", BIG, nullable=False),
        sa.Column("revoked_at", BIG, nullable=True),
        sa.Column("leaf_index", BIG, nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
