"""Which partitions of an asset with very many are materialized is kept as ranges, so that nobody has to read a million rows."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Empty at first: ranges are of ordinals, which only the definitions know. The daemon fills it in its first turn.
    op.execute("""
CREATE TABLE partition_sets (
    asset_id BIGINT NOT NULL,
    mark TEXT NOT NULL,
    horizon XID8 NOT NULL,
    materialized BYTEA NOT NULL,
    failed BYTEA NOT NULL,
    strays JSONB NOT NULL,
    saved_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_partition_sets PRIMARY KEY (asset_id),
    CONSTRAINT fk_partition_sets_asset_id FOREIGN KEY (asset_id) REFERENCES assets (asset_id) ON DELETE CASCADE
);
COMMENT ON COLUMN partition_sets.mark IS 'of the definition that the ordinals belong to';
COMMENT ON COLUMN partition_sets.horizon IS 'all transactions before it are taken in';
COMMENT ON COLUMN partition_sets.strays IS 'partitions that do not exist, or not yet, and whether the newest try failed';
CREATE INDEX ix_asset_partitions_changed ON asset_partitions (asset_id, xid);
""")
