"""The lineage graph: assets and what they depend on."""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from sqlalchemy import Connection

from dagwright_shared.model.keys import AssetKey, Digest, LocationName
from dagwright_shared.model.snapshot import AssetExecution, AssetSnapshot
from dagwright_webserver.reads.asset_states import UNKNOWN, UNMARKED, AssetStatus, Mark, read_marks, read_words, status_of, status_of_mark
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


@view
class LineageStatusesView:
    """The states of assets in the lineage graph, and nothing else of them."""

    keys: Mapping[AssetStatus, tuple[str, ...]]
    """Status to the keys of the assets that are in it; a status that none is in is left out."""


def read_statuses(
    conn: Connection,
    defs: Definitions,
    *,
    around: AssetKey | None = None,
    depth: int = 1,
    group: str | None = None,
    selection: str | None = None,
) -> LineageStatusesView:
    """The states of the assets that `read_lineage` gives, in a fraction of its time: for whoever has the graph already.

    Raises:
        InvalidRequestError: the selection is none.
    """
    drawing = read_drawing(conn, defs, around=around, depth=depth, group=group, selection=selection)
    keys: dict[AssetStatus, list[str]] = {}
    for one, status in zip(drawing.plan.placed, drawing.statuses, strict=True):
        keys.setdefault(status, []).append(one.name)
    return LineageStatusesView(keys={status: tuple(found) for status, found in sorted(keys.items())})


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
    shown = part(defs, around=around, depth=depth, group=group, selection=selection)
    plan, whole = _part_of(defs, shown)
    states = read_marks(conn, defs, None if whole else shown)
    lowest = min((one.layer for one in plan.placed), default=0)
    nodes = tuple(_node(one, states.get((one.location, one.name), UNMARKED), one.layer - lowest) for one in plan.placed)
    return LineageView(nodes=nodes, edges=plan.edges, groups=tuple(defs.graph.groups))


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """What a picture of the graph takes: assets in order, and the state of each."""

    plan: Plan
    statuses: tuple[AssetStatus, ...]
    groups: tuple[str, ...]
    """All that exist, for filters."""


def read_drawing(
    conn: Connection,
    defs: Definitions,
    *,
    around: AssetKey | None = None,
    depth: int = 1,
    group: str | None = None,
    selection: str | None = None,
) -> Drawing:
    """The same as `read_lineage`, as far as it is drawn.

    Raises:
        InvalidRequestError: the selection is none.
    """
    shown = part(defs, around=around, depth=depth, group=group, selection=selection)
    plan, whole = _part_of(defs, shown)
    words = read_words(conn, defs, None if whole else shown)
    statuses = tuple(words.get((one.location, one.name)) or status_of(one.asset, UNKNOWN) for one in plan.placed)
    return Drawing(plan=plan, statuses=statuses, groups=tuple(defs.graph.groups))


def _part_of(defs: Definitions, shown: AbstractSet[AssetKey]) -> tuple[Plan, bool]:
    """The plan of some assets, and whether they are all."""
    plan = _plan(defs)
    if len(shown) == len(defs.graph):
        return plan, True
    names = {key.to_user_string() for key in shown}
    edges = tuple(edge for edge in plan.edges if edge.upstream in names and edge.downstream in names)
    return Plan(tuple(one for one in plan.placed if one.key in shown), edges), False


@dataclass(frozen=True, slots=True)
class Placed:
    """What of a node does not change before its definition does."""

    layer: int
    key: AssetKey
    name: str
    location: LocationName
    asset: AssetSnapshot


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Some graph of definitions, in the order in which it is told. That of all of them is one object for as long as they stand."""

    placed: tuple[Placed, ...]
    edges: tuple[LineageEdge, ...]


_plans: dict[frozenset[tuple[LocationName, Digest]], Plan] = {}
_MOST_PLANS = 8


def _plan(defs: Definitions) -> Plan:
    """Made once for each set of definitions: of thousands of assets it takes longer than all that is asked of the store."""
    of = frozenset(defs.digests.items())
    found = _plans.get(of)
    if found is None:
        graph = defs.graph
        # What is on a cycle between locations, which none of them can see, has no level.
        layers = {key: layer for layer, keys in enumerate(graph.levels) for key in keys}
        text = {key: key.to_user_string() for key in defs.assets}
        placed = [Placed(layers.get(key, 0), key, name, *defs.asset(key)) for key, name in text.items()]
        placed.sort(key=lambda one: (one.layer, one.asset.group, one.name))
        pairs = ((text[parent], name) for name, key in sorted((name, key) for key, name in text.items()) for parent in graph.parents(key))
        found = Plan(tuple(placed), tuple(LineageEdge(upstream=upstream, downstream=name) for upstream, name in pairs))
        if len(_plans) >= _MOST_PLANS:
            _plans.clear()
        _plans[of] = found
    return found


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


def _node(placed: Placed, mark: Mark, layer: int) -> LineageNode:
    asset = placed.asset
    return LineageNode(
        key=placed.name,
        location=placed.location,
        group=asset.group,
        kinds=asset.kinds,
        execution=asset.execution,
        status=status_of_mark(asset, mark),
        layer=layer,
        partitioned=asset.partitions is not None,
        materialized_at=mark.materialized_at,
        checks_failed=mark.checks_failed,
    )
