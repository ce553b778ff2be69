"""The newest checkpoint that enough witnesses have cosigned."""

import sqlalchemy as sa
from alembic import op

revision: str = "0009"
down_revision: str | None = "0008"
branch_labels: None = None
depends_on: None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "cosigned",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name="cosigned_is_one_row"),
        sa.PrimaryKeyConstraint("id"),
    )
