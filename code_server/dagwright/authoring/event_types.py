"""What events tell: their types, by the names that projects compare with."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from dagwright_shared.model import events as e


class EventType(StrEnum):
    """What an event tells. The values are those that projects compare text with."""

    RUN_START = "PIPELINE_START"
    RUN_SUCCESS = "PIPELINE_SUCCESS"
    RUN_FAILURE = "PIPELINE_FAILURE"
    RUN_CANCELED = "PIPELINE_CANCELED"
    RUN_ENQUEUED = "PIPELINE_ENQUEUED"
    RUN_DEQUEUED = "PIPELINE_DEQUEUED"
    RUN_STARTING = "PIPELINE_STARTING"
    RUN_CANCELING = "PIPELINE_CANCELING"
    STEP_START = "STEP_START"
    STEP_SUCCESS = "STEP_SUCCESS"
    STEP_FAILURE = "STEP_FAILURE"
    STEP_UP_FOR_RETRY = "STEP_UP_FOR_RETRY"
    STEP_SKIPPED = "STEP_SKIPPED"
    STEP_CANCELED = "STEP_CANCELED"
    LOADED_INPUT = "LOADED_INPUT"
    HANDLED_OUTPUT = "HANDLED_OUTPUT"
    ASSET_MATERIALIZATION = "ASSET_MATERIALIZATION"
    ASSET_OBSERVATION = "ASSET_OBSERVATION"
    ASSET_FAILED_TO_MATERIALIZE = "ASSET_FAILED_TO_MATERIALIZE"
    ASSET_CHECK_EVALUATION = "ASSET_CHECK_EVALUATION"
    FRESHNESS_STATE_CHANGE = "FRESHNESS_STATE_CHANGE"
    HOOK_COMPLETED = "HOOK_COMPLETED"
    HOOK_ERRORED = "HOOK_ERRORED"
    ENGINE_EVENT = "ENGINE_EVENT"
    STEP_OUTPUT = "STEP_OUTPUT"
    """In the result of a run in this process, before each HANDLED_OUTPUT; it is not stored."""
    # Told by the run itself, its steps and its messages, not by events, or of what is not here: none is ever found.
    STEP_INPUT = "STEP_INPUT"
    STEP_RESTARTED = "STEP_RESTARTED"
    STEP_EXPECTATION_RESULT = "STEP_EXPECTATION_RESULT"
    STEP_WORKER_STARTING = "STEP_WORKER_STARTING"
    STEP_WORKER_STARTED = "STEP_WORKER_STARTED"
    RESOURCE_INIT_STARTED = "RESOURCE_INIT_STARTED"
    RESOURCE_INIT_SUCCESS = "RESOURCE_INIT_SUCCESS"
    RESOURCE_INIT_FAILURE = "RESOURCE_INIT_FAILURE"
    LOGS_CAPTURED = "LOGS_CAPTURED"
    ASSET_MATERIALIZATION_PLANNED = "ASSET_MATERIALIZATION_PLANNED"
    ASSET_CHECK_EVALUATION_PLANNED = "ASSET_CHECK_EVALUATION_PLANNED"
    ASSET_HEALTH_CHANGED = "ASSET_HEALTH_CHANGED"
    ASSET_WIPED = "ASSET_WIPED"
    ASSET_STORE_OPERATION = "ASSET_STORE_OPERATION"
    OBJECT_STORE_OPERATION = "OBJECT_STORE_OPERATION"
    FRESHNESS_STATE_EVALUATION = "FRESHNESS_STATE_EVALUATION"
    HOOK_SKIPPED = "HOOK_SKIPPED"
    ALERT_START = "ALERT_START"
    ALERT_SUCCESS = "ALERT_SUCCESS"
    ALERT_FAILURE = "ALERT_FAILURE"
    RUN_SUSPENDED = "RUN_SUSPENDED"
    RUN_RESUMED = "RUN_RESUMED"
    CODE_LOCATION_UPDATED = "CODE_LOCATION_UPDATED"
    LOG_MESSAGE = "LOG_MESSAGE"
    """A line that user code logged; it has no `dagster_event`."""

    PIPELINE_START = "PIPELINE_START"
    PIPELINE_SUCCESS = "PIPELINE_SUCCESS"
    PIPELINE_FAILURE = "PIPELINE_FAILURE"
    PIPELINE_CANCELED = "PIPELINE_CANCELED"
    PIPELINE_ENQUEUED = "PIPELINE_ENQUEUED"
    PIPELINE_DEQUEUED = "PIPELINE_DEQUEUED"
    PIPELINE_STARTING = "PIPELINE_STARTING"
    PIPELINE_CANCELING = "PIPELINE_CANCELING"


STEP_EVENTS = frozenset(
    {
        EventType.STEP_START,
        EventType.STEP_SUCCESS,
        EventType.STEP_FAILURE,
        EventType.STEP_UP_FOR_RETRY,
        EventType.STEP_SKIPPED,
        EventType.STEP_CANCELED,
        EventType.STEP_RESTARTED,
        EventType.STEP_INPUT,
        EventType.STEP_OUTPUT,
        EventType.STEP_EXPECTATION_RESULT,
        EventType.LOADED_INPUT,
        EventType.HANDLED_OUTPUT,
        EventType.OBJECT_STORE_OPERATION,
        EventType.ASSET_MATERIALIZATION,
        EventType.ASSET_OBSERVATION,
        EventType.ASSET_CHECK_EVALUATION,
    }
)
HOOK_EVENTS = frozenset({EventType.HOOK_COMPLETED, EventType.HOOK_ERRORED, EventType.HOOK_SKIPPED})

_KINDS: Mapping[type, EventType] = {
    e.RunStarted: EventType.RUN_START,
    e.RunSucceeded: EventType.RUN_SUCCESS,
    e.RunFailed: EventType.RUN_FAILURE,
    e.RunCanceled: EventType.RUN_CANCELED,
    e.StepStarted: EventType.STEP_START,
    e.StepSucceeded: EventType.STEP_SUCCESS,
    e.StepFailed: EventType.STEP_FAILURE,
    e.StepRetrying: EventType.STEP_UP_FOR_RETRY,
    e.StepSkipped: EventType.STEP_SKIPPED,
    e.StepCanceled: EventType.STEP_CANCELED,
    e.InputLoaded: EventType.LOADED_INPUT,
    e.OutputStored: EventType.HANDLED_OUTPUT,
    e.AssetMaterialized: EventType.ASSET_MATERIALIZATION,
    e.AssetObserved: EventType.ASSET_OBSERVATION,
    e.AssetFailed: EventType.ASSET_FAILED_TO_MATERIALIZE,
    e.FreshnessChanged: EventType.FRESHNESS_STATE_CHANGE,
    e.CheckEvaluated: EventType.ASSET_CHECK_EVALUATION,
    e.EngineMessage: EventType.ENGINE_EVENT,
    e.StepsPlanned: EventType.ENGINE_EVENT,
    e.LogMessage: EventType.LOG_MESSAGE,
}


def stored_types(event_type: EventType) -> tuple[str, ...]:
    """The names under which events of a type are stored; none for a type that is a state of the run's row, or a message, only."""
    return tuple(e.EVENT_TYPES[kind] for kind, name in _KINDS.items() if name is event_type)


def type_of(payload: e.Payload) -> EventType:
    """The type of what dagwright recorded. What became of a hook is a message that begins with the name of the type."""
    if isinstance(payload, e.EngineMessage):
        began = payload.message.partition(":")[0]
        return next((kind for kind in HOOK_EVENTS if kind.value == began), EventType.ENGINE_EVENT)
    return _KINDS.get(type(payload), EventType.ENGINE_EVENT)
