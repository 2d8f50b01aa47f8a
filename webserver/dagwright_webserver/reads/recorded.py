"""Assets that no location defines, and of which something was recorded: by a run, by a report, or while they were defined."""

from __future__ import annotations

from sqlalchemy import Connection, text

from dagwright_shared.model.errors import NotFoundError
from dagwright_shared.model.keys import AssetKey, LocationName
from dagwright_shared.model.snapshot import AssetExecution, AssetSnapshot
from dagwright_webserver.reads.definitions import Definitions


def find(conn: Connection, defs: Definitions, key: AssetKey, location: str | None = None) -> tuple[LocationName, AssetSnapshot]:
    """The definition of an asset, or what stands for it where only records tell of it.

    Raises:
        NotFoundError: nothing is known of it.
    """
    try:
        return defs.asset(key, location)
    except NotFoundError:
        place = conn.execute(_PLACE, {"key": key.to_user_string(), "location": location}).scalar()
        if place is None:
            raise
        return LocationName(place), stand_in(key)


def stand_in(key: AssetKey) -> AssetSnapshot:
    """An asset of which nothing is known but its key."""
    return AssetSnapshot(key=key, execution=AssetExecution.EXTERNAL)


_PLACE = text("""
SELECT a.location FROM assets a
WHERE a.key = :key AND NOT a.defined AND a.location = coalesce(CAST(:location AS text), a.location) AND (
    EXISTS (SELECT FROM asset_partitions p
        WHERE p.asset_id = a.asset_id AND coalesce(p.materialized_at, p.observed_at, p.failed_at) IS NOT NULL)  -- wiped ones stay
    OR EXISTS (SELECT FROM check_results c WHERE c.asset_id = a.asset_id))
ORDER BY a.asset_id LIMIT 1
""")
