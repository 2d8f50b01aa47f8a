"""A deployment's memory in this process: runs, events and dynamic partition keys, for tests and scripts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from dagwright_shared.model.errors import ConflictError, NotFoundError
from dagwright_shared.model.events import (
    AssetMaterialized,
    AssetObserved,
    CheckEvaluated,
    RunCanceled,
    RunEvent,
    RunFailed,
    RunStarted,
    RunSucceeded,
    StepFailed,
    StepRetrying,
    StepSkipped,
    StepStarted,
    StepSucceeded,
)
from dagwright_shared.model.history import EventFilter, KnownVersion, ReportableEvent, RunFilter, StoredEvent
from dagwright_shared.model.keys import UNPARTITIONED, AssetKey, PartitionKey, RunId
from dagwright_shared.model.runs import Run, RunStatus, StepRecord, StepStatus

_STATUS_AFTER: Mapping[type, RunStatus] = {
    RunStarted: RunStatus.STARTED,
    RunSucceeded: RunStatus.SUCCESS,
    RunFailed: RunStatus.FAILURE,
    RunCanceled: RunStatus.CANCELED,
}
_STEP_STATUS: Mapping[type, StepStatus] = {
    StepStarted: StepStatus.STARTED,
    StepSucceeded: StepStatus.SUCCESS,
    StepFailed: StepStatus.FAILURE,
    StepRetrying: StepStatus.RETRYING,
    StepSkipped: StepStatus.SKIPPED,
}


class MemoryStore:
    """Implements `HistoryPort` on values. Safe to use from several threads.

    Args:
        now: the clock; tests give a fake one.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.now = now
        self._lock = threading.RLock()
        self._events: list[StoredEvent] = []
        self._last_id = 0
        self._runs: dict[RunId, Run] = {}
        self._steps: dict[RunId, dict[str, StepRecord]] = {}
        self._dynamic: dict[str, dict[str, None]] = {}
        self._latest: dict[tuple[AssetKey, PartitionKey], KnownVersion] = {}

    # ---- writing

    def add_run(self, run: Run) -> None:
        """Keep a run, or a newer state of it."""
        with self._lock:
            self._runs[run.run_id] = run

    def append(self, run_id: RunId | None, event: RunEvent) -> StoredEvent:
        """Keep an event, with what follows from it for its run and its asset."""
        with self._lock:
            run = self._runs.get(run_id) if run_id is not None else None
            stored = StoredEvent(event_id=self._next_id(), run_id=run_id, job_name=run.job_name if run else None, event=event)
            self._events.append(stored)
            if run is not None:
                self._runs[run.run_id] = _after(run, event)
                self._note_step(run.run_id, event)
            payload = event.payload
            if isinstance(payload, AssetMaterialized | AssetObserved) and payload.data_version is not None:
                self._latest[payload.asset_key, payload.partition] = KnownVersion(
                    data_version=payload.data_version,
                    run_id=run_id,
                    time=event.time,
                    code_version=payload.code_version if isinstance(payload, AssetMaterialized) else None,
                    input_data_versions=payload.input_data_versions if isinstance(payload, AssetMaterialized) else {},
                )
            return stored

    def _next_id(self) -> int:
        """Of an event: ids are not given again when events are forgotten."""
        self._last_id += 1
        return self._last_id

    def report(self, payload: ReportableEvent) -> None:
        self.append(None, RunEvent(seq=0, time=self.now(), payload=payload))

    def tag_run(self, run_id: RunId, tags: Mapping[str, str]) -> None:
        with self._lock:
            run = self._known(run_id)
            self._runs[run_id] = replace(run, tags={**run.tags, **tags})

    def delete_run(self, run_id: RunId) -> None:
        """Forget a run with its events."""
        with self._lock:
            run = self._known(run_id)
            if not run.status.is_final:
                raise ConflictError(f"Run {run_id} is {run.status}; cancel it first, then it can be deleted")
            del self._runs[run_id]
            self._steps.pop(run_id, None)
            self._events = [stored for stored in self._events if stored.run_id != run_id]

    def wipe(self, asset_key: AssetKey, partitions: tuple[PartitionKey, ...] = ()) -> None:
        with self._lock:
            self._events = [stored for stored in self._events if not _is_of(stored, asset_key, partitions)]
            gone = {place for place in self._latest if place[0] == asset_key and (not partitions or place[1] in partitions)}
            self._latest = {place: known for place, known in self._latest.items() if place not in gone}

    def change_dynamic_keys(self, name: str, add: tuple[str, ...] = (), delete: tuple[str, ...] = ()) -> None:
        with self._lock:
            known = self._dynamic.setdefault(name, {})
            known.update(dict.fromkeys(add))
            for key in delete:
                known.pop(key, None)

    # ---- reading

    def latest(self, asset_key: AssetKey, partition: PartitionKey = UNPARTITIONED) -> KnownVersion | None:
        return self._latest.get((asset_key, partition))

    def dynamic_keys(self, name: str) -> tuple[str, ...]:
        return tuple(self._dynamic.get(name, ()))

    def events(self, wanted: EventFilter) -> tuple[StoredEvent, ...]:
        with self._lock:
            found = [stored for stored in self._events if _fits(stored, wanted)]
        return tuple((found if wanted.ascending else found[::-1])[: wanted.limit])

    def runs(self, wanted: RunFilter) -> tuple[Run, ...]:
        with self._lock:
            newest_first: Iterable[Run] = sorted(self._runs.values(), key=lambda run: (run.created_at, run.run_id), reverse=True)
            if wanted.before_run is not None:
                border = self._known(wanted.before_run)
                newest_first = [run for run in newest_first if (run.created_at, run.run_id) < (border.created_at, border.run_id)]
        found = [run for run in newest_first if _run_fits(run, wanted)]
        return tuple((found[::-1] if wanted.ascending else found)[: wanted.limit])

    def steps(self, run_id: RunId) -> tuple[StepRecord, ...]:
        return tuple(self._steps.get(run_id, {}).values())

    def materialized(self, asset_key: AssetKey) -> tuple[PartitionKey, ...]:
        with self._lock:
            payloads = [stored.event.payload for stored in self._events]
        found = (item.partition for item in payloads if isinstance(item, AssetMaterialized) and item.asset_key == asset_key)
        return tuple(dict.fromkeys(found))

    def asset_keys(self) -> tuple[AssetKey, ...]:
        with self._lock:
            payloads = [stored.event.payload for stored in self._events]
        return tuple(sorted({item.asset_key for item in payloads if isinstance(item, AssetMaterialized | AssetObserved)}))

    def _known(self, run_id: RunId) -> Run:
        if run_id not in self._runs:
            raise NotFoundError("run", run_id, known=self._runs)
        return self._runs[run_id]

    def _note_step(self, run_id: RunId, event: RunEvent) -> None:
        steps = self._steps.setdefault(run_id, {})
        payload = event.payload
        if isinstance(payload, RunStarted):
            for step in payload.steps:
                steps[step.key] = StepRecord(
                    step_key=step.key, status=StepStatus.PENDING, op_name=step.op_name, kind=step.kind, depends_on=step.depends_on,
                    asset_keys=step.asset_keys, executor=step.executor, step_group=step.step_group,
                )  # fmt: skip
        status = _STEP_STATUS.get(type(payload))
        if status is None or event.step_key is None:
            return
        record = steps.get(event.step_key) or StepRecord(step_key=event.step_key, status=status)
        changes: dict[str, object] = {"status": status, "attempt": getattr(payload, "attempt", record.attempt)}
        if status is StepStatus.STARTED:
            changes["started_at"] = event.time
        elif status.is_final:
            changes["ended_at"] = event.time
        if isinstance(payload, StepFailed | StepRetrying):
            changes["error"] = payload.error
        steps[event.step_key] = replace(record, **changes)  # type: ignore[arg-type]


def _after(run: Run, event: RunEvent) -> Run:
    status = _STATUS_AFTER.get(type(event.payload))
    if status is None:
        return replace(run, last_seq=max(run.last_seq, event.seq))
    if status is RunStatus.STARTED:
        return replace(run, status=status, started_at=run.started_at or event.time, last_seq=event.seq)
    error = event.payload.error if isinstance(event.payload, RunFailed) else None
    return replace(run, status=status, ended_at=event.time, last_seq=event.seq, error=error)


def _is_of(stored: StoredEvent, asset_key: AssetKey, partitions: tuple[PartitionKey, ...]) -> bool:
    wanted = EventFilter(asset_keys=(asset_key,), partitions=partitions)
    return _fits(stored, wanted)


def _fits(stored: StoredEvent, wanted: EventFilter) -> bool:
    payload = stored.event.payload
    key = payload.check_key.asset_key if isinstance(payload, CheckEvaluated) else getattr(payload, "asset_key", None)
    return (
        (not wanted.types or stored.event.event_type in wanted.types)
        and (not wanted.asset_keys or key in wanted.asset_keys)
        and (not wanted.run_ids or stored.run_id in wanted.run_ids)
        and (not wanted.partitions or getattr(payload, "partition", None) in wanted.partitions)
        and (wanted.after_id is None or stored.event_id > wanted.after_id)
        and (wanted.before_id is None or stored.event_id < wanted.before_id)
        and (wanted.after is None or stored.event.time > wanted.after)
        and (wanted.before is None or stored.event.time < wanted.before)
    )


def _run_fits(run: Run, wanted: RunFilter) -> bool:
    return (
        (not wanted.run_ids or run.run_id in wanted.run_ids)
        and (not wanted.statuses or run.status in wanted.statuses)
        and (wanted.job_name is None or run.job_name == wanted.job_name)
        and all(run.tags.get(name) in values for name, values in wanted.tags.items())
        and (wanted.created_after is None or run.created_at > wanted.created_after)
        and (wanted.created_before is None or run.created_at < wanted.created_before)
    )
