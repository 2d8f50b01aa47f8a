from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagwright_shared.model.errors import NotFoundError, SourceRef
from dagwright_shared.model.graph import AssetGraph, Topology
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, LocationName
from dagwright_shared.model.snapshot import (
    AssetDepSnapshot,
    AssetExecution,
    AssetSnapshot,
    CheckSnapshot,
    JobSnapshot,
    LocationSnapshot,
)


def key(name: str) -> AssetKey:
    return AssetKey.from_user_string(name)


def an_asset(name: str, *deps: str, external: bool = False, group: str = "default", stub: bool = False) -> AssetSnapshot:
    return AssetSnapshot(
        key=key(name),
        deps=tuple(AssetDepSnapshot(key=key(dep)) for dep in deps),
        execution=AssetExecution.EXTERNAL if external or stub else AssetExecution.MATERIALIZE,
        group=group,
        source=None if stub else SourceRef(file="f.py", line=1),
    )


def a_location(
    name: str, *assets: AssetSnapshot, jobs: tuple[JobSnapshot, ...] = (), checks: tuple[CheckSnapshot, ...] = ()
) -> LocationSnapshot:
    return LocationSnapshot(location=LocationName(name), dagwright_version="1", python_version="3", assets=assets, jobs=jobs, checks=checks)


def test_parents_children_levels_roots_and_groups() -> None:
    graph = AssetGraph(
        [a_location("x", an_asset("a"), an_asset("b", "a", group="g"), an_asset("c", "a", "b"), an_asset("d", external=True))]
    )
    assert graph.parents(key("c")) == (key("a"), key("b"))
    assert graph.children(key("a")) == (key("b"), key("c"))
    assert [set(level) for level in graph.levels] == [{key("a"), key("d")}, {key("b")}, {key("c")}]
    assert graph.roots == (key("a"), key("d"))
    assert graph.groups == {"default": (key("a"), key("c"), key("d")), "g": (key("b"),)}
    assert graph.executable == {key("a"), key("b"), key("c")}
    assert graph.upstream([key("c")], depth=1) == {key("a"), key("b"), key("c")}
    assert graph.downstream([key("a")]) == {key("a"), key("b"), key("c")}
    assert len(graph) == 4
    assert key("a") in graph


def test_the_definition_that_computes_counts() -> None:
    ours = a_location("b", an_asset("shared", stub=True), an_asset("mine", "shared"))
    theirs = a_location("a", an_asset("shared"))
    graph = AssetGraph([ours, theirs])
    assert graph.asset(key("shared")).location == "a"
    assert graph.parents(key("mine")) == (key("shared"),)
    assert graph.conflicts == ()


def test_a_declared_external_asset_beats_a_stub() -> None:
    graph = AssetGraph([a_location("a", an_asset("x", stub=True)), a_location("b", an_asset("x", external=True))])
    assert graph.asset(key("x")).location == "b"


def test_two_locations_that_compute_one_asset_conflict() -> None:
    graph = AssetGraph([a_location("b", an_asset("x")), a_location("a", an_asset("x"))])
    assert graph.asset(key("x")).location == "a"
    assert [(c.key, c.locations) for c in graph.conflicts] == [(key("x"), ("a", "b"))]


def test_checks_and_jobs_of_an_asset() -> None:
    check = CheckSnapshot(key=AssetCheckKey(key("x"), "fine"))
    job = JobSnapshot(name="j", asset_keys=(key("x"),))
    graph = AssetGraph([a_location("a", an_asset("x"), jobs=(job,), checks=(check,))])
    assert graph.checks[key("x")] == (check,)
    assert graph.check_keys(key("x")) == (check.key,)
    assert graph.jobs_of(key("x")) == (("a", job),)
    assert graph.jobs_of(key("y")) == ()


def test_an_unknown_asset_names_the_nearest() -> None:
    graph = AssetGraph([a_location("a", an_asset("raw/flights"))])
    with pytest.raises(NotFoundError, match="did you mean 'raw/flights'"):
        graph.asset(key("raw/flihgts"))


def test_a_cycle_is_a_path_of_dependents() -> None:
    edges = {"a": ["c"], "b": ["a"], "c": ["b"], "below": ["c"], "free": []}
    topology = Topology({key(name): [key(dep) for dep in deps] for name, deps in edges.items()})
    path = topology.cycle()
    assert path is not None
    assert path[0] == path[-1]
    for parent, child in pairwise(path):
        assert parent in topology.parents(child)


@given(st.lists(st.tuples(st.integers(0, 15), st.integers(0, 15)), max_size=40))
def test_order_has_parents_first_and_cycle_says_when_there_is_none(edges: list[tuple[int, int]]) -> None:
    names = [AssetKey(f"n{i}") for i in range(16)]
    parents: dict[AssetKey, list[AssetKey]] = {name: [] for name in names}
    for child, parent in edges:
        parents[names[child]].append(names[parent])
    topology = Topology(parents)
    order = topology.order()
    place = {name: number for number, name in enumerate(order)}
    for name in order:
        assert all(place[parent] < place[name] for parent in topology.parents(name))
    path = topology.cycle()
    assert (path is None) == (len(order) == len(names))
    if path:
        assert all(parent in topology.parents(child) for parent, child in pairwise(path))
