"""Slots of pools are leases of attempts, limits can be changed while the deployment runs, and background runs are told apart."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_SQL)


_SQL = """
ALTER TABLE runs
    ADD COLUMN background BOOLEAN GENERATED ALWAYS AS (
        trigger_kind IN ('automation', 'backfill') OR backfill_id IS NOT NULL OR tags ? 'dagster/backfill') STORED NOT NULL,
    ADD COLUMN resumes INTEGER DEFAULT 0 NOT NULL,
    ADD COLUMN pooled BOOLEAN DEFAULT false NOT NULL,
    ADD COLUMN canceling_at TIMESTAMP WITH TIME ZONE;
COMMENT ON COLUMN runs.background IS 'takes the places that others leave';
COMMENT ON COLUMN runs.resumes IS 'how often it went on with a new worker';
COMMENT ON COLUMN runs.pooled IS 'this attempt has asked for slots of pools';
DROP INDEX ix_runs_queued;
CREATE INDEX ix_runs_queued ON runs (background, priority DESC, created_at, run_id) WHERE status = 'QUEUED';

DROP TABLE pool_slots;
CREATE TABLE pool_slots (
    pool TEXT NOT NULL,
    run_id UUID NOT NULL,
    step_key TEXT DEFAULT '' NOT NULL,
    epoch INTEGER NOT NULL,
    attempt INTEGER DEFAULT 1 NOT NULL,
    background BOOLEAN DEFAULT false NOT NULL,
    priority INTEGER DEFAULT 0 NOT NULL,
    requested_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    acquired_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_pool_slots PRIMARY KEY (pool, run_id, step_key),
    CONSTRAINT fk_pool_slots_run_id FOREIGN KEY(run_id) REFERENCES runs (run_id) ON DELETE CASCADE
);
COMMENT ON COLUMN pool_slots.step_key IS 'empty: the whole run holds it';
COMMENT ON COLUMN pool_slots.acquired_at IS 'NULL: it waits';
CREATE INDEX ix_pool_slots_run ON pool_slots (run_id);
CREATE INDEX ix_pool_slots_waiting ON pool_slots (pool, background, priority DESC, requested_at) WHERE acquired_at IS NULL;

CREATE TABLE deployment_settings (
    name TEXT NOT NULL,
    value JSONB NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_deployment_settings PRIMARY KEY (name)
);
"""
