"""Alembic's entry point: runs on the connection, and in the transaction, that `schema.upgrade` hands over."""

from __future__ import annotations

from alembic import context

from dagwright_shared.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
