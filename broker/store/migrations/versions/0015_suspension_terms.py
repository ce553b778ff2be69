"""Whose data a suspension stops, whose officer ordered it, and by when to mend what it was ordered for."""

import sqlalchemy as sa
from alembic import op

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: None = None
depends_on: None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for name in ("provider", "department"):
        op.add_column("suspension", sa.Column(name, sa.String(), nullable=False, server_default=""))
    op.add_column("suspension", sa.Column("mend_by", BIG, nullable=True))
