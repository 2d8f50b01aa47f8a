"""From a graph of ops and graphs to a flat list of steps with dotted keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from dagwright.authoring import executors, value_types
from dagwright.authoring.composition import Edge, Flow, GraphInput, NodeOutput, Origin
from dagwright.authoring.executors import ExecutorDefinition
from dagwright.authoring.graphs import GraphDefinition, retry_policy_of
from dagwright.authoring.ops import In, OpDefinition, Out
from dagwright.authoring.policies import RetryPolicy
from dagwright.planning.config import ConfigReader
from dagwright.planning.state import Need
from dagwright.planning.steps import (
    FromAsset,
    FromCollected,
    FromMany,
    FromOutput,
    FromValue,
    Level,
    PlannedInput,
    PlannedOutput,
    Single,
    Source,
    Step,
    flat,
)
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.keys import PartitionKey, StepKey
from dagwright_shared.model.partitions import Partitions

TIMEOUT_TAG = "dagwright/timeout"
"""Seconds that an attempt of a step may take, where its op says nothing."""
EXECUTOR_TAG = "dagwright/executor"
"""Name of the executor of a step, in place of its op's."""
STEP_GROUP_TAG = "dagwright/step_group"
"""The step group of a step, in place of its op's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What all steps of a graph have in common."""

    retry_policy: RetryPolicy | None = None
    partition_keys: tuple[PartitionKey, ...] = ()
    partitions: Partitions | None = None
    kind: str = "op"
    assets: Any = None
    hooks: frozenset[Any] = frozenset()
    """Of all its steps, beside their own."""
    asset_source: Any = None
    """Makes the source of an `In(asset_key=...)`."""


@dataclass(slots=True)
class Flat:
    """Steps so far, and which of them makes each output of the graph."""

    steps: list[Step] = field(default_factory=list)
    outputs: dict[str, FromOutput] = field(default_factory=dict)


def flatten(
    graph: GraphDefinition,
    *,
    config: ConfigReader,
    defaults: Defaults,
    prefix: str = "",
    given: Mapping[str, Source] | None = None,
    order: tuple[Need, ...] = (),
) -> Flat:
    """The steps of a graph, those of nested graphs included, upstream before downstream.

    Args:
        config: the part of the run config that is about this graph's nodes.
        prefix: the dotted path of the graph, with a dot at its end.
        given: where the graph's inputs come from.
        order: what must have happened before any step of the graph.
    """
    result = Flat()
    made: dict[str, Mapping[str, FromOutput]] = {}
    for name, node in graph.node_dict.items():
        handle = f"{prefix}{name}"
        sources: dict[str, Source] = {}
        after: dict[Need, None] = dict.fromkeys(order)
        for key, wanted in node.definition.ins.items():
            edge = graph.dependencies.get(name, {}).get(key)
            source = _source(edge, made, given or {}) if edge is not None else None
            if source is not None:
                sources[key] = source
            if source is not None and wanted.is_nothing and isinstance(node.definition, GraphDefinition):
                after.update((Need(step=one.step, output=one.output), None) for one in _outputs_of(source))
        own = config.node(name)
        if isinstance(node.definition, GraphDefinition):
            inherited = replace(defaults, hooks=defaults.hooks | node.hook_defs)
            inner = flatten(
                node.definition,
                config=own.of_graph(node.definition),
                defaults=inherited,
                prefix=f"{handle}.",
                given=sources,
                order=tuple(after),
            )
            result.steps += inner.steps
            made[name] = inner.outputs
        else:
            step = op_step(
                node.definition,
                StepKey(handle),
                sources,
                own,
                defaults,
                after=tuple(after),
                tags=node.tags,
                hooks=node.hook_defs,
                retry=retry_policy_of(node, defaults.retry_policy),
            )
            result.steps.append(step)
            made[name] = {o.name: _made(step, o) for o in step.outputs}
    config.done(graph.node_dict)
    for key, origin in graph.outputs.items():
        result.outputs[key] = made[origin.node][origin.output]
    return result


def op_step(  # noqa: PLR0913 - what a step has
    op: OpDefinition,
    key: StepKey,
    sources: Mapping[str, Source],
    config: ConfigReader,
    defaults: Defaults,
    *,
    after: tuple[Need, ...] = (),
    tags: Mapping[str, str] | None = None,
    hooks: frozenset[Any] = frozenset(),
    retry: RetryPolicy | None = None,
) -> Step:
    """One step of an op whose connected inputs are known; the rest comes from config or by default."""
    inputs = []
    for name, wanted in op.ins.items():
        source = sources.get(name)
        if source is None and not wanted.is_nothing:
            source = _unconnected(op, name, wanted, config, defaults)
        if source is not None:
            inputs.append(
                PlannedInput(
                    name=name,
                    source=source,
                    io_manager_key=wanted.input_manager_key,
                    annotation=wanted.dagster_type,
                    metadata=wanted.metadata,
                    nothing=wanted.is_nothing,
                )
            )
    raw, parsed = config.of_op(op)
    all_tags = {**op.tags, **(tags or {})}
    return Step(
        key=key,
        op=op,
        kind=defaults.kind,
        inputs=tuple(inputs),
        outputs=tuple(output(name, out) for name, out in op.outs.items()),
        after=after,
        config=parsed,
        raw_config=raw,
        retry_policy=retry.to_model() if retry is not None else None,
        tags=all_tags,
        hooks=tuple(sorted(defaults.hooks | hooks | op.hook_defs, key=lambda hook: hook.name)),
        timeout_seconds=_timeout(op, all_tags, config),
        executor=_executor(op, all_tags, config),
        step_group=all_tags.get(STEP_GROUP_TAG) or op.step_group,
        scope=_scope(key, inputs, config),
        partitions=defaults.partitions,
        partition_keys=defaults.partition_keys,
        assets=defaults.assets,
    )


def output(name: str, out: Out, **more: Any) -> PlannedOutput:
    """An output as declared, and what its asset adds."""
    values = {
        "name": name,
        "io_manager_key": out.io_manager_key,
        "required": out.is_required,
        "dynamic": out.is_dynamic,
        "annotation": out.dagster_type,
        "nothing": out.is_nothing,
        "metadata": out.metadata,
        "code_version": out.code_version,
    }
    return PlannedOutput(**{**values, **more})


def _unconnected(op: OpDefinition, name: str, wanted: In, config: ConfigReader, defaults: Defaults) -> Source | None:
    own = value_types.own_type(wanted.dagster_type)
    if own is not None and own.loader is not None:
        found, value = config.input_to_load(name, own.loader)
        if found:
            return FromValue(value=value, where="loader")
    else:
        found, value = config.input(name)
    if found:
        return FromValue(value=value, where="config")
    if wanted.asset_key is not None and defaults.asset_source is not None:
        source: FromAsset = defaults.asset_source(wanted.asset_key)
        return source
    if wanted.has_default:
        return FromValue(value=wanted.default_value)
    config.problem(
        f"inputs.{name}",
        f"the input {name!r} of {op.name!r} has no value, and nothing is connected to it: pass it in the graph's body, give the argument "
        "a default value, or give its value here",
        expected='{"value": ...}',
    )
    return None


def _made(step: Step, output: PlannedOutput) -> FromOutput:
    """The output as those downstream see it: a dynamic one has a value for each mapping key."""
    own = (Level(step.key, output.name),) if output.dynamic else ()
    return FromOutput(
        step=step.key, output=output.name, io_manager_key=output.io_manager_key, scope=step.scope + own, metadata=output.metadata
    )


def _scope(key: StepKey, inputs: Sequence[PlannedInput], config: ConfigReader) -> tuple[Level, ...]:
    """What a step is mapped over: all that its inputs are, which must lie within one another."""
    scopes = [one.scope for planned in inputs for one in flat(planned.source) if isinstance(one, FromOutput | FromCollected)]
    widest = max(scopes, key=len, default=())
    for scope in scopes:
        if scope != widest[: len(scope)]:
            config.problem(
                "",
                f"step {key!r} is mapped over two dynamic outputs that are independent of each other: that of {scope[-1].step!r} and that "
                f"of {widest[len(scope) - 1].step!r}; collect one of them, or map inside the other's map",
            )
            return ()
    return widest


def _timeout(op: OpDefinition, tags: Mapping[str, str], config: ConfigReader) -> float | None:
    """Seconds from `timeout=`, or from the tag where there is none."""
    text = tags.get(TIMEOUT_TAG)
    if op.timeout is not None or text is None:
        return op.timeout
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        config.problem("", f"the tag {TIMEOUT_TAG} of {op.name!r} is {text!r}", value=text, expected="seconds, such as 30")
        return None
    return seconds


def _executor(op: OpDefinition, tags: Mapping[str, str], config: ConfigReader) -> ExecutorDefinition | None:
    """That of the tag, or of the op."""
    text = tags.get(EXECUTOR_TAG)
    if text is None:
        return op.executor
    try:
        return executors.of_step(text, f"the tag {EXECUTOR_TAG} of {op.name!r}", op.source)
    except DefinitionError as error:
        config.problem("", str(error), value=text, expected=f"one of {', '.join(executors.BY_NAME)}")
        return None


def _source(edge: Edge, made: Mapping[str, Mapping[str, FromOutput]], given: Mapping[str, Source]) -> Source | None:
    found: list[Single] = []
    for origin in edge.sources:
        source = _origin(origin, made, given)
        if source is not None:
            if not edge.fan_in:
                return source
            found += flat(source)
    return FromMany(sources=tuple(found)) if edge.fan_in else None


def _origin(origin: Origin, made: Mapping[str, Mapping[str, FromOutput]], given: Mapping[str, Source]) -> Source | None:
    match origin:
        case GraphInput(name=name):
            return given.get(name)
        case NodeOutput(flow=Flow.COLLECTED):
            return FromMany(sources=(FromCollected(source=made[origin.node][origin.output], levels=origin.levels),))
        case NodeOutput():
            return made[origin.node][origin.output]


def _outputs_of(source: Source) -> list[FromOutput]:
    found = []
    for one in flat(source):
        if isinstance(one, FromOutput):
            found.append(one)
        elif isinstance(one, FromAsset) and one.made_here is not None:
            found.append(one.made_here)
    return found
