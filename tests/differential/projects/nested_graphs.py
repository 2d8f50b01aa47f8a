"""Graphs in graphs, their config, aliases and tags."""

import dagster as dg
from observe import raised


@dg.op(config_schema={"by": dg.Field(int, default_value=1)})
def add(context, number):
    return number + context.op_config["by"]


@dg.op
def one():
    return 1


@dg.op(out={"low": dg.Out(int), "high": dg.Out(int)})
def both():
    return 1, 10


@dg.op
def total(numbers):
    return sum(numbers)


@dg.graph
def twice(number):
    return add.alias("second")(add.alias("first")(number))


@dg.graph
def four_times(number):
    return twice.alias("b")(twice.alias("a")(number))


@dg.graph(out={"low": dg.GraphOut(), "high": dg.GraphOut()})
def spread():
    low, high = both()
    return {"low": add(low), "high": add.alias("more")(high)}


def case_deep():
    @dg.job
    def job():
        four_times(one())

    result = job.execute_in_process(run_config={"ops": {"four_times": {"ops": {"a": {"ops": {"first": {"config": {"by": 5}}}}}}}})
    return (
        result,
        result.output_for_node("four_times"),
        result.output_for_node("four_times.a"),
        result.output_for_node("four_times.a.first"),
    )


def case_two_outputs():
    @dg.job
    def job():
        low, high = spread()
        total([low, high])

    result = job.execute_in_process()
    return result, result.output_for_node("total"), result.output_for_node("spread", "high")


def case_config_mapping():
    @dg.config_mapping(config_schema={"size": int})
    def sized(config):
        return {"first": {"config": {"by": config["size"]}}, "second": {"config": {"by": config["size"] * 10}}}

    @dg.graph(config=sized)
    def mapped(number):
        return add.alias("second")(add.alias("first")(number))

    @dg.job
    def job():
        mapped(one())

    good = job.execute_in_process(run_config={"ops": {"mapped": {"config": {"size": 3}}}})
    return good.output_for_node("mapped"), raised(
        lambda: job.execute_in_process(run_config={"ops": {"mapped": {"config": {"sized": 3}}}}), dg.DagsterInvalidConfigError
    )


def case_config_mapping_of_job():
    @dg.config_mapping(config_schema={"n": dg.Field(int, is_required=False, default_value=4)})
    def simple(config):
        return {"ops": {"add": {"config": {"by": config["n"]}}}}

    @dg.job(config=simple)
    def job():
        add(one())

    return job.execute_in_process(run_config={"n": 2}).output_for_node("add") if False else job.execute_in_process().output_for_node("add")


def case_configured_graph():
    @dg.config_mapping(config_schema={"n": int})
    def simple(config):
        return {"add": {"config": {"by": config["n"]}}}

    @dg.graph(config=simple)
    def adding(number):
        return add(number)

    fixed = dg.configured(adding, name="fixed")({"n": 7})

    @dg.job
    def job():
        fixed(one())

    return job.execute_in_process().output_for_node("fixed")


def case_configured_op():
    by_two = add.configured({"by": 2}, name="by_two")
    from_text = dg.configured(add, name="from_text", config_schema=str)(lambda text: {"by": len(text)})

    @dg.job
    def job():
        from_text(by_two(one()))

    result = job.execute_in_process(run_config={"ops": {"from_text": {"config": "abc"}}})
    return result, result.output_for_node("from_text")


def case_graph_to_job():
    @dg.graph
    def whole():
        add(one())

    job = whole.to_job(name="made", config={"ops": {"add": {"config": {"by": 8}}}}, tags={"a": "b"}, description="text")
    result = job.execute_in_process()
    return job.name, job.description, dict(job.tags), result.output_for_node("add")


def case_graph_in_process():
    return twice.execute_in_process(input_values={"number": 3}).output_value()


def case_graph_inputs_from_config():
    @dg.graph
    def needs(number: int):
        return add(number)

    return raised(lambda: needs.to_job(), dg.DagsterInvalidDefinitionError), needs.to_job(
        input_values={"number": 2}
    ).execute_in_process().output_for_node("add")


def case_missing_output():
    def make():
        @dg.graph
        def wrong():
            return 3

        return wrong

    return raised(make, dg.DagsterInvalidDefinitionError)


def case_same_name_twice():
    @dg.job
    def job():
        add(add(one()))

    return job.execute_in_process()


def case_node_tags():
    @dg.job
    def job():
        one.tag({"k": "v"}).alias("tagged")()

    return job.execute_in_process()


def case_order_only():
    calls = []

    @dg.op(ins={"before": dg.In(dg.Nothing)})
    def after():
        calls.append("after")

    @dg.op
    def first():
        calls.append("first")

    @dg.graph
    def inner(start):
        after(before=start)

    @dg.job
    def job():
        inner(first())

    return job.execute_in_process(), calls


def case_fan_in_of_nothing():
    calls = []

    @dg.op(out=dg.Out(dg.Nothing))
    def left():
        calls.append(1)

    @dg.op(ins={"before": dg.In(dg.Nothing)})
    def last():
        return len(calls)

    @dg.job
    def job():
        last([left(), left.alias("right")()])

    return job.execute_in_process().output_for_node("last")


def case_op_selection():
    @dg.job
    def job():
        add.alias("third")(add.alias("second")(add.alias("first")(one())))

    return [
        sorted({e.step_key for e in job.execute_in_process(op_selection=chosen).all_node_events})
        for chosen in (["*second"], ["one", "first"], ["one+"], ["*third"], ["one++"])
    ]


def case_op_selection_of_nothing():
    @dg.job
    def job():
        one()

    return raised(lambda: job.execute_in_process(op_selection=["missing"]), dg.DagsterInvalidSubsetError)


def case_graph_description_and_names():
    return four_times.name, sorted(n for n in ("a", "b")), twice.description, spread.name
