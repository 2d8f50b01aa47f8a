"""Graphs that are given as nodes and what depends on what, in place of a body that calls ops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from graphlib import CycleError, TopologicalSorter
from typing import TYPE_CHECKING, Any, TypeAlias

from dagwright.authoring import naming
from dagwright.authoring.composition import Composer, DynamicHandle, Flow, InputHandle, Node, OutputHandle, Outputs
from dagwright.authoring.policies import RetryPolicy
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, SourceRef, nearest

if TYPE_CHECKING:
    from dagwright.authoring.graphs import GraphDefinition
    from dagwright.authoring.ops import OpDefinition


@dataclass(frozen=True, slots=True)
class NodeInvocation:
    """A node of a graph, where its name alone does not say enough.

    Args:
        name: of the op or graph.
        alias: the node's own name; needed when an op is used twice.
        tags, hook_defs, retry_policy: of this node.

    Example:
        >>> NodeInvocation("add", alias="add_again").node_name
        'add_again'
    """

    name: str
    alias: str | None = None
    tags: Mapping[str, Any] | None = field(default=None, compare=False)
    hook_defs: frozenset[Any] = field(default=frozenset(), compare=False)
    retry_policy: RetryPolicy | None = field(default=None, compare=False)

    @property
    def node_name(self) -> str:
        return self.alias or self.name


@dataclass(frozen=True, slots=True)
class DependencyDefinition:
    """What feeds an input: an output of another node. A dynamic output makes a copy of the node for each of its values.

    Args:
        node: name, or alias, of the node upstream.
        output: of it.
    """

    node: str
    output: str = "result"
    description: str | None = None


@dataclass(frozen=True, slots=True)
class DynamicCollectDependencyDefinition:
    """What feeds an input: all values of a dynamic output, or of what is mapped over one, as a list."""

    node_name: str
    output_name: str = "result"


@dataclass(frozen=True, slots=True)
class MultiDependencyDefinition:
    """What feeds an input: outputs of several nodes, as a list in this order."""

    dependencies: Sequence[DependencyDefinition]


Dependency: TypeAlias = DependencyDefinition | DynamicCollectDependencyDefinition | MultiDependencyDefinition


@dataclass(frozen=True, slots=True)
class InputMapping:
    """An input of a graph feeding an input of one of its nodes."""

    graph_input_name: str
    mapped_node_name: str
    mapped_node_input_name: str
    graph_input_description: str | None = None


@dataclass(frozen=True, slots=True)
class OutputMapping:
    """An output of a graph, which is an output of one of its nodes."""

    graph_output_name: str
    mapped_node_name: str
    mapped_node_output_name: str
    graph_output_description: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A graph as it was given."""

    node_defs: Sequence[OpDefinition | GraphDefinition]
    dependencies: Mapping[str | NodeInvocation, Mapping[str, Dependency]]
    input_mappings: Sequence[InputMapping] = ()


class Reader:
    """Calls the nodes of a graph one after the other, upstream first, as a body would."""

    def __init__(self, what: str, given: Given, source: SourceRef | None) -> None:
        self.composer = Composer(what)
        self._what, self._source = what, source
        self._nodes = dict(self._named(given))
        self._feeds = {_invocation(key).node_name: dict(feeds) for key, feeds in given.dependencies.items()}
        self._outer: dict[str, dict[str, str]] = {}
        for mapping in given.input_mappings:
            self._known(mapping.mapped_node_name, self._nodes, "node", "input_mappings")
            self._outer.setdefault(mapping.mapped_node_name, {})[mapping.mapped_node_input_name] = mapping.graph_input_name
        self._handles: dict[str, dict[str, Any]] = {}

    def read(self) -> Composer:
        """Note every node and edge.

        Raises:
            DefinitionError: a name is not known, or nodes depend on each other in a circle.
        """
        before = {
            node: {
                self._known(one, self._nodes, "node", f"the dependencies of {node!r}") for feed in feeds.values() for one in _upstream(feed)
            }
            for node, feeds in self._feeds.items()
        }
        try:
            order = list(TopologicalSorter({node: before.get(node, set()) for node in self._nodes}).static_order())
        except CycleError as error:
            circle = " -> ".join(error.args[1])
            raise DefinitionError(
                f"{self._what}: its nodes depend on each other in a circle: {circle}",
                source=self._source,
                mend="remove one of these dependencies",
            ) from None
        for name in order:
            inputs: dict[str, Any] = {key: InputHandle(outer, self.composer) for key, outer in self._outer.get(name, {}).items()}
            inputs |= {key: self._value(feed) for key, feed in self._feeds.get(name, {}).items()}
            made = self.composer.add(self._nodes[name], (), inputs)
            self._handles[name] = self._by_output(made)
        return self.composer

    def output(self, mapping: OutputMapping) -> Any:
        """What an output of the graph is."""
        return self._handle(mapping.mapped_node_name, mapping.mapped_node_output_name)

    def _named(self, given: Given) -> Iterator[tuple[str, Node]]:
        by_name = {definition.name: definition for definition in given.node_defs}
        used = set()
        for key in given.dependencies:
            node = _invocation(key)
            self._known(node.name, by_name, "op or graph", "dependencies", mend="add it to node_defs=")
            used.add(node.name)
            tags = naming.check_run_tags(node.tags, f"node {node.node_name!r}", self._source)
            hooks = frozenset(node.hook_defs)
            yield (
                node.node_name,
                Node(definition=by_name[node.name], name=node.node_name, tags=tags, retry_policy=node.retry_policy, hook_defs=hooks),
            )
        for name, definition in by_name.items():
            if name not in used:
                yield name, Node(definition=definition, name=name)

    def _value(self, feed: Any) -> Any:
        match feed:
            case DependencyDefinition():
                handle = self._handle(feed.node, feed.output)
                return OutputHandle(handle.node, handle.output, self.composer, Flow.MAPPED) if isinstance(handle, DynamicHandle) else handle
            case MultiDependencyDefinition():
                return [self._value(one) for one in feed.dependencies]
            case DynamicCollectDependencyDefinition():
                handle = self._handle(feed.node_name, feed.output_name)
                return handle.collect() if isinstance(handle, DynamicHandle) else self._collected(handle)
        raise DefinitionError(
            f"{self._what}: a dependency is {feed!r}, a {type(feed).__name__}",
            source=self._source,
            mend="give a DependencyDefinition, MultiDependencyDefinition or DynamicCollectDependencyDefinition",
        )

    def _collected(self, handle: OutputHandle) -> OutputHandle:
        """The values of a node that is mapped over a dynamic output."""
        levels = self.composer.depth_of(handle.node, handle.output)
        return OutputHandle(handle.node, handle.output, self.composer, Flow.COLLECTED, levels) if levels else handle

    def _handle(self, node: str, output: str) -> Any:
        handles = self._handles[self._known(node, self._handles, "node", "its mappings")]
        return handles[self._known(output, handles, f"output of {node!r}", "its dependencies")]

    @staticmethod
    def _by_output(made: Any) -> dict[str, Any]:
        if isinstance(made, Outputs):
            return dict(zip(made.names, made, strict=True))
        return {made.output: made} if made is not None else {}

    def _known(self, name: str, known: Mapping[str, Any], kind: str, where: str, mend: str | None = None) -> str:
        if name in known:
            return name
        close = nearest(name, known)
        hint = mend or f"the names are {', '.join(known) or 'none'}"
        raise DefinitionError(
            f"{self._what}: there is no {kind} {name!r}, which {where} name",
            source=self._source,
            mend=f"did you mean {close!r}?" if close else hint,
        )


def _invocation(key: str | NodeInvocation) -> NodeInvocation:
    return key if isinstance(key, NodeInvocation) else NodeInvocation(key)


def _upstream(feed: Any) -> list[str]:
    match feed:
        case DependencyDefinition():
            return [feed.node]
        case MultiDependencyDefinition():
            return [one.node for one in feed.dependencies]
        case DynamicCollectDependencyDefinition():
            return [feed.node_name]
    return []
