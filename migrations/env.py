"""Alembic's entry: runs the revisions on the connection that cosmosq hands over."""

from typing import Any, Literal

from alembic import context

from cosmosq.models import Base, UtcDateTime, load_all


def render_item(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Write column types so that an old revision does not import today's models."""
    return "sa.DateTime()" if kind == "type" and isinstance(item, UtcDateTime) else False


load_all()
context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    render_item=render_item,
)
with context.begin_transaction():
    context.run_migrations()
