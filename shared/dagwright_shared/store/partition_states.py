"""Which partitions of an asset are materialized, and of which the newest try failed, as sets of ordinals.

The first look at an asset reads all its rows; each further one reads what has changed since, by commit horizon, however many
partitions there are. What is remembered belongs to one database and one process, and is only ever a saving.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TypeAlias

from sqlalchemy import Connection, TextClause, text

from dagwright_shared.model import partitions as parts
from dagwright_shared.model import subsets
from dagwright_shared.model.dependents import Moment, size
from dagwright_shared.model.keys import UNPARTITIONED, PartitionKey
from dagwright_shared.model.partitions import DynamicPartitions, MultiPartitions, Partitions, SimplePartitions, TimeWindowPartitions
from dagwright_shared.model.subsets import EMPTY, Subset

_FEW = 2_000
"""Up to so many keys are looked up one by one; for more, all keys of their dimension are named once."""

Row: TypeAlias = tuple[PartitionKey, bool | None]
"""A partition, and whether its newest try failed; None where there is nothing any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartitionStates:
    """Disjoint sets; what is in neither was never tried."""

    materialized: Subset = EMPTY
    failed: Subset = EMPTY
    """The newest try failed, whether or not there is an older materialization."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    definition: Partitions | None
    shape: object
    """What the ordinals stand for, beside the definition."""
    horizon: int
    states: PartitionStates
    strays: tuple[Row, ...]
    """Rows of keys that do not exist, or not yet."""


class PartitionMemo:
    """What a process remembers of the assets that it was asked about last. Safe to share between threads."""

    def __init__(self, size: int = 256) -> None:
        """
        Args:
            size: how many assets.
        """
        self._size = size
        self._known: dict[int, _Known] = {}
        self._lock = threading.Lock()

    def read(self, conn: Connection, asset_id: int, definition: Partitions | None, at: Moment) -> PartitionStates:
        """The states of an asset's partitions as they are now."""
        shape = _shape(definition, at)
        known = self._known.get(asset_id)
        if known is None or known.definition != definition or known.shape != shape:
            known = _Known(definition=definition, shape=shape, horizon=0, states=PartitionStates(), strays=())
        # The horizon first: what commits in between is read twice, which changes nothing.
        horizon = int(conn.execute(_HORIZON).scalar_one())
        statement = _statement(parts.dimensions(definition), since=bool(known.horizon))
        groups = conn.execute(statement, {"asset_id": asset_id, "since": str(known.horizon)})
        changed = [(key, failed) for failed, *columns in groups for key in _keys(columns)]
        known = _folded(known, changed, at, horizon)
        with self._lock:
            self._known.pop(asset_id, None)
            self._known[asset_id] = known
            while len(self._known) > self._size:
                del self._known[next(iter(self._known))]
        return known.states


def ordinals(definition: Partitions | None, keys: Sequence[PartitionKey], at: Moment) -> list[int | None]:
    """The ordinal of each key; None for one that does not exist."""
    if not keys or definition is None:
        return [0 if key == UNPARTITIONED else None for key in keys]
    axes = [axis for _, axis in definition.dimensions] if isinstance(definition, MultiPartitions) else [definition]
    places = [_places(axis, at, len(keys)) for axis in axes]
    if len(axes) == 1:
        return [places[0](key[0]) if len(key) == 1 else None for key in keys]
    sizes = [size(axis, at) for axis in axes]
    return [_ordinal(key, places, sizes) for key in keys]


def _keys(columns: Sequence[Sequence[str]]) -> Iterable[PartitionKey]:
    """Of the columns of a state; one that has no components is that of an asset without partitions."""
    return zip(*columns, strict=True) if columns else (UNPARTITIONED,)


def _ordinal(key: PartitionKey, places: Sequence[Callable[[str], int | None]], sizes: Sequence[int]) -> int | None:
    if len(key) != len(places):
        return None
    ordinal = 0
    for part, place, count in zip(key, places, sizes, strict=True):
        found = place(part)
        if found is None:
            return None
        ordinal = ordinal * count + found
    return ordinal


def _places(axis: SimplePartitions, at: Moment, wanted: int) -> Callable[[str], int | None]:
    if isinstance(axis, TimeWindowPartitions) and wanted <= _FEW:
        return lambda key: parts.ordinal(axis, key, at.now, at.dynamic)
    return {key: place for place, key in enumerate(parts.simple_keys(axis, at.now, at.dynamic))}.get


def _shape(definition: Partitions | None, at: Moment) -> object:
    """Changes whenever an ordinal may stand for another key than before.

    New windows come at the end, which moves nothing in one dimension; in several, it moves all that comes after the first row.
    """
    if isinstance(definition, MultiPartitions):
        return tuple(_axis_shape(axis, at) for _, axis in definition.dimensions), tuple(size(axis, at) for _, axis in definition.dimensions)
    return None if definition is None else _axis_shape(definition, at)


def _axis_shape(axis: SimplePartitions, at: Moment) -> object:
    return tuple(at.dynamic.get(axis.name, ())) if isinstance(axis, DynamicPartitions) else None


def _folded(known: _Known, changed: Iterable[Row], at: Moment, horizon: int) -> _Known:
    rows = [*known.strays, *changed]
    good: list[int] = []
    bad: list[int] = []
    gone: list[int] = []
    strays: list[Row] = []
    for row, ordinal in zip(rows, ordinals(known.definition, [key for key, _ in rows], at), strict=True):
        if ordinal is None:
            strays.append(row)
        else:
            (gone if row[1] is None else bad if row[1] else good).append(ordinal)
    fresh, failed, nothing = subsets.of_ordinals(good), subsets.of_ordinals(bad), subsets.of_ordinals(gone)
    states = PartitionStates(
        materialized=(known.states.materialized - failed - nothing) | fresh,
        failed=(known.states.failed - fresh - nothing) | failed,
    )
    left = tuple((key, state) for key, state in dict(strays).items() if state is not None)
    return replace(known, horizon=horizon, states=states, strays=left)


_HORIZON = text("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)")


@lru_cache(maxsize=32)
def _statement(dimensions: int, *, since: bool) -> TextClause:
    """A row for each state, with a column for each component of the keys: a driver takes many times longer over a row for each key."""
    key = "".join(f", json_agg(partition[{place + 1}])" for place in range(dimensions))
    return text(f"""
        SELECT CASE WHEN coalesce(failed_at, materialized_at) IS NOT NULL
            THEN failed_at IS NOT NULL AND (materialized_at IS NULL OR failed_at > materialized_at) END {key} FROM asset_partitions
        WHERE asset_id = :asset_id AND cardinality(partition) = {dimensions}
            AND {"xid >= CAST(CAST(:since AS text) AS xid8)" if since else "(materialized_at IS NOT NULL OR failed_at IS NOT NULL)"}
        GROUP BY 1
    """)
