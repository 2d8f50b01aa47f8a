"""Graphs: ops and other graphs, connected."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import MISSING, field, fields
from typing import TYPE_CHECKING, Any, overload

from dagwright.authoring import composition, naming, ops, signatures, value_types
from dagwright.authoring import source as sources
from dagwright.authoring.composition import Edge, GraphInput, Node, NodeOutput, OutputHandle
from dagwright.authoring.config import RunConfig, config_dict
from dagwright.authoring.config_mapping import ConfigMapping
from dagwright.authoring.node_graphs import Dependency, Given, InputMapping, NodeInvocation, OutputMapping, Reader
from dagwright.authoring.ops import DEFAULT_OUTPUT, In, OpDefinition, Out
from dagwright.authoring.policies import RetryPolicy
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, NotFoundError, SourceRef, nearest

if TYPE_CHECKING:
    from dagwright.authoring.jobs import JobDefinition


@dataclass(frozen=True, slots=True, init=False)
class GraphIn:
    """An input of a graph."""

    description: str | None

    def __init__(self, description: str | None = None) -> None:
        object.__setattr__(self, "description", description)


@dataclass(frozen=True, slots=True, init=False)
class GraphOut:
    """An output of a graph."""

    description: str | None

    def __init__(self, description: str | None = None) -> None:
        object.__setattr__(self, "description", description)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False, init=False)
class GraphDefinition:
    """A graph. Made by `@graph`; call it in another graph's body to nest it, `to_job()` to run it.

    Where the nodes are known only at run time, as when they come from a file, it is made of them:

    Args:
        name: of the graph.
        node_defs: ops and graphs.
        dependencies: node to input to what feeds it: a DependencyDefinition, MultiDependencyDefinition or
            DynamicCollectDependencyDefinition. The node is its name, or a NodeInvocation with an alias.
        input_mappings: which inputs of nodes are inputs of the graph.
        output_mappings: which outputs of nodes are outputs of the graph.
        config, description, tags: as for `@graph`.

    Raises:
        DefinitionError: a name is not known, an input is not there, nodes depend on each other in a circle.

    Example:
        >>> from dagwright import DependencyDefinition, op
        >>> @op
        ... def one() -> int:
        ...     return 1
        >>> @op
        ... def double(number: int) -> int:
        ...     return 2 * number
        >>> two = GraphDefinition(
        ...     "two", node_defs=[one, double], dependencies={"double": {"number": DependencyDefinition("one")}}
        ... )
        >>> two.execute_in_process().output_for_node("double")
        2
    """

    name: str
    node_dict: Mapping[str, Node]
    """By name."""
    dependencies: Mapping[str, Mapping[str, Edge]]
    """Node to input to what feeds it; an input that is absent is not connected."""
    ins: Mapping[str, In] = field(default_factory=dict)
    outs: Mapping[str, Out] = field(default_factory=dict)
    outputs: Mapping[str, NodeOutput] = field(default_factory=dict)
    """Which node's output each output of the graph is."""
    output_depths: Mapping[str, int] = field(default_factory=dict)
    """Of its dynamic outputs: over how many dynamic outputs inside the graph there are values of it."""
    description: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    config_mapping: ConfigMapping | None = None
    """Makes the config of the ops inside from the config of the graph."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Config of the ops inside that is fixed, by op name."""
    source: SourceRef | None = None

    def __init__(
        self,
        name: str,
        *,
        description: str | None = None,
        node_defs: Sequence[OpDefinition | GraphDefinition] = (),
        dependencies: Mapping[str | NodeInvocation, Mapping[str, Dependency]] | None = None,
        input_mappings: Sequence[InputMapping] = (),
        output_mappings: Sequence[OutputMapping] = (),
        config: Any = None,
        tags: Mapping[str, Any] | None = None,
    ) -> None:
        source = sources.of_caller()
        what = f"graph {naming.check_name(name, 'graph', source)!r}"
        given = Given(node_defs=node_defs, dependencies=dependencies or {}, input_mappings=input_mappings)
        reader = Reader(what, given, source)
        composer = reader.read()
        outputs = {one.graph_output_name: reader.output(one) for one in output_mappings}
        described = {one.graph_output_name: GraphOut(one.graph_output_description) for one in output_mappings}
        self._fill(
            name=name,
            description=description,
            ins={
                one.graph_input_name: composer.nodes[one.mapped_node_name]
                .definition.ins[one.mapped_node_input_name]
                ._with(description=one.graph_input_description)
                for one in input_mappings
            },
            tags=naming.check_run_tags(tags, what, source),
            source=source,
            **_composed(composer, outputs, described),
            **_configured(config),
        )

    def _fill(self, **values: Any) -> None:
        for each in fields(self):
            if each.name in values:
                value = values[each.name]
            else:
                value = each.default_factory() if each.default_factory is not MISSING else each.default
            object.__setattr__(self, each.name, value)

    @classmethod
    def _of(cls, **values: Any) -> GraphDefinition:
        """A graph of its fields."""
        made = cls.__new__(cls)
        made._fill(**values)
        return made

    def _copy(self, **changes: Any) -> GraphDefinition:
        """The same graph with other fields."""
        return self._of(**{**{each.name: getattr(self, each.name) for each in fields(self)}, **changes})

    @property
    def nodes(self) -> list[Node]:
        """The ops and graphs inside, under their names."""
        return list(self.node_dict.values())

    @property
    def node_defs(self) -> list[OpDefinition | GraphDefinition]:
        """The ops and graphs inside, each once."""
        return list({id(node.definition): node.definition for node in self.nodes}.values())

    def node_named(self, name: str) -> Node:
        """A node by its name.

        Raises:
            NotFoundError: there is none of this name.
        """
        if name not in self.node_dict:
            raise NotFoundError("node", name, known=self.node_dict, where=f"graph {self.name!r}")
        return self.node_dict[name]

    def has_node_named(self, name: str) -> bool:
        return name in self.node_dict

    @property
    def input_mappings(self) -> tuple[InputMapping, ...]:
        return tuple(
            InputMapping(origin.name, node, key)
            for node, edges in self.dependencies.items()
            for key, edge in edges.items()
            for origin in edge.sources
            if isinstance(origin, GraphInput)
        )

    @property
    def output_mappings(self) -> tuple[OutputMapping, ...]:
        return tuple(OutputMapping(name, origin.node, origin.output) for name, origin in self.outputs.items())

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not composition.active():
            raise DefinitionError(
                f"graph {self.name!r} was called outside a graph body",
                source=self.source,
                mend=f"run it with {self.name}.to_job(), or call it in a @graph or @job",
            )
        return composition.invoke(Node(definition=self, name=self.name), args, kwargs)

    def alias(self, name: str) -> composition.PendingNode:
        """This graph under another name, to be called in a graph body."""
        return composition.PendingNode(Node(definition=self, name=self.name)).alias(name)

    def tag(self, tags: Mapping[str, str] | None) -> composition.PendingNode:
        """This graph with more tags, to be called in a graph body."""
        return composition.PendingNode(Node(definition=self, name=self.name)).tag(tags)

    def with_hooks(self, hook_defs: Iterable[Any]) -> composition.PendingNode:
        """This graph with hooks for all its ops, to be called in a graph body."""
        return composition.PendingNode(Node(definition=self, name=self.name)).with_hooks(hook_defs)

    def with_retry_policy(self, retry_policy: RetryPolicy) -> composition.PendingNode:
        """This graph with a retry policy for its ops that have none, to be called in a graph body."""
        return composition.PendingNode(Node(definition=self, name=self.name)).with_retry_policy(retry_policy)

    def configured(
        self, config_or_config_fn: Any, name: str | None = None, config_schema: Any = None, description: str | None = None
    ) -> GraphDefinition:
        """The same graph whose config mapping receives fixed config, or config that a function makes of simpler config."""
        outer = self.config_mapping
        if outer is None:
            raise DefinitionError(
                f"graph {self.name!r} has no config mapping to configure", source=self.source, mend="give it config=ConfigMapping(...)"
            )
        fn = config_or_config_fn if callable(config_or_config_fn) else lambda _: config_or_config_fn
        made = ConfigMapping(lambda value: outer.resolve(fn(value)), config_schema if config_schema is not None else dict)
        return self._copy(name=name or self.name, config_mapping=made, description=description or self.description)

    def to_job(self, name: str | None = None, **options: Any) -> JobDefinition:
        """A job that runs this graph.

        Args:
            name: by default the graph's.
            description, resource_defs, config, tags, run_tags, metadata, owners, executor_def, op_retry_policy, partitions_def: as for
                `@job`.
        """
        from dagwright.authoring.jobs import job_of  # noqa: PLC0415 - jobs are made of graphs; the method is Dagster's name for the way back

        return job_of(self, name=name, source=self.source or sources.of_caller(), **options)

    def execute_in_process(
        self,
        run_config: Any = None,
        instance: Any = None,
        resources: Mapping[str, Any] | None = None,
        *,
        input_values: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Run the graph as a job here and now, as a test does.

        Args:
            input_values: for the graph's inputs.
            run_config, instance, resources, options: as for `JobDefinition.execute_in_process`.
        """
        job = self.to_job(input_values=input_values)
        return job.execute_in_process(run_config, instance, resources=resources, **options)

    def fed_by_config(self, values: Collection[str]) -> list[str]:
        """Its inputs that get no value here, and that run config may give one: `{"inputs": {"rows": 3}}`."""
        needy = (name for name, given in self.ins.items() if not given.is_nothing and name not in values)
        return [name for name in needy if value_types.fits_config(self.ins[name].dagster_type)]

    def source_of_output(self, handle: str, output: str) -> tuple[str, str] | None:
        """The handle of the op, and its output, whose value an output is: of an op or graph inside, or (`""`) of this graph."""
        graph: GraphDefinition | OpDefinition = self
        for name in handle.split(".") if handle else ():
            if not isinstance(graph, GraphDefinition) or name not in graph.node_dict:
                return None
            graph = graph.node_dict[name].definition
        while isinstance(graph, GraphDefinition):
            inner = graph.outputs.get(output)
            if inner is None:
                return None
            handle, output = f"{handle}.{inner.node}" if handle else inner.node, inner.output
            graph = graph.node_dict[inner.node].definition
        return handle, output

    def walk(self, prefix: str = "") -> list[tuple[str, OpDefinition, Node]]:
        """All ops inside, nested graphs included, with their dotted handles."""
        found: list[tuple[str, OpDefinition, Node]] = []
        for name, node in self.node_dict.items():
            handle = f"{prefix}{name}"
            if isinstance(node.definition, GraphDefinition):
                found.extend(node.definition.walk(f"{handle}."))
            else:
                found.append((handle, node.definition, node))
        return found

    def __repr__(self) -> str:
        return f"<graph {self.name}>"


@overload
def graph(compose_fn: Callable[..., Any], /) -> GraphDefinition: ...
@overload
def graph(
    *,
    name: str | None = ...,
    description: str | None = ...,
    ins: Mapping[str, GraphIn] | None = ...,
    out: GraphOut | Mapping[str, GraphOut] | None = ...,
    tags: Mapping[str, Any] | None = ...,
    config: Any = ...,
) -> Callable[[Callable[..., Any]], GraphDefinition]: ...
def graph(compose_fn: Callable[..., Any] | None = None, /, **options: Any) -> Any:
    """Turn a function whose body calls ops into a graph.

    The body runs once, when the graph is defined: calls note the connections, nothing is computed.

    Args:
        name: by default the function's.
        description: by default the docstring.
        ins: descriptions of the inputs.
        out: one `GraphOut`, or several by name; then return a dict of handles (or a tuple in that order).
        tags: given to each run of a job made of it.
        config: of the ops inside: a dict by op name, or a ConfigMapping.

    Raises:
        DefinitionError: the body connects what cannot be connected.

    Example:
        >>> from dagwright import graph, op
        >>> @op
        ... def one() -> int:
        ...     return 1
        >>> @op
        ... def add(a: int, b: int) -> int:
        ...     return a + b
        >>> @graph
        ... def two():
        ...     return add(one(), one())
        >>> [node.name for node in two.nodes]
        ['one', 'one_2', 'add']
    """
    if compose_fn is not None:
        return make_graph(compose_fn)
    return lambda fn: make_graph(fn, **options)


def make_graph(
    fn: Callable[..., Any],
    *,
    name: str | None = None,
    description: str | None = None,
    ins: Mapping[str, GraphIn] | None = None,
    out: GraphOut | Mapping[str, GraphOut] | None = None,
    tags: Mapping[str, Any] | None = None,
    what: str = "graph",
    config: Any = None,
) -> GraphDefinition:
    """The work of `@graph` and of `@job`'s body."""
    source = sources.of_function(fn)
    called = naming.check_name(name or fn.__name__, what, source)
    parameters = list(inspect.signature(fn).parameters.values())
    for wanted in ins or {}:
        if wanted not in {p.name for p in parameters}:
            raise DefinitionError(
                f"{what} {called!r} declares the input {wanted!r}, but has no such argument", source=source, mend="add the argument"
            )
    composer, returned = composition.compose(f"{what} {called!r}", fn, [p.name for p in parameters])
    outputs = _outputs(f"{what} {called!r}", returned, out, source)
    annotations = signatures._annotations(fn)
    graph_ins = {
        p.name: In(description=ins[p.name].description if ins and p.name in ins else None).typed(annotations.get(p.name, signatures.EMPTY))
        for p in parameters
    }
    described = {DEFAULT_OUTPUT: out} if isinstance(out, GraphOut) else dict(out or {})
    return GraphDefinition._of(
        name=called,
        ins=graph_ins,
        description=description or signatures.doc(fn),
        tags=naming.check_run_tags(tags, f"{what} {called!r}", source),
        source=source,
        **_composed(composer, outputs, described),
        **_configured(config),
    )


def _composed(
    composer: composition.Composer, outputs: Mapping[str, OutputHandle], described: Mapping[str, GraphOut]
) -> dict[str, Mapping[str, Any]]:
    """The fields of a graph that tell what is inside, and how it leaves."""
    return {
        "node_dict": composer.nodes,
        "dependencies": composer.edges,
        "outs": {key: _out_of(composer, handle, described.get(key)) for key, handle in outputs.items()},
        "outputs": {key: handle.to_origin() for key, handle in outputs.items()},
        "output_depths": {key: handle.depth for key, handle in outputs.items() if handle.depth},
    }


def _configured(config: Any) -> dict[str, Any]:
    """The fields of a graph that its `config=` fills."""
    if isinstance(config, ConfigMapping):
        return {"config_mapping": config}
    return {"config": _fixed(config)}


def _fixed(config: Any) -> Mapping[str, Any]:
    given = config_dict(config)
    inner = given.get("ops")
    return inner if isinstance(config, RunConfig) and isinstance(inner, Mapping) else given


def _outputs(
    what: str, returned: Any, declared: GraphOut | Mapping[str, GraphOut] | None, source: SourceRef | None
) -> dict[str, OutputHandle]:
    if returned is None:
        return {}
    if isinstance(returned, OutputHandle):
        names = list(declared) if isinstance(declared, Mapping) else [DEFAULT_OUTPUT]
        found: dict[str, Any] = {names[0]: returned}
    elif isinstance(returned, Mapping):
        found = dict(returned)
    elif isinstance(returned, tuple):
        if isinstance(declared, Mapping):
            names = list(declared)
        else:
            names = list(getattr(returned, "names", ())) or [f"result_{n}" for n in range(len(returned))]
        found = dict(zip(names, returned, strict=False))
    else:
        found = {DEFAULT_OUTPUT: returned}
    for name, handle in found.items():
        if isinstance(declared, Mapping) and name not in declared:
            close = nearest(name, declared)
            raise DefinitionError(
                f"{what} returns the output {name!r}, which it does not declare",
                source=source,
                mend=f"did you mean {close!r}?" if close else f"its outputs are {', '.join(declared) or 'none'}",
            )
        if not isinstance(handle, OutputHandle):
            raise DefinitionError(
                f"{what} returns {handle!r} as its output {name!r}", source=source, mend="return what an op or graph in its body gave"
            )
        if handle.flow is composition.Flow.COLLECTED:
            raise DefinitionError(
                f"{what} returns what was collected from {handle.node!r} as its output {name!r}",
                source=source,
                mend="give it to an op that makes one value of the list, and return what that op gives",
            )
    return found


def _out_of(composer: composition.Composer, handle: OutputHandle, declared: GraphOut | None) -> Out:
    inner = composer.nodes[handle.node].definition.outs[handle.output]
    kind = ops.DynamicOut if handle.depth else Out
    if kind is type(inner) and (declared is None or declared.description is None):
        return inner
    description = declared.description if declared is not None and declared.description is not None else inner.description
    return kind(inner.dagster_type, description, inner.is_required, inner.io_manager_key, inner.metadata, inner.code_version)


def check_connected(graph: GraphDefinition, what: str, values: Mapping[str, Any] | None = None) -> None:
    """Every input of every op must come from somewhere; `values` are given for inputs of the graph itself.

    Raises:
        DefinitionError: naming op and input.
    """
    if graph.ins:
        open_inputs = {*(values or {}), *graph.fed_by_config(values or {})}
        needy = [name for name, given in graph.ins.items() if not given.is_nothing and name not in open_inputs]
        if needy:
            raise DefinitionError(
                f"{what} has the input {needy[0]!r}, which nothing feeds and config cannot give",
                source=graph.source,
                mend="give it in input_values=, or make it an op's output",
            )
    _check_connected(graph, what, "")


def _check_connected(graph: GraphDefinition, what: str, prefix: str) -> None:
    for name, node in graph.node_dict.items():
        edges = graph.dependencies.get(name, {})
        for key, given in node.definition.ins.items():
            if key in edges or given.has_default or given.is_nothing or given.asset_key is not None or given.input_manager_key is not None:
                continue
            if value_types.fits_config(given.dagster_type):
                continue  # the run's config may give it; planning tells when it does not
            raise DefinitionError(
                f"{what}: the input {key!r} of {prefix}{name} is not connected",
                source=node.definition.source or graph.source,
                mend=f"pass it in the body: {name}({key}=...), give the argument a default value, or its type a loader",
            )
        if isinstance(node.definition, GraphDefinition):
            _check_connected(node.definition, what, f"{prefix}{name}.")


def retry_policy_of(node: Node, fallback: RetryPolicy | None) -> RetryPolicy | None:
    """The policy in force for a node: its own, its op's, or the job's."""
    own = node.definition.retry_policy if isinstance(node.definition, OpDefinition) else None
    return node.retry_policy or own or fallback
