from __future__ import annotations

from collections.abc import Iterator

import pytest

import dagwright as dg
from dagwright.authoring.composition import Flow, GraphInput, NodeOutput
from dagwright_shared.model.errors import DefinitionError


@dg.op
def one() -> int:
    return 1


@dg.op
def add(a: int, b: int = 5) -> int:
    """Adds.

    Two numbers.
    """
    return a + b


@dg.op(out={"left": dg.Out(int), "right": dg.Out(str, is_required=False)})
def split(value: int):
    return value, str(value)


@dg.op(out=dg.DynamicOut(int))
def fan() -> Iterator[dg.DynamicOutput[int]]:
    yield dg.DynamicOutput(1, mapping_key="a")


@dg.op
def total(values: list[int]) -> int:
    return sum(values)


def test_an_op_knows_its_function() -> None:
    class Limit(dg.Config):
        rows: int = 3

    class Db(dg.ConfigurableResource):
        path: str

    @dg.op(required_resource_keys={"other"}, tags={"k": "v"}, pool="p", retry_policy=dg.RetryPolicy(max_retries=2), code_version="1")
    def load(context: dg.OpExecutionContext, config: Limit, db: Db, client: dg.ResourceParam[object], rows: list[int], n: int = 3) -> str:
        return ""

    assert load.name == "load"
    assert load.context_param == "context"
    assert load.config_param == "config"
    assert load.config_schema is not None
    assert load.config_schema["properties"] == {"rows": {"default": 3, "title": "Rows", "type": "integer"}}
    assert load.resource_params == {"db": "db", "client": "client"}
    assert load.required_resource_keys == {"db", "client", "other"}
    assert list(load.ins) == ["rows", "n"]
    assert load.ins["rows"].dagster_type == list[int]
    assert load.ins["n"].default_value == 3
    assert load.outs["result"].dagster_type is str
    assert load.retry_policy == dg.RetryPolicy(max_retries=2)
    assert load.source is not None
    assert load.source.file == __file__


def test_docstrings_defaults_and_types() -> None:
    assert add.description == "Adds.\n\nTwo numbers."
    assert not add.ins["a"].has_default
    assert split.outs["left"].dagster_type is int
    assert not split.outs["right"].is_required
    assert fan.outs["result"].is_dynamic
    assert fan.is_generator

    @dg.op
    def nothing() -> None: ...

    @dg.op
    async def later() -> dg.Output[int]:
        return dg.Output(1)

    assert nothing.outs["result"].is_nothing
    assert later.is_async
    assert later.outs["result"].dagster_type is int


@pytest.mark.parametrize("name", ["a b", "a-b", "", "ä!"])
def test_bad_names(name: str) -> None:
    with (
        pytest.raises(DefinitionError, match=r"not a valid name.*test_ops_and_graphs.py:\d+.*letters")
        if name
        else pytest.raises(DefinitionError) as _
    ):

        @dg.op(name=name or "!")
        def f() -> None: ...


def test_definition_errors_of_ops() -> None:
    with pytest.raises(DefinitionError, match="declares the input 'x', but the function has no such argument"):

        @dg.op(ins={"x": dg.In(int)})
        def f1() -> None: ...

    with pytest.raises(DefinitionError, match="without a type"):

        @dg.op
        def f2(config) -> None: ...

    with pytest.raises(DefinitionError, match="cannot be filled by name"):

        @dg.op
        def f3(*values) -> None: ...

    with pytest.raises(DefinitionError, match="required_resource_keys is 'db'"):

        @dg.op(required_resource_keys="db")  # type: ignore[arg-type]
        def f4() -> None: ...

    with pytest.raises(DefinitionError, match="retry_policy is a int"):

        @dg.op(retry_policy=3)  # type: ignore[call-overload]
        def f5() -> None: ...

    with pytest.raises(DefinitionError, match="tag 'at' with a value of type object"):

        @dg.op(tags={"at": object()})
        def f6() -> None: ...


def test_tags_of_what_runs_are_text_and_json() -> None:
    @dg.op(tags={"dagster/priority": 3, "any key": {"cpu": 1}})
    def work() -> None: ...

    assert work.tags == {"dagster/priority": "3", "any key": '{"cpu": 1}'}
    assert dg.RunRequest(tags={"n": 1}).tags == {"n": "1"}


def test_order_only_inputs_need_no_argument() -> None:
    @dg.op(ins={"start": dg.In(dg.Nothing)})
    def after() -> None: ...

    assert after.ins["start"].is_nothing


def test_called_outside_a_graph_an_op_runs() -> None:
    assert add(1, 2) == 3
    assert add(a=1) == 6
    assert split(3) == (3, "3")


def test_a_graph_notes_its_calls() -> None:
    @dg.graph(out={"sum": dg.GraphOut("the sum"), "text": dg.GraphOut()})
    def both(start):
        halves = split(start)
        return {"sum": add.alias("adder")(halves.left, one()), "text": halves.right}

    assert [node.name for node in both.nodes] == ["split", "one", "adder"]
    assert both.dependencies["split"]["value"].sources == (GraphInput("start"),)
    assert both.dependencies["adder"]["b"].sources == (NodeOutput("one", "result"),)
    assert both.outputs == {"sum": NodeOutput("adder", "result"), "text": NodeOutput("split", "right")}
    assert both.outs["sum"].description == "the sum"
    assert [(m.graph_input_name, m.mapped_node_name, m.mapped_node_input_name) for m in both.input_mappings] == [
        ("start", "split", "value")
    ]


def test_nested_graphs_aliases_tags_and_fan_in() -> None:
    @dg.graph
    def inner(x):
        return add(x, one())

    @dg.job(tags={"team": "a"}, config={"ops": {}})
    def outer():
        first = inner(one())
        total([first, inner.alias("again")(first), one.tag({"slow": "yes"}).with_retry_policy(dg.RetryPolicy())()])

    assert outer.graph is not None
    assert [handle for handle, _, _ in outer.graph.walk()] == [
        "one", "inner.one", "inner.add", "again.one", "again.add", "one_2", "total",
    ]  # fmt: skip
    edge = outer.graph.dependencies["total"]["values"]
    assert edge.fan_in
    assert edge.sources == (NodeOutput("inner"), NodeOutput("again"), NodeOutput("one_2"))
    assert outer.graph.node_dict["one_2"].tags == {"slow": "yes"}
    assert outer.all_run_tags == {"team": "a"}


def test_dynamic_outputs_are_mapped_and_collected() -> None:
    @dg.job
    def dynamic():
        numbers = fan()
        total(numbers.map(add).map(add).collect())

    assert dynamic.graph is not None
    edges = dynamic.graph.dependencies
    assert edges["add"]["a"].sources[0] == NodeOutput("fan", "result", Flow.MAPPED)
    assert edges["add_2"]["a"].sources[0] == NodeOutput("add", "result", Flow.MAPPED)
    assert edges["total"]["values"].sources[0] == NodeOutput("add_2", "result", Flow.COLLECTED, 1)


def _compose(body):
    return dg.graph(body)


BAD_BODIES = {
    "a constant": (lambda: add(3, 4), "was given 3, a int.*use config"),
    "an unknown input": (lambda: add(one(), c=one()), "no input 'c'"),
    "an input twice": (lambda: add(one(), a=one()), "input 'a' twice"),
    "too many": (lambda: add(one(), one(), one()), "3 positional arguments, but has 2 inputs"),
    "all outputs": (lambda: add(split(one())), "pick one of left, right"),
    "no such output": (lambda: add(split(one()).middle), "no output 'middle'"),
    "dynamic as it is": (lambda: add(fan()), r"use \.map"),
    "a test of a value": (lambda: add(one()) if one() else None, "has no value yet"),
    "a loop": (lambda: [add(x) for x in one()], "has no value yet"),
    "an alias twice": (lambda: (one.alias("x")(), one.alias("x")(), None)[2], "alias 'x' twice"),
    "returning a constant": (lambda: 3, "returns 3"),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bodies_that_cannot_be(name: str) -> None:
    body, message = BAD_BODIES[name]
    with pytest.raises(DefinitionError, match=message):
        dg.graph(name="bad")(body)


def test_handles_do_not_leave_their_graph() -> None:
    kept = []

    @dg.graph
    def first():
        kept.append(one())

    with pytest.raises(DefinitionError, match="from the body of another graph"):

        @dg.graph
        def second():
            add(kept[0])


def test_jobs_need_all_inputs() -> None:
    @dg.op
    def join(rows: set[int]) -> int:
        return sum(rows)

    @dg.graph
    def inner():
        join()

    with pytest.raises(DefinitionError, match=r"the input 'rows' of inner\.join is not connected"):

        @dg.job
        def j():
            inner()

    with pytest.raises(DefinitionError, match="has the input 'x', which nothing feeds"):

        @dg.job
        def k(x: set[int]):
            add(x)

    @dg.job
    def of_input(x: int):
        add(x, x)

    assert of_input.execute_in_process(run_config={"inputs": {"x": {"value": 3}}}).output_for_node("add") == 6
    with pytest.raises(dg.DagsterInvalidConfigError, match="the job's input 'x' has no value"):
        of_input.execute_in_process()

    @dg.job
    def from_config():
        add()

    ran = from_config.execute_in_process(run_config={"ops": {"add": {"inputs": {"a": 1, "b": {"value": 2}}}}})
    assert ran.output_for_node("add") == 3


def test_what_is_not_supported_is_refused() -> None:
    @dg.graph
    def g():
        one()

    with pytest.raises(DefinitionError, match="hooks has 1, a int"):
        g.to_job(hooks={1})
    with pytest.raises(DefinitionError, match="executor_def is a str"):
        g.to_job(executor_def="multiprocess")
    with pytest.raises(DefinitionError, match=r"run it with g\.to_job"):
        g()
    with pytest.raises(DefinitionError, match="outside a graph body"):
        one.alias("x")()


def test_executors_are_configured() -> None:
    assert dg.multiprocess_executor.configured({"max_concurrent": 2}).config == {"max_concurrent": 2}
    with pytest.raises(DefinitionError, match="did you mean 'max_concurrent'"):
        dg.multiprocess_executor.configured({"max_concurent": 2})


def test_retry_policies_are_checked() -> None:
    policy = dg.RetryPolicy(max_retries=3, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.PLUS_MINUS).to_model()
    assert (policy.max_retries, policy.delay) == (3, 2)
    for wrong in ({"max_retries": -1}, {"delay": -1}, {"backoff": dg.Backoff.LINEAR}):
        with pytest.raises(DefinitionError, match="RetryPolicy"):
            dg.RetryPolicy(**wrong)  # type: ignore[arg-type]


def test_a_pool_by_the_tag_of_older_code() -> None:
    @dg.asset(op_tags={"dagster/concurrency_key": "db"})
    def of_an_asset() -> None: ...

    @dg.op(tags={"dagster/concurrency_key": "db"}, pool="db")
    def both() -> None: ...

    assert (of_an_asset.op.pool, both.pool) == ("db", "db")
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="the pool 'other' and the tag"):

        @dg.op(tags={"dagster/concurrency_key": "db"}, pool="other")
        def two() -> None: ...


def test_an_asset_in_a_body_is_a_node_of_its_op() -> None:
    @dg.asset
    def rows() -> int:
        return 3

    @dg.asset
    def doubled(rows: int) -> int:
        return 2 * rows

    @dg.job
    def work() -> None:
        add(rows(), doubled(rows.op.alias("more")()))

    result = work.execute_in_process()
    assert result.output_for_node("add") == 9
    assert result.get_asset_materialization_events() == []
