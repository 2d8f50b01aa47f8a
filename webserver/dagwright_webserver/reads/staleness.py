"""Whether the data of an asset is what its code would make of its upstreams now, and why not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection

from dagwright_shared.decide.staleness import CauseKind, Made, Stale, Staleness, StaleStatus
from dagwright_shared.model.keys import AssetKey, PartitionKey, format_partition
from dagwright_shared.model.snapshot import AssetExecution, AssetSnapshot
from dagwright_shared.store import automation_facts
from dagwright_webserver.reads.definitions import Definitions, dynamic_keys
from dagwright_webserver.reads.view import view

_NEAR = 2_000
"""Of more upstream assets than these only the nearest are looked at."""
_SHOWN = 100
"""Stale partitions that are named."""
_MANY = 20_000
"""Of more partitions than these an asset is not judged among others."""
_LOOKED_AT = 1_000
"""Partitions that are judged, the newest ones."""


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
    """FRESH, STALE or MISSING; of a partitioned asset STALE if any partition is, and MISSING if none was made."""
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
    """STALE, of a partitioned asset if one of its newest 1,000 partitions is; or MISSING: nothing of it was made."""
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

    def __init__(self, conn: Connection, keys: Collection[AssetKey]) -> None:
        self._rows: dict[AssetKey, dict[PartitionKey, Made]] = {key: {} for key in keys}
        for row in automation_facts.versions(conn, keys):
            version = row.data_version if row.materialized_at is not None else row.observed_data_version
            at = row.materialized_at or row.observed_at
            if at is not None:
                made = Made(data_version=version, code_version=row.code_version, inputs=row.input_data_versions, at=at)
                self._rows[row.key][row.partition] = made

    def made(self, key: AssetKey, partition: PartitionKey) -> Made | None:
        return self._rows.get(key, {}).get(partition)

    def of(self, key: AssetKey) -> Mapping[PartitionKey, Made]:
        return self._rows[key]


def read_staleness(conn: Connection, defs: Definitions, key: AssetKey, *, now: datetime) -> StalenessView:
    """How an asset stands, and its partitions where it has some."""
    above = defs.graph.upstream([key])
    if len(above) > _NEAR:
        above = defs.graph.upstream([key], 1)
    versions = _Versions(conn, above)
    definitions = [node.snapshot.partitions for one in above if (node := defs.graph.asset(one)).snapshot.partitions is not None]
    stale = Stale(defs.graph, versions, now, dynamic_keys(conn, [one for one in definitions if one is not None]))
    if defs.graph.asset(key).snapshot.partitions is None:
        found = stale.of(key)
        return StalenessView(status=found.status, causes=_causes(found), stale_partitions=())
    made = versions.of(key)
    newest = sorted((one for one in made if one), reverse=True)[:_LOOKED_AT]
    bad = [(one, found) for one in newest if (found := stale.of(key, one)).status is StaleStatus.STALE]
    status = StaleStatus.STALE if bad else StaleStatus.FRESH if newest else StaleStatus.MISSING
    shown = tuple(StalePartitionView(partition=format_partition(one) or "", causes=_causes(found)) for one, found in bad[:_SHOWN])
    return StalenessView(status=status, causes=shown[0].causes if shown else (), stale_partitions=shown)


def read_stale(conn: Connection, defs: Definitions, keys: Collection[AssetKey], *, now: datetime) -> StaleListView:
    """What is stale or missing among some assets."""
    graph = defs.graph
    above = graph.upstream(keys)
    large = [key for key, count in automation_facts.partition_counts(conn, above).items() if count > _MANY]
    unknown = {*large, *(child for key in large for child in graph.children(key))}
    loaded = above - frozenset(large)
    versions = _Versions(conn, loaded)
    stale = Stale(graph, versions, now, dynamic_keys(conn, [graph.asset(one).snapshot.partitions for one in loaded]))
    wanted = sorted(key for key in keys if graph.asset(key).snapshot.execution is AssetExecution.MATERIALIZE)
    found = [(key, _judge(stale, versions, graph.asset(key).snapshot, key)) for key in wanted if key not in unknown]
    return StaleListView(
        items=tuple(
            StaleAssetView(key=str(key), status=each.status, causes=_causes(each))
            for key, each in found
            if each.status is not StaleStatus.FRESH
        ),
        not_judged=tuple(str(key) for key in wanted if key in unknown),
    )


def _judge(stale: Stale, versions: _Versions, asset: AssetSnapshot, key: AssetKey) -> Staleness:
    """Of a partitioned asset, its newest stale partition stands for it."""
    if asset.partitions is None:
        return stale.of(key)
    newest = sorted((one for one in versions.of(key) if one), reverse=True)[:_LOOKED_AT]
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
