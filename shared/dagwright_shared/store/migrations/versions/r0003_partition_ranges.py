"""A run may be of a range of partitions."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql("""
        ALTER TABLE runs ADD COLUMN partition_end text[];
        COMMENT ON COLUMN runs.partition_end IS 'the last one of a range of partitions; NULL: not a range';
        ALTER TABLE runs ADD CONSTRAINT ck_runs_range_has_both_ends CHECK (
            partition_end IS NULL OR (cardinality(partition) > 0 AND cardinality(partition_end) = cardinality(partition)));
    """)
