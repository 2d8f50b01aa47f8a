"""The facts that automation conditions ask for, read from the database in a few statements for all assets of a tick."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from dagwright_daemon.automation_held import MANY, Held, can_hold, newest
from dagwright_daemon.automation_places import Places
from dagwright_shared.decide.automation import kept
from dagwright_shared.decide.automation.facts import Facts, RunFacts, Update
from dagwright_shared.decide.automation.graph import Entity, EntityGraph, EntityKey
from dagwright_shared.decide.automation.kept import FULL
from dagwright_shared.model import dependents
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, PartitionKey, RunId
from dagwright_shared.model.subsets import EMPTY, Subset
from dagwright_shared.store import automation_facts as store
from dagwright_shared.store.automation_facts import CheckFacts, PartitionFacts, PlannedFacts, RunOrigin
from dagwright_shared.store.backfills import Underway


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """What is new: what an earlier snapshot had not seen."""

    snapshot: str | None
    """None: nothing is."""
    mark: int
    """Of what is new."""
    now: str
    """The snapshot of this tick."""


class StoreFacts:
    """Implements `FactsPort` on a connection in a transaction."""

    def __init__(
        self,
        conn: Connection,
        graph: EntityGraph,
        at: dependents.Moment,
        since: Since,
        underway: Sequence[Underway],
        held: dict[AssetKey, Held],
    ) -> None:
        """
        Args:
            held: assets with many partitions; brought up to date, and added to.
        """
        now, dynamic = at.now, at.dynamic
        self._held = held
        self._conn, self._graph, self._now, self._dynamic, self._since = conn, graph, now, dynamic, since
        self._places = Places(now, dynamic)
        self._underway: dict[AssetKey, list[Underway]] = {}
        for one in underway:
            self._underway.setdefault(one.asset_key, []).append(one)

    def read(self, keys: Collection[EntityKey]) -> Mapping[EntityKey, Facts]:
        checks = [key for key in keys if isinstance(key, AssetCheckKey)]
        assets = sorted({key.asset_key if isinstance(key, AssetCheckKey) else key for key in keys})
        rows: dict[AssetKey, list[PartitionFacts]] = {key: [] for key in assets}
        for row in store.partitions(self._conn, [key for key in assets if key not in self._held], self._since.snapshot):
            rows[row.key].append(row)
        for asset in assets:
            self._hold(asset, rows)
        latest = {asset: last for asset in assets if (last := self._newest(asset, rows[asset])) is not None}
        results: dict[AssetCheckKey, CheckFacts] = {}
        if checks:
            results = {row.key: row for row in store.checks(self._conn, assets, self._since.snapshot)}
        run_ids = {row.run_id for row in latest.values() if row.run_id is not None}
        run_ids |= {row.run_id for found in rows.values() for row in found if row.newly_materialized and row.run_id is not None}
        run_ids |= {row.run_id for row in results.values()}
        origins = store.origins(self._conn, run_ids)
        found: dict[EntityKey, Facts] = {}
        if len(checks) < len(keys):
            found.update(self._assets([key for key in keys if isinstance(key, AssetKey)], rows, latest, origins))
        if checks:
            planned = store.planned_checks(self._conn, checks)
            for key in checks:
                in_progress = FULL if key in planned else EMPTY
                found[key] = self._check(results.get(key), latest.get(key.asset_key), in_progress, origins)
        return found

    def _hold(self, key: AssetKey, rows: dict[AssetKey, list[PartitionFacts]]) -> None:
        """Of an asset with many partitions read, and from then on keep, only what has changed."""
        entity, held = self._graph[key], self._held.get(key)
        if held is None:
            if len(rows[key]) < MANY or not can_hold(entity):
                return
            held = self._held[key] = Held()
        else:
            rows[key] = store.partitions(self._conn, [key], self._since.snapshot, changed=held.snapshot)
        held.take(entity, rows[key], self._places)
        held.snapshot = self._since.now

    def _newest(self, key: AssetKey, rows: Sequence[PartitionFacts]) -> PartitionFacts | None:
        held = self._held.get(key)
        return newest(rows) if held is None else held.newest

    def _assets(
        self,
        keys: Sequence[AssetKey],
        rows: Mapping[AssetKey, Sequence[PartitionFacts]],
        latest: Mapping[AssetKey, PartitionFacts],
        origins: Mapping[RunId, RunOrigin],
    ) -> Iterable[tuple[EntityKey, Facts]]:
        planned: dict[AssetKey, list[PlannedFacts]] = {}
        for one in store.planned(self._conn, keys):
            planned.setdefault(one.key, []).append(one)
        fresh = store.freshness(self._conn, [key for key in keys if self._graph[key].freshness is not None])
        for key in keys:
            entity, found = self._graph[key], rows[key]
            last, held = latest.get(key), self._held.get(key)
            if held is None:
                held = Held()
                held.take(entity, found, self._places)
            yield (
                key,
                Facts(
                    known=held.known,
                    in_progress=self._in_progress(entity, planned.get(key, ()), found),
                    backfilling=self._backfilling(entity, key),
                    failed=held.failed,
                    updates=tuple(self._updates(entity, found, origins)),
                    last=self._places.subset(entity.partitions, [last.partition]) if last else EMPTY,
                    last_run=_run(origins, last.run_id) if last else None,
                    freshness=fresh.get(key),
                ),
            )

    def _in_progress(self, entity: Entity, planned: Sequence[PlannedFacts], rows: Sequence[PartitionFacts]) -> Subset:
        if not planned:
            return EMPTY
        made = {(row.run_id, row.partition) for row in rows}
        found = EMPTY
        for one in planned:
            if one.partition_end is None and (one.run_id, one.partition) in made:
                continue
            found = found | self._places.between(entity.partitions, one.partition, one.partition_end)
        return found

    def _backfilling(self, entity: Entity, key: AssetKey) -> Subset:
        found = EMPTY
        for one in self._underway.get(key, ()):
            names = kept.keep(entity.partitions, one.ordinals, one.target.as_of, one.target.dynamic)
            found = found | kept.recall(entity.partitions, names, self._now, self._dynamic)
        return found

    def _updates(self, entity: Entity, rows: Sequence[PartitionFacts], origins: Mapping[RunId, RunOrigin]) -> Iterable[Update]:
        groups: dict[tuple[float, bool, RunId | None], list[PartitionKey]] = {}
        for row in rows:
            observed = row.newly_observed and not entity.materializable
            if not row.newly_materialized and not observed:
                continue
            at = max(moment for moment in (row.materialized_at, row.observed_at if observed else None) if moment is not None)
            groups.setdefault((at.timestamp(), row.new_version, row.run_id), []).append(row.partition)
        for (at_seconds, changed, run_id), keys in sorted(groups.items(), key=lambda pair: pair[0][0]):
            yield Update(
                mark=self._since.mark,
                at=at_seconds,
                partitions=self._places.subset(entity.partitions, keys),
                changed=changed,
                run=_run(origins, run_id),
            )

    def _check(self, row: CheckFacts | None, made: PartitionFacts | None, in_progress: Subset, origins: Mapping[RunId, RunOrigin]) -> Facts:
        if row is None:
            return Facts(in_progress=in_progress)
        # A result for older data is none.
        current = made is None or made.materialized_at is None or row.run_id == made.run_id or row.evaluated_at >= made.materialized_at
        at = row.evaluated_at.timestamp()
        run = _run(origins, row.run_id)
        return Facts(
            known=FULL if current else EMPTY,
            in_progress=in_progress,
            passed=FULL if current and row.passed else EMPTY,
            not_passed=FULL if current and not row.passed else EMPTY,
            updates=(Update(mark=self._since.mark, at=at, partitions=FULL, run=run),) if row.new else (),
            last=FULL,
            last_run=run,
        )


def _run(origins: Mapping[RunId, RunOrigin], run_id: RunId | None) -> RunFacts | None:
    origin = origins.get(run_id) if run_id is not None else None
    return None if origin is None else RunFacts(tags=origin.tags, targets=frozenset((*origin.asset_keys, *origin.check_keys)))
