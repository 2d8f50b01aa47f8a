"""Presets: config and tags of a job that somebody has saved under a name, for whoever launches it next."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select
from sqlalchemy.dialects.postgresql import insert

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import InvalidRequestError, Problem
from dagwright_shared.store import tables

MOST = 200
"""Of one job: more than anybody chooses from."""

_table = tables.presets
_p = _table.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    name: str
    config: Mapping[str, Any]
    tags: Mapping[str, str]
    updated_by: str | None
    updated_at: datetime


def list(conn: Connection, location: str, job: str) -> tuple[Preset, ...]:
    """All presets of a job, by name."""
    query = select(_table).where(_p.location == location, _p.job_name == job).order_by(_p.name)
    return tuple(
        Preset(name=row.name, config=row.config, tags=row.tags, updated_by=row.updated_by, updated_at=row.updated_at)
        for row in conn.execute(query)
    )


def save(
    conn: Connection, location: str, job: str, name: str, *, config: Mapping[str, Any], tags: Mapping[str, str], by: str | None
) -> bool:
    """Keep a preset, in place of an earlier one of the same name. Returns whether it is a new name.

    Raises:
        InvalidRequestError: the job has as many as it may have.
    """
    known = {preset.name for preset in list(conn, location, job)}
    if name not in known and len(known) >= MOST:
        problem = Problem(path="name", message=f"job {job!r} has {MOST} presets already; delete one of them", value=name)
        raise InvalidRequestError("The preset cannot be saved", problems=[problem])
    values = {"config": dict(config), "tags": dict(tags), "updated_by": by}
    statement = insert(_table).values(location=location, job_name=job, name=name, **values)
    updates = {**values, "updated_at": func.clock_timestamp()}
    conn.execute(statement.on_conflict_do_update(index_elements=[_p.location, _p.job_name, _p.name], set_=updates))
    return name not in known


def remove(conn: Connection, location: str, job: str, name: str) -> bool:
    """Forget a preset. Returns whether there was one."""
    return conn.execute(delete(_table).where(_p.location == location, _p.job_name == job, _p.name == name)).rowcount > 0
