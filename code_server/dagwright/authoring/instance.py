"""`context.instance`: what happened before or elsewhere in the deployment, and ways to tell it more.

Every method asks a `HistoryPort`: the code server in a run, memory in a test.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from dagwright.authoring import instance_absent, naming
from dagwright.authoring.event_types import EventType, stored_types
from dagwright.authoring.instance_assets import MADE, SEEN, AssetHistory, readings
from dagwright.authoring.instance_events import EventLogEntry, EventLogRecord, record
from dagwright.authoring.instance_memory import MemoryStore
from dagwright.authoring.instance_runs import RunRecord, RunsFilter, RunView, aware, run_record, run_view
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.history import EventFilter, HistoryPort
from dagwright_shared.model.keys import AssetKey, RunId
from dagwright_shared.model.runs import StepRecord


@dataclass(frozen=True, slots=True)
class AssetRecordsFilter:
    """Which materializations or observations of an asset."""

    asset_key: AssetKey
    asset_partitions: Sequence[str] | None = None
    after_timestamp: float | None = None
    before_timestamp: float | None = None
    after_storage_id: int | None = None
    before_storage_id: int | None = None
    storage_ids: Sequence[int] | None = None


@dataclass(frozen=True, slots=True)
class EventRecordsFilter:
    """Which events, of all runs.

    Example:
        >>> EventRecordsFilter(EventType.ASSET_MATERIALIZATION, asset_key=AssetKey("raw")).event_type.value
        'ASSET_MATERIALIZATION'
    """

    event_type: EventType
    asset_key: AssetKey | None = None
    asset_partitions: Sequence[str] | None = None
    after_cursor: int | None = None
    before_cursor: int | None = None
    after_timestamp: float | None = None
    before_timestamp: float | None = None
    storage_ids: Sequence[int] | None = None
    tags: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class RunStatusChangeRecordsFilter:
    """Which changes of runs' statuses."""

    event_type: EventType
    after_timestamp: float | None = None
    before_timestamp: float | None = None
    after_storage_id: int | None = None
    before_storage_id: int | None = None
    storage_ids: Sequence[int] | None = None
    job_names: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class EventRecordsResult:
    """A page of events."""

    records: Sequence[EventLogRecord]
    cursor: str
    """Give it to the next call."""
    has_more: bool


@dataclass(frozen=True, slots=True)
class RunStats:
    """How many of a run's steps came to what."""

    run_id: str
    steps_succeeded: int
    steps_failed: int
    materializations: int
    expectations: int
    enqueued_time: float | None
    launch_time: float | None
    start_time: float | None
    end_time: float | None


class Instance(AssetHistory):
    """The deployment, as user code may read it and report to it.

    Get it as `context.instance`; in a test make one with `Instance.ephemeral()`.

    Example:
        >>> instance = Instance.ephemeral()
        >>> instance.add_dynamic_partitions("customers", ["acme", "globex"])
        >>> instance.get_dynamic_partitions("customers")
        ['acme', 'globex']
    """

    def __init__(self, history: HistoryPort) -> None:
        self.history = history

    if not TYPE_CHECKING:  # type checkers know which members there are

        def __getattr__(self, name: str) -> Any:
            raise AttributeError(instance_absent.advice(name), name=name, obj=self)

    @classmethod
    def ephemeral(cls, tempdir: str | None = None, preload: Any = None, settings: Mapping[str, Any] | None = None) -> Instance:
        """A deployment in the memory of this process, empty.

        Args:
            tempdir, preload, settings: taken for compatibility; memory has no use for them.
        """
        del tempdir, preload, settings
        return cls(MemoryStore())

    @classmethod
    def local_temp(cls, tempdir: str | None = None, overrides: Mapping[str, Any] | None = None) -> Instance:
        """As `ephemeral`."""
        del overrides
        return cls.ephemeral(tempdir)

    @staticmethod
    def get() -> Instance:
        """The deployment of the step that is running.

        Raises:
            RuntimeError: no step is running here.
        """
        raise RuntimeError(
            "Instance.get() needs a deployment that this process does not have; use context.instance in a step, schedule or sensor, "
            "Instance.ephemeral() in a test, and the REST API from elsewhere"
        )

    @property
    def is_ephemeral(self) -> bool:
        return isinstance(self.history, MemoryStore)

    def __enter__(self) -> Instance:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def dispose(self) -> None:
        """Nothing is held."""

    # ---- events

    def get_event_records(
        self, event_records_filter: EventRecordsFilter, limit: int | None = None, ascending: bool = False
    ) -> list[EventLogRecord]:
        """Events of one type, of all runs; newest first unless `ascending`."""
        wanted = event_records_filter
        types = stored_types(EventType(wanted.event_type))
        if not types:
            return []
        found = self._events(
            types,
            wanted.asset_key,
            partitions=wanted.asset_partitions,
            after_id=cast("int | None", getattr(wanted.after_cursor, "id", wanted.after_cursor)),
            before_id=wanted.before_cursor,
            after=wanted.after_timestamp,
            before=wanted.before_timestamp,
            limit=limit,
            ascending=ascending,
        )
        if wanted.storage_ids is not None:
            found = [item for item in found if item.storage_id in wanted.storage_ids]
        if wanted.tags:
            found = [item for item in found if all((item.event_log_entry.tags or {}).get(k) == v for k, v in wanted.tags.items())]
        return found

    def fetch_materializations(
        self, records_filter: AssetKey | AssetRecordsFilter, limit: int = 1000, cursor: str | None = None, ascending: bool = False
    ) -> EventRecordsResult:
        """A page of materializations of an asset."""
        return self._page(MADE, records_filter, limit, cursor, ascending)

    def fetch_observations(
        self, records_filter: AssetKey | AssetRecordsFilter, limit: int = 1000, cursor: str | None = None, ascending: bool = False
    ) -> EventRecordsResult:
        """A page of observations of an asset."""
        return self._page(SEEN, records_filter, limit, cursor, ascending)

    def fetch_run_status_changes(
        self,
        records_filter: EventType | RunStatusChangeRecordsFilter,
        limit: int = 1000,
        cursor: str | None = None,
        ascending: bool = False,
    ) -> EventRecordsResult:
        """A page of runs' beginnings or ends."""
        wanted = (
            records_filter if isinstance(records_filter, RunStatusChangeRecordsFilter) else RunStatusChangeRecordsFilter(records_filter)
        )
        place = int(cursor) if cursor is not None else None
        found = self._events(
            stored_types(EventType(wanted.event_type)),
            None,
            after_id=place if ascending and place is not None else wanted.after_storage_id,
            before_id=place if not ascending and place is not None else wanted.before_storage_id,
            after=wanted.after_timestamp,
            before=wanted.before_timestamp,
            limit=limit + 1,
            ascending=ascending,
        )
        whole = _cut(found, limit)
        page = [item for item in whole if wanted.job_names is None or item.event_log_entry.job_name in wanted.job_names]
        return EventRecordsResult(page, str(whole[-1].storage_id) if whole else cursor or "", len(found) > len(whole))

    def get_records_for_run(
        self, run_id: str, cursor: str | None = None, of_type: Any = None, limit: int | None = None, ascending: bool = True
    ) -> EventRecordsResult:
        """The events of a run."""
        types = _types(of_type)
        place = int(cursor) if cursor else None
        after, before = (place, None) if ascending else (None, place)
        found = self._events(
            types, None, run_ids=[run_id], after_id=after, before_id=before, limit=(limit or 9_999) + 1, ascending=ascending
        )
        page = found[: limit or 9_999]
        return EventRecordsResult(page, str(page[-1].storage_id) if page else cursor or "", len(found) > len(page))

    def all_logs(self, run_id: str, of_type: Any = None) -> list[EventLogEntry]:
        """Everything that a run logged, in order."""
        return [item.event_log_entry for item in self.get_records_for_run(run_id, of_type=of_type).records]

    # ---- runs

    def get_runs(
        self,
        filters: RunsFilter | None = None,
        cursor: str | None = None,
        limit: int | None = None,
        bucket_by: Any = None,
        ascending: bool = False,
    ) -> list[RunView]:
        """Runs, newest first."""
        del bucket_by
        return [
            run_view(run) for run in self.history.runs((filters or RunsFilter()).to_model(limit=limit, cursor=cursor, ascending=ascending))
        ]

    def get_run_records(
        self,
        filters: RunsFilter | None = None,
        limit: int | None = None,
        order_by: str | None = None,
        ascending: bool = False,
        cursor: str | None = None,
        bucket_by: Any = None,
    ) -> list[RunRecord]:
        """Runs with their moments, newest first."""
        del bucket_by
        found = [
            run_record(run)
            for run in self.history.runs((filters or RunsFilter()).to_model(limit=limit, cursor=cursor, ascending=ascending))
        ]
        if order_by in {"start_time", "end_time", "update_timestamp", "create_timestamp"}:
            found.sort(key=lambda item: str(getattr(item, str(order_by)) or ""), reverse=not ascending)
        return found

    def get_run_ids(self, filters: RunsFilter | None = None, cursor: str | None = None, limit: int | None = None) -> list[str]:
        return [run.run_id for run in self.get_runs(filters, cursor, limit)]

    def get_runs_count(self, filters: RunsFilter | None = None) -> int:
        return len(self.get_runs(filters, limit=10_000))

    def get_run_by_id(self, run_id: str) -> RunView | None:
        found = self.get_runs(RunsFilter(run_ids=[run_id]), limit=1)
        return found[0] if found else None

    def get_run_record_by_id(self, run_id: str) -> RunRecord | None:
        found = self.get_run_records(RunsFilter(run_ids=[run_id]), limit=1)
        return found[0] if found else None

    def has_run(self, run_id: str) -> bool:
        return self.get_run_by_id(run_id) is not None

    def get_run_tags(self, tag_keys: Sequence[str] | None = None, **_: Any) -> list[tuple[str, set[str]]]:
        """The values of tags among the newest runs."""
        values: dict[str, set[str]] = {}
        for run in self.get_runs():
            for key, value in run.tags.items():
                if not tag_keys or key in tag_keys:
                    values.setdefault(key, set()).add(value)
        return sorted(values.items())

    def add_run_tags(self, run_id: str, new_tags: Mapping[str, str]) -> None:
        """Add tags to a run."""
        self.history.tag_run(RunId(run_id), naming.check_run_tags(new_tags, "add_run_tags", None))

    def delete_run(self, run_id: str) -> None:
        """Delete an ended run with its events; what it made of assets stays known.

        Raises:
            NotFoundError: there is no such run.
            ConflictError: it has not ended.
        """
        self.history.delete_run(RunId(run_id))

    def get_run_tag_keys(self) -> list[str]:
        """The tags that runs have."""
        return [key for key, _ in self.get_run_tags()]

    def get_run_step_stats(self, run_id: str, step_keys: Sequence[str] | None = None) -> list[StepRecord]:
        """The steps of a run, with their times."""
        return [step for step in self.history.steps(RunId(run_id)) if not step_keys or step.step_key in step_keys]

    def get_run_stats(self, run_id: str) -> RunStats:
        """How a run went, in numbers."""
        found = self.get_run_record_by_id(run_id)
        steps = self.history.steps(RunId(run_id))
        return RunStats(
            run_id=run_id,
            steps_succeeded=sum(step.status == "SUCCESS" for step in steps),
            steps_failed=sum(step.status == "FAILURE" for step in steps),
            materializations=len(self._events(MADE, None, run_ids=[run_id])),
            expectations=0,
            enqueued_time=found.create_timestamp.timestamp() if found else None,
            launch_time=found.start_time if found else None,
            start_time=found.start_time if found else None,
            end_time=found.end_time if found else None,
        )

    # ---- dynamic partitions

    def get_dynamic_partitions(self, partitions_def_name: str) -> list[str]:
        """The keys, in the order of adding."""
        return list(self.history.dynamic_keys(partitions_def_name))

    def add_dynamic_partitions(self, partitions_def_name: str, partition_keys: Sequence[str]) -> None:
        """Add keys; those that are there already are passed over."""
        if isinstance(partition_keys, str):
            raise TypeError(f"add_dynamic_partitions takes a list of keys, not the text {partition_keys!r}; write [{partition_keys!r}]")
        self.history.change_dynamic_keys(partitions_def_name, add=tuple(partition_keys))

    def has_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> bool:
        return partition_key in self.history.dynamic_keys(partitions_def_name)

    def delete_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> None:
        """Take a key away; what was materialized of it stays."""
        self.history.change_dynamic_keys(partitions_def_name, delete=(partition_key,))

    # ---- how it asks

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
    ) -> list[EventLogRecord]:
        wanted = EventFilter(
            types=types,
            asset_keys=(naming.asset_key(asset_key, "instance"),) if asset_key is not None else (),
            run_ids=tuple(RunId(run_id) for run_id in run_ids),
            partitions=readings(partitions or ()),
            after_id=after_id,
            before_id=before_id,
            after=aware(after),
            before=aware(before),
            limit=10_000 if limit is None else limit,
            ascending=ascending,
        )
        return [record(stored) for stored in self.history.events(wanted)]

    def _page(
        self, types: tuple[str, ...], records_filter: AssetKey | AssetRecordsFilter, limit: int, cursor: str | None, ascending: bool
    ) -> EventRecordsResult:
        wanted = records_filter if isinstance(records_filter, AssetRecordsFilter) else AssetRecordsFilter(records_filter)
        place = int(cursor) if cursor else None
        found = self._events(
            types,
            wanted.asset_key,
            partitions=wanted.asset_partitions,
            after_id=place if ascending and place is not None else wanted.after_storage_id,
            before_id=place if not ascending and place is not None else wanted.before_storage_id,
            after=wanted.after_timestamp,
            before=wanted.before_timestamp,
            limit=limit + 1,
            ascending=ascending,
        )
        if wanted.storage_ids is not None:
            found = [item for item in found if item.storage_id in wanted.storage_ids]
        page = _cut(found, limit)
        return EventRecordsResult(page, str(page[-1].storage_id) if page else cursor or "", len(found) > len(page))


def _cut(found: list[EventLogRecord], limit: int) -> list[EventLogRecord]:
    """The first ones, and those in the same place as the last of them: a cursor goes on after the place, so none may be left out."""
    end = limit
    while 0 < end < len(found) and found[end].storage_id == found[end - 1].storage_id:
        end += 1
    return found[:end]


@contextlib.contextmanager
def instance_for_test(overrides: Mapping[str, Any] | None = None, temp_dir: str | None = None, **_: Any) -> Iterator[Instance]:
    """An instance in memory for one test."""
    del overrides, temp_dir
    yield Instance.ephemeral()


def _types(of_type: Any) -> tuple[str, ...]:
    if of_type is None:
        return ()
    kinds = [of_type] if isinstance(of_type, str) else list(of_type)
    return tuple(name for kind in kinds for name in stored_types(EventType(kind)))
