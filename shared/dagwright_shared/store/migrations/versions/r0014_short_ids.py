"""Runs are found by the short form of their id, which is what pages show."""

from __future__ import annotations

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute('CREATE INDEX ix_runs_short_id ON runs ("right"((run_id)::text, 8) text_pattern_ops)')
