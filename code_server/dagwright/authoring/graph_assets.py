"""Assets that a graph of ops computes, and assets made of ops and graphs that are there already."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any, overload

from dagwright.authoring import graphs, naming
from dagwright.authoring import source as sources
from dagwright.authoring.assets import _key_of
from dagwright.authoring.assets_definition import AssetsDefinition
from dagwright.authoring.graphs import GraphDefinition, GraphOut
from dagwright.authoring.loaded import checks_by_output
from dagwright.authoring.mappings import PartitionMapping
from dagwright.authoring.ops import DEFAULT_OUTPUT, OpDefinition
from dagwright.authoring.partitions import PartitionsDefinition
from dagwright.authoring.policies import BackfillPolicy
from dagwright.authoring.specs import AssetCheckSpec, AssetDep, AssetIn, AssetOut, AssetSpec, read_hooks, read_kinds
from dagwright_shared.model.errors import DefinitionError, SourceRef, nearest
from dagwright_shared.model.keys import AssetKey


@overload
def graph_asset(compose_fn: Callable[..., Any], /) -> AssetsDefinition: ...
@overload
def graph_asset(
    *,
    name: str | None = ...,
    description: str | None = ...,
    ins: Mapping[str, AssetIn] | None = ...,
    config: Any = ...,
    key_prefix: str | Sequence[str] | None = ...,
    group_name: str | None = ...,
    partitions_def: PartitionsDefinition | None = ...,
    hooks: AbstractSet[Any] | None = ...,
    metadata: Mapping[str, Any] | None = ...,
    tags: Mapping[str, str] | None = ...,
    owners: Sequence[str] | None = ...,
    automation_condition: Any = ...,
    freshness_policy: Any = ...,
    backfill_policy: BackfillPolicy | None = ...,
    resource_defs: Mapping[str, Any] | None = ...,
    check_specs: Sequence[AssetCheckSpec] | None = ...,
    code_version: str | None = ...,
    key: Any = ...,
    kinds: AbstractSet[str] | None = ...,
    auto_materialize_policy: Any = ...,
) -> Callable[[Callable[..., Any]], AssetsDefinition]: ...
def graph_asset(compose_fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Turn a function whose body calls ops into an asset: each op is a step, the body's result is the asset.

    Args:
        name, key_prefix, key, description, group_name, metadata, tags, owners, kinds, code_version, partitions_def,
            automation_condition, freshness_policy, backfill_policy, resource_defs: as for `@asset`.
        ins: what argument names do not say of upstream assets.
        config: of the ops inside: a dict, or a ConfigMapping.
        hooks: of all its ops.
        check_specs: checks that ops inside evaluate; the body then returns a dict of `result`, and of each check's verdict under the
            name `ASSET_CHECK`.

    Raises:
        DefinitionError: the body does not return one output of an op, or an option does not fit.

    Example:
        >>> from dagwright import graph_asset, op
        >>> @op
        ... def fetch() -> int:
        ...     return 1
        >>> @op
        ... def double(number: int) -> int:
        ...     return number * 2
        >>> @graph_asset(group_name="small")
        ... def doubled():
        ...     return double(fetch())
        >>> doubled.key.to_user_string()
        'doubled'
    """
    if compose_fn is not None:
        return _graph_asset(compose_fn)
    return lambda fn: _graph_asset(fn, **options)


_OF_SPEC = frozenset({"metadata", "tags", "group_name", "owners", "automation_condition", "freshness_policy", "auto_materialize_policy"})


def _graph_asset(
    fn: Callable[..., Any],
    *,
    name: str | None = None,
    key_prefix: Any = None,
    key: Any = None,
    description: str | None = None,
    ins: Mapping[str, AssetIn] | None = None,
    config: Any = None,
    partitions_def: PartitionsDefinition | None = None,
    hooks: Any = None,
    backfill_policy: BackfillPolicy | None = None,
    resource_defs: Mapping[str, Any] | None = None,
    check_specs: Sequence[AssetCheckSpec] | None = None,
    code_version: str | None = None,
    kinds: Any = None,
    **described: Any,
) -> AssetsDefinition:
    for option in described:
        if option not in _OF_SPEC:
            close = nearest(option, _OF_SPEC)
            raise TypeError(f"@graph_asset got an unexpected argument {option!r}" + (f"; did you mean {close!r}?" if close else ""))
    source = sources.of_function(fn)
    own = _key_of(fn, name, key_prefix, key, source)
    what = f"asset {own.to_user_string()}"
    checks = checks_by_output(check_specs, {own}, what, source)
    named = {output: GraphOut() for output in (DEFAULT_OUTPUT, *checks)} if checks else None
    graph = graphs.make_graph(fn, name=naming.identifier(own), description=description, out=named, what="graph asset", config=config)
    if not checks and list(graph.outs) != [DEFAULT_OUTPUT]:
        raise DefinitionError(
            f"{what}: its body returns {len(graph.outs)} outputs", source=source, mend="return what one op gave, or use @graph_multi_asset"
        )
    inputs, deps = _upstreams(graph, ins, what, source)
    spec = AssetSpec(
        own,
        deps=deps,
        description=graph.description,
        partitions_def=partitions_def,
        code_version=code_version,
        kinds=read_kinds(kinds, what, source),
        source=source,
        **described,
    )
    return _assets_of(
        _hooked(graph, read_hooks(hooks, what, source)),
        (spec,),
        {DEFAULT_OUTPUT: own},
        inputs,
        checks=checks,
        resource_defs=resource_defs,
        backfill_policy=backfill_policy,
        source=source,
    )


def graph_multi_asset(
    *,
    outs: Mapping[str, AssetOut],
    name: str | None = None,
    ins: Mapping[str, AssetIn] | None = None,
    partitions_def: PartitionsDefinition | None = None,
    hooks: AbstractSet[Any] | None = None,
    backfill_policy: BackfillPolicy | None = None,
    group_name: str | None = None,
    can_subset: bool = False,
    resource_defs: Mapping[str, Any] | None = None,
    check_specs: Sequence[AssetCheckSpec] | None = None,
    config: Any = None,
    description: str | None = None,
) -> Callable[[Callable[..., Any]], AssetsDefinition]:
    """Turn a function whose body calls ops into several assets; it returns a dict of outputs, or a tuple in the order of `outs`.

    Args:
        outs: the assets by output name.
        name: of the graph; by default the function's.
        ins, config, hooks, partitions_def, backfill_policy, group_name, resource_defs, check_specs: as for `@graph_asset`.
        can_subset: a run may ask for some of them only.

    Raises:
        DefinitionError: the body does not return these outputs, or an option does not fit.

    Example:
        >>> from dagwright import AssetOut, graph_multi_asset, op
        >>> @op
        ... def one() -> int:
        ...     return 1
        >>> @graph_multi_asset(outs={"left": AssetOut(), "right": AssetOut()})
        ... def pair():
        ...     return {"left": one(), "right": one()}
        >>> sorted(key.to_user_string() for key in pair.keys)
        ['left', 'right']
    """

    def decorate(fn: Callable[..., Any]) -> AssetsDefinition:
        source = sources.of_function(fn)
        called = naming.check_name(name or fn.__name__, "graph multi-asset", source)
        what = f"graph multi-asset {called!r}"
        own = {output: out.key or AssetKey((*out.key_prefix, output)) for output, out in outs.items()}
        checks = checks_by_output(check_specs, set(own.values()), what, source)
        named = {output: GraphOut() for output in (*outs, *checks)}
        graph = graphs.make_graph(fn, name=called, description=description, out=named, what="graph multi-asset", config=config)
        if set(graph.outs) != set(named):
            raise DefinitionError(
                f"{what}: its body returns the outputs {', '.join(graph.outs) or 'none'}, but it has {', '.join(named)}",
                source=source,
                mend="return a dict with these names, or a tuple in their order",
            )
        inputs, deps = _upstreams(graph, ins, what, source)
        specs, keys = [], {}
        for output, out in outs.items():
            key = own[output]
            given = {"group_name": group_name, "partitions_def": partitions_def, "deps": deps, "source": source, **out.attributes}
            specs.append(AssetSpec(key, skippable=not out.is_required, io_manager_key=out.io_manager_key, **given))
            keys[output] = key
        made = _assets_of(
            _hooked(graph, read_hooks(hooks, what, source)),
            tuple(specs),
            keys,
            inputs,
            checks=checks,
            resource_defs=resource_defs,
            backfill_policy=backfill_policy,
            source=source,
        )
        return replace(made, can_subset=can_subset)

    return decorate


def of_node(
    node: OpDefinition | GraphDefinition,
    *,
    keys_by_input_name: Mapping[str, Any] | None = None,
    keys_by_output_name: Mapping[str, Any] | None = None,
    key_prefix: str | Sequence[str] | None = None,
    internal_asset_deps: Mapping[str, AbstractSet[AssetKey]] | None = None,
    partitions_def: PartitionsDefinition | None = None,
    partition_mappings: Mapping[str, PartitionMapping] | None = None,
    resource_defs: Mapping[str, Any] | None = None,
    group_name: str | None = None,
    backfill_policy: BackfillPolicy | None = None,
    can_subset: bool = False,
    hook_defs: Iterable[Any] | None = None,
    check_specs: Sequence[AssetCheckSpec] | None = None,
    **by_output: Mapping[str, Any] | None,
) -> AssetsDefinition:
    """The work of `AssetsDefinition.from_op` and `.from_graph`."""
    source = node.source or sources.of_caller()
    what = f"assets of {node.name!r}"
    verdicts = {spec.get_python_identifier() for spec in check_specs or ()}
    tables = {attribute: _table(by_output.pop(name, None), name, node, what, source) for name, attribute in _BY_OUTPUT.items()}
    if by_output:
        raise TypeError(f"from_op and from_graph have no argument {next(iter(by_output))!r}")
    inputs = {name: naming.asset_key((keys_by_input_name or {}).get(name, name), what, source) for name in node.ins}
    _table(keys_by_input_name, "keys_by_input_name", node, what, source, node.ins)
    given = _table(keys_by_output_name, "keys_by_output_name", node, what, source)
    prefix, keys, specs = naming.key_prefix(key_prefix), {}, []
    mappings = {inputs[name]: mapping for name, mapping in (partition_mappings or {}).items() if name in inputs}
    for output, out in node.outs.items():
        if output in verdicts:
            continue
        default = node.name if len(node.outs) == 1 and output == DEFAULT_OUTPUT else output
        key = naming.asset_key(given.get(output, default), what, source)
        keys[output] = key = AssetKey((*prefix, *key.path)) if prefix else key
        inner = (internal_asset_deps or {}).get(output)
        upstream = inputs.values() if inner is None else inner
        attributes = {attribute: table[output] for attribute, table in tables.items() if output in table}
        specs.append(
            AssetSpec(
                key,
                deps=[AssetDep(up, partition_mapping=mappings.get(up)) for up in dict.fromkeys(upstream)],
                partitions_def=partitions_def,
                source=source,
                **{"group_name": group_name, "description": out.description or node.description, "metadata": out.metadata, **attributes},
            )
        )
    checks = checks_by_output(check_specs, set(keys.values()), what, source)
    _table(checks, "check_specs", node, what, source)
    made = _assets_of(
        node, tuple(specs), keys, inputs, checks=checks, resource_defs=resource_defs, backfill_policy=backfill_policy, source=source
    )
    made = replace(made, can_subset=can_subset, partition_mappings={**made.partition_mappings, **mappings})
    return made.with_hooks(hook_defs) if hook_defs else made


_BY_OUTPUT = {
    "group_names_by_output_name": "group_name",
    "descriptions_by_output_name": "description",
    "metadata_by_output_name": "metadata",
    "tags_by_output_name": "tags",
    "owners_by_output_name": "owners",
    "code_versions_by_output_name": "code_version",
    "automation_conditions_by_output_name": "automation_condition",
    "auto_materialize_policies_by_output_name": "auto_materialize_policy",
}


def _table(given: Any, option: str, node: Any, what: str, source: SourceRef | None, known: Any = None) -> Mapping[str, Any]:
    names = node.outs if known is None else known
    for name in given or {}:
        if name not in names:
            close = nearest(name, names)
            raise DefinitionError(
                f"{what}: {option} names {name!r}, which it has not",
                source=source,
                mend=f"did you mean {close!r}?" if close else f"use one of {', '.join(names) or 'none'}",
            )
    return given or {}


def _upstreams(
    graph: GraphDefinition, ins: Mapping[str, AssetIn] | None, what: str, source: SourceRef | None
) -> tuple[dict[str, AssetKey], list[AssetDep]]:
    """The keys that a graph's arguments load, and the dependencies that they are."""
    declared = dict(ins or {})
    _table(declared, "ins", graph, what, source, graph.ins)
    keys: dict[str, AssetKey] = {}
    deps: dict[AssetKey, AssetDep] = {}
    for name in graph.ins:
        said = declared.get(name)
        if said is not None and not isinstance(said, AssetIn):
            raise DefinitionError(f"{what}: ins[{name!r}] is a {type(said).__name__}", source=source, mend="give an AssetIn")
        keys[name] = key = (said.key if said else None) or AssetKey((*(said.key_prefix if said else ()), name))
        deps[key] = AssetDep(key, partition_mapping=said.partition_mapping if said else None)
    return keys, list(deps.values())


def _hooked(graph: GraphDefinition, hooks: frozenset[Any]) -> GraphDefinition:
    if not hooks:
        return graph
    return graph._copy(node_dict={name: replace(node, hook_defs=node.hook_defs | hooks) for name, node in graph.node_dict.items()})


def _assets_of(
    node: OpDefinition | GraphDefinition,
    specs: tuple[AssetSpec, ...],
    keys: Mapping[str, AssetKey],
    inputs: Mapping[str, AssetKey],
    *,
    checks: Mapping[str, AssetCheckSpec],
    resource_defs: Mapping[str, Any] | None,
    backfill_policy: BackfillPolicy | None,
    source: SourceRef | None,
) -> AssetsDefinition:
    is_graph = isinstance(node, GraphDefinition)
    return AssetsDefinition(
        specs=specs,
        op=None if is_graph else node,  # type: ignore[arg-type]
        graph=node if is_graph else None,  # type: ignore[arg-type]
        keys_by_output_name=dict(keys),
        loaded_by_input_name={name: key for name, key in inputs.items() if not node.ins[name].is_nothing},
        partition_mappings={
            dep.asset_key: dep.partition_mapping for spec in specs for dep in spec.deps if dep.partition_mapping is not None
        },
        check_specs_by_output_name=checks,
        resource_defs=dict(resource_defs or {}),
        backfill_policy=backfill_policy,
        source=source,
    )


__all__ = ["graph_asset", "graph_multi_asset", "of_node"]
