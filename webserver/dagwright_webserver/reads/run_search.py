"""Runs by a text: the start of an id or of its short form, or a part of the name of a job or of an asset.

What few runs fit is found by looking their names up; what many fit, by looking through the newest runs, of which some fit soon. So neither
takes long, however many runs there are.
"""

from __future__ import annotations

import re
import uuid

from sqlalchemy import ColumnElement, Connection, false, func, or_, text
from sqlalchemy import cast as sql_cast
from sqlalchemy.dialects.postgresql import ARRAY, UUID, array

from dagwright_shared.store import tables

_FEW = 2_000
_PREFIX = re.compile(r"[0-9a-f]{1,8}(-?[0-9a-f]{0,4}){0,3}(-?[0-9a-f]{0,12})\Z")
_runs = tables.runs.c


def fits(conn: Connection, wanted: str) -> ColumnElement[bool]:
    """The condition under which a run fits a text."""
    pattern = "%" + wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
    low, high = _ids(wanted.lower())
    short = f"{wanted.lower()}%" if low and len(wanted) <= 8 and wanted.isalnum() else None
    found = conn.execute(_FOUND, {"pattern": pattern, "low": low, "high": high, "short": short, "limit": _FEW + 1}).scalars().all()
    if not found:
        return false()
    if len(found) <= _FEW:
        return _runs.run_id == func.any(sql_cast(array(found), ARRAY(UUID(as_uuid=False))))
    # `strpos` and not ILIKE, of which the planner thinks that hardly anything fits it: it would sort all runs.
    columns = (_runs.job_name, func.array_to_string(_runs.asset_keys, " "))
    parts: list[ColumnElement[bool]] = [func.strpos(func.lower(column), wanted.lower()) > 0 for column in columns]
    return or_(*parts) if low is None else or_(_runs.run_id.between(low, high), *parts)


def _ids(wanted: str) -> tuple[str | None, str | None]:
    """The first and the last id that begins like this."""
    digits = wanted.replace("-", "")
    if not digits or not _PREFIX.match(wanted):
        return None, None
    return str(uuid.UUID(digits.ljust(32, "0"))), str(uuid.UUID(digits.ljust(32, "f")))


# The names of jobs are found by a step through their index for each; the short form of an id is its end.
_FOUND = text("""
WITH RECURSIVE jobs AS (
    (SELECT job_name FROM runs WHERE job_name IS NOT NULL ORDER BY job_name LIMIT 1)
    UNION ALL
    SELECT (SELECT r.job_name FROM runs r WHERE r.job_name > j.job_name ORDER BY r.job_name LIMIT 1)
    FROM jobs j WHERE j.job_name IS NOT NULL)
SELECT CAST(run_id AS text) FROM (
    SELECT r.run_id FROM runs r WHERE r.run_id BETWEEN CAST(:low AS uuid) AND CAST(:high AS uuid)
    UNION ALL
    SELECT r.run_id FROM runs r WHERE right(CAST(r.run_id AS text), 8) LIKE :short
    UNION ALL
    SELECT r.run_id FROM (SELECT job_name FROM jobs WHERE job_name ILIKE :pattern) j
        CROSS JOIN LATERAL (SELECT run_id FROM runs WHERE runs.job_name = j.job_name LIMIT :limit) r
    UNION ALL
    SELECT x.run_id FROM (SELECT asset_id FROM assets WHERE key ILIKE :pattern) a
        CROSS JOIN LATERAL (SELECT run_id FROM run_assets WHERE run_assets.asset_id = a.asset_id LIMIT :limit) x
) found LIMIT :limit
""")
