"""Graphs as data for the browser, which lays them out in a worker: assets and their dependencies, or the ops of a job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

from markupsafe import Markup

from dagwright_shared.model.snapshot import AssetExecution
from dagwright_webserver import looks, render
from dagwright_webserver.reads.asset_states import AssetStatus
from dagwright_webserver.reads.assets import AssetLink
from dagwright_webserver.reads.columns import ColumnsView
from dagwright_webserver.reads.jobs import JobView
from dagwright_webserver.reads.lineage import Drawing, Plan

GROUPED_FROM = 150
"""So many assets are drawn in their groups unless the page is asked otherwise: the groups are what one reads from afar."""

MAX_COLUMNS = 100
"""So many columns of an asset are drawn."""

_WORST_FIRST = (
    AssetStatus.FAILED,
    AssetStatus.CHECK_FAILED,
    AssetStatus.MATERIALIZING,
    AssetStatus.MISSING,
    AssetStatus.MATERIALIZED,
    AssetStatus.EXTERNAL,
)


def asset_map(drawing: Drawing, *, focus: str | None = None) -> Markup:
    """Assets by columns as JSON, an asset being its place in each: a list of ten thousand objects would be most of the page.

    `status`, `group` and `location` are places in `statuses` (the worst first), `groups` and `locations`; `edges` are pairs
    of places of assets, one after the other.
    """
    keys = [one.name for one in drawing.plan.placed]
    now = {"status": [_STATUS_AT[status] for status in drawing.statuses], "on": keys.index(focus) if focus in keys else -1}
    return Markup(render.data_block(now)[:-1] + "," + _fixed(drawing.plan)[1:])


_STATUS_AT = {status: place for place, status in enumerate(_WORST_FIRST)}


@lru_cache(maxsize=8)
def _fixed(plan: Plan) -> Markup:
    """What of a map does not change before the definitions do."""
    placed = plan.placed
    groups, locations = sorted({one.asset.group for one in placed}), sorted({one.location for one in placed})
    group_at, location_at = {name: n for n, name in enumerate(groups)}, {name: n for n, name in enumerate(locations)}
    asset_at = {one.name: n for n, one in enumerate(placed)}
    looked = [(status, looks.look(status)) for status in _WORST_FIRST]
    return render.data_block(
        {
            "keys": list(asset_at),
            "group": [group_at[one.asset.group] for one in placed],
            "location": [location_at[one.location] for one in placed],
            "kinds": [", ".join(one.asset.kinds) for one in placed],
            "made": [int(one.asset.execution is AssetExecution.MATERIALIZE) for one in placed],
            "partitioned": [int(one.asset.partitions is not None) for one in placed],
            "edges": [asset_at[key] for edge in plan.edges for key in (edge.upstream, edge.downstream)],
            "statuses": [{"status": status, "tone": look.tone, "icon": look.icon, "label": look.label} for status, look in looked],
            "groups": groups,
            "locations": locations,
        }
    )


def graphs_of(view: JobView) -> Mapping[str, int]:
    """The nested graphs of a job by their path, outer ones first, with the number of ops in each."""
    found: dict[str, int] = {}
    for node in view.nodes:
        parts = node.handle.split(".")
        for end in range(1, len(parts)):
            path = ".".join(parts[:end])
            found[path] = found.get(path, 0) + 1
    return found


def job_graph(view: JobView, statuses: Mapping[str, AssetStatus], *, expanded: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The ops of a job. One that makes one asset is drawn as that asset; a nested graph is one node until it is expanded."""
    nodes: dict[str, dict[str, Any]] = {}
    drawn: dict[str, str] = {}
    counts = graphs_of(view)
    for node in view.nodes:
        closed = _closed_graph(node.handle, expanded)
        drawn[node.handle] = closed or node.handle
        if closed:
            query = urlencode([("expand", each) for each in (*sorted(expanded), closed)])
            url = f"/jobs/{quote(view.name, safe='')}?{query}"
            nodes.setdefault(closed, _node(closed, closed, f"graph of {looks.plural(counts[closed], 'op')}", None, url))
        elif len(node.assets) == 1:
            asset = node.assets[0]
            url = f"/assets/{quote(asset, safe='/')}"
            nodes[node.handle] = _node(node.handle, asset, node.op, statuses.get(asset, AssetStatus.MISSING), url)
        else:
            about = f"{looks.plural(len(node.assets), 'asset')}" if node.assets else looks.first_line(node.description) or "op"
            nodes[node.handle] = _node(node.handle, node.handle, about, None, f"/jobs/{quote(view.name, safe='')}#nodes")
    edges = {(drawn[edge.from_node], drawn[edge.to_node]) for edge in view.edges if edge.from_node in drawn and edge.to_node in drawn}
    return {"nodes": list(nodes.values()), "edges": sorted([a, b] for a, b in edges if a != b)}


def _closed_graph(handle: str, expanded: frozenset[str]) -> str | None:
    """The outermost graph around an op that is not expanded."""
    parts = handle.split(".")
    paths = (".".join(parts[:end]) for end in range(1, len(parts)))
    return next((path for path in paths if path not in expanded), None)


@lru_cache(maxsize=8)
def upstream_of(plan: Plan) -> Mapping[str, list[str]]:
    """Key to the keys that it depends on, for the list that stands in for the picture."""
    found: dict[str, list[str]] = {}
    for edge in plan.edges:
        found.setdefault(edge.downstream, []).append(edge.upstream)
    return found


def neighbours(key: str, status: AssetStatus, upstream: Iterable[AssetLink], downstream: Iterable[AssetLink]) -> dict[str, Any]:
    """An asset between its direct neighbours."""
    nodes, edges = [_node(key, key, "this asset", status, f"/assets/{quote(key, safe='/')}", on=True)], []
    seen = {key}
    for link, edge in [*((link, [link.key, key]) for link in upstream), *((link, [key, link.key]) for link in downstream)]:
        if link.key not in seen:
            seen.add(link.key)
            nodes.append(
                _node(link.key, link.key, "" if link.defined else "not defined", link.status, f"/assets/{quote(link.key, safe='/')}")
            )
        edges.append(edge)
    return {"nodes": nodes, "edges": edges}


def column_graph(view: ColumnsView) -> dict[str, Any]:
    """Assets as boxes with their columns as rows; of other assets than the one in the middle only the columns that it has to do with."""
    rows: dict[str, dict[str, None]] = {view.key: dict.fromkeys(column.name for column in view.columns)}
    for edge in view.edges:
        for end in (edge.upstream, edge.downstream):
            rows.setdefault(end.asset, {})[end.column] = None
    nodes = [
        {
            "id": key,
            "title": key,
            "rows": list(names)[:MAX_COLUMNS],
            "url": f"/assets/{quote(key, safe='/')}?tab=columns",
            "on": key == view.key,
        }
        for key, names in sorted(rows.items())
    ]
    edges = [[edge.upstream.asset, edge.downstream.asset, edge.upstream.column, edge.downstream.column] for edge in view.edges]
    return {"nodes": nodes, "edges": edges}


def _node(name: str, title: str, about: str, status: AssetStatus | None, url: str, *, on: bool = False) -> dict[str, Any]:
    look = looks.look(status) if status is not None else looks.Look("neutral", "op", "Op")
    return {"id": name, "title": title, "sub": about, "tone": look.tone, "icon": look.icon, "label": look.label, "url": url, "on": on}
