"""The database of receipts: SQLModel tables, Alembic migrations, and the journal that the log appends to."""

from broker.store.schema import SchemaState, migrate, schema_state
from broker.store.store import Store, open_store

__all__ = ["SchemaState", "Store", "migrate", "open_store", "schema_state"]
