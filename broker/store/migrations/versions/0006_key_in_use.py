"""Which key masks: a part of the epoch, so that it changes everywhere at one moment."""

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: None = None
depends_on: None = None


def upgrade() -> None:
    op.add_column("epoch", sa.Column("key_version", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("epoch", sa.Column("key_fingerprint", sa.String(), nullable=False, server_default=""))
