"""Events of a run: a closed union of payloads in one envelope.

The run worker numbers them from `LaunchSpec.first_seq` without gaps; (run, seq) is their identity, so sending one twice is harmless.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import TypeAlias

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import ErrorInfo
from dagwright_shared.model.freshness import FreshnessState
from dagwright_shared.model.keys import UNPARTITIONED, AssetCheckKey, AssetKey, PartitionKey, RunId, StepKey
from dagwright_shared.model.metadata import Metadata


class LogLevel(IntEnum):
    """The numbers of the `logging` module."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40
    CRITICAL = 50


class Severity(StrEnum):
    """How bad a failed check is."""

    WARN = "WARN"
    ERROR = "ERROR"


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a step attempt consumed."""

    cpu_seconds: float
    """User and system time, children included."""
    peak_memory_bytes: int
    """Peak resident set of the process that ran it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    key: StepKey
    op_name: str
    kind: str = "op"
    """`op`, `asset` or `check`."""
    depends_on: tuple[StepKey, ...] = ()
    asset_keys: tuple[AssetKey, ...] = ()
    check_keys: tuple[AssetCheckKey, ...] = ()
    executor: str | None = None
    """Where the step names one of its own."""
    step_group: str | None = None
    """Steps of one group run in one process."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    pid: int
    host: str
    executor: str
    steps: tuple[PlannedStep, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StepsPlanned:
    """The plan has grown: a step is done whose outputs others are mapped over, or it is known what a step collects."""

    steps: tuple[PlannedStep, ...]
    """New ones, and known ones of which more is known now."""
    gone: tuple[StepKey, ...] = ()
    """Placeholders (`op[?]`) that these have taken the place of."""
    first_ordinal: int = 0
    """The place of the first of them in the order of all steps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSucceeded:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFailed:
    error: ErrorInfo | None = None
    """None when steps failed: they carry the errors."""
    failed_steps: tuple[StepKey, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCanceled:
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted:
    attempt: int
    pid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSucceeded:
    attempt: int
    usage: Usage


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailed:
    attempt: int
    error: ErrorInfo
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRetrying:
    attempt: int
    """The attempt that failed."""
    error: ErrorInfo
    delay_seconds: float = 0.0
    usage: Usage | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSkipped:
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepCanceled:
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InputLoaded:
    input_name: str
    io_manager_key: str
    source: str
    """The asset or `step.output` that it came from."""
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputStored:
    output_name: str
    io_manager_key: str
    mapping_key: str | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetMaterialized:
    asset_key: AssetKey
    partition: PartitionKey = UNPARTITIONED
    metadata: Metadata = field(default_factory=dict)
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    data_version: str | None = None
    code_version: str | None = None
    input_data_versions: Mapping[str, str] = field(default_factory=dict)
    """Upstream key, as text, to the data version that was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetObserved:
    asset_key: AssetKey
    partition: PartitionKey = UNPARTITIONED
    metadata: Metadata = field(default_factory=dict)
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    data_version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetFailed:
    """A planned materialization did not happen."""

    asset_key: AssetKey
    partition: PartitionKey = UNPARTITIONED
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FreshnessChanged:
    """An asset stands otherwise by its freshness policy than before. The daemon says so, not a run."""

    asset_key: AssetKey
    state: FreshnessState
    previous: FreshnessState


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckEvaluated:
    check_key: AssetCheckKey
    passed: bool
    partition: PartitionKey = UNPARTITIONED
    severity: Severity = Severity.ERROR
    blocking: bool = False
    description: str | None = None
    metadata: Metadata = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogMessage:
    """A line that user code logged by `context.log` or a managed logger."""

    level: LogLevel
    message: str
    logger: str = "dagwright"
    error: ErrorInfo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineMessage:
    """What dagwright itself has to say of the run."""

    message: str
    level: LogLevel = LogLevel.INFO
    metadata: Metadata = field(default_factory=dict)
    error: ErrorInfo | None = None


Payload: TypeAlias = (
    RunStarted
    | StepsPlanned
    | RunSucceeded
    | RunFailed
    | RunCanceled
    | StepStarted
    | StepSucceeded
    | StepFailed
    | StepRetrying
    | StepSkipped
    | StepCanceled
    | InputLoaded
    | OutputStored
    | AssetMaterialized
    | AssetObserved
    | AssetFailed
    | FreshnessChanged
    | CheckEvaluated
    | LogMessage
    | EngineMessage
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEvent:
    """The envelope. `event_type` is the payload's class name in capitals: `STEP_STARTED`."""

    seq: int
    time: datetime
    step_key: StepKey | None = None
    payload: Payload

    @property
    def event_type(self) -> str:
        return EVENT_TYPES[type(self.payload)]


class LogStream(StrEnum):
    STDOUT = "stdout"
    STDERR = "stderr"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogChunk:
    """Raw output of a step attempt from a byte offset on."""

    step_key: StepKey
    attempt: int
    stream: LogStream
    offset: int
    data: bytes
    truncated: bool = False
    """The cap was reached: what follows was dropped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventBatch:
    """What a worker sends at once for its run; all of it is committed, or none."""

    run_id: RunId
    epoch: int
    events: tuple[RunEvent, ...] = ()
    chunks: tuple[LogChunk, ...] = ()


def _screaming(name: str) -> str:
    return "".join(f"_{letter}" if letter.isupper() else letter.upper() for letter in name).lstrip("_")


EVENT_TYPES: Mapping[type, str] = {kind: _screaming(kind.__name__) for kind in Payload.__args__}
