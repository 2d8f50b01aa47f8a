"""Config of a job that somebody has saved under a name."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
CREATE TABLE presets (
    location TEXT NOT NULL,
    job_name TEXT NOT NULL,
    name TEXT NOT NULL,
    config JSONB DEFAULT '{}' NOT NULL,
    tags JSONB DEFAULT '{}' NOT NULL,
    updated_by TEXT,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT pk_presets PRIMARY KEY (location, job_name, name)
);
COMMENT ON TABLE presets IS 'config of a job that somebody has saved under a name';
COMMENT ON COLUMN presets.updated_by IS 'name of a user; NULL: nobody had logged in';
""")
