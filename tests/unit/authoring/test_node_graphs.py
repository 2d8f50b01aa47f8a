"""Graphs given as nodes and dependencies."""

from __future__ import annotations

import pytest

import dagwright as dg
from dagwright_shared.model.errors import DefinitionError

pytestmark = pytest.mark.unit


@dg.op
def one() -> int:
    return 1


@dg.op
def add(a: int, b: int) -> int:
    return a + b


@dg.op
def total(numbers: list[int]) -> int:
    return sum(numbers)


@dg.op(out=dg.DynamicOut(int))
def each():
    for number in (1, 2, 3):
        yield dg.DynamicOutput(number, str(number))


@dg.op
def double(number: int) -> int:
    return 2 * number


def test_dependencies_aliases_and_fan_in() -> None:
    again = dg.NodeInvocation("one", alias="again", tags={"slow": "yes"})
    graph = dg.GraphDefinition(
        name="sums",
        description="Adds.",
        node_defs=[total, add, one],
        dependencies={
            "one": {},
            again: {},
            "add": {"a": dg.DependencyDefinition("one"), "b": dg.DependencyDefinition("again")},
            "total": {"numbers": dg.MultiDependencyDefinition([dg.DependencyDefinition("add"), dg.DependencyDefinition("one")])},
        },
        output_mappings=[dg.OutputMapping("sum", "total", "result")],
    )
    result = graph.execute_in_process()
    assert result.output_for_node("total") == 3
    assert result.output_value("sum") == 3
    assert graph.node_named("again").tags == {"slow": "yes"}
    assert {node.name for node in graph.nodes} == {"one", "again", "add", "total"}
    assert [each.name for each in graph.node_defs].count("one") == 1
    assert graph.output_mappings == (dg.OutputMapping("sum", "total", "result"),)


def test_nested_with_inputs() -> None:
    inner = dg.GraphDefinition(
        "plus_one",
        node_defs=[one, add],
        dependencies={"add": {"b": dg.DependencyDefinition("one")}},
        input_mappings=[dg.InputMapping("start", "add", "a")],
        output_mappings=[dg.OutputMapping("result", "add", "result")],
    )
    outer = dg.GraphDefinition(
        "outer", node_defs=[one, inner], dependencies={"plus_one": {"start": dg.DependencyDefinition("one")}}, tags={"team": "sums"}
    )
    job = outer.to_job()
    assert job.execute_in_process().output_for_node("plus_one") == 2
    assert job.tags == {"team": "sums"}
    assert inner.execute_in_process(input_values={"start": 5}).output_value() == 6


def test_dynamic_outputs_are_mapped_and_collected() -> None:
    graph = dg.GraphDefinition(
        "over_each",
        node_defs=[each, double, total],
        dependencies={
            "double": {"number": dg.DependencyDefinition("each")},
            "total": {"numbers": dg.DynamicCollectDependencyDefinition("double")},
        },
    )
    assert graph.execute_in_process().output_for_node("total") == 12


@pytest.mark.parametrize(
    ("dependencies", "told"),
    [
        ({"ad": {}}, "there is no op or graph 'ad', .*did you mean 'add'"),
        (
            {"add": {"a": dg.DependencyDefinition("ones"), "b": dg.DependencyDefinition("one")}},
            "there is no node 'ones', .*did you mean 'one'",
        ),
        ({"add": {"a": dg.DependencyDefinition("one", "rows")}}, "there is no output of 'one' 'rows'"),
        ({"add": {"c": dg.DependencyDefinition("one")}}, "'add' has no input 'c'"),
        ({"add": {"a": "one"}}, "a dependency is 'one', a str"),
        ({"add": {"a": dg.DependencyDefinition("add")}}, "in a circle: add"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(dependencies, told) -> None:
    with pytest.raises(DefinitionError, match=rf"graph 'sums'.*{told}"):
        dg.GraphDefinition("sums", node_defs=[one, add], dependencies=dependencies)


def test_an_input_that_nothing_feeds_is_told_when_it_becomes_a_job() -> None:
    graph = dg.GraphDefinition("sums", node_defs=[one, double])
    graph.to_job()  # a number may come from config

    @dg.op
    def keep(table: object) -> None: ...

    with pytest.raises(DefinitionError, match=r"the input 'table' of keep is not connected"):
        dg.GraphDefinition("keeps", node_defs=[keep]).to_job()
