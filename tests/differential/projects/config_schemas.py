"""The older way to say what config looks like."""

import dagster as dg
from observe import raised


@dg.op(
    config_schema={
        "name": str,
        "count": dg.Field(int, default_value=2, is_required=False, description="how many"),
        "maybe": dg.Noneable(str),
        "items": dg.Field([int], default_value=[1]),
        "shape": dg.Shape({"x": float}),
        "pick": dg.Selector({"a": int, "b": {"c": str}}),
        "free": dg.Permissive({"known": dg.Field(bool, is_required=False)}),
    }
)
def reads(context):
    return dict(context.op_config)


@dg.job
def reading():
    reads()


GOOD = {"name": "n", "maybe": None, "shape": {"x": 1.5}, "pick": {"a": 1}, "free": {"any": 1}}


def run(config):
    return reading.execute_in_process(run_config={"ops": {"reads": {"config": config}}}).output_for_node("reads")


def case_good():
    return run(GOOD)


def case_errors():
    changes = [
        {"name": 1},
        {"count": "x"},
        {"shape": {}},
        {"pick": {"a": 1, "b": {"c": "x"}}},
        {"pick": {}},
        {"items": [1, "x"]},
        {"free": {"known": 3}},
        {"surplus": 1},
    ]
    return [raised(lambda change=change: run({**GOOD, **change}), dg.DagsterInvalidConfigError) for change in changes]


def case_sources():
    import os

    os.environ["DIFFERENTIAL_NUMBER"] = "7"

    @dg.op(config_schema={"text": dg.StringSource, "number": dg.IntSource})
    def source(context):
        return context.op_config["text"], context.op_config["number"]

    @dg.job
    def job():
        source()

    return job.execute_in_process(
        run_config={"ops": {"source": {"config": {"text": "t", "number": {"env": "DIFFERENTIAL_NUMBER"}}}}}
    ).output_for_node("source")


def case_scalar():
    @dg.op(config_schema=int)
    def number(context):
        return context.op_config

    @dg.job
    def job():
        number()

    return job.execute_in_process(run_config={"ops": {"number": {"config": 4}}}).output_for_node("number")


def case_enum():
    @dg.op(config_schema={"mode": dg.Enum("Mode", [dg.EnumValue("FAST"), dg.EnumValue("SLOW")])})
    def mode(context):
        return context.op_config["mode"]

    @dg.job
    def job():
        mode()

    def with_mode(value):
        return job.execute_in_process(run_config={"ops": {"mode": {"config": {"mode": value}}}}).output_for_node("mode")

    return with_mode("FAST"), raised(lambda: with_mode("WRONG"), dg.DagsterInvalidConfigError)


def case_array_and_map():
    @dg.op(config_schema={"a": dg.Array(int), "m": dg.Map(str, int)})
    def both(context):
        return context.op_config

    @dg.job
    def job():
        both()

    return job.execute_in_process(run_config={"ops": {"both": {"config": {"a": [1], "m": {"x": 2}}}}}).output_for_node("both")


def case_configured():
    @dg.op(config_schema={"n": int})
    def base(context):
        return context.op_config["n"]

    five = dg.configured(base, name="five")({"n": 5})

    @dg.job
    def job():
        five()

    return job.execute_in_process().output_for_node("five")


def case_config_mapping():
    @dg.op(config_schema={"n": int})
    def base(context):
        return context.op_config["n"]

    @dg.config_mapping(config_schema={"number": int})
    def simplify(given):
        return {"base": {"config": {"n": given["number"] * 2}}}

    @dg.graph(config=simplify)
    def wrapped():
        base()

    @dg.job
    def job():
        wrapped()

    return job.execute_in_process(run_config={"ops": {"wrapped": {"config": {"number": 4}}}}).output_for_node("wrapped.base")
