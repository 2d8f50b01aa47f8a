"""Ops in jobs and graphs: nesting, aliases, outputs."""

import dagster as dg


@dg.op
def one():
    return 1


@dg.op(ins={"a": dg.In(int), "b": dg.In(int)}, out=dg.Out(int))
def add(a, b):
    return a + b


@dg.op(out={"low": dg.Out(), "high": dg.Out()})
def split(number: int):
    return number - 1, number + 1


@dg.graph(ins={"number": dg.GraphIn()}, out={"sum": dg.GraphOut()})
def inner(number):
    low, high = split(number)
    return {"sum": add(low, high)}


@dg.graph
def outer(number):
    return inner(inner.alias("again")(number))


@dg.job(description="adds", tags={"k": "v"})
def adding():
    first = one()
    second = one.alias("second")()
    add.alias("last")(outer(add(first, second)), first)


def case_job():
    return adding.execute_in_process()


def case_outputs():
    result = adding.execute_in_process()
    return result.output_for_node("last"), result.output_for_node("outer", "result"), result.output_for_node("outer.inner", "sum")


def case_graph():
    @dg.graph
    def simple():
        return add(one(), one())

    result = simple.execute_in_process()
    return result.output_value(), result.success


def case_graph_input():
    @dg.graph
    def feeds(number):
        return add(number, number)

    return feeds.execute_in_process(input_values={"number": 4}).output_value()


def case_to_job():
    @dg.graph
    def simple():
        one()

    job = simple.to_job(name="renamed", tags={"a": "b"})
    return job.name, dict(job.tags), job.execute_in_process().success


def case_fan_in():
    @dg.op
    def gather(items: list):
        return sorted(items)

    @dg.job
    def fan():
        gather([one(), one.alias("o2")(), one.alias("o3")()])

    result = fan.execute_in_process()
    return result, result.output_for_node("gather")


def case_nothing():
    ran = []

    @dg.op(out=dg.Out(dg.Nothing))
    def before():
        ran.append("before")

    @dg.op(ins={"start": dg.In(dg.Nothing)})
    def after():
        ran.append("after")

    @dg.job
    def ordered():
        after(start=before())

    return ordered.execute_in_process(), ran


def case_op_selection():
    result = adding.execute_in_process(op_selection=["one", "second", "add"])
    return result, result.output_for_node("add")


def case_default_input():
    @dg.op
    def greet(name: str = "you") -> str:
        return f"hello {name}"

    @dg.job
    def greeting():
        greet()

    first = greeting.execute_in_process().output_for_node("greet")
    second = greeting.execute_in_process(run_config={"ops": {"greet": {"inputs": {"name": "me"}}}}).output_for_node("greet")
    return first, second


def case_wrong_wiring():
    def build():
        @dg.job
        def wrong():
            add(one())

        return wrong.execute_in_process()

    from observe import raised

    return raised(build, dg.DagsterInvalidDefinitionError, dg.DagsterInvalidConfigError)
