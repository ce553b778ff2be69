"""The list of needs: what was asked for and nobody shares yet."""

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: None = None
depends_on: None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "need",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("consumer", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("field_names", sa.String(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("applications", BIG, nullable=False),
        sa.Column("first_leaf", BIG, nullable=False),
        sa.Column("last_leaf", BIG, nullable=False),
        sa.Column("first_at", BIG, nullable=False),
        sa.Column("last_at", BIG, nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_index("need_first_leaf", "need", ["first_leaf"], unique=True)
    op.create_index("need_consumer", "need", ["consumer", "first_leaf"])
