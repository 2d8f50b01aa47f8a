"""Whether the data of an asset is what its code would make of its upstreams now, and why not."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime

from sqlalchemy import Connection

from dagwright_shared.decide.staleness import CauseKind, Made, Place, Stale, Staleness, StaleStatus
from dagwright_shared.model.graph import AssetGraph
from dagwright_shared.model.keys import UNPARTITIONED, AssetKey, PartitionKey, format_partition
from dagwright_shared.model.snapshot import AssetExecution, AssetSnapshot
from dagwright_shared.store import data_versions
from dagwright_shared.store.data_versions import VersionRow
from dagwright_webserver.reads.definitions import Definitions, dynamic_keys
from dagwright_webserver.reads.view import view

_LOOKED_AT = 100
"""Partitions that are judged, the newest ones."""
_REACH = 2_000
"""About so many partitions of its upstreams are looked at for one asset, the nearest ones."""
_MANY = 20_000
"""Of more partitions than these an asset is not judged among others."""


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
    """STALE, of a partitioned asset if one of its newest 100 partitions is; or MISSING: nothing of it was made."""
    causes: tuple[CauseView, ...]
    """Why it is stale; of a partitioned asset the causes of its newest stale partition."""


@view
class StaleListView:
    """What is stale or missing among some assets."""

    items: tuple[StaleAssetView, ...]
    """By key; only what can be materialized."""
    not_judged: tuple[str, ...]
    """Assets that have, or read one that has, so many partitions that only their own page judges them."""


class _Versions:
    """Implements `VersionsPort` on rows that were read at once."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[PartitionKey, Made]] = {}

    def load(self, conn: Connection, graph: AssetGraph, places: Iterable[Place]) -> None:
        self._take(data_versions.read(conn, [(graph.asset(key).location, key.to_user_string(), partition) for key, partition in places]))

    def load_all(self, conn: Connection, keys: Collection[AssetKey]) -> None:
        self._take(data_versions.of_assets(conn, keys))

    def made(self, key: AssetKey, partition: PartitionKey) -> Made | None:
        return self._rows.get(key.to_user_string(), {}).get(partition)

    def partitions(self, key: AssetKey) -> Iterable[PartitionKey]:
        return self._rows.get(key.to_user_string(), {})

    def _take(self, rows: Iterable[VersionRow]) -> None:
        for row in rows:
            made = Made(data_version=row.data_version, code_version=row.code_version, inputs=row.inputs, at=row.at)
            self._rows.setdefault(row.key, {})[row.partition] = made


def read_staleness(conn: Connection, defs: Definitions, key: AssetKey, *, now: datetime) -> StalenessView:
    """How an asset stands, and the newest of its partitions where it has some. What it costs does not depend on how many there are."""
    if key not in defs.graph:
        return StalenessView(status=StaleStatus.FRESH, causes=(), stale_partitions=())
    node, versions = defs.graph.asset(key), _Versions()
    near = defs.graph.upstream([key])
    stale = Stale(defs.graph, versions, now, dynamic_keys(conn, [defs.graph.asset(one).snapshot.partitions for one in near]))
    if node.snapshot.partitions is None:
        versions.load(conn, defs.graph, stale.reach([(key, UNPARTITIONED)], _REACH))
        found = stale.of(key)
        return StalenessView(status=found.status, causes=_causes(found), stale_partitions=())
    newest = data_versions.newest_partitions(conn, node.location, key.to_user_string(), _LOOKED_AT)
    versions.load(conn, defs.graph, stale.reach([(key, one) for one in newest], _REACH))
    bad = [(one, found) for one in newest if (found := stale.of(key, one)).status is StaleStatus.STALE]
    status = StaleStatus.STALE if bad else StaleStatus.FRESH if newest else StaleStatus.MISSING
    shown = tuple(StalePartitionView(partition=format_partition(one) or "", causes=_causes(found)) for one, found in bad)
    return StalenessView(status=status, causes=shown[0].causes if shown else (), stale_partitions=shown)


def read_stale(conn: Connection, defs: Definitions, keys: Collection[AssetKey], *, now: datetime) -> StaleListView:
    """What is stale or missing among some assets."""
    graph = defs.graph
    above = graph.upstream(keys)
    large = [key for key, count in data_versions.partition_counts(conn, above).items() if count > _MANY]
    unknown = {*large, *(child for key in large for child in graph.children(key))}
    loaded = above - frozenset(large)
    versions = _Versions()
    versions.load_all(conn, loaded)
    stale = Stale(graph, versions, now, dynamic_keys(conn, [graph.asset(one).snapshot.partitions for one in loaded]))
    wanted = sorted(key for key in keys if graph.asset(key).snapshot.execution is AssetExecution.MATERIALIZE)
    found = [(key, _judge(stale, versions, graph.asset(key).snapshot, key)) for key in wanted if key not in unknown]
    return StaleListView(
        items=tuple(
            StaleAssetView(key=key.to_user_string(), status=each.status, causes=_causes(each))
            for key, each in found
            if each.status is not StaleStatus.FRESH
        ),
        not_judged=tuple(key.to_user_string() for key in wanted if key in unknown),
    )


def _judge(stale: Stale, versions: _Versions, asset: AssetSnapshot, key: AssetKey) -> Staleness:
    """Of a partitioned asset, its newest stale partition stands for it."""
    if asset.partitions is None:
        return stale.of(key)
    newest = sorted((one for one in versions.partitions(key) if one), reverse=True)[:_LOOKED_AT]
    bad = (found for one in newest if (found := stale.of(key, one)).status is StaleStatus.STALE)
    return next(bad, Staleness(status=StaleStatus.FRESH if newest else StaleStatus.MISSING))


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
