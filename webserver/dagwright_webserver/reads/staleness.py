"""Whether the data of an asset is what its code would make of its upstreams now, and why not."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from dagwright_shared.decide.staleness import FRESH, MISSING, CauseKind, Known, Made, Place, Stale, Staleness, StaleStatus
from dagwright_shared.model.graph import AssetGraph
from dagwright_shared.model.keys import UNPARTITIONED, AssetKey, LocationName, PartitionKey, format_partition
from dagwright_shared.model.snapshot import AssetExecution
from dagwright_shared.store import commit_horizon, data_versions
from dagwright_shared.store.data_versions import VersionRow
from dagwright_webserver.reads.definitions import Definitions, dynamic_keys
from dagwright_webserver.reads.view import view

_LOOKED_AT = 100
"""Partitions that are judged, the newest ones."""
_REACH = 2_000
"""About so many partitions of its upstreams are looked at for one asset, the nearest ones."""
_LOOKED_AT_OF_ALL = 5_000
"""Partitions that are judged for a list of all assets, but of each asset at least its newest one."""
_REACH_OF_ALL = 5_000
"""About so many places further up are looked at for it."""
_MOST_CHANGED = 10_000
"""Partitions that have changed since the last look; of more, all is judged anew."""
_KEPT = timedelta(minutes=5)
"""For so long what nothing has happened to stands as it was judged."""


@view
class CauseView:
    """A reason why data is stale."""

    kind: CauseKind
    """CODE: another code version; DATA: an upstream has other data, or is stale; DEPENDENCIES: other upstreams than before."""
    reason: str
    """In words."""
    dependency: str | None
    """Key of the upstream that it lies with."""
    partition: str | None
    """Partition of that upstream."""


@view
class StalePartitionView:
    """A partition that is stale."""

    partition: str
    """Its key."""
    causes: tuple[CauseView, ...]
    """Why."""


@view
class StalenessView:
    """How the data of an asset stands."""

    status: StaleStatus
    """FRESH, STALE or MISSING; of a partitioned asset STALE if any of the newest 100 partitions is, and MISSING if none was made."""
    causes: tuple[CauseView, ...]
    """Why it is stale; of a partitioned asset the causes of its newest stale partition."""
    stale_partitions: tuple[StalePartitionView, ...]
    """The newest 100 stale partitions; empty when unpartitioned."""


@view
class StaleAssetView:
    """An asset that should be made anew, or for the first time."""

    key: str
    """Its key."""
    status: StaleStatus
    """STALE, of a partitioned asset if one of its newest partitions is (`newest` says how many); or MISSING: nothing of it was made."""
    causes: tuple[CauseView, ...]
    """Why it is stale; of a partitioned asset the causes of its newest stale partition."""


@view
class StaleListView:
    """What is stale or missing among some assets."""

    items: tuple[StaleAssetView, ...]
    """By key; only what can be materialized."""
    newest: int
    """So many partitions of each partitioned asset were judged, the newest ones: 100 unless very many assets are partitioned."""


class _Versions:
    """Implements `VersionsPort` on rows that were read at once."""

    def __init__(self, defs: Definitions) -> None:
        self._graph, self._ids = defs.graph, defs.ids
        self._rows: dict[AssetKey, dict[PartitionKey, Made | None]] = {}

    def load(self, conn: Connection, places: Iterable[Place]) -> None:
        """What is not loaded yet of some places."""
        wanted = [place for place in places if place[1] not in self._rows.get(place[0], ())]
        for key, partition in wanted:
            self._rows.setdefault(key, {})[partition] = None
        numbers = self._numbers(dict.fromkeys(key for key, _ in wanted))
        known = {key: number for number, key in numbers.items()}
        self._take(numbers, data_versions.read(conn, [(known[key], partition) for key, partition in wanted if key in known]))

    def load_newest(self, conn: Connection, keys: Collection[AssetKey], each: int) -> None:
        """The newest partitions of some assets, and of them nothing else any more."""
        for key in keys:
            self._rows[key] = {}
        partitioned = {key for key in keys if self._graph.asset(key).snapshot.partitions is not None}
        for key in keys:
            if key not in partitioned:
                self._rows[key][UNPARTITIONED] = None
        numbers = self._numbers(keys)
        self._take(numbers, data_versions.whole(conn, [number for number, key in numbers.items() if key not in partitioned]))
        self._take(numbers, data_versions.newest(conn, [number for number, key in numbers.items() if key in partitioned], each))

    def made(self, key: AssetKey, partition: PartitionKey) -> Made | None:
        return self._rows.get(key, _NOTHING).get(partition)

    def partitions(self, key: AssetKey) -> list[PartitionKey]:
        """Those of which something is loaded, the last one first if only `load_newest` has."""
        return [partition for partition, made in self._rows.get(key, _NOTHING).items() if made is not None]

    def _numbers(self, keys: Iterable[AssetKey]) -> dict[int, AssetKey]:
        found = ((self._ids.get((self._graph.asset(key).location, key.to_user_string())), key) for key in keys)
        return {number: key for number, key in found if number is not None}

    def _take(self, numbers: Mapping[int, AssetKey], rows: Iterable[VersionRow]) -> None:
        for asset_id, partition, data_version, code_version, inputs in rows:
            made = Made(data_version=data_version, code_version=code_version, inputs=inputs)
            self._rows[numbers[asset_id]][partition] = made


_NOTHING: Mapping[PartitionKey, Made | None] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgements:
    """How all assets that can be materialized stand."""

    found: Mapping[AssetKey, Staleness]
    """Of a partitioned asset its newest stale partition stands for it."""
    newest: int
    """So many partitions of each partitioned asset were looked at."""
    graph: AssetGraph

    def status(self, key: AssetKey, location: LocationName) -> StaleStatus | None:
        """How a definition stands; None of what is not made here, and of one that does not count because another location's does."""
        found = self.found.get(key)
        return None if found is None or self.graph.asset(key).location != location else found.status


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    defs: Definitions
    horizon: int
    at: datetime
    versions: _Versions
    places: Known
    judgements: Judgements


class StaleMemo:
    """What a process knows of how assets stand. A look judges anew what has changed since the one before, and what is below that.

    Safe to share between threads. What follows from the clock alone, such as an upstream window that has begun, is seen within minutes.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: _Known | None = None

    def read(self, conn: Connection, defs: Definitions, *, now: datetime) -> Judgements:
        """How assets stand now."""
        with self._lock:
            # The horizon first: what commits in between is read twice, which changes nothing.
            horizon = commit_horizon.current(conn)
            known = self._known
            changed = None
            if known is not None and known.defs is defs and now - known.at < _KEPT:
                changed = data_versions.changed_since(conn, known.horizon, _MOST_CHANGED)
            if known is None or changed is None:
                known = _judged(conn, None, defs, defs.graph.keys(), horizon, now)
            elif changed:
                nodes = [node for node in defs.graph.nodes() if defs.ids.get((node.location, node.key.to_user_string())) in changed]
                keys = [node.key for node in nodes]
                known = _judged(conn, known, defs, keys, horizon, now)
            self._known = known
            return known.judgements


def _judged(
    conn: Connection, before: _Known | None, defs: Definitions, changed: Collection[AssetKey], horizon: int, now: datetime
) -> _Known:
    """Everything judged, of which what is not below what has changed stands as before."""
    graph = defs.graph
    # Of thousands of assets, to follow the graph to all of them takes as long as to judge them.
    affected, near = (changed, changed) if before is None else ((below := graph.downstream(changed)), graph.upstream(below, 1))
    newest = before.judgements.newest if before is not None else _newest_of_each(graph)
    versions = before.versions if before is not None else _Versions(defs)
    versions.load_newest(conn, changed, newest)
    places = {} if before is None else {key: found for key, found in before.places.items() if key not in affected}
    dynamic = dynamic_keys(conn, [graph.asset(one).snapshot.partitions for one in near])
    stale = Stale(graph, versions, now, dynamic, places)
    wanted = {key: _roots(versions, graph, key, newest) for key in affected}
    roots = [(key, one) for key, found in wanted.items() for one in found]
    versions.load(conn, stale.reach(roots, len(roots) + _REACH_OF_ALL))
    judged = {
        key: _worst(stale, key, found) for key, found in wanted.items() if graph.asset(key).snapshot.execution is AssetExecution.MATERIALIZE
    }
    found = judged if before is None else {**before.judgements.found, **judged}
    return _Known(
        defs=defs,
        horizon=horizon,
        at=now if before is None else before.at,
        versions=versions,
        places=stale.known,
        judgements=Judgements(found=found, newest=newest, graph=graph),
    )


def _newest_of_each(graph: AssetGraph) -> int:
    partitioned = sum(1 for node in graph.nodes() if node.snapshot.partitions is not None)
    return max(1, min(_LOOKED_AT, _LOOKED_AT_OF_ALL // max(1, partitioned)))


def _roots(versions: _Versions, graph: AssetGraph, key: AssetKey, newest: int) -> list[PartitionKey]:
    """What stands for an asset."""
    if graph.asset(key).snapshot.partitions is None:
        return [UNPARTITIONED]
    return sorted((one for one in versions.partitions(key) if one), reverse=True)[:newest]


def _worst(stale: Stale, key: AssetKey, partitions: Sequence[PartitionKey]) -> Staleness:
    """The newest stale partition, or that there is none, or nothing at all."""
    bad = (found for one in partitions if (found := stale.of(key, one)).status is not StaleStatus.FRESH)
    return next(bad, FRESH if partitions else MISSING)


def read_staleness(conn: Connection, defs: Definitions, key: AssetKey, *, now: datetime) -> StalenessView:
    """How an asset stands, and the newest of its partitions where it has some. What it costs does not depend on how many there are."""
    if key not in defs.graph:
        return StalenessView(status=StaleStatus.FRESH, causes=(), stale_partitions=())
    node, versions = defs.graph.asset(key), _Versions(defs)
    near = defs.graph.upstream([key])
    stale = Stale(defs.graph, versions, now, dynamic_keys(conn, [defs.graph.asset(one).snapshot.partitions for one in near]))
    if node.snapshot.partitions is None:
        versions.load(conn, stale.reach([(key, UNPARTITIONED)], _REACH))
        found = stale.of(key)
        return StalenessView(status=found.status, causes=_causes(found), stale_partitions=())
    versions.load_newest(conn, [key], _LOOKED_AT)
    newest = versions.partitions(key)
    versions.load(conn, stale.reach([(key, one) for one in newest], _REACH))
    bad = [(one, found) for one in newest if (found := stale.of(key, one)).status is StaleStatus.STALE]
    status = StaleStatus.STALE if bad else StaleStatus.FRESH if newest else StaleStatus.MISSING
    shown = tuple(StalePartitionView(partition=format_partition(one) or "", causes=_causes(found)) for one, found in bad)
    return StalenessView(status=status, causes=shown[0].causes if shown else (), stale_partitions=shown)


def read_stale(conn: Connection, defs: Definitions, memo: StaleMemo, keys: Collection[AssetKey], *, now: datetime) -> StaleListView:
    """What is stale or missing among some assets."""
    judgements = memo.read(conn, defs, now=now)
    found = [(key, each) for key in keys if (each := judgements.found.get(key, FRESH)).status is not StaleStatus.FRESH]
    items = (StaleAssetView(key=key.to_user_string(), status=each.status, causes=_causes(each)) for key, each in found)
    return StaleListView(items=tuple(sorted(items, key=lambda one: one.key)), newest=judgements.newest)


def _causes(found: Staleness) -> tuple[CauseView, ...]:
    return tuple(
        CauseView(
            kind=cause.kind,
            reason=cause.reason,
            dependency=None if cause.dependency is None else cause.dependency.to_user_string(),
            partition=format_partition(cause.partition),
        )
        for cause in found.causes
    )
