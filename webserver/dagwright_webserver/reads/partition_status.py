"""The status of an asset's partitions, as ranges of neighbours with the same status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from sqlalchemy import Connection, select

from dagwright_shared.model import partitions, ranges, subsets
from dagwright_shared.model.dependents import Moment, size
from dagwright_shared.model.keys import PartitionKey
from dagwright_shared.model.partitions import MultiPartitions, Partitions
from dagwright_shared.model.subsets import EMPTY, Subset
from dagwright_shared.store import partition_states, tables
from dagwright_shared.store.partition_states import PartitionMemo, PartitionStates
from dagwright_webserver.reads.partition_keys import MAX_KEYS, AxisView, axes_of, names
from dagwright_webserver.reads.runs import active_statuses
from dagwright_webserver.reads.view import view


class PartitionStatus(StrEnum):
    MATERIALIZED = "MATERIALIZED"
    FAILED = "FAILED"
    MATERIALIZING = "MATERIALIZING"
    MISSING = "MISSING"


@view
class PartitionStretch:
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
    axes: tuple[AxisView, ...]
    """What a partition is chosen by: each dimension, or the only one."""
    total: int
    """How many partitions exist."""
    counts: Mapping[str, int]
    """Number of partitions by status."""
    ranges: tuple[PartitionStretch, ...]
    """All partitions in order; at most 2,000 ranges, newest first to be kept."""
    cut: bool
    """Whether there are more ranges than shown."""
    newest: tuple[str, ...]
    """The newest 100 keys, newest first, for choosing one."""
    newest_statuses: tuple[PartitionStatus, ...]
    """The status of each of them."""


MAX_RANGES = 2_000


def partitions_view(conn: Connection, memo: PartitionMemo, asset_id: int, definition: Partitions, at: Moment) -> PartitionsView:
    """Status of all partitions of an asset; no partition costs an object of its own."""
    standing = read_standing(conn, memo, asset_id, definition, at)
    total, by_status, rows = standing.total, subsets_of(standing), _stretches(standing)
    shown = rows[-MAX_RANGES:]
    named = names(definition, [place for start, end, _ in shown for place in (start, end - 1)], at)
    newest = range(total - 1, max(-1, total - 1 - MAX_KEYS), -1)
    newest_names = names(definition, newest, at)
    return PartitionsView(
        description=partitions.describe(definition),
        dimensions=tuple(name for name, _ in definition.dimensions) if isinstance(definition, MultiPartitions) else (),
        axes=axes_of(definition, at),
        total=total,
        counts={str(status): len(subset) for status, subset in by_status.items()},
        ranges=tuple(
            PartitionStretch(first=named[start], last=named[end - 1], count=end - start, status=status) for start, end, status in shown
        ),
        cut=len(rows) > MAX_RANGES,
        newest=tuple(newest_names[place] for place in newest),
        newest_statuses=tuple(next(status for status, subset in by_status.items() if place in subset) for place in newest),
    )


@dataclass(frozen=True, slots=True)
class Standing:
    """How the partitions of an asset stand. Of equal ones the same follows, which of very many partitions is reckoned once."""

    states: PartitionStates
    active: Subset
    """What queued and active runs make."""
    total: int
    """How many partitions exist."""


def read_standing(conn: Connection, memo: PartitionMemo, asset_id: int, definition: Partitions, at: Moment) -> Standing:
    return Standing(memo.read(conn, asset_id, definition, at), _active(conn, asset_id, definition, at), size(definition, at))


@lru_cache(maxsize=16)
def subsets_of(standing: Standing) -> Mapping[PartitionStatus, Subset]:
    """The partitions of each status; every partition that exists is in one of them."""
    everything, states = subsets.of_range(0, standing.total), standing.states
    active = standing.active & everything
    failed, good = (states.failed & everything) - active, (states.materialized & everything) - active
    return {
        PartitionStatus.MATERIALIZED: good,
        PartitionStatus.FAILED: failed,
        PartitionStatus.MATERIALIZING: active,
        PartitionStatus.MISSING: everything - subsets.union((good, failed, active)),
    }


@lru_cache(maxsize=16)
def _stretches(standing: Standing) -> list[tuple[int, int, PartitionStatus]]:
    """All partitions in order."""
    return sorted((start, end, status) for status, subset in subsets_of(standing).items() for start, end in subset.ranges)


def _active(conn: Connection, asset_id: int, definition: Partitions, at: Moment) -> Subset:
    """What queued and active runs make."""
    x, r = tables.run_assets.c, tables.runs.c
    query = select(x.partition, r.partition_end).join(tables.runs, r.run_id == x.run_id)
    found = conn.execute(query.where(x.asset_id == asset_id, r.status.in_(active_statuses()))).all()
    singles = [tuple(row.partition) for row in found if row.partition_end is None]
    made = [place for place in partition_states.ordinals(definition, singles, at) if place is not None]
    spans = [_span(definition, tuple(row.partition), tuple(row.partition_end), at) for row in found if row.partition_end is not None]
    return subsets.union((subsets.of_ordinals(made), *spans))


def _span(definition: Partitions, first: PartitionKey, last: PartitionKey, at: Moment) -> Subset:
    if not isinstance(definition, MultiPartitions):
        start, end = partition_states.ordinals(definition, [first, last], at)
        return subsets.of_range(start, end + 1) if start is not None and end is not None else EMPTY
    try:
        keys = ranges.keys_between(definition, first, last, at.now, at.dynamic)
    except LookupError:
        return EMPTY
    return subsets.of_ordinals(place for place in partition_states.ordinals(definition, keys, at) if place is not None)
