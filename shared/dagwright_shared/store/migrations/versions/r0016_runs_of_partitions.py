"""Runs of a partition are found without looking through all others."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("CREATE INDEX ix_runs_partition ON runs (partition, created_at DESC, run_id DESC) WHERE partition <> '{}'")
