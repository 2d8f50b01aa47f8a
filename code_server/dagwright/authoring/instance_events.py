"""Events as user code sees them: views of our own, with the names that existing projects use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any, TypeVar

from dagwright.authoring.event_types import HOOK_EVENTS, STEP_EVENTS, EventType, type_of
from dagwright.authoring.failure_views import FailureData, of_step
from dagwright.authoring.handles import NodeHandle, StepHandle
from dagwright.authoring.results import AssetMaterialization, AssetObservation
from dagwright_shared.model import events as e
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import ErrorInfo
from dagwright_shared.model.history import StoredEvent
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, format_partition
from dagwright_shared.model.metadata import Metadata

D = TypeVar("D")

ASSET_JOB = "__ASSET_JOB"
"""The name of a run of assets that were picked freely."""

EPHEMERAL_JOB = "__ephemeral_asset_job__"
"""The name of a run of `materialize`."""


@dataclass(frozen=True, slots=True)
class AssetCheckEvaluationTargetMaterializationData:
    """Which materialization a check has judged."""

    storage_id: int
    run_id: str
    timestamp: float
    """Seconds since 1970."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetCheckEvaluation:
    """What a check found."""

    asset_key: AssetKey
    check_name: str
    passed: bool
    metadata: Metadata = field(default_factory=dict)
    severity: e.Severity = e.Severity.ERROR
    description: str | None = None
    blocking: bool = False
    target_materialization_data: AssetCheckEvaluationTargetMaterializationData | None = None
    """In the result of a run in this process: the newest one of the asset when the check was evaluated, if it has any."""

    @property
    def asset_check_key(self) -> AssetCheckKey:
        return AssetCheckKey(self.asset_key, self.check_name)


@dataclass(frozen=True, slots=True)
class StepMaterializationData:
    """`event_specific_data` of a materialization."""

    materialization: AssetMaterialization
    asset_lineage: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class AssetObservationData:
    """`event_specific_data` of an observation."""

    asset_observation: AssetObservation


@dataclass(frozen=True, slots=True)
class StepOutputHandle:
    """Which output of which step."""

    step_key: str
    output_name: str
    mapping_key: str | None = None


@dataclass(frozen=True, slots=True)
class StepOutputData:
    """`event_specific_data` of an output that a step gave."""

    step_output_handle: StepOutputHandle
    metadata: Metadata = field(default_factory=dict)

    @property
    def output_name(self) -> str:
        return self.step_output_handle.output_name

    @property
    def mapping_key(self) -> str | None:
        return self.step_output_handle.mapping_key


@dataclass(frozen=True, slots=True)
class Event:
    """An event: what happened, to which step, with what came of it.

    Example:
        >>> Event("STEP_START", "nightly", step_key="load").is_step_start
        True
    """

    event_type_value: str
    job_name: str
    step_handle: StepHandle | None = None
    node_handle: NodeHandle | None = None
    step_kind_value: str | None = None
    logging_tags: Mapping[str, str] | None = None
    event_specific_data: Any = None
    message: str | None = None
    pid: int | None = None
    step_key: str | None = None
    recorded: e.RunEvent | None = field(default=None, compare=False, repr=False)
    """The event as dagwright records it; None for one that was made by hand."""

    @property
    def payload(self) -> e.Payload | None:
        """What dagwright records of it."""
        return self.recorded.payload if self.recorded is not None else None

    @property
    def timestamp(self) -> float:
        """Seconds since 1970; 0 for an event that was made by hand."""
        return self.recorded.time.timestamp() if self.recorded is not None else 0.0

    @property
    def event_type(self) -> EventType:
        return EventType(self.event_type_value)

    @property
    def is_step_event(self) -> bool:
        return self.event_type in STEP_EVENTS

    @property
    def is_step_start(self) -> bool:
        return self.event_type is EventType.STEP_START

    @property
    def is_step_success(self) -> bool:
        return self.event_type is EventType.STEP_SUCCESS

    @property
    def is_step_failure(self) -> bool:
        return self.event_type is EventType.STEP_FAILURE

    @property
    def is_step_skipped(self) -> bool:
        return self.event_type is EventType.STEP_SKIPPED

    @property
    def is_step_up_for_retry(self) -> bool:
        return self.event_type is EventType.STEP_UP_FOR_RETRY

    @property
    def is_step_materialization(self) -> bool:
        return self.event_type is EventType.ASSET_MATERIALIZATION

    @property
    def is_asset_observation(self) -> bool:
        return self.event_type is EventType.ASSET_OBSERVATION

    @property
    def is_handled_output(self) -> bool:
        return self.event_type is EventType.HANDLED_OUTPUT

    @property
    def is_successful_output(self) -> bool:
        return self.event_type is EventType.STEP_OUTPUT

    @property
    def is_loaded_input(self) -> bool:
        return self.event_type is EventType.LOADED_INPUT

    @property
    def is_engine_event(self) -> bool:
        return self.event_type is EventType.ENGINE_EVENT

    @property
    def is_job_success(self) -> bool:
        return self.event_type is EventType.RUN_SUCCESS

    @property
    def is_job_failure(self) -> bool:
        return self.event_type is EventType.RUN_FAILURE

    is_run_failure = is_job_failure

    @property
    def is_job_event(self) -> bool:
        return self.event_type_value.startswith(("PIPELINE_", "RUN_"))

    is_run_event = is_job_event

    @property
    def is_failure(self) -> bool:
        return self.is_job_failure or self.is_step_failure or self.event_type is EventType.RUN_CANCELED

    @property
    def is_hook_event(self) -> bool:
        return self.event_type in HOOK_EVENTS

    @property
    def is_alert_event(self) -> bool:
        return self.event_type_value.startswith("ALERT_")

    @property
    def is_asset_failed_to_materialize(self) -> bool:
        return self.event_type is EventType.ASSET_FAILED_TO_MATERIALIZE

    @property
    def is_asset_materialization_planned(self) -> bool:
        return self.event_type is EventType.ASSET_MATERIALIZATION_PLANNED

    @property
    def is_expectation_result(self) -> bool:
        return self.event_type is EventType.STEP_EXPECTATION_RESULT

    @property
    def is_resource_init_failure(self) -> bool:
        return self.event_type is EventType.RESOURCE_INIT_FAILURE

    @property
    def is_step_restarted(self) -> bool:
        return self.event_type is EventType.STEP_RESTARTED

    @property
    def step_materialization_data(self) -> StepMaterializationData:
        return self._data(StepMaterializationData)

    @property
    def step_output_data(self) -> StepOutputData:
        return self._data(StepOutputData)

    @property
    def asset_observation_data(self) -> AssetObservationData:
        return self._data(AssetObservationData)

    @property
    def asset_check_evaluation_data(self) -> AssetCheckEvaluation:
        return self._data(AssetCheckEvaluation)

    @property
    def step_failure_data(self) -> FailureData:
        return self._data(FailureData)

    job_failure_data = step_failure_data

    @property
    def materialization(self) -> AssetMaterialization:
        return self.step_materialization_data.materialization

    @property
    def asset_key(self) -> AssetKey | None:
        match self.event_specific_data:
            case StepMaterializationData(materialization=made):
                return made.asset_key
            case AssetObservationData(asset_observation=seen):
                return seen.asset_key
            case AssetCheckEvaluation(asset_key=key):
                return key
        return None

    @property
    def partition(self) -> str | None:
        match self.event_specific_data:
            case StepMaterializationData(materialization=made):
                return made.partition
            case AssetObservationData(asset_observation=seen):
                return seen.partition
        return None

    def _data(self, kind: type[D]) -> D:
        if not isinstance(self.event_specific_data, kind):
            raise TypeError(f"an event {self.event_type_value} has no {kind.__name__}")
        return self.event_specific_data


@dataclass(frozen=True, slots=True)
class EventLogEntry:
    """A line of a run's log: an event, or what user code logged."""

    error_info: ErrorInfo | None
    level: int | str
    user_message: str
    run_id: str
    timestamp: float
    """Seconds since 1970."""
    step_key: str | None = None
    job_name: str | None = None
    dagster_event: Event | None = None

    @property
    def is_dagster_event(self) -> bool:
        return self.dagster_event is not None

    @property
    def dagster_event_type(self) -> EventType | None:
        return self.dagster_event.event_type if self.dagster_event is not None else None

    def get_dagster_event(self) -> Event:
        """The event; raises ValueError for a line of user code."""
        if self.dagster_event is None:
            raise ValueError("this is a line that user code logged, not an event")
        return self.dagster_event

    @property
    def message(self) -> str:
        return self.user_message or (self.dagster_event.message if self.dagster_event is not None else None) or ""

    @property
    def asset_materialization(self) -> AssetMaterialization | None:
        data = self.dagster_event.event_specific_data if self.dagster_event is not None else None
        return data.materialization if isinstance(data, StepMaterializationData) else None

    @property
    def asset_observation(self) -> AssetObservation | None:
        data = self.dagster_event.event_specific_data if self.dagster_event is not None else None
        return data.asset_observation if isinstance(data, AssetObservationData) else None

    @property
    def asset_check_evaluation(self) -> AssetCheckEvaluation | None:
        data = self.dagster_event.event_specific_data if self.dagster_event is not None else None
        return data if isinstance(data, AssetCheckEvaluation) else None

    @property
    def asset_key(self) -> AssetKey | None:
        return self.dagster_event.asset_key if self.dagster_event is not None else None

    @property
    def tags(self) -> Mapping[str, str] | None:
        made = self.asset_materialization or self.asset_observation
        return made.tags if made is not None else None


@dataclass(frozen=True, slots=True)
class EventLogRecord:
    """An event with its place in the log of the deployment."""

    storage_id: int
    event_log_entry: EventLogEntry

    @property
    def run_id(self) -> str:
        return self.event_log_entry.run_id

    @property
    def timestamp(self) -> float:
        return self.event_log_entry.timestamp

    @property
    def asset_key(self) -> AssetKey | None:
        return self.event_log_entry.asset_key

    @property
    def partition_key(self) -> str | None:
        event = self.event_log_entry.dagster_event
        return event.partition if event is not None else None

    @property
    def asset_materialization(self) -> AssetMaterialization | None:
        return self.event_log_entry.asset_materialization

    @property
    def asset_observation(self) -> AssetObservation | None:
        return self.event_log_entry.asset_observation

    @property
    def event_type(self) -> EventType | None:
        return self.event_log_entry.dagster_event_type


def entry(stored: StoredEvent) -> EventLogEntry:
    """A stored event as a line of the log."""
    payload = stored.event.payload
    error = getattr(payload, "error", None)
    seen = event_view(stored.event, stored.job_name or ASSET_JOB)
    level = payload.level if isinstance(payload, e.LogMessage | e.EngineMessage) else e.LogLevel.DEBUG
    return EventLogEntry(
        error_info=error,
        level=int(level),
        user_message=payload.message if isinstance(payload, e.LogMessage) else "",
        run_id=stored.run_id or "",
        timestamp=stored.event.time.timestamp(),
        step_key=stored.event.step_key,
        job_name=stored.job_name or ASSET_JOB,
        dagster_event=None if isinstance(payload, e.LogMessage) else seen,
    )


def record(stored: StoredEvent) -> EventLogRecord:
    """A stored event with its place."""
    return EventLogRecord(storage_id=stored.event_id, event_log_entry=entry(stored))


def event_view(event: e.RunEvent, job_name: str) -> Event:
    """One of our events as user code sees it."""
    data, message = _data_of(event.payload, event.step_key)
    step = StepHandle.of(event.step_key) if event.step_key is not None else None
    return Event(
        event_type_value=type_of(event.payload).value,
        job_name=job_name,
        step_handle=step,
        node_handle=step.node_handle if step is not None else None,
        step_kind_value="COMPUTE" if step is not None else None,
        event_specific_data=data,
        message=message,
        step_key=event.step_key,
        pid=getattr(event.payload, "pid", None),
        recorded=event,
    )


def event_views(event: e.RunEvent, job_name: str) -> tuple[Event, ...]:
    """The same for the results of runs, where that a step gave an output, and that it was stored, are told one after the other."""
    seen = event_view(event, job_name)
    if not isinstance(event.payload, e.OutputStored) or event.step_key is None:
        return (seen,)
    handle = StepOutputHandle(event.step_key, event.payload.output_name, event.payload.mapping_key)
    given = StepOutputData(handle, event.payload.metadata)
    said = f"Yielded output {handle.output_name!r}."
    return (replace(seen, event_type_value=EventType.STEP_OUTPUT.value, event_specific_data=given, message=said), seen)


def materialization(payload: e.AssetMaterialized) -> AssetMaterialization:
    """The materialization as its author would have written it, with versions in its tags."""
    tags = {**payload.tags, **({"dagster/data_version": payload.data_version} if payload.data_version else {})}
    tags |= {"dagster/code_version": payload.code_version} if payload.code_version else {}
    partition = format_partition(payload.partition) if payload.partition else None
    return AssetMaterialization(payload.asset_key, payload.description, payload.metadata, partition, tags)


def _data_of(payload: e.Payload, step_key: str | None) -> tuple[Any, str | None]:
    match payload:
        case e.AssetMaterialized():
            return StepMaterializationData(materialization(payload)), f"Materialized value {payload.asset_key.to_user_string()}."
        case e.AssetObserved():
            tags = {**payload.tags, **({"dagster/data_version": payload.data_version} if payload.data_version else {})}
            partition = format_partition(payload.partition) if payload.partition else None
            seen = AssetObservation(
                payload.asset_key, description=payload.description, metadata=payload.metadata, partition=partition, tags=tags
            )
            return AssetObservationData(seen), f"Observed {payload.asset_key.to_user_string()}."
        case e.CheckEvaluated(check_key=key):
            found = AssetCheckEvaluation(
                asset_key=key.asset_key,
                check_name=key.name,
                passed=payload.passed,
                metadata=payload.metadata,
                severity=payload.severity,
                description=payload.description,
                blocking=payload.blocking,
            )
            return found, f"Asset check {key.name!r} of {key.asset_key.to_user_string()} {'passed' if payload.passed else 'did not pass'}."
        case e.RunFailed():
            steps = ", ".join(payload.failed_steps)
            said = payload.reason or (payload.error.message if payload.error is not None else f"Steps failed: {steps}.")
            return FailureData(payload.error, payload.failed_steps, payload.reason), said
        case e.StepFailed() | e.StepRetrying():
            return of_step(payload.error, step_key), payload.error.message
        case e.LogMessage() | e.EngineMessage():
            return None, payload.message
        case e.StepSkipped():
            return payload, payload.reason
    return payload, None
