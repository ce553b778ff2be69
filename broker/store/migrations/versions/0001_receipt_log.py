"""The receipt log: head, leaves, statements, tiles, used request ids, quotas."""

import sqlalchemy as sa
from alembic import op

revision: str = "0001"
down_revision: str | None = None
branch_labels: None = None
depends_on: None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    head = op.create_table(
        "head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("size", BIG, nullable=False),
        sa.Column("recorded_at", BIG, nullable=False),
        sa.CheckConstraint("id = 1", name="head_is_one_row"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.bulk_insert(head, [{"id": 1, "size": 0, "recorded_at": 0}])
    op.create_table(
        "leaf",
        sa.Column("leaf_index", BIG, autoincrement=False, nullable=False),
        sa.Column("log_entry", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("recorded_at", BIG, nullable=False),
        sa.Column("consumer", sa.String(), nullable=False),
        sa.Column("consumer_uri", sa.String(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("dataset", sa.String(), nullable=False),
        sa.Column("purpose", sa.String(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("leaf_index"),
    )
    for column in ("consumer", "consumer_uri", "provider", "dataset"):
        op.create_index(f"leaf_{column}", "leaf", [column, "leaf_index"])
    op.create_index("leaf_recorded_at", "leaf", ["recorded_at"])
    op.create_table(
        "statement",
        sa.Column("leaf_index", BIG, autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("leaf_index"),
    )
    op.create_table(
        "tile",
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("tile_index", BIG, autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "tile_index"),
    )
    op.create_table(
        "request",
        sa.Column("request_id", sa.String(), nullable=False),
        sa.Column("consumer_uri", sa.String(), nullable=False),
        sa.Column("leaf_index", BIG, nullable=False),
        sa.Column("request_mac", sa.LargeBinary(), nullable=False),
        sa.Column("answer_digest", sa.LargeBinary(), nullable=False),
        sa.Column("verdict", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("request_id", "consumer_uri"),
    )
    op.create_table(
        "quota",
        sa.Column("counter", sa.String(), nullable=False),
        sa.Column("used", BIG, nullable=False),
        sa.PrimaryKeyConstraint("counter"),
    )
