"""The snapshot of a job: its ops, how they are connected, and what its run config may say."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter
from pydantic.errors import PydanticUserError

from dagwright.authoring import value_types
from dagwright.authoring.assets import AssetsDefinition
from dagwright.authoring.checks import AssetChecksDefinition
from dagwright.authoring.composition import GraphInput, Node, NodeOutput, Origin
from dagwright.authoring.executors import ExecutorDefinition
from dagwright.authoring.graphs import GraphDefinition, retry_policy_of
from dagwright.authoring.jobs import JobDefinition
from dagwright.authoring.ops import In, OpDefinition
from dagwright.authoring.resolution import ResolvedDefinitions
from dagwright.authoring.signatures import type_name
from dagwright.planning import step_groups
from dagwright.planning.flatten import EXECUTOR_TAG, STEP_GROUP_TAG
from dagwright_shared.model import run_config
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.run_config import NodeConfig
from dagwright_shared.model.snapshot import EdgeSnapshot, JobSnapshot, JsonSchema, NodeSnapshot, PortSnapshot, ResourceSnapshot


def of_job(job: JobDefinition, resolved: ResolvedDefinitions, resources: Sequence[ResourceSnapshot]) -> JobSnapshot:
    """The snapshot of a job of ops or of assets."""
    if job.graph is not None:
        nodes, edges = _flat(job, job.graph)
        configs: Iterable[NodeConfig] = _configs(job.graph, ())
    else:
        nodes, edges = _asset_nodes(job, resolved)
        configs = list(_asset_configs(nodes, job, resolved))
    needed = {key for node in nodes for key in node.resource_keys}
    executor: ExecutorDefinition = job.executor_def or resolved.executor
    _check_groups(job, nodes, edges, executor)
    return JobSnapshot(
        name=job.name,
        description=job.description,
        nodes=tuple(nodes),
        edges=tuple(edges),
        asset_keys=job.asset_keys,
        check_keys=job.check_keys,
        partitions=job.partitions_def.to_model() if job.partitions_def is not None else None,
        tags=job.tags,
        run_tags=job.run_tags,
        metadata=job.metadata,
        owners=tuple(job.owners or ()),
        config_schema=_schema(job, configs, resources),
        default_config=job.config,
        executor=executor.name,
        resource_keys=tuple(sorted(needed)),
        source=job.source,
    )


def _check_groups(job: JobDefinition, nodes: Sequence[NodeSnapshot], edges: Sequence[EdgeSnapshot], executor: ExecutorDefinition) -> None:
    """Refuse step groups that cannot be. What is mapped over what is not known here; the plan of a run sees to that."""
    if not any(node.step_group for node in nodes):
        return
    upstream: dict[str, list[str]] = {}
    for edge in edges:
        upstream.setdefault(edge.to_node, []).append(edge.from_node)
    members = [
        step_groups.Member(
            key=node.handle,
            upstream=upstream.get(node.handle, ()),
            group=node.step_group,
            executor=node.executor or executor.name,
        )
        for node in nodes
    ]
    for _, message in step_groups.troubles(members):
        raise DefinitionError(f"job {job.name!r}: {message}", source=job.source)


def _schema(job: JobDefinition, configs: Iterable[NodeConfig], resources: Sequence[ResourceSnapshot]) -> JsonSchema:
    if job.config_mapping is not None:
        return job.config_mapping.config_schema
    by_partition = job.partitioned_config is not None
    mapping = job.graph.config_mapping if job.graph is not None else None
    if mapping is None:
        whole: dict[str, Any] = dict(run_config.compose(configs, resources))
    else:
        # What the mapping takes stands where an op of that name would: `{"ops": {"config": ...}}`.
        whole = dict(run_config.compose([NodeConfig(path=("mapped",), config=mapping.config_schema)], resources))
        properties: Any = whole["properties"]
        whole["properties"] = {**properties, "ops": properties["ops"]["properties"]["mapped"]}
    graph = job.graph
    if graph is not None and (names := graph.fed_by_config(job.input_values)):
        inputs = run_config.inputs_schema({name: _input_schema(graph.ins[name]) for name in names})
        whole["properties"] = {**whole["properties"], "inputs": inputs}
        whole["required"] = [*whole.get("required", ()), "inputs"]
    if by_partition:
        whole.pop("required", None)  # the partition gives it
    return whole


# ---- jobs of ops


def _flat(job: JobDefinition, graph: GraphDefinition) -> tuple[list[NodeSnapshot], list[EdgeSnapshot]]:
    nodes = [_node(handle, op, node, job) for handle, op, node in graph.walk()]
    return nodes, list(_edges(graph, "", {}))


def _node(handle: str, op: OpDefinition, node: Node, job: JobDefinition) -> NodeSnapshot:
    policy = retry_policy_of(node, job.op_retry_policy)
    return NodeSnapshot(
        handle=handle,
        op_name=op.name,
        description=op.description,
        inputs=tuple(
            PortSnapshot(name=name, type_name=type_name(given.dagster_type), description=given.description, required=not given.has_default)
            for name, given in op.ins.items()
        ),
        outputs=tuple(
            PortSnapshot(
                name=name,
                type_name=type_name(out.dagster_type),
                description=out.description,
                required=out.is_required,
                dynamic=out.is_dynamic,
            )
            for name, out in op.outs.items()
        ),
        config_schema=op.config_schema,
        resource_keys=tuple(sorted(op.required_resource_keys)),
        tags={**op.tags, **node.tags},
        retry_policy=policy.to_model() if policy is not None else None,
        pool=op.pool,
        executor=_executor({**op.tags, **node.tags}, op),
        step_group=node.tags.get(STEP_GROUP_TAG) or op.tags.get(STEP_GROUP_TAG) or op.step_group,
        source=op.source,
    )


def _executor(tags: Mapping[str, str], op: OpDefinition) -> str | None:
    return tags.get(EXECUTOR_TAG) or (op.executor.name if op.executor is not None else None)


def _edges(graph: GraphDefinition, prefix: str, given: dict[str, list[tuple[str, str]]]) -> Iterator[EdgeSnapshot]:
    """Edges between ops, through the borders of nested graphs.

    Args:
        given: what feeds the graph's own inputs, as (op, output).
    """
    for name, node in graph.node_dict.items():
        feeds = {
            key: [found for origin in edge.sources for found in _origins(graph, origin, prefix, given)]
            for key, edge in graph.dependencies.get(name, {}).items()
        }
        if isinstance(node.definition, GraphDefinition):
            yield from _edges(node.definition, f"{prefix}{name}.", feeds)
            continue
        for key, sources in feeds.items():
            for op, output in sources:
                yield EdgeSnapshot(from_node=op, from_output=output, to_node=f"{prefix}{name}", to_input=key)


def _origins(graph: GraphDefinition, origin: Origin, prefix: str, given: dict[str, list[tuple[str, str]]]) -> list[tuple[str, str]]:
    if isinstance(origin, GraphInput):
        return given.get(origin.name, [])
    return [_source(graph, origin, prefix)]


def _source(graph: GraphDefinition, origin: NodeOutput, prefix: str) -> tuple[str, str]:
    """The op whose output it is, inside whatever graph."""
    node = graph.node_dict[origin.node]
    if isinstance(node.definition, GraphDefinition):
        return _source(node.definition, node.definition.outputs[origin.output], f"{prefix}{origin.node}.")
    return f"{prefix}{origin.node}", origin.output


def _configs(graph: GraphDefinition, path: tuple[str, ...]) -> Iterator[NodeConfig]:
    for name, node in graph.node_dict.items():
        if name in graph.config:
            continue  # fixed by the graph
        if isinstance(node.definition, GraphDefinition) and node.definition.config_mapping is not None:
            yield NodeConfig(path=(*path, name), config=node.definition.config_mapping.config_schema)
            continue
        if isinstance(node.definition, GraphDefinition):
            yield from _configs(node.definition, (*path, name))
            continue
        edges = graph.dependencies.get(name, {})
        inputs = {key: _input_schema(given) for key, given in node.definition.ins.items() if key not in edges and not _is_fed(given)}
        yield NodeConfig(path=(*path, name), config=node.definition.config_schema, inputs=inputs)


def _is_fed(given: In) -> bool:
    return given.has_default or given.is_nothing or given.asset_key is not None or given.input_manager_key is not None


def _input_schema(given: In) -> JsonSchema:
    """What run config has to give for it; a class that JSON cannot carry is told of when the run is asked for."""
    own = value_types.own_type(given.dagster_type)
    if own is not None and own.loader is not None:
        return own.loader.config_type().json_schema
    kind = own.typing_type if own is not None else given.dagster_type
    try:
        schema: dict[str, Any] = TypeAdapter(kind if kind is not None else Any).json_schema()
    except PydanticUserError:
        return {}
    return schema


# ---- jobs of assets


def _asset_nodes(job: JobDefinition, resolved: ResolvedDefinitions) -> tuple[list[NodeSnapshot], list[EdgeSnapshot]]:
    """One node for each op that the job runs; what an asset is like is said by its own snapshot."""
    picked: dict[int, tuple[Any, list[AssetKey], list[AssetCheckKey]]] = {}
    for key in job.asset_keys:
        definition = resolved.assets_by_key[key]
        picked.setdefault(id(definition), (definition, [], []))[1].append(key)
    for check in job.check_keys:
        owner = resolved.checks_by_key[check]
        picked.setdefault(id(owner), (owner, [], []))[2].append(check)
    nodes: list[NodeSnapshot] = []
    edges: list[EdgeSnapshot] = []
    makers = {key: (definition.name, definition.output_names_by_key[key]) for definition, keys, _ in picked.values() for key in keys}
    for definition, keys, checks in picked.values():
        nodes.append(_asset_node(job, definition, tuple(keys), tuple(checks)))
        edges.extend(_asset_edges(definition, keys, checks, makers))
    return nodes, edges


def _asset_configs(nodes: Iterable[NodeSnapshot], job: JobDefinition, resolved: ResolvedDefinitions) -> Iterator[NodeConfig]:
    graphs = {definition.name: definition.graph for key in job.asset_keys if (definition := resolved.assets_by_key[key]).graph is not None}
    for node in nodes:
        graph = graphs.get(node.op_name)
        if graph is None:
            yield NodeConfig(path=(node.op_name,), config=node.config_schema)
        elif graph.config_mapping is not None:
            yield NodeConfig(path=(node.op_name,), config=graph.config_mapping.config_schema)
        else:
            yield from _configs(graph, (node.op_name,))


def _asset_node(
    job: JobDefinition, definition: AssetsDefinition | AssetChecksDefinition, keys: tuple[AssetKey, ...], checks: tuple[AssetCheckKey, ...]
) -> NodeSnapshot:
    op = definition.op
    policy = (op.retry_policy if op is not None else None) or job.op_retry_policy
    return NodeSnapshot(
        handle=definition.name,
        op_name=definition.name,
        config_schema=op.config_schema if op is not None else None,
        resource_keys=tuple(sorted(op.required_resource_keys)) if op is not None else (),
        tags=op.tags if op is not None else {},
        retry_policy=policy.to_model() if policy is not None else None,
        pool=op.pool if op is not None else None,
        executor=_executor(op.tags, op) if op is not None else None,
        step_group=(op.tags.get(STEP_GROUP_TAG) or op.step_group) if op is not None else None,
        asset_keys=keys,
        check_keys=checks,
        source=definition.source,
    )


def _asset_edges(
    definition: Any, keys: Sequence[AssetKey], checks: Sequence[AssetCheckKey], makers: dict[AssetKey, tuple[str, str]]
) -> Iterator[EdgeSnapshot]:
    inputs = {key: name for name, key in definition.loaded_by_input_name.items()}
    wanted: dict[AssetKey, None] = {}
    if not isinstance(definition, AssetChecksDefinition):
        for key in keys:
            wanted.update((dep.asset_key, None) for dep in definition.specs_by_key[key].deps)
    else:
        wanted.update((check.asset_key, None) for check in checks)
        wanted.update((key, None) for key in inputs)
        wanted.update((dep.asset_key, None) for spec in definition.check_specs for dep in spec.additional_deps)
    for key in wanted:
        made = makers.get(key)
        if made is not None and made[0] != definition.name:
            yield EdgeSnapshot(from_node=made[0], from_output=made[1], to_node=definition.name, to_input=inputs.get(key, "__after__"))
