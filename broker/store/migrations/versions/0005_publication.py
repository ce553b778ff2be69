"""Bundles proposed, what officers signed about them, and which were published."""

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: None = None
depends_on: None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "proposal",
        sa.Column("number", BIG, autoincrement=False, nullable=False),
        sa.Column("bundle_hash", sa.String(), nullable=False),
        sa.Column("sequence", BIG, nullable=False),
        sa.Column("previous", sa.String(), nullable=False),
        sa.Column("proposer", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("proposed_at", BIG, nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.Column("checks", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("proposal_bundle", "proposal", ["bundle_hash"], unique=True)
    op.create_table(
        "approval",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("bundle_hash", sa.String(), nullable=False),
        sa.Column("expires", BIG, nullable=False),
        sa.Column("signed", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
    )
    op.create_index("approval_bundle", "approval", ["bundle_hash"])
    op.create_index("approval_expires", "approval", ["expires"])
    op.create_table(
        "publication",
        sa.Column("sequence", BIG, autoincrement=False, nullable=False),
        sa.Column("bundle_hash", sa.String(), nullable=False),
        sa.Column("epoch", BIG, nullable=False),
        sa.Column("published_at", BIG, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("proposal", BIG, nullable=True),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("publication_proposal", "publication", ["proposal"], unique=True)
    # What is in force now begins the history.
    op.execute(
        "INSERT INTO publication (sequence, bundle_hash, epoch, published_at, actor, reason) "
        "SELECT 1, bundle_hash, sequence, since, '', '' FROM epoch"
    )
