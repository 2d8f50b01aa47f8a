"""The lineage graph: assets and what they depend on."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from sqlalchemy import Connection

from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.snapshot import AssetExecution
from dagwright_webserver.reads.asset_states import UNKNOWN, AssetStatus, States, read_states, status_of
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.selecting import select
from dagwright_webserver.reads.view import Moment, view


@view
class LineageNode:
    """An asset in the graph."""

    key: str
    """Its key."""
    location: str
    """The location whose definition of it counts."""
    group: str
    """Name of its group."""
    kinds: tuple[str, ...]
    """What it is made with or stored in."""
    execution: AssetExecution
    """materialize, observe or external."""
    status: AssetStatus
    """Its state in one word."""
    layer: int
    """Distance from the first column when drawn left to right: more than that of all it depends on."""
    partitioned: bool
    """Whether it has partitions."""
    materialized_at: Moment | None
    """Newest materialization."""
    checks_failed: int
    """Checks whose newest result failed with severity ERROR."""


@view
class LineageEdge:
    """A dependency."""

    upstream: str
    """Key of the asset that is read or waited for."""
    downstream: str
    """Key of the asset that depends on it."""


@view
class LineageView:
    """Assets and dependencies between them."""

    nodes: tuple[LineageNode, ...]
    """Sorted by layer, group and key."""
    edges: tuple[LineageEdge, ...]
    """Only between assets that are among the nodes."""
    groups: tuple[str, ...]
    """All groups that exist, for filters."""


def read_lineage(
    conn: Connection,
    defs: Definitions,
    *,
    around: AssetKey | None = None,
    depth: int = 1,
    group: str | None = None,
    selection: str | None = None,
) -> LineageView:
    """The whole graph, what a selection picks, the part within `depth` steps of one asset, or one group with its direct neighbours.

    Raises:
        InvalidRequestError: the selection is none.
    """
    graph = defs.graph
    shown = part(defs, around=around, depth=depth, group=group, selection=selection)
    states = read_states(conn, defs, shown if len(shown) < len(graph) else None)
    # What is on a cycle between locations, which none of them can see, has no level.
    layers = {key: layer for layer, keys in enumerate(graph.levels) for key in keys}
    lowest = min((layers.get(key, 0) for key in shown), default=0)
    nodes = sorted((_node(defs, key, states, layers.get(key, lowest) - lowest) for key in shown), key=lambda n: (n.layer, n.group, n.key))
    text = {key: str(key) for key in shown}
    edges = [
        LineageEdge(upstream=text[parent], downstream=name)
        for name, key in sorted((name, key) for key, name in text.items())
        for parent in graph.parents(key)
        if parent in text
    ]
    return LineageView(nodes=tuple(nodes), edges=tuple(edges), groups=tuple(graph.groups))


def part(
    defs: Definitions, *, around: AssetKey | None = None, depth: int = 1, group: str | None = None, selection: str | None = None
) -> AbstractSet[AssetKey]:
    """All assets, or those that are chosen in one way.

    Raises:
        InvalidRequestError: the selection is none.
    """
    graph = defs.graph
    if selection is not None:
        return select(defs, selection)
    if around is not None:
        return graph.upstream([around], depth) | graph.downstream([around], depth)
    if group is not None:
        members = graph.groups.get(group, ())
        return graph.upstream(members, 1) | graph.downstream(members, 1)
    return frozenset(graph.keys())


def _node(defs: Definitions, key: AssetKey, states: States, layer: int) -> LineageNode:
    place, asset = defs.asset(key)
    state = states.get((place, str(key)), UNKNOWN)
    return LineageNode(
        key=str(key),
        location=place,
        group=asset.group,
        kinds=asset.kinds,
        execution=asset.execution,
        status=status_of(asset, state),
        layer=layer,
        partitioned=asset.partitions is not None,
        materialized_at=state.materialized_at,
        checks_failed=state.checks_failed,
    )
