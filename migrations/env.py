"""Alembic's entry: runs the revisions on the connection that migrations/schema.py hands over."""

from typing import Any, Literal

from alembic import context

from services.router import tables  # noqa: F401 - its tables belong to the metadata
from shared.db.types import UtcDateTime, metadata


def render_item(kind: str, item: Any, _: Any) -> str | Literal[False]:
    """Revisions keep plain types: a later change of ours must not change the past."""
    if kind == "type" and isinstance(item, UtcDateTime):
        return "sa.DateTime(timezone=True)"
    return False


connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("run migrations by `closeloop db upgrade`, which brings the connection")
context.configure(
    connection=connection,
    target_metadata=metadata,
    render_as_batch=context.config.attributes.get("batch", True),
    compare_type=True,
    render_item=render_item,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
