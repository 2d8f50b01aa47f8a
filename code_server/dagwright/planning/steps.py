"""The steps of a run, as planning leaves them and execution takes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from dagwright.planning.state import Need, Node
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.events import PlannedStep
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.keys import UNPARTITIONED, AssetCheckKey, AssetKey, PartitionKey, RunId, StepKey
from dagwright_shared.model.partitions import Partitions
from dagwright_shared.model.snapshot import PartitionMappingData, RetryPolicyData

if TYPE_CHECKING:
    from dagwright.authoring.executors import ExecutorDefinition
    from dagwright.authoring.hooks import HookDefinition
    from dagwright.authoring.jobs import JobDefinition
    from dagwright.authoring.mappings import OwnMapping
    from dagwright.authoring.ops import OpDefinition


@dataclass(frozen=True, slots=True)
class Level:
    """A dynamic output: what is mapped over it exists once for each of its mapping keys."""

    step: StepKey
    output: str


Path: TypeAlias = tuple[str, ...]
"""A mapping key for each level, the outermost first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FromOutput:
    """An output of another step of this run, or of the run that this one stands on."""

    step: StepKey
    output: str
    io_manager_key: str = "io_manager"
    run_id: RunId | None = None
    """The earlier run that stored it; None: this run."""
    scope: tuple[Level, ...] = ()
    """The levels over which there are many of it; none once it is clear which one is meant."""
    mapping_key: str | None = None
    """Which value of a dynamic output."""
    metadata: Mapping[str, Any] = field(default_factory=dict, compare=False)
    """The output's definition metadata, which some IO managers read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FromCollected:
    """All values of an output over its last levels, known only once the steps that make the levels are done."""

    source: FromOutput
    levels: int = 1

    @property
    def scope(self) -> tuple[Level, ...]:
        return self.source.scope[: -self.levels]

    @property
    def io_manager_key(self) -> str:
        return self.source.io_manager_key


@dataclass(frozen=True, slots=True, kw_only=True)
class FromAsset:
    """An asset, loaded by its IO manager, whether or not this run makes it."""

    asset_key: AssetKey
    io_manager_key: str = "io_manager"
    partitions: Partitions | None = None
    """Of the upstream asset."""
    mapping: PartitionMappingData | None = None
    own_mapping: OwnMapping | None = None
    """In place of `mapping`, where its class is the user's."""
    made_here: FromOutput | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """The upstream's definition metadata, which some IO managers read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FromValue:
    """A value that is known: a default, or one given in config."""

    value: Any
    where: Literal["default", "config", "loader"] = "default"
    """`loader`: it is config, of which the loader of the input's type makes the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FromMany:
    """Several outputs, collected into a list."""

    sources: tuple[Single, ...]


Single: TypeAlias = FromOutput | FromAsset | FromValue | FromCollected
Source: TypeAlias = Single | FromMany


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedInput:
    name: str
    source: Source
    io_manager_key: str | None = None
    """Loads the input in place of the IO manager that stored it."""
    annotation: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    nothing: bool = False
    """It carries order only: nothing is loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedOutput:
    name: str
    io_manager_key: str = "io_manager"
    required: bool = True
    dynamic: bool = False
    annotation: Any = None
    nothing: bool = False
    """Declared to hold no value: nothing is stored."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    asset_key: AssetKey | None = None
    partitions: Partitions | None = None
    code_version: str | None = None
    selected: bool = True
    """False: an output of a multi-asset that this run did not ask for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedCheck:
    key: AssetCheckKey
    blocking: bool = False
    output_name: str | None = None
    """The output that carries the verdict, where the check is an op of its own."""
    selected: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One call of one op, in its place in the run."""

    key: StepKey
    op: OpDefinition
    kind: str = "op"
    """`op`, `asset` or `check`."""
    inputs: tuple[PlannedInput, ...] = ()
    outputs: tuple[PlannedOutput, ...] = ()
    checks: tuple[PlannedCheck, ...] = ()
    after: tuple[Need, ...] = ()
    """What must have happened before, beyond the inputs: assets in `deps`, blocking checks, order-only inputs."""
    order_only_assets: tuple[FromAsset, ...] = ()
    """Assets that it depends on without loading them; their versions count for its own."""
    config: Any = None
    """What the op's function receives as its config."""
    raw_config: JsonValue = None
    retry_policy: RetryPolicyData | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    partitions: Partitions | None = None
    partition_keys: tuple[PartitionKey, ...] = ()
    """The partitions that it makes or reads: one, those of a range in order, or none."""
    assets: Any = None
    """The AssetsDefinition that the step belongs to, for `context.assets_def`."""
    timeout_seconds: float | None = None
    """How long one attempt may take; it is ended, and counts as failed, when it takes longer."""
    executor: ExecutorDefinition | None = None
    """In place of the run's."""
    step_group: str | None = None
    """Steps of one group run in one process, one after another."""
    hooks: tuple[HookDefinition, ...] = ()
    """Called once an attempt is over, in this order."""
    scope: tuple[Level, ...] = ()
    """The dynamic outputs that it is mapped over; such a step is a pattern, which runs once for each path of mapping keys."""
    path: Path = ()
    """Of a step that was made from a pattern: its mapping keys."""
    pattern: StepKey | None = None
    """The key of the step that it was made from."""

    @property
    def pool(self) -> str | None:
        """The pool whose slots it needs to run."""
        return self.op.pool

    @property
    def partition(self) -> PartitionKey:
        """The one partition, or the first one of a range."""
        return self.partition_keys[0] if self.partition_keys else UNPARTITIONED

    @property
    def asset_keys(self) -> tuple[AssetKey, ...]:
        return tuple(o.asset_key for o in self.outputs if o.asset_key is not None and o.selected)

    @property
    def check_keys(self) -> tuple[AssetCheckKey, ...]:
        return tuple(check.key for check in self.checks if check.selected)

    @property
    def resource_keys(self) -> frozenset[str]:
        """What must be set up before it may run, IO managers included."""
        keys = set(self.op.required_resource_keys)
        for hook in self.hooks:
            keys.update(hook.required_resource_keys)
        keys.update(o.io_manager_key for o in self.outputs if not o.nothing and o.selected)
        for planned in self.inputs:
            for source in () if planned.nothing else flat(planned.source):
                if not isinstance(source, FromValue):
                    keys.add(planned.io_manager_key or source.io_manager_key)
        return frozenset(keys)

    @property
    def group(self) -> tuple[str, Path] | None:
        """Its step group; of mapped steps there is one for each path of mapping keys."""
        return None if self.step_group is None else (self.step_group, self.path)

    def output(self, name: str) -> PlannedOutput | None:
        return next((o for o in self.outputs if o.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionPlan:
    """What a run will do, decided before it starts. Making one calls no user code but config classes."""

    job_name: str | None
    """None: assets picked freely."""
    steps: tuple[Step, ...]
    partition_keys: tuple[PartitionKey, ...] = ()
    """What the run covers: one partition, those of a range in order, or none."""
    partition_end: PartitionKey | None = None
    """The last one, where a range was asked for, be it of one partition."""
    partitions: Partitions | None = None
    config: Mapping[str, JsonValue] = field(default_factory=dict)
    """The whole run config, defaults of the job merged in."""
    resources: Mapping[str, Any] = field(default_factory=dict)
    """The resource definitions in force, by key."""
    executor: ExecutorDefinition | None = None
    """Of the steps that name no other."""
    job: JobDefinition | None = None
    loggers: Mapping[str, Any] = field(default_factory=dict)
    """The LoggerDefinitions in force, by key."""
    inherited: Mapping[StepKey, RunId] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    chosen: frozenset[StepKey] | None = None
    """Of the steps that are made from patterns, those to run; None: all."""

    @property
    def partition(self) -> PartitionKey:
        """The one partition, or the first one of a range."""
        return self.partition_keys[0] if self.partition_keys else UNPARTITIONED

    def step(self, key: str) -> Step:
        for step in self.steps:
            if step.key == key:
                return step
        raise LookupError(f"the plan has no step {key!r}")

    @property
    def asset_keys(self) -> tuple[AssetKey, ...]:
        return tuple(key for step in self.steps for key in step.asset_keys)


def flat(source: Source) -> tuple[Single, ...]:
    """The single sources of an input."""
    return source.sources if isinstance(source, FromMany) else (source,)


def node(step: Step) -> Node:
    """The step as the scheduler of the run sees it."""
    needs: dict[Need, None] = {}
    groups = []
    for planned in step.inputs:
        found = [need for source in flat(planned.source) if (need := _need(source)) is not None]
        if isinstance(planned.source, FromMany):
            groups.append(tuple(found))
        else:
            needs.update(dict.fromkeys(found))
    needs.update(dict.fromkeys(step.after))
    held = any(isinstance(source, FromCollected) for planned in step.inputs for source in flat(planned.source))
    return Node(
        key=step.key,
        needs=tuple(needs),
        any_of=() if held else tuple(g for g in groups if g),
        retry_policy=step.retry_policy,
        held=held,
    )


def _need(source: Single) -> Need | None:
    match source:
        case FromOutput():
            return Need(step=source.step, output=source.output)
        case FromAsset(made_here=FromOutput() as made):
            return Need(step=made.step, output=made.output)
        case _:
            return None


def planned(steps: tuple[Step, ...]) -> tuple[PlannedStep, ...]:
    """The steps as the run's page shows them; a step that is mapped over a dynamic output has a `?` for its mapping key."""
    shown = {step.key: StepKey(step.key + "[?]" * len(step.scope)) for step in steps}
    return tuple(planned_step(step, shown[step.key], [shown[key] for key in upstream(step) if key in shown]) for step in steps)


def upstream(step: Step) -> tuple[StepKey, ...]:
    """The steps that a step waits for, as far as they are known; of what it collects, the steps that are collected."""
    needs = [need.step for planned in step.inputs for source in flat(planned.source) if (need := _need(source)) is not None]
    for planned in step.inputs:
        for source in flat(planned.source):
            if isinstance(source, FromCollected):
                needs += (source.source.step, *(level.step for level in source.source.scope))
    return tuple(dict.fromkeys((*needs, *(level.step for level in step.scope), *(need.step for need in step.after))))


def planned_step(step: Step, key: StepKey, depends_on: Iterable[StepKey]) -> PlannedStep:
    """A step as the run's page shows it."""
    return PlannedStep(
        key=key,
        op_name=step.op.name,
        kind=step.kind,
        depends_on=tuple(depends_on),
        asset_keys=step.asset_keys,
        check_keys=step.check_keys,
        executor=step.executor.name if step.executor is not None else None,
        step_group=step.step_group,
    )
