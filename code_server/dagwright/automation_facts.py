"""The facts that conditions ask for, out of the history of an instance: for tests, where the events are few."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime

from dagwright_shared.decide import freshness
from dagwright_shared.decide.automation.facts import Facts, RunFacts, Update
from dagwright_shared.decide.automation.graph import Entity, EntityGraph, EntityKey
from dagwright_shared.decide.automation.kept import FULL
from dagwright_shared.model import partitions as parts
from dagwright_shared.model import subsets
from dagwright_shared.model.events import EVENT_TYPES, AssetFailed, AssetMaterialized, AssetObserved, CheckEvaluated
from dagwright_shared.model.freshness import FreshnessState
from dagwright_shared.model.history import MAX_LIMIT, EventFilter, HistoryPort, RunFilter, StoredEvent
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, PartitionKey, RunId
from dagwright_shared.model.partitions import DynamicKeys
from dagwright_shared.model.runs import Run, RunStatus
from dagwright_shared.model.subsets import EMPTY, Subset

_TYPES = tuple(EVENT_TYPES[kind] for kind in (AssetMaterialized, AssetObserved, AssetFailed, CheckEvaluated))
_GOING_ON = tuple(status for status in RunStatus if not status.is_final)


def newest_mark(history: HistoryPort) -> int:
    """The place of the newest event."""
    return max((stored.event_id for stored in history.events(EventFilter(limit=1))), default=0)


class DynamicKeysOf(Mapping[str, Sequence[str]]):
    """Keys of dynamic partitions, read when they are asked for."""

    def __init__(self, history: HistoryPort) -> None:
        self._history = history
        self._read: dict[str, Sequence[str]] = {}

    def __getitem__(self, name: str) -> Sequence[str]:
        if name not in self._read:
            self._read[name] = self._history.dynamic_keys(name)
        return self._read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)


class HistoryFacts:
    """Implements `FactsPort`."""

    def __init__(self, graph: EntityGraph, history: HistoryPort, now: datetime, dynamic: DynamicKeys) -> None:
        self._graph, self._history, self._now, self._dynamic = graph, history, now, dynamic
        self._runs: dict[RunId, Run | None] = {}

    def read(self, keys: Collection[EntityKey]) -> Mapping[EntityKey, Facts]:
        assets = {key if isinstance(key, AssetKey) else key.asset_key for key in keys}
        wanted = EventFilter(types=_TYPES, asset_keys=tuple(sorted(assets)), ascending=True, limit=MAX_LIMIT)
        events: dict[AssetKey, list[StoredEvent]] = {key: [] for key in assets}
        for stored in self._history.events(wanted):
            payload = stored.event.payload
            events[payload.check_key.asset_key if isinstance(payload, CheckEvaluated) else payload.asset_key].append(stored)  # type: ignore[union-attr]
        active = self._history.runs(RunFilter(statuses=_GOING_ON, limit=MAX_LIMIT))
        found: dict[EntityKey, Facts] = {}
        for key in keys:
            entity = self._graph[key]
            if isinstance(key, AssetCheckKey):
                found[key] = self._of_check(key, events[key.asset_key], active)
            else:
                found[key] = self._of_asset(entity, key, events[key], active)
        return found

    def _of_asset(self, entity: Entity, key: AssetKey, events: Sequence[StoredEvent], active: Sequence[Run]) -> Facts:
        made: dict[PartitionKey, StoredEvent] = {}
        failed: dict[PartitionKey, StoredEvent] = {}
        versions: dict[PartitionKey, str | None] = {}
        updates = []
        last: StoredEvent | None = None
        for stored in events:
            payload = stored.event.payload
            if isinstance(payload, AssetFailed):
                failed[payload.partition] = stored
            elif isinstance(payload, AssetMaterialized if entity.materializable else AssetMaterialized | AssetObserved):
                last = stored
                made[payload.partition] = stored
                failed.pop(payload.partition, None)
                place = self._places(entity, [payload.partition])
                changed = payload.data_version != versions.get(payload.partition)
                versions[payload.partition] = payload.data_version
                run = self._run_facts(stored.run_id)
                at = stored.event.time.timestamp()
                updates.append(Update(mark=stored.event_id, at=at, partitions=place, changed=changed, run=run))
        going_on = [
            run.partition
            for run in active
            if key in run.asset_keys and not (run.partition in made and made[run.partition].run_id == run.run_id)
        ]
        return Facts(
            known=self._places(entity, made),
            in_progress=self._places(entity, going_on),
            failed=self._places(entity, failed),
            updates=tuple(updates),
            last=self._places(entity, [last.event.payload.partition]) if last else EMPTY,  # type: ignore[union-attr]
            last_run=self._run_facts(last.run_id) if last else None,
            freshness=self._freshness(entity, last.event.time if last else None),
        )

    def _of_check(self, key: AssetCheckKey, events: Sequence[StoredEvent], active: Sequence[Run]) -> Facts:
        made: StoredEvent | None = None
        checked: StoredEvent | None = None
        updates = []
        for stored in events:
            payload = stored.event.payload
            if isinstance(payload, AssetMaterialized):
                made = stored
            elif isinstance(payload, CheckEvaluated) and payload.check_key == key:
                checked = stored
                updates.append(Update(mark=stored.event_id, at=stored.event.time.timestamp(), partitions=FULL))
        current = checked is not None and (
            made is None or made.event_id < checked.event_id or (made.run_id is not None and made.run_id == checked.run_id)
        )
        passed = checked.event.payload.passed if checked is not None else False  # type: ignore[union-attr]
        return Facts(
            known=FULL if current else EMPTY,
            in_progress=FULL if any(key in run.check_keys for run in active) else EMPTY,
            passed=FULL if current and passed else EMPTY,
            not_passed=FULL if current and not passed else EMPTY,
            updates=tuple(updates),
            last=FULL if checked else EMPTY,
            last_run=self._run_facts(checked.run_id) if checked else None,
        )

    def _places(self, entity: Entity, keys: Collection[PartitionKey]) -> Subset:
        if entity.partitions is None:
            return FULL if any(not key for key in keys) else EMPTY
        known = [key for key in keys if parts.contains(entity.partitions, key, self._now, self._dynamic)]
        return subsets.of_keys(entity.partitions, known, self._now, self._dynamic) if known else EMPTY

    def _run_facts(self, run_id: RunId | None) -> RunFacts | None:
        if run_id is None:
            return None
        if run_id not in self._runs:
            self._runs[run_id] = next(iter(self._history.runs(RunFilter(run_ids=(run_id,), limit=1))), None)
        run = self._runs[run_id]
        return None if run is None else RunFacts(tags=run.tags, targets=frozenset((*run.asset_keys, *run.check_keys)))

    def _freshness(self, entity: Entity, made: datetime | None) -> FreshnessState | None:
        return None if entity.freshness is None else freshness.state(entity.freshness, made, self._now)
