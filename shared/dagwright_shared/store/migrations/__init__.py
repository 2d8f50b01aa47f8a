"""Alembic revisions, linear. Frozen: a schema change is a new revision, never an edit of an old one."""
