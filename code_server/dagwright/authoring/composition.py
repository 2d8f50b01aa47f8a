"""What happens when ops and graphs are called in a graph's body: nodes and edges are noted, nothing runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import field, replace
from enum import Enum
from typing import TYPE_CHECKING, Any, TypeAlias

from dagwright.authoring import naming
from dagwright.authoring import source as sources
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, nearest

if TYPE_CHECKING:
    from dagwright.authoring.graphs import GraphDefinition
    from dagwright.authoring.ops import OpDefinition
    from dagwright.authoring.policies import RetryPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """An op or graph inside a graph, under a name that is unique there."""

    definition: OpDefinition | GraphDefinition
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)
    retry_policy: RetryPolicy | None = None
    """Overrides the op's own."""
    hook_defs: frozenset[Any] = frozenset()
    """Beyond the op's own."""


class Flow(Enum):
    """How an output reaches an input."""

    DIRECT = "direct"
    MAPPED = "mapped"
    """Once for each value of a dynamic output: the node downstream is copied by mapping key."""
    COLLECTED = "collected"
    """All values of a dynamic output, or of nodes mapped over it, as one list."""


@dataclass(frozen=True, slots=True)
class NodeOutput:
    """An output of a node, where something takes it up."""

    node: str
    output: str = "result"
    flow: Flow = Flow.DIRECT
    levels: int = 0
    """Of a collected one: over how many dynamic outputs, one inside the other."""


@dataclass(frozen=True, slots=True)
class GraphInput:
    """An input of the enclosing graph."""

    name: str


Origin: TypeAlias = NodeOutput | GraphInput


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """What feeds an input of a node."""

    sources: tuple[Origin, ...]
    fan_in: bool = False
    """Several sources that arrive as one list."""


@dataclass(frozen=True, slots=True)
class OutputHandle:
    """Stands for a node's output in a graph body; give it to the next op."""

    node: str
    output: str
    composer: Composer
    flow: Flow = Flow.DIRECT
    levels: int = 0
    """Of a dynamic or collected one: how many dynamic outputs there are between it and where its chain of maps began."""

    def to_origin(self) -> NodeOutput:
        return NodeOutput(self.node, self.output, self.flow, self.levels if self.flow is Flow.COLLECTED else 0)

    @property
    def depth(self) -> int:
        """How many dynamic outputs a single value of it is inside of, in this graph."""
        depth = self.composer.depth_of(self.node, self.output)
        return depth - self.levels if self.flow is Flow.COLLECTED else depth

    def __iter__(self) -> Iterator[Any]:
        raise DefinitionError(
            f"the output {self.output!r} of {self.node!r} is iterated over in a graph body, where it has no value yet",
            source=sources.of_caller(),
            mend="return it from a dynamic output (DynamicOut) and use .map(), or loop inside an op",
        )

    def __bool__(self) -> bool:
        raise DefinitionError(
            f"the output {self.output!r} of {self.node!r} is tested in a graph body, where it has no value yet",
            source=sources.of_caller(),
            mend="decide inside an op: an optional output (Out(is_required=False)) skips what is downstream",
        )


@dataclass(frozen=True, slots=True)
class DynamicHandle(OutputHandle):
    """Stands for a dynamic output in a graph body."""

    def map(self, fn: Callable[[OutputHandle], Any]) -> Any:
        """Call `fn` once with a handle that stands for each value; gives handles that can be mapped on or collected."""
        mapped = fn(OutputHandle(self.node, self.output, self.composer, Flow.MAPPED))
        if isinstance(mapped, Outputs):
            return Outputs(mapped.__dict__["node"], {name: self._over(handle) for name, handle in zip(mapped.names, mapped, strict=True)})
        if isinstance(mapped, tuple):
            handles = [self._over(handle) for handle in mapped]
            return type(mapped)(*handles) if hasattr(mapped, "_fields") else tuple(handles)
        return self._over(mapped)

    def _over(self, mapped: Any) -> Any:
        """What a map gave, as something that there is once for each value."""
        if not isinstance(mapped, OutputHandle):
            return mapped
        if mapped.flow is Flow.COLLECTED:
            raise DefinitionError(
                f"{self.composer.graph}: what was collected from {mapped.node!r} leaves a map without passing through an op",
                source=sources.of_caller(),
                mend="give it to an op inside the map, and return what that op gives",
            )
        base = self.depth - self.levels
        return DynamicHandle(mapped.node, mapped.output, mapped.composer, levels=max(mapped.depth - base, 0))

    def collect(self) -> OutputHandle:
        """One handle for the list of all values, from where the chain of maps began: of maps inside maps it is one flat list."""
        if self.levels == 0:  # a map whose body does not depend on the value runs once
            return OutputHandle(self.node, self.output, self.composer)
        return OutputHandle(self.node, self.output, self.composer, Flow.COLLECTED, self.levels)


class Outputs(tuple[Any, ...]):
    """Handles of a node with several outputs: unpack it, or use the output names as attributes."""

    names: tuple[str, ...]

    def __new__(cls, node: str, handles: Mapping[str, OutputHandle]) -> Outputs:
        self = super().__new__(cls, handles.values())
        self.names = tuple(handles)
        self.__dict__["node"] = node
        self.__dict__.update(handles)
        return self

    def __getattr__(self, name: str) -> Any:
        raise DefinitionError(
            f"{self.__dict__.get('node')!r} has no output {name!r}", source=sources.of_caller(), mend=f"use one of {', '.join(self.names)}"
        )


@dataclass(frozen=True, slots=True)
class InputHandle:
    """Stands for an input of the graph in its body."""

    name: str
    composer: Composer

    def to_origin(self) -> GraphInput:
        return GraphInput(self.name)


@dataclass(frozen=True, slots=True)
class PendingNode:
    """An op or graph with another name, tags or retry policy, waiting to be called in a graph body."""

    node: Node

    def alias(self, name: str) -> PendingNode:
        return PendingNode(replace(self.node, name=naming.check_name(name, "op alias")))

    def tag(self, tags: Mapping[str, str] | None) -> PendingNode:
        more = naming.check_run_tags(tags, f"node {self.node.name!r}", None)
        return PendingNode(replace(self.node, tags={**self.node.tags, **more}))

    def with_retry_policy(self, retry_policy: RetryPolicy) -> PendingNode:
        return PendingNode(replace(self.node, retry_policy=retry_policy))

    def with_hooks(self, hook_defs: Iterable[Any]) -> PendingNode:
        return PendingNode(replace(self.node, hook_defs=self.node.hook_defs | frozenset(hook_defs)))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not active():
            raise DefinitionError(
                f"{self.node.name!r} with an alias or tags was called outside a graph body",
                source=sources.of_caller(),
                mend="call it inside a function decorated with @graph or @job",
            )
        return invoke(self.node, args, kwargs)


class Composer:
    """Notes the calls of one graph body."""

    def __init__(self, graph: str) -> None:
        self.graph = graph
        self.nodes: dict[str, Node] = {}
        self.edges: dict[str, dict[str, Edge]] = {}
        self._depths: dict[str, int] = {}

    def add(self, node: Node, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
        name = self._free_name(node)
        definition = node.definition
        self.nodes[name] = replace(node, name=name)
        self.edges[name] = {key: self._edge(name, key, value) for key, value in self._bind(definition, name, args, kwargs).items()}
        self._depths[name] = max(
            (self._depth(source) for edge in self.edges[name].values() for source in edge.sources if isinstance(source, NodeOutput)),
            default=0,
        )
        handles: dict[str, OutputHandle] = {
            key: DynamicHandle(name, key, self, levels=dynamic_levels(definition, key)) if out.is_dynamic else OutputHandle(name, key, self)
            for key, out in definition.outs.items()
        }
        if len(handles) == 1:
            return next(iter(handles.values()))
        return Outputs(name, handles) if handles else None

    def depth_of(self, node: str, output: str) -> int:
        """How many dynamic outputs an output of a node is inside of, its own included."""
        return self._depths[node] + dynamic_levels(self.nodes[node].definition, output)

    def _depth(self, source: NodeOutput) -> int:
        return self.depth_of(source.node, source.output) - source.levels

    def _free_name(self, node: Node) -> str:
        if node.name not in self.nodes:
            return node.name
        if node.name != node.definition.name:
            raise DefinitionError(
                f"{self.graph} uses the alias {node.name!r} twice", source=sources.of_caller(), mend="give each its own alias"
            )
        number = 2
        while f"{node.name}_{number}" in self.nodes:
            number += 1
        return f"{node.name}_{number}"

    def _bind(self, definition: Any, node: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        names = list(definition.ins)
        if len(args) > len(names):
            raise DefinitionError(
                f"{self.graph}: {node!r} was called with {len(args)} positional arguments, but has {len(names)} inputs",
                source=sources.of_caller(),
                mend=f"its inputs are {', '.join(names) or 'none'}; contexts, config and resources are not passed in a graph body",
            )
        bound = dict(zip(names, args, strict=False))
        for key, value in kwargs.items():
            if key not in definition.ins:
                close = nearest(key, names)
                hint = f"did you mean {close!r}?" if close else f"its inputs are {', '.join(names) or 'none'}"
                raise DefinitionError(f"{self.graph}: {node!r} has no input {key!r}", source=definition.source, mend=hint)
            if key in bound:
                raise DefinitionError(
                    f"{self.graph}: {node!r} was given its input {key!r} twice", source=sources.of_caller(), mend="give it once"
                )
            bound[key] = value
        return bound

    def _edge(self, node: str, key: str, value: Any) -> Edge:
        if isinstance(value, Outputs):
            raise DefinitionError(
                f"{self.graph}: the input {key!r} of {node!r} was given all outputs of an op with several",
                source=sources.of_caller(),
                mend=f"pick one of {', '.join(value.names)}",
            )
        if isinstance(value, (list, tuple)):
            return Edge(sources=tuple(self._origin(node, key, item) for item in value), fan_in=True)
        return Edge(sources=(self._origin(node, key, value),))

    def _origin(self, node: str, key: str, value: Any) -> Origin:
        if isinstance(value, DynamicHandle):
            raise DefinitionError(
                f"{self.graph}: the input {key!r} of {node!r} was given the dynamic output of {value.node!r} as it is",
                source=sources.of_caller(),
                mend="use .map(...) to run once for each value, or .collect() for a list",
            )
        if isinstance(value, (OutputHandle, InputHandle)):
            if value.composer is not self:
                raise DefinitionError(
                    f"{self.graph}: the input {key!r} of {node!r} comes from the body of another graph",
                    source=sources.of_caller(),
                    mend="pass it as an argument of the graph",
                )
            return value.to_origin()
        raise DefinitionError(
            f"{self.graph}: the input {key!r} of {node!r} was given {value!r}, a {type(value).__name__}",
            source=sources.of_caller(),
            mend="give the output of another op; for a constant use config, or a default value of the argument",
        )


def dynamic_levels(definition: Any, output: str) -> int:
    """How many mapping keys a single value of an output has: of a graph's output as many as there are dynamic outputs on its way."""
    if not definition.outs[output].is_dynamic:
        return 0
    return int(getattr(definition, "output_depths", {}).get(output, 1))


_stack: ContextVar[tuple[Composer, ...]] = ContextVar("composers", default=())


def active() -> bool:
    """Whether a graph body is being read."""
    return bool(_stack.get())


def invoke(node: Node, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """Note a call in the graph body that is being read; gives handles of its outputs."""
    return _stack.get()[-1].add(node, args, kwargs)


def compose(graph: str, fn: Callable[..., Any], inputs: Sequence[str]) -> tuple[Composer, Any]:
    """Run a graph's body with handles for its inputs; gives what was noted, and what the body returned."""
    composer = Composer(graph)
    token = _stack.set((*_stack.get(), composer))
    try:
        returned = fn(**{name: InputHandle(name, composer) for name in inputs})
    finally:
        _stack.reset(token)
    return composer, returned
