"""The steps of a run, as planning leaves them and execution takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from dagwright.planning.state import Need, Node
from dagwright_shared.model.events import PlannedStep
from dagwright_shared.model.keys import UNPARTITIONED, AssetCheckKey, AssetKey, PartitionKey, RunId, StepKey
from dagwright_shared.model.metadata import JsonValue
from dagwright_shared.model.partitions import Partitions
from dagwright_shared.model.snapshot import PartitionMappingData, RetryPolicyData

if TYPE_CHECKING:
    from dagwright.authoring.ops import OpDefinition


@dataclass(frozen=True, slots=True, kw_only=True)
class FromOutput:
    """An output of another step of this run, or of the run that this one stands on."""

    step: StepKey
    output: str
    io_manager_key: str = "io_manager"
    run_id: RunId | None = None
    """The earlier run that stored it; None: this run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FromAsset:
    """An asset, loaded by its IO manager, whether or not this run makes it."""

    asset_key: AssetKey
    io_manager_key: str = "io_manager"
    partitions: Partitions | None = None
    """Of the upstream asset."""
    mapping: PartitionMappingData | None = None
    made_here: FromOutput | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """The upstream's definition metadata, which some IO managers read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FromValue:
    """A value that is known: a default, or one given in config."""

    value: Any
    where: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class FromMany:
    """Several outputs, collected into a list."""

    sources: tuple[FromOutput | FromAsset | FromValue, ...]


Source: TypeAlias = FromOutput | FromAsset | FromValue | FromMany


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedInput:
    name: str
    source: Source
    io_manager_key: str | None = None
    """Loads the input in place of the IO manager that stored it."""
    annotation: Any = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


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
    partition: PartitionKey = UNPARTITIONED
    assets: Any = None
    """The AssetsDefinition that the step belongs to, for `context.assets_def`."""

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
        keys.update(o.io_manager_key for o in self.outputs if not o.nothing and o.selected)
        for planned in self.inputs:
            for source in flat(planned.source):
                if not isinstance(source, FromValue):
                    keys.add(planned.io_manager_key or source.io_manager_key)
        return frozenset(keys)

    def output(self, name: str) -> PlannedOutput | None:
        return next((o for o in self.outputs if o.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionPlan:
    """What a run will do, decided before it starts. Making one calls no user code but config classes."""

    job_name: str | None
    """None: assets picked freely."""
    steps: tuple[Step, ...]
    partition: PartitionKey = UNPARTITIONED
    partitions: Partitions | None = None
    config: Mapping[str, JsonValue] = field(default_factory=dict)
    """The whole run config, defaults of the job merged in."""
    resources: Mapping[str, Any] = field(default_factory=dict)
    """The resource definitions in force, by key."""
    executor: Any = None
    """The ExecutorDefinition in force."""
    inherited: Mapping[StepKey, RunId] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)

    def step(self, key: str) -> Step:
        for step in self.steps:
            if step.key == key:
                return step
        raise LookupError(f"the plan has no step {key!r}")

    @property
    def asset_keys(self) -> tuple[AssetKey, ...]:
        return tuple(key for step in self.steps for key in step.asset_keys)


def flat(source: Source) -> tuple[FromOutput | FromAsset | FromValue, ...]:
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
    return Node(key=step.key, needs=tuple(needs), any_of=tuple(g for g in groups if g), retry_policy=step.retry_policy)


def _need(source: FromOutput | FromAsset | FromValue) -> Need | None:
    match source:
        case FromOutput():
            return Need(step=source.step, output=source.output)
        case FromAsset(made_here=FromOutput() as made):
            return Need(step=made.step, output=made.output)
        case _:
            return None


def planned(steps: tuple[Step, ...]) -> tuple[PlannedStep, ...]:
    """The steps as the run's page shows them."""
    own = {step.key for step in steps}
    result = []
    for step in steps:
        order = node(step)
        upstream = dict.fromkeys(n.step for n in (*order.needs, *(n for group in order.any_of for n in group)) if n.step in own)
        result.append(
            PlannedStep(
                key=step.key,
                op_name=step.op.name,
                kind=step.kind,
                depends_on=tuple(upstream),
                asset_keys=step.asset_keys,
                check_keys=step.check_keys,
            )
        )
    return tuple(result)
