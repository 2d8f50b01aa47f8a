"""A run in this process, recorded in an instance in memory where there is one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dagwright.authoring.instance import Instance
from dagwright.authoring.instance_memory import MemoryStore
from dagwright.execution.cancellation import Cancellation
from dagwright.execution.executors import Executor
from dagwright.execution.ports import MemorySink
from dagwright.execution.run import execute
from dagwright.execution.scope import Kept
from dagwright.planning.steps import ExecutionPlan
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DagwrightError, UserCodeError
from dagwright_shared.model.events import Payload, RunEvent, RunFailed, StepFailed
from dagwright_shared.model.keys import Digest, LocationName, RunId, StepKey, new_run_id
from dagwright_shared.model.runs import LaunchSpec, Run, RunStatus, Trigger, TriggerKind


class RunFailedError(DagwrightError):
    """The run failed without an exception of user code."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalRun:
    """A run that is over."""

    run: Run
    status: RunStatus
    events: Sequence[RunEvent]
    spec: LaunchSpec
    kept: Kept
    instance: Any

    def raise_failure(self) -> None:
        """Raise the exception of the first step that failed, if the run did not succeed: itself, or what is known of it."""
        if self.status is RunStatus.SUCCESS:
            return
        for event in self.events:
            if isinstance(event.payload, StepFailed) and event.step_key is not None:
                raise self.kept.errors.get(event.step_key) or UserCodeError(event.payload.error)
        for event in self.events:
            if isinstance(event.payload, RunFailed) and event.payload.error is not None:
                raise UserCodeError(event.payload.error)
        raise RunFailedError(f"the run ended as {self.status}")


def carry_out(
    plan: ExecutionPlan,
    instance: Any,
    *,
    tags: Mapping[str, str] | None,
    executor: Executor | None = None,
    parent: Run | None = None,
    origin: Callable[[], Any] | None = None,
) -> LocalRun:
    """Execute a plan to its end.

    Args:
        instance: None for an empty one.
        executor: None for the plan's own.
        parent: the run that this one does again.
        origin: as of `execution.run.execute`.
    """
    instance = Instance.ephemeral() if instance is None else instance
    kept, run = Kept(), _new_run(plan, tags, parent)
    store = instance.history if isinstance(instance.history, MemoryStore) else None
    sink = _RecordingSink(store, run.run_id)
    if store is not None:
        store.add_run(run)
    spec = LaunchSpec(
        run_id=run.run_id,
        epoch=run.epoch,
        digest=run.digest,
        job_name=run.job_name,
        asset_keys=run.asset_keys,
        check_keys=run.check_keys,
        step_keys=run.step_keys,
        partition=run.partition,
        partition_end=run.partition_end,
        config=run.config,
        tags=run.tags,
        parent_run_id=run.parent_run_id,
        root_run_id=run.root_run_id,
        inherited=run.inherited,
        retry_number=0,
        first_seq=1,
        log_limit_bytes=0,
    )
    status = execute(
        None,
        plan,
        spec=spec,
        sink=sink,
        cancellation=Cancellation(),
        history=instance.history,
        executor=executor,
        captures=False,
        instance=instance,
        kept=kept,
        origin=origin,
    )
    return LocalRun(run=run, status=status, events=sink.events, spec=spec, kept=kept, instance=instance)


class _RecordingSink(MemorySink):
    """Keeps the events of the run, also in the memory of an instance."""

    def __init__(self, store: MemoryStore | None, run_id: RunId) -> None:
        super().__init__()
        self._store, self._run_id = store, run_id
        self._recording = threading.Lock()

    def emit(self, payload: Payload, step_key: StepKey | None = None) -> None:
        with self._recording:
            super().emit(payload, step_key)
            if self._store is not None:
                self._store.append(self._run_id, self.events[-1])


def _new_run(plan: ExecutionPlan, tags: Mapping[str, str] | None, parent: Run | None) -> Run:
    now = datetime.now(UTC)
    return Run(
        run_id=new_run_id(),
        location=LocationName("memory"),
        digest=Digest(""),
        job_name=plan.job_name,
        asset_keys=plan.asset_keys,
        check_keys=(),
        step_keys=tuple(plan.chosen or ()),
        partition=plan.partition,
        partition_end=plan.partition_end,
        config=plan.config,
        tags=dict(tags or {}),
        status=RunStatus.STARTING,
        trigger=Trigger(kind=TriggerKind.API),
        priority=0,
        run_key=None,
        parent_run_id=parent.run_id if parent is not None else None,
        root_run_id=(parent.root_run_id or parent.run_id) if parent is not None else None,
        inherited=plan.inherited,
        retry_number=0,
        not_before=None,
        epoch=1,
        server_id=None,
        last_seq=0,
        created_at=now,
        claimed_at=now,
        started_at=None,
        ended_at=None,
        error=None,
        status_reason=None,
    )
