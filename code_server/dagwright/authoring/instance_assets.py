"""The part of an instance that knows assets: what was made and seen of them, how their partitions stand."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime
from enum import Enum
from typing import Any

from dagwright.authoring import naming
from dagwright.authoring.asset_reports import partition_keys, reported_payload
from dagwright.authoring.event_types import EventType, stored_types
from dagwright.authoring.instance_events import AssetCheckEvaluation, EventLogEntry, EventLogRecord
from dagwright.authoring.partitions import PartitionsDefinition
from dagwright.authoring.results import DataVersion
from dagwright_shared.model import events as e
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.history import EventFilter, HistoryPort, RunFilter
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, format_partition
from dagwright_shared.model.runs import Run, RunStatus

MADE = (e.EVENT_TYPES[e.AssetMaterialized],)
SEEN = (e.EVENT_TYPES[e.AssetObserved],)
_FAILED = (e.EVENT_TYPES[e.AssetFailed],)
_JUDGED = (e.EVENT_TYPES[e.CheckEvaluated],)
_UNDER_WAY = tuple(status for status in RunStatus if not status.is_final)


class AssetPartitionStatus(Enum):
    """How a partition of an asset stands."""

    MATERIALIZED = "MATERIALIZED"
    IN_PROGRESS = "IN_PROGRESS"
    """A run that makes it has not ended."""
    FAILED = "FAILED"
    """The newest run that was to make it did not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetEntry:
    """The newest that is known of an asset."""

    asset_key: AssetKey
    last_materialization_record: EventLogRecord | None = None
    last_observation_record: EventLogRecord | None = None

    @property
    def last_materialization(self) -> EventLogEntry | None:
        found = self.last_materialization_record
        return found.event_log_entry if found is not None else None

    @property
    def last_materialization_storage_id(self) -> int | None:
        found = self.last_materialization_record
        return found.storage_id if found is not None else None

    @property
    def last_observation(self) -> EventLogEntry | None:
        found = self.last_observation_record
        return found.event_log_entry if found is not None else None

    @property
    def last_run_id(self) -> str | None:
        found = self.last_materialization
        return found.run_id if found is not None else None


@dataclass(frozen=True, slots=True)
class AssetRecord:
    """An asset that something is known of."""

    storage_id: int
    """The place of the newest event."""
    asset_entry: AssetEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetCheckExecutionRecord:
    """An evaluation of a check, with its place."""

    key: AssetCheckKey
    id: int
    run_id: str
    event: EventLogEntry
    evaluation: AssetCheckEvaluation

    @property
    def create_timestamp(self) -> float:
        return self.event.timestamp


class AssetHistory(ABC):
    """What an instance knows of assets."""

    history: HistoryPort

    @abstractmethod
    def _events(
        self,
        types: tuple[str, ...],
        asset_key: AssetKey | None,
        *,
        run_ids: Sequence[str] = (),
        partitions: Sequence[str | None] | None = None,
        after_id: int | None = None,
        before_id: int | None = None,
        after: datetime | float | None = None,
        before: datetime | float | None = None,
        limit: int | None = None,
        ascending: bool = False,
    ) -> list[EventLogRecord]: ...

    def get_latest_materialization_event(self, asset_key: AssetKey) -> EventLogEntry | None:
        """The newest materialization of an asset, of any partition."""
        found = self._events(MADE, asset_key, limit=1)
        return found[0].event_log_entry if found else None

    def get_latest_materialization_events(self, asset_keys: Sequence[AssetKey]) -> Mapping[AssetKey, EventLogEntry | None]:
        return {key: self.get_latest_materialization_event(key) for key in asset_keys}

    def get_latest_data_version_record(
        self, key: AssetKey, is_source: bool | None = None, partition_key: str | None = None, **_: Any
    ) -> EventLogRecord | None:
        """The newest event of an asset that says which data it has."""
        types = SEEN if is_source else (*MADE, *SEEN)
        found = self._events(types, key, partitions=[partition_key] if partition_key is not None else None, limit=1)
        return found[0] if found else None

    def get_latest_data_version(self, asset_key: AssetKey, partition_key: str | None = None) -> DataVersion | None:
        """The data version of the newest data of an asset."""
        known = self.history.latest(naming.asset_key(asset_key, "get_latest_data_version"), partition_keys([partition_key])[0])
        return DataVersion(known.data_version) if known is not None else None

    def get_asset_keys(self, prefix: Sequence[str] | None = None, limit: int | None = None, cursor: str | None = None) -> list[AssetKey]:
        """The keys of all assets that something is known of."""
        keys = [key for key in self.history.asset_keys() if not prefix or list(key.path[: len(prefix)]) == list(prefix)]
        return [key for key in keys if cursor is None or key.to_user_string() > cursor][:limit]

    all_asset_keys = get_asset_keys

    def has_asset_key(self, asset_key: AssetKey) -> bool:
        return asset_key in self.history.asset_keys()

    def get_materialized_partitions(
        self, asset_key: AssetKey, before_cursor: int | None = None, after_cursor: int | None = None
    ) -> set[str]:
        """The keys of an asset's partitions that have been materialized."""
        if before_cursor is not None or after_cursor is not None:
            found = self._events(MADE, asset_key, after_id=after_cursor, before_id=before_cursor)
            return {item.partition_key for item in found if item.partition_key is not None}
        keys = self.history.materialized(naming.asset_key(asset_key, "get_materialized_partitions"))
        return {text for key in keys if (text := format_partition(key)) is not None}

    def report_runless_asset_event(self, asset_event: Any) -> None:
        """Tell what happened to an asset outside of any run.

        Args:
            asset_event: an AssetMaterialization, an AssetObservation or an AssetCheckEvaluation.
        """
        self.history.report(reported_payload(asset_event))

    def get_asset_records(self, asset_keys: Sequence[AssetKey] | None = None) -> list[AssetRecord]:
        """The newest that is known of assets: of all, or of those named that something is known of.

        Example:
            >>> from dagwright import AssetKey, AssetMaterialization, Instance
            >>> instance = Instance.ephemeral()
            >>> instance.report_runless_asset_event(AssetMaterialization("orders"))
            >>> [record.asset_entry.asset_key for record in instance.get_asset_records()]
            [AssetKey(['orders'])]
        """
        known = self.get_asset_keys()
        wanted = known if asset_keys is None else [key for key in asset_keys if key in known]
        return [self._record(key) for key in wanted]

    def _record(self, key: AssetKey) -> AssetRecord:
        newest = {types: next(iter(self._events(types, key, limit=1)), None) for types in (MADE, SEEN)}
        place = max((found.storage_id for found in newest.values() if found is not None), default=0)
        entry = AssetEntry(asset_key=key, last_materialization_record=newest[MADE], last_observation_record=newest[SEEN])
        return AssetRecord(place, entry)

    def get_status_by_partition(
        self, asset_key: AssetKey, partition_keys: Sequence[str], partitions_def: PartitionsDefinition
    ) -> dict[str, AssetPartitionStatus | None]:
        """How partitions of an asset stand; None for one that nothing was done for.

        Args:
            partition_keys: which.
            partitions_def: of the asset.
        """
        key = naming.asset_key(asset_key, "get_status_by_partition")
        made = self.get_materialized_partitions(key)
        busy = self._under_way(key, partitions_def)
        lost = self._lost(key)

        def status(partition: str) -> AssetPartitionStatus | None:
            if partition in busy:
                return AssetPartitionStatus.IN_PROGRESS
            if partition in lost:
                return AssetPartitionStatus.FAILED
            return AssetPartitionStatus.MATERIALIZED if partition in made else None

        return {str(partition): status(str(partition)) for partition in partition_keys}

    def _under_way(self, key: AssetKey, definition: PartitionsDefinition) -> set[str]:
        runs = [run for run in self.history.runs(RunFilter(statuses=_UNDER_WAY)) if key in run.asset_keys and run.partition]
        if not any(run.partition_end is not None for run in runs):
            return {format_partition(run.partition) or "" for run in runs}
        order = [definition.parse_key(text) for text in definition.get_partition_keys(None, self)]
        return {format_partition(covered) or "" for run in runs for covered in _covered(run, order)}

    def _lost(self, key: AssetKey) -> set[str]:
        """The partitions whose newest event says that they were not made."""
        newest: dict[str, str] = {}
        for stored in self.history.events(EventFilter(types=(*MADE, *_FAILED), asset_keys=(key,), limit=10_000)):
            payload = stored.event.payload
            if isinstance(payload, e.AssetMaterialized | e.AssetFailed):
                newest.setdefault(format_partition(payload.partition) or "", stored.event.event_type)
        return {partition for partition, kind in newest.items() if kind in _FAILED}

    def get_latest_storage_id_by_partition(
        self, asset_key: AssetKey, event_type: EventType, partitions: AbstractSet[str] | None = None, after_cursor: int | None = None
    ) -> dict[str, int]:
        """The place of the newest event of each partition."""
        found = self._events(stored_types(EventType(event_type)), asset_key, after_id=after_cursor)
        newest: dict[str, int] = {}
        for item in found:
            if item.partition_key is not None and (partitions is None or item.partition_key in partitions):
                newest.setdefault(item.partition_key, item.storage_id)
        return newest

    def get_event_tags_for_asset(
        self, asset_key: AssetKey, filter_tags: Mapping[str, str] | None = None, filter_event_id: int | None = None
    ) -> list[Mapping[str, str]]:
        """The tags of an asset's materializations that have any, newest first."""
        found = [item for item in self._events(MADE, asset_key) if filter_event_id in (None, item.storage_id)]
        tags = [item.event_log_entry.tags or {} for item in found]
        return [each for each in tags if each and all(each.get(name) == value for name, value in (filter_tags or {}).items())]

    def get_latest_materialization_code_versions(self, asset_keys: Iterable[AssetKey]) -> dict[AssetKey, str | None]:
        """The code version of the newest materialization of each asset."""
        return {key: self._code_version(key) for key in asset_keys}

    def _code_version(self, key: AssetKey) -> str | None:
        found = self.history.events(EventFilter(types=MADE, asset_keys=(key,), limit=1))
        payload = found[0].event.payload if found else None
        return payload.code_version if isinstance(payload, e.AssetMaterialized) else None

    def get_latest_asset_check_evaluation_record(self, asset_check_key: AssetCheckKey) -> AssetCheckExecutionRecord | None:
        """The newest evaluation of a check."""
        for item in self._events(_JUDGED, asset_check_key.asset_key):
            seen = item.event_log_entry.dagster_event
            if seen is not None and seen.asset_check_evaluation_data.check_name == asset_check_key.name:
                return AssetCheckExecutionRecord(
                    key=asset_check_key,
                    id=item.storage_id,
                    run_id=item.event_log_entry.run_id,
                    event=item.event_log_entry,
                    evaluation=seen.asset_check_evaluation_data,
                )
        return None

    def get_asset_keys_for_run(self, run_id: str) -> set[AssetKey]:
        """The assets that a run has materialized or observed."""
        found = (item.asset_key for item in self._events((*MADE, *SEEN), None, run_ids=[run_id]))
        return {key for key in found if key is not None}

    def wipe_assets(self, asset_keys: Sequence[AssetKey]) -> None:
        """Forget what was made and seen of assets; what was stored stays where it is.

        Raises:
            TypeError: they are not a list.
        """
        if isinstance(asset_keys, (str, AssetKey)):
            raise TypeError(f"wipe_assets takes a list of keys, not {asset_keys!r}; write [{asset_keys!r}]")
        for key in asset_keys:
            self.history.wipe(naming.asset_key(key, "wipe_assets"))

    def wipe_asset_partitions(self, asset_key: AssetKey, partition_keys: Sequence[str]) -> None:
        """As `wipe_assets`, for some partitions of one."""
        if partition_keys:
            self.history.wipe(naming.asset_key(asset_key, "wipe_asset_partitions"), readings(partition_keys))


def _covered(run: Run, order: Sequence[tuple[str, ...]]) -> Iterable[tuple[str, ...]]:
    """The partitions of a run, which may be of a range."""
    if run.partition_end is None:
        return (run.partition,)
    if run.partition not in order or run.partition_end not in order:
        return ()
    # With several dimensions a range is a box.
    axes = [list(dict.fromkeys(axis)) for axis in zip(*order, strict=True)]
    ends = zip(axes, run.partition, run.partition_end, strict=True)
    spans = [set(axis[axis.index(first) : axis.index(last) + 1]) for axis, first, last in ends]
    return [key for key in order if all(part in span for part, span in zip(key, spans, strict=True))]


def readings(keys: Sequence[str | None]) -> tuple[tuple[str, ...], ...]:
    """All that the texts may mean: a `|` may be a part of a key, or join the keys of several dimensions."""
    plain = ((str(key),) for key in keys if key is not None and "|" in str(key))
    return (*partition_keys(keys), *plain)
