"""What is in force: epoch, bundles, revocation lists, suspensions."""

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: None = None
depends_on: None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "epoch",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sequence", BIG, nullable=False),
        sa.Column("bundle_hash", sa.String(), nullable=False),
        sa.Column("crl_number", sa.String(), nullable=False),
        sa.Column("since", BIG, nullable=False),
        sa.CheckConstraint("id = 1", name="epoch_is_one_row"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "bundle",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("hash"),
    )
    op.create_table(
        "crl",
        sa.Column("number", sa.String(), nullable=False),
        sa.Column("pem", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_table(
        "suspension",
        sa.Column("number", BIG, autoincrement=False, nullable=False),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("since", BIG, nullable=False),
        sa.Column("lifted", BIG, nullable=True),
        sa.PrimaryKeyConstraint("number"),
    )
