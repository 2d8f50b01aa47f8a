"""The lineage graph: assets and what they depend on."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection

from dagwright_shared.model.keys import AssetKey
from dagwright_webserver.reads.asset_states import UNKNOWN, AssetStatus, States, read_states, status_of
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.view import Moment, view


@view
class LineageNode:
    """An asset in the graph."""

    key: str
    """Its key."""
    location: str | None
    """The location that defines it; null when none does."""
    group: str
    """Name of its group."""
    kinds: tuple[str, ...]
    """What it is made with or stored in."""
    status: AssetStatus
    """Its state in one word."""
    layer: int
    """Longest path from an asset without upstream, from 0: its column when drawn left to right."""
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
    conn: Connection, defs: Definitions, *, around: AssetKey | None = None, depth: int = 1, group: str | None = None
) -> LineageView:
    """The whole graph, or the part within `depth` steps of one asset, or one group with its direct neighbours."""
    everything = {*defs.assets, *defs.children}
    if around is not None:
        shown = _neighbourhood(defs, [around], depth)
    elif group is not None:
        members = [key for key, found in defs.assets.items() if any(asset.group == group for _, asset in found)]
        shown = _neighbourhood(defs, members, 1)
    else:
        shown = everything
    states = read_states(conn, shown if len(shown) < len(everything) else None)
    layers = _layers(defs, shown)
    nodes = sorted((_node(defs, key, states, layers[key]) for key in shown), key=lambda node: (node.layer, node.group, node.key))
    edges = [
        LineageEdge(upstream=str(parent), downstream=str(key)) for key in sorted(shown) for parent in defs.parents(key) if parent in shown
    ]
    groups = sorted({asset.group for found in defs.assets.values() for _, asset in found})
    return LineageView(nodes=tuple(nodes), edges=tuple(edges), groups=tuple(groups))


def _node(defs: Definitions, key: AssetKey, states: States, layer: int) -> LineageNode:
    found = defs.assets.get(key)
    if not found:
        return LineageNode(
            key=str(key),
            location=None,
            group="",
            kinds=(),
            status=AssetStatus.EXTERNAL,
            layer=layer,
            partitioned=False,
            materialized_at=None,
            checks_failed=0,
        )
    place, asset = defs.asset(key)
    state = states.get((place, str(key)), UNKNOWN)
    return LineageNode(
        key=str(key),
        location=place,
        group=asset.group,
        kinds=asset.kinds,
        status=status_of(asset, state),
        layer=layer,
        partitioned=asset.partitions is not None,
        materialized_at=state.materialized_at,
        checks_failed=state.checks_failed,
    )


def _neighbourhood(defs: Definitions, start: Iterable[AssetKey], depth: int) -> set[AssetKey]:
    found = set(start)
    for neighbours in (defs.parents, lambda key: defs.children.get(key, ())):
        edge = set(start)
        for _ in range(depth):
            edge = {other for key in edge for other in neighbours(key)} - found
            found |= edge
    return found


def _layers(defs: Definitions, shown: set[AssetKey]) -> dict[AssetKey, int]:
    """Longest path from a source inside the shown part. A cycle across locations, which no one location can see, ends where it closes."""
    waiting = {key: sum(1 for parent in defs.parents(key) if parent in shown) for key in shown}
    layers = dict.fromkeys(shown, 0)
    ready = [key for key, count in waiting.items() if count == 0]
    while ready:
        key = ready.pop()
        for child in defs.children.get(key, ()):
            if child in shown:
                layers[child] = max(layers[child], layers[key] + 1)
                waiting[child] -= 1
                if waiting[child] == 0:
                    ready.append(child)
    return layers
