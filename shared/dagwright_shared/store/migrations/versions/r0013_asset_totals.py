"""How many partitions of each asset are materialized and failed is counted as they change, not by whoever asks."""

from __future__ import annotations

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql(_SQL)


_SQL = """
CREATE TABLE asset_totals (
    asset_id BIGINT NOT NULL,
    materialized BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    CONSTRAINT pk_asset_totals PRIMARY KEY (asset_id),
    CONSTRAINT fk_asset_totals_asset_id FOREIGN KEY (asset_id) REFERENCES assets (asset_id) ON DELETE CASCADE
);
COMMENT ON COLUMN asset_totals.failed IS 'of which the newest try failed';

CREATE FUNCTION partition_has_failed(failed_at timestamptz, materialized_at timestamptz) RETURNS boolean LANGUAGE sql IMMUTABLE AS
    'SELECT failed_at IS NOT NULL AND (materialized_at IS NULL OR failed_at > materialized_at)';

INSERT INTO asset_totals (asset_id, materialized, failed)
SELECT asset_id, count(materialized_at), count(*) FILTER (WHERE partition_has_failed(failed_at, materialized_at))
FROM asset_partitions GROUP BY asset_id;

-- Only what becomes another state is written: a partition that is made anew changes no number, so runs do not wait for each other.
CREATE FUNCTION count_added_partitions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO asset_totals AS t (asset_id, materialized, failed)
    SELECT asset_id, count(materialized_at), count(*) FILTER (WHERE partition_has_failed(failed_at, materialized_at))
    FROM added WHERE materialized_at IS NOT NULL OR failed_at IS NOT NULL GROUP BY asset_id ORDER BY asset_id
    ON CONFLICT (asset_id) DO UPDATE SET materialized = t.materialized + EXCLUDED.materialized, failed = t.failed + EXCLUDED.failed;
    RETURN NULL;
END $$;

CREATE FUNCTION count_changed_partitions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO asset_totals AS t (asset_id, materialized, failed)
    SELECT asset_id, sum(materialized), sum(failed) FROM (
        SELECT asset_id, CAST(materialized_at IS NOT NULL AS integer), CAST(partition_has_failed(failed_at, materialized_at) AS integer)
        FROM added
        UNION ALL
        SELECT asset_id, -CAST(materialized_at IS NOT NULL AS integer), -CAST(partition_has_failed(failed_at, materialized_at) AS integer)
        FROM gone) AS changes(asset_id, materialized, failed)
    GROUP BY asset_id HAVING sum(materialized) <> 0 OR sum(failed) <> 0 ORDER BY asset_id
    ON CONFLICT (asset_id) DO UPDATE SET materialized = t.materialized + EXCLUDED.materialized, failed = t.failed + EXCLUDED.failed;
    RETURN NULL;
END $$;

CREATE FUNCTION count_gone_partitions() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE asset_totals t SET materialized = t.materialized - g.materialized, failed = t.failed - g.failed
    FROM (SELECT asset_id, count(materialized_at) AS materialized, count(*) FILTER (
        WHERE partition_has_failed(failed_at, materialized_at)) AS failed FROM gone GROUP BY asset_id) g
    WHERE t.asset_id = g.asset_id;
    RETURN NULL;
END $$;

CREATE TRIGGER count_added AFTER INSERT ON asset_partitions REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION count_added_partitions();
CREATE TRIGGER count_changed AFTER UPDATE ON asset_partitions REFERENCING OLD TABLE AS gone NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION count_changed_partitions();
CREATE TRIGGER count_gone AFTER DELETE ON asset_partitions REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION count_gone_partitions();

CREATE INDEX ix_check_results_newest ON check_results (asset_id, name, evaluated_at DESC);
"""
