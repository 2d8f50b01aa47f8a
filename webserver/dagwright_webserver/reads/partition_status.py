"""The status of an asset's partitions, as ranges of neighbours with the same status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select

from dagwright_shared.model import partitions
from dagwright_shared.model.keys import PartitionKey, format_partition
from dagwright_shared.model.partitions import NO_DYNAMIC, DynamicKeys, MultiPartitions, Partitions
from dagwright_shared.store import tables
from dagwright_webserver.reads.runs import active_statuses
from dagwright_webserver.reads.view import view


class PartitionStatus(StrEnum):
    MATERIALIZED = "MATERIALIZED"
    FAILED = "FAILED"
    MATERIALIZING = "MATERIALIZING"
    MISSING = "MISSING"


@view
class PartitionRange:
    """Neighbours with the same status."""

    first: str
    """Key of the first partition."""
    last: str
    """Key of the last partition."""
    count: int
    """How many there are."""
    status: PartitionStatus
    """The status of all of them."""


@view
class PartitionsView:
    """The partitions of an asset or a job."""

    description: str
    """The definition in a few words."""
    dimensions: tuple[str, ...]
    """Names of the dimensions; empty for a definition of one dimension without a name."""
    total: int
    """How many partitions exist."""
    counts: Mapping[str, int]
    """Number of partitions by status."""
    ranges: tuple[PartitionRange, ...]
    """All partitions in order; at most 2,000 ranges, newest first to be kept."""
    cut: bool
    """Whether there are more ranges than shown."""
    newest: tuple[str, ...]
    """The newest 100 keys, newest first, for choosing one."""


MAX_RANGES = 2_000
MAX_KEYS = 100


def partitions_view(
    conn: Connection, asset_id: int, definition: Partitions, *, now: datetime, dynamic: DynamicKeys = NO_DYNAMIC
) -> PartitionsView:
    """Status of all partitions of an asset."""
    keys = partitions.keys(definition, now, dynamic)
    ranges, counts = _ranges(keys, read_statuses(conn, asset_id))
    return PartitionsView(
        description=partitions.describe(definition),
        dimensions=tuple(name for name, _ in definition.dimensions) if isinstance(definition, MultiPartitions) else (),
        total=len(keys),
        counts=counts,
        ranges=tuple(ranges[-MAX_RANGES:]),
        cut=len(ranges) > MAX_RANGES,
        newest=newest_keys(keys),
    )


def newest_keys(keys: Sequence[PartitionKey]) -> tuple[str, ...]:
    """The last keys of a definition, newest first, as people see them."""
    return tuple(format_partition(key) or "" for key in reversed(keys[-MAX_KEYS:]))


def read_statuses(conn: Connection, asset_id: int) -> Mapping[PartitionKey, PartitionStatus]:
    """The status of each partition that anything has happened to."""
    p = tables.asset_partitions.c
    found: dict[PartitionKey, PartitionStatus] = {}
    for key, good, bad in conn.execute(select(p.partition, p.materialized_at, p.failed_at).where(p.asset_id == asset_id)):
        if bad is not None and (good is None or bad > good):
            found[tuple(key)] = PartitionStatus.FAILED
        elif good is not None:
            found[tuple(key)] = PartitionStatus.MATERIALIZED
    x, r = tables.run_assets.c, tables.runs.c
    active = select(x.partition).join(tables.runs, r.run_id == x.run_id).where(x.asset_id == asset_id, r.status.in_(active_statuses()))
    for (key,) in conn.execute(active):
        found[tuple(key)] = PartitionStatus.MATERIALIZING
    return found


def _ranges(
    keys: Sequence[PartitionKey], statuses: Mapping[PartitionKey, PartitionStatus]
) -> tuple[list[PartitionRange], Mapping[str, int]]:
    counts = dict.fromkeys((str(status) for status in PartitionStatus), 0)
    ranges: list[PartitionRange] = []
    start = 0
    while start < len(keys):
        status = statuses.get(keys[start], PartitionStatus.MISSING)
        end = start + 1
        while end < len(keys) and statuses.get(keys[end], PartitionStatus.MISSING) is status:
            end += 1
        first, last = format_partition(keys[start]) or "", format_partition(keys[end - 1]) or ""
        ranges.append(PartitionRange(first=first, last=last, count=end - start, status=status))
        counts[status] += end - start
        start = end
    return ranges, counts
