"""Graphs that are given as nodes and what depends on what."""

import dagster as dg
from observe import raised, told


@dg.op
def one():
    return 1


@dg.op
def add(a, b):
    return a + b


@dg.op
def total(numbers):
    return sum(numbers)


@dg.op(out=dg.DynamicOut())
def each():
    for number in range(3):
        yield dg.DynamicOutput(number, str(number))


@dg.op(out={"low": dg.Out(), "high": dg.Out(is_required=False)})
def both():
    yield dg.Output(1, "low")


SUMS = {
    dg.NodeInvocation("one", alias="again", tags={"slow": "yes"}): {},
    "one": {},
    "add": {"a": dg.DependencyDefinition("one"), "b": dg.DependencyDefinition("again")},
}


def graph(**options):
    return dg.GraphDefinition(name="sums", node_defs=[add, one], dependencies=SUMS, **options)


def case_dependencies_and_aliases():
    result = graph().execute_in_process()
    return told(result), result.output_for_node("add")


def case_outputs():
    made = graph(
        output_mappings=[dg.OutputMapping(graph_output_name="sum", mapped_node_name="add", mapped_node_output_name="result")],
        description="Adds.",
        tags={"team": "sums"},
    )
    job = made.to_job(name="adds")
    return made.execute_in_process().output_value("sum"), made.description, job.name, job.tags.get("team")


def case_names():
    made = graph()
    again = made.node_named("again")
    return (
        sorted(node.name for node in made.nodes),
        sorted(each.name for each in made.node_defs),
        again.definition.name,
        made.has_node_named("one"),
        made.has_node_named("other"),
        sorted(made.node_dict),
    )


def case_inputs():
    made = dg.GraphDefinition(
        name="plus_one",
        node_defs=[one, add],
        dependencies={"add": {"b": dg.DependencyDefinition("one")}},
        input_mappings=[dg.InputMapping(graph_input_name="start", mapped_node_name="add", mapped_node_input_name="a")],
        output_mappings=[dg.OutputMapping(graph_output_name="result", mapped_node_name="add", mapped_node_output_name="result")],
    )

    @dg.graph
    def outer():
        return made(one())

    return made.execute_in_process(input_values={"start": 5}).output_value(), outer.execute_in_process().output_value()


def case_several_into_one_input():
    feeds = dg.MultiDependencyDefinition([dg.DependencyDefinition("one"), dg.DependencyDefinition("more")])
    made = dg.GraphDefinition(
        name="fan_in",
        node_defs=[one, total],
        dependencies={"one": {}, dg.NodeInvocation("one", "more"): {}, "total": {"numbers": feeds}},
    )
    return made.execute_in_process().output_for_node("total")


def case_mapped_over_a_dynamic_output():
    made = dg.GraphDefinition(
        name="mapped",
        node_defs=[each, one, add],
        dependencies={"add": {"a": dg.DependencyDefinition("each"), "b": dg.DependencyDefinition("one")}},
    )
    return made.execute_in_process().output_for_node("add")


def case_a_branch_that_is_not_taken():
    made = dg.GraphDefinition(
        name="branch",
        node_defs=[both, dg.op(name="low")(lambda _context, x: x), dg.op(name="high")(lambda _context, x: x)],
        dependencies={"low": {"x": dg.DependencyDefinition("both", "low")}, "high": {"x": dg.DependencyDefinition("both", "high")}},
    )
    return told(made.execute_in_process())


def case_an_unknown_node():
    return raised(lambda: dg.GraphDefinition(name="bad", node_defs=[add, one], dependencies={"add": {"a": dg.DependencyDefinition("two")}}))


def case_an_unknown_output():
    return raised(
        lambda: dg.GraphDefinition(name="bad", node_defs=[add, one], dependencies={"add": {"a": dg.DependencyDefinition("one", "x")}})
    )


def case_an_unknown_input():
    return raised(lambda: dg.GraphDefinition(name="bad", node_defs=[add, one], dependencies={"add": {"c": dg.DependencyDefinition("one")}}))
