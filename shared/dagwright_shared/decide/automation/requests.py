"""From the partitions that conditions ask for to runs, and, where they are many, to one backfill."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from dagwright_shared.decide.automation.graph import EntityGraph, EntityKey
from dagwright_shared.model import subsets
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import UNPARTITIONED, AssetCheckKey, AssetKey, PartitionKey
from dagwright_shared.model.partitions import DynamicKeys, Partitions
from dagwright_shared.model.subsets import Subset
from dagwright_shared.model.ticks import RunRequestData


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a tick asks for."""

    runs: tuple[RunRequestData, ...]
    backfill: Mapping[AssetKey, Subset]
    """Empty: none."""


def asked(
    graph: EntityGraph,
    requested: Mapping[EntityKey, Subset],
    now: datetime,
    dynamic: DynamicKeys,
    *,
    tags: Mapping[str, str],
    emit_backfills: bool,
) -> Asked:
    """One run for each partition, of all that share the partitions definition; what has no partitions in one run.

    Args:
        emit_backfills: where several partitions of an asset are asked for, it and what is connected to it goes into a backfill.
    """
    wanted = {key: subset for key, subset in requested.items() if subset}
    backfill = _backfill(graph, wanted) if emit_backfills else {}
    for made in backfill:
        for sibling in graph[made].siblings:
            if isinstance(sibling, AssetCheckKey):
                wanted.pop(sibling, None)  # the backfill evaluates it with its asset
        wanted.pop(made, None)
    groups: dict[tuple[Partitions | None, PartitionKey], list[EntityKey]] = {}
    for key, subset in wanted.items():
        of: EntityKey = key
        if isinstance(key, AssetCheckKey) and key.asset_key in wanted:
            of = key.asset_key
        definition = graph[of].partitions
        chosen = wanted.get(of, subset)
        keys = [UNPARTITIONED] if definition is None else subsets.to_keys(definition, chosen, now, dynamic)
        for partition in keys:
            groups.setdefault((definition, partition), []).append(key)
    runs = [_run(graph, keys, partition, tags) for (_, partition), keys in groups.items()]
    return Asked(runs=tuple(sorted(runs, key=lambda run: run.partition)), backfill=backfill)


def _run(graph: EntityGraph, keys: Collection[EntityKey], partition: PartitionKey, tags: Mapping[str, str]) -> RunRequestData:
    assets = tuple(sorted(key for key in keys if isinstance(key, AssetKey)))
    checks = {key for key in keys if isinstance(key, AssetCheckKey)}
    theirs = {check for asset in assets for check in graph[asset].checks if check in graph}
    own = any(graph[check].condition is not None for check in theirs)
    if own:
        # A check with a condition of its own is evaluated when that says so; the others go with their asset.
        checks |= {check for check in theirs if graph[check].condition is None}
    return RunRequestData(asset_keys=assets, check_keys=tuple(sorted(checks)), only_checks=own, partition=partition, tags=dict(tags))


def _backfill(graph: EntityGraph, wanted: Mapping[EntityKey, Subset]) -> dict[AssetKey, Subset]:
    found: dict[AssetKey, Subset] = {}
    waiting = [key for key, subset in wanted.items() if len(subset) > 1 and isinstance(key, AssetKey)]
    while waiting:
        key = waiting.pop()
        entity = graph[key]
        if key in found or not entity.materializable:
            continue
        found[key] = wanted[key]
        near = {*entity.parents, *entity.children, *entity.siblings}
        waiting += [other for other in near if isinstance(other, AssetKey) and other in wanted and other not in found]
    return found
