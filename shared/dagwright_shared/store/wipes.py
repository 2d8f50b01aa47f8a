"""Forgetting what was made of an asset: its state goes at once, and its history is hidden up to that moment. Logs of runs stay whole."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from dagwright_shared.model.keys import PartitionKey
from dagwright_shared.store import json_rows, listen

VISIBLE = """NOT EXISTS (
    SELECT FROM asset_partitions w WHERE w.asset_id = {e}.asset_id AND w.partition = {e}.partition AND w.wiped_at >= {e}.time)"""
"""Whether no wipe of its partition has come after an event; `e` stands for its alias."""


def wipe(conn: Connection, asset_id: int, partitions: Sequence[PartitionKey] | None = None) -> int:
    """Forget materializations, observations, failures and results of checks.

    The rows stay, so that whoever follows changes sees that there is nothing any more.

    Args:
        partitions: only of these; None means everything.

    Returns:
        How many partitions there was something of; an asset without partitions counts as one.
    """
    if partitions is None:
        wiped = conn.execute(text(_WIPE), {"id": asset_id}).scalar_one()
        conn.execute(text(_CHECKS), {"id": asset_id})
    else:
        arguments = {"id": asset_id, "rows": json_rows.dumps([{"partition": key} for key in dict.fromkeys(partitions)])}
        wiped = conn.execute(text(f"{_WIPE_SOME}"), arguments).scalar_one()
        conn.execute(text(f"{_CHECKS} AND partition IN (SELECT partition FROM {_WANTED})"), arguments)
    listen.notify(conn, "assets")
    return int(wiped)


_WANTED = "json_to_recordset(CAST(:rows AS json)) AS wanted(partition text[])"
_NOTHING = """
UPDATE asset_partitions p SET xid = pg_current_xact_id(), wiped_at = clock_timestamp(),
    run_id = NULL, seq = NULL, materialized_at = NULL,
    data_version = NULL, code_version = NULL, metadata = '{}', input_data_versions = '{}',
    failed_run_id = NULL, failed_at = NULL, observed_run_id = NULL, observed_at = NULL, observed_data_version = NULL,
    materialized_xid = NULL, observed_xid = NULL, version_xid = NULL
"""
_SOMETHING = "p.asset_id = :id AND coalesce(p.materialized_at, p.failed_at, p.observed_at) IS NOT NULL"
_WIPE = f"WITH wiped AS ({_NOTHING} WHERE {_SOMETHING} RETURNING 1) SELECT count(*) FROM wiped"
_WIPE_SOME = f"""
WITH wiped AS ({_NOTHING} FROM {_WANTED} WHERE {_SOMETHING} AND p.partition = wanted.partition RETURNING 1) SELECT count(*) FROM wiped
"""
_CHECKS = "DELETE FROM check_results WHERE asset_id = :id"
