"""The commit horizon is one of this database, whatever goes on in others of the cluster."""

from __future__ import annotations

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

# Of the open transactions one counts that cannot be found among the locks: it may have begun, or ended, while they were read. One's own
# counts too, since it may go on writing. Without any there is nothing to look up.
_FUNCTION = """
CREATE FUNCTION commit_horizon() RETURNS xid8 LANGUAGE plpgsql STABLE AS $$
DECLARE
    seen pg_snapshot := pg_current_snapshot();
BEGIN
    IF pg_snapshot_xmin(seen) = pg_snapshot_xmax(seen) THEN
        RETURN pg_snapshot_xmax(seen);
    END IF;
    RETURN coalesce((
        SELECT open.xid FROM (SELECT pg_snapshot_xip(seen) UNION ALL SELECT pg_current_xact_id_if_assigned()) AS open(xid)
        WHERE open.xid IS NOT NULL AND NOT EXISTS (
            SELECT FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
            WHERE l.locktype = 'transactionid' AND l.mode = 'ExclusiveLock' AND l.granted
                AND l.transactionid = CAST(open.xid AS xid) AND a.datname <> current_database())
        ORDER BY open.xid LIMIT 1), pg_snapshot_xmax(seen));
END $$
"""


def upgrade() -> None:
    op.execute(_FUNCTION)
    op.execute("COMMENT ON FUNCTION commit_horizon() IS 'all transactions of this database below it have ended, and can be seen'")
