"""Run by Alembic on the connection that :mod:`broker.store.schema` hands over, inside its transaction."""

from alembic import context
from sqlmodel import SQLModel

from broker.store import tables  # noqa: F401 - fills the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,
)
context.run_migrations()
