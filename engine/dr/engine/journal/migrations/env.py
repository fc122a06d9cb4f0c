"""Alembic's entry: the caller hands over a connection that is in a transaction already."""

from __future__ import annotations

from alembic import context

from dr.engine.journal.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,
)
context.run_migrations()
