"""Backfills keep their progress, and their runs say which part they make."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_SQL)


_SQL = """
ALTER TABLE runs
    ADD COLUMN backfill_first BIGINT,
    ADD COLUMN backfill_last BIGINT,
    ADD COLUMN settled BOOLEAN DEFAULT false NOT NULL;
COMMENT ON COLUMN runs.backfill_first IS 'the first ordinal of the backfill''s target that it makes';
COMMENT ON COLUMN runs.settled IS 'its backfill has taken its end into account';
-- Nothing made a backfill before.
UPDATE runs SET backfill_id = NULL WHERE backfill_id IS NOT NULL;
ALTER TABLE runs ADD CONSTRAINT ck_runs_part_of_backfill CHECK (
    (backfill_id IS NULL) = (backfill_first IS NULL) AND (backfill_id IS NULL) = (backfill_last IS NULL));
CREATE INDEX ix_runs_backfill ON runs (backfill_id, created_at DESC, run_id DESC) WHERE backfill_id IS NOT NULL;
CREATE INDEX ix_runs_to_settle ON runs (backfill_id, run_id) WHERE backfill_id IS NOT NULL AND NOT settled
    AND (status IN ('CANCELED', 'SUCCESS') OR (status = 'FAILURE' AND retried));

DELETE FROM backfills;
ALTER TABLE backfills
    ADD COLUMN progress BYTEA DEFAULT '' NOT NULL,
    ADD COLUMN due BOOLEAN DEFAULT true NOT NULL,
    ADD COLUMN attempt INTEGER DEFAULT 1 NOT NULL,
    ADD COLUMN parent_id UUID,
    ADD COLUMN trigger_kind TEXT DEFAULT 'api' NOT NULL,
    ADD COLUMN trigger_name TEXT,
    ADD COLUMN title TEXT,
    ADD COLUMN description TEXT,
    ADD COLUMN config JSONB DEFAULT '{}' NOT NULL,
    DROP CONSTRAINT ck_backfills_status_known,
    ADD CONSTRAINT ck_backfills_status_known CHECK (
        status IN ('CANCELED', 'CANCELING', 'COMPLETED', 'FAILED', 'IN_PROGRESS', 'REQUESTED')),
    DROP CONSTRAINT ck_backfills_ended_when_final,
    ADD CONSTRAINT ck_backfills_ended_when_final CHECK ((status IN ('CANCELED', 'COMPLETED', 'FAILED')) = (ended_at IS NOT NULL));
COMMENT ON COLUMN backfills.progress IS 'what became of the target, as ranges too';
COMMENT ON COLUMN backfills.due IS 'a step can do something though no run has ended';
COMMENT ON COLUMN backfills.attempt IS 'raised by each resume';
COMMENT ON COLUMN backfills.parent_id IS 'the backfill of which it makes the part that failed';
CREATE INDEX ix_backfills_live ON backfills (created_at) WHERE status IN ('CANCELING', 'IN_PROGRESS', 'REQUESTED');
CREATE INDEX ix_backfills_parent ON backfills (parent_id) WHERE parent_id IS NOT NULL;
"""
