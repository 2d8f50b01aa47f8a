"""Which partitions of an asset are materialized, and of which the newest try failed, as sets of ordinals.

The first look at an asset reads all its rows; each further one reads what has changed since, by commit horizon, however many
partitions there are. What is remembered belongs to one database and one process; of assets with very many partitions the database
keeps it too (`partition_sets`), so that the first look of a process is a further one. Both are only ever a saving.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import TypeAlias

from sqlalchemy import Connection, TextClause, text

from dagwright_shared.model import partitions as parts
from dagwright_shared.model import subsets
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.dependents import Moment, size
from dagwright_shared.model.keys import UNPARTITIONED, PartitionKey
from dagwright_shared.model.partitions import (
    DynamicPartitions,
    MultiPartitions,
    Partitions,
    SimplePartitions,
    StaticPartitions,
)
from dagwright_shared.model.subsets import EMPTY, Subset
from dagwright_shared.store import commit_horizon, partition_sets
from dagwright_shared.store.partition_sets import KeptSets

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
        known = self._known.get(asset_id)
        if known is None or known.definition != definition or known.shape != _shape(definition, at):
            known = _begun(conn, asset_id, definition, at)
        known = _caught_up(conn, asset_id, known, at)
        with self._lock:
            self._known.pop(asset_id, None)
            self._known[asset_id] = known
            while len(self._known) > self._size:
                del self._known[next(iter(self._known))]
        return known.states


def keep(conn: Connection, asset_id: int, definition: Partitions, at: Moment) -> None:
    """Bring up to date what the database keeps of an asset."""
    known = _caught_up(conn, asset_id, _begun(conn, asset_id, definition, at), at)
    states = known.states
    kept = KeptSets(
        mark=mark(definition, at), horizon=known.horizon, materialized=states.materialized, failed=states.failed, strays=known.strays
    )
    partition_sets.save(conn, asset_id, kept)


def mark(definition: Partitions, at: Moment) -> str:
    """Equal for as long as every ordinal stands for the same key, in all processes."""
    digest = hashlib.blake2b(digest_size=16)
    for axis in _axes(definition):
        keys = axis.keys if isinstance(axis, StaticPartitions) else _axis_shape(axis, at)
        said = repr(axis) if keys is None else "\x00".join(keys)
        digest.update(f"{type(axis).__name__}\x01{said}\x01".encode())
    digest.update(repr(_sizes(definition, at)).encode())
    return digest.hexdigest()


def ordinals(definition: Partitions | None, keys: Sequence[PartitionKey], at: Moment) -> list[int | None]:
    """The ordinal of each key; None for one that does not exist."""
    if not keys or definition is None:
        return [0 if key == UNPARTITIONED else None for key in keys]
    axes = _axes(definition)
    fitting = [key for key in keys if len(key) == len(axes)]
    places = [parts.places(axis, {key[which] for key in fitting}, at.now, at.dynamic) for which, axis in enumerate(axes)]
    if len(axes) == 1:
        return [places[0].get(key[0]) if len(key) == 1 else None for key in keys]
    sizes = [size(axis, at) for axis in axes]
    return [_ordinal(key, places, sizes) for key in keys]


def _keys(columns: Sequence[Sequence[str]]) -> Iterable[PartitionKey]:
    """Of the columns of a state; one that has no components is that of an asset without partitions."""
    return zip(*columns, strict=True) if columns else (UNPARTITIONED,)


def _ordinal(key: PartitionKey, places: Sequence[Mapping[str, int]], sizes: Sequence[int]) -> int | None:
    if len(key) != len(places):
        return None
    ordinal = 0
    for part, place, count in zip(key, places, sizes, strict=True):
        found = place.get(part)
        if found is None:
            return None
        ordinal = ordinal * count + found
    return ordinal


def _begun(conn: Connection, asset_id: int, definition: Partitions | None, at: Moment) -> _Known:
    """What the database keeps of an asset, or nothing."""
    shape = _shape(definition, at)
    kept = partition_sets.load(conn, asset_id) if definition is not None else None
    if definition is None or kept is None or kept.mark != mark(definition, at):
        return _Known(definition=definition, shape=shape, horizon=0, states=PartitionStates(), strays=())
    states = PartitionStates(materialized=kept.materialized, failed=kept.failed)
    return _Known(definition=definition, shape=shape, horizon=kept.horizon, states=states, strays=kept.strays)


def _caught_up(conn: Connection, asset_id: int, known: _Known, at: Moment) -> _Known:
    # The horizon first: what commits in between, or can be seen above it, is read twice, which changes nothing.
    horizon = commit_horizon.current(conn)
    statement = _statement(parts.dimensions(known.definition), since=bool(known.horizon))
    groups = conn.execute(statement, {"asset_id": asset_id, "since": str(known.horizon)})
    changed = [(key, failed) for failed, *columns in groups for key in _keys(columns)]
    return _folded(known, changed, at, horizon)


def _axes(definition: Partitions) -> list[SimplePartitions]:
    return [axis for _, axis in definition.dimensions] if isinstance(definition, MultiPartitions) else [definition]


def _shape(definition: Partitions | None, at: Moment) -> object:
    """Changes whenever an ordinal may stand for another key than before.

    New windows come at the end, which moves nothing in the first dimension; in another one, it moves all that comes after the first row.
    """
    return None if definition is None else (tuple(_axis_shape(axis, at) for axis in _axes(definition)), _sizes(definition, at))


def _sizes(definition: Partitions, at: Moment) -> tuple[int, ...]:
    """Of all dimensions but the first."""
    return tuple(size(axis, at) for axis in _axes(definition)[1:])


def _axis_shape(axis: SimplePartitions, at: Moment) -> tuple[str, ...] | None:
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
