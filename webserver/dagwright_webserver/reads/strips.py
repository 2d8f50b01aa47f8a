"""The newest ticks of schedules and sensors as far as a strip of marks shows them: rows, since a page may have thousands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, text

from dagwright_shared.model.ticks import InstigatorKind


class StripTick(NamedTuple):
    """One mark."""

    status: str
    scheduled_for: datetime
    runs: int
    """How many runs it asked for."""
    skip_reason: str | None
    error: str | None
    """What user code raised: its class, and the beginning of its message."""


Strips = Mapping[tuple[str, str, str], Sequence[StripTick]]
"""(kind, location, name) to its newest ticks, the oldest of them first."""


def read_strips(conn: Connection, *, kind: InstigatorKind | None = None, name: str | None = None, count: int = 10) -> Strips:
    """The strips of all that are defined, of one kind or of one name."""
    found: dict[tuple[str, str, str], list[StripTick]] = {}
    for of_kind, location, of_name, *tick in conn.execute(_STRIPS, {"kind": kind and str(kind), "name": name, "count": count}):
        found.setdefault((of_kind, location, of_name), []).append(StripTick(*tick))
    return found


_STRIPS = text("""
SELECT i.kind, i.location, i.name, n.status, n.scheduled_for,
    CASE WHEN n.status = 'SKIPPED' THEN 0 ELSE (SELECT count(*) FROM runs r WHERE r.tick_id = n.tick_id) END,
    n.skip_reason, n.error->>'class_name' || ': ' || left(n.error->>'message', 300)
FROM instigators i CROSS JOIN LATERAL (
    SELECT t.tick_id, t.status, t.scheduled_for, t.skip_reason, t.error FROM ticks t WHERE t.instigator_id = i.instigator_id
    ORDER BY t.scheduled_for DESC LIMIT :count) n
WHERE i.defined AND (CAST(:kind AS text) IS NULL OR i.kind = :kind) AND (CAST(:name AS text) IS NULL OR i.name = :name)
ORDER BY i.instigator_id, n.scheduled_for""")
