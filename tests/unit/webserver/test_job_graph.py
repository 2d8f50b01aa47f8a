"""The drawing of a job: nested graphs are one node each until they are expanded."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

from dagwright_webserver import lineage
from dagwright_webserver.reads.jobs import EdgeView, JobView, NodeView


def node(handle: str, **fields: Any) -> NodeView:
    given: dict[str, Any] = {each.name: () for each in dataclasses.fields(cast("Any", NodeView))}
    return NodeView(**{**given, "handle": handle, "op": handle.rsplit(".", 1)[-1], "description": None, **fields})


def job(*nodes: NodeView, edges: tuple[tuple[str, str], ...]) -> JobView:
    given: dict[str, Any] = {each.name: () for each in dataclasses.fields(cast("Any", JobView))}
    drawn = tuple(EdgeView(from_node=a, from_output="result", to_node=b, to_input="x") for a, b in edges)
    return JobView(**{**given, "name": "etl", "nodes": nodes, "edges": drawn})


NESTED = job(
    *(node(handle) for handle in ("load", "clean.strip", "clean.deep.parse", "clean.deep.check", "store")),
    edges=(
        ("load", "clean.strip"),
        ("clean.strip", "clean.deep.parse"),
        ("clean.deep.parse", "clean.deep.check"),
        ("clean.deep.check", "store"),
    ),
)


def drawn(*expanded: str) -> tuple[list[str], list[list[str]]]:
    found = lineage.job_graph(NESTED, {}, expanded=frozenset(expanded))
    return [each["id"] for each in found["nodes"]], found["edges"]


def test_a_graph_is_one_node() -> None:
    assert drawn() == (["load", "clean", "store"], [["clean", "store"], ["load", "clean"]])
    (graph,) = (each for each in lineage.job_graph(NESTED, {})["nodes"] if each["id"] == "clean")
    assert (graph["sub"], graph["url"]) == ("graph of 3 ops", "/jobs/etl?expand=clean")
    assert lineage.graphs_of(NESTED) == {"clean": 3, "clean.deep": 2}


def test_expanding_goes_level_by_level() -> None:
    names, edges = drawn("clean")
    assert names == ["load", "clean.strip", "clean.deep", "store"]
    assert ["clean.deep", "store"] in edges
    (inner,) = (each for each in lineage.job_graph(NESTED, {}, expanded=frozenset({"clean"}))["nodes"] if each["id"] == "clean.deep")
    assert inner["url"] == "/jobs/etl?expand=clean&expand=clean.deep"
    assert drawn("clean", "clean.deep")[0] == ["load", "clean.strip", "clean.deep.parse", "clean.deep.check", "store"]
    assert drawn("nothing") == drawn()


def test_an_op_of_one_asset_is_drawn_as_it() -> None:
    found = lineage.job_graph(job(node("raw__orders", assets=("raw/orders",)), edges=()), {})
    assert [(each["title"], each["url"]) for each in found["nodes"]] == [("raw/orders", "/assets/raw/orders")]
