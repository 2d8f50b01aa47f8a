"""Graphs as data for the browser, which lays them out in a worker: assets and their dependencies, or the ops of a job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

from dagwright_webserver import looks
from dagwright_webserver.reads.asset_states import AssetStatus
from dagwright_webserver.reads.assets import AssetLink
from dagwright_webserver.reads.jobs import JobView
from dagwright_webserver.reads.lineage import LineageView

MAX_DRAWN = 600
"""More nodes than this are no picture that anybody can read; the page asks for a group or an asset instead."""


def asset_graph(view: LineageView, *, focus: str | None = None) -> dict[str, Any]:
    """Assets as nodes; each says its status by tone, icon and word."""
    nodes = [
        _node(
            node.key, node.key, _subtitle(node.group, node.kinds), node.status, f"/assets/{quote(node.key, safe='/')}", on=node.key == focus
        )
        for node in view.nodes
    ]
    return {"nodes": nodes, "edges": [[edge.upstream, edge.downstream] for edge in view.edges]}


def group_graph(view: LineageView) -> dict[str, Any]:
    """The groups as nodes, each with its worst status: what is left to be read of thousands of assets. Empty where there is but one."""
    members: dict[str, list[AssetStatus]] = {}
    group_of = {}
    for node in view.nodes:
        members.setdefault(node.group, []).append(node.status)
        group_of[node.key] = node.group
    if not 1 < len(members) <= MAX_DRAWN:
        return {}
    nodes = []
    for group, statuses in sorted(members.items()):
        worst = min(statuses, key=_WORST.index)
        failed = sum(status in (AssetStatus.FAILED, AssetStatus.CHECK_FAILED) for status in statuses)
        about = looks.plural(len(statuses), "asset") + (f" · {failed:,} failed" if failed else "")
        nodes.append(_node(group, group, about, worst, f"/lineage?{urlencode({'group': group})}"))
    edges = {(group_of[edge.upstream], group_of[edge.downstream]) for edge in view.edges}
    return {"nodes": nodes, "edges": sorted([a, b] for a, b in edges if a != b)}


_WORST = (
    AssetStatus.FAILED,
    AssetStatus.CHECK_FAILED,
    AssetStatus.MATERIALIZING,
    AssetStatus.MISSING,
    AssetStatus.MATERIALIZED,
    AssetStatus.EXTERNAL,
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


def upstream_of(view: LineageView) -> Mapping[str, list[str]]:
    """Key to the keys that it depends on, for the list that stands in for the picture."""
    found: dict[str, list[str]] = {}
    for edge in view.edges:
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


def _subtitle(group: str, kinds: tuple[str, ...]) -> str:
    return " · ".join([part for part in (group, ", ".join(kinds)) if part])


def _node(name: str, title: str, about: str, status: AssetStatus | None, url: str, *, on: bool = False) -> dict[str, Any]:
    look = looks.look(status) if status is not None else looks.Look("neutral", "op", "Op")
    return {"id": name, "title": title, "sub": about, "tone": look.tone, "icon": look.icon, "label": look.label, "url": url, "on": on}
