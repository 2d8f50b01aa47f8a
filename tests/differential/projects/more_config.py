"""The older config schemas: defaults, what is refused, and what functions receive."""

import enum

import dagster as dg
from observe import raised


def received(schema, config=..., config_key="config"):
    @dg.op(config_schema=schema)
    def reads(context):
        return context.op_config

    @dg.job
    def job():
        reads()

    run_config = {} if config is ... else {"ops": {"reads": {config_key: config}}}
    try:
        return job.execute_in_process(run_config=run_config).output_for_node("reads")
    except dg.DagsterInvalidConfigError:
        return "invalid"


def case_scalars():
    return [
        received(int, 3),
        received(int, "3"),
        received(str, "a"),
        received(str, 3),
        received(bool, True),
        received(bool, "yes"),
        received(float, 1.5),
        received(float, 1),
        received(int, 1.0),
        received(int, True),
    ]


def case_default_of_scalar():
    return received(dg.Field(int, default_value=4)), received(dg.Field(int, is_required=False)), received(int)


def case_shape():
    schema = {"a": int, "b": dg.Field(str, default_value="x"), "c": dg.Field(int, is_required=False)}
    return received(schema, {"a": 1}), received(schema, {"b": "y"}), received(schema, {"a": 1, "d": 2}), received(schema, {"a": 1, "c": 3})


def case_nested_shape():
    schema = {"outer": {"inner": dg.Field(int, default_value=2), "list": dg.Field([int], default_value=[1])}}
    return received(schema), received(schema, {"outer": {"inner": 5}}), received(schema, {"outer": {"wrong": 5}})


def case_permissive():
    return (
        received(dg.Permissive(), {"a": 1, "b": [1, {"c": 2}]}),
        received(dg.Permissive({"a": int}), {"a": 1, "z": "more"}),
        received(dg.Permissive({"a": int}), {"z": "more"}),
        received(dict, {"x": {"y": 1}}),
        received(dg.Permissive()),
    )


def case_selector():
    schema = dg.Selector({"file": {"path": str}, "number": int, "nothing": dg.Field({"x": dg.Field(int, default_value=1)})})
    return (
        received(schema, {"file": {"path": "p"}}),
        received(schema, {"number": 3}),
        received(schema, {"number": 3, "file": {"path": "p"}}),
        received(schema, {"other": 3}),
        received(schema, {}),
        received(schema, {"nothing": {}}),
    )


def case_array():
    return (
        received(dg.Array(int), [1, 2]),
        received([str], ["a"]),
        received([str], "a"),
        received([{"a": int}], [{"a": 1}]),
        received([int], [1, "b"]),
    )


def case_noneable():
    return (
        received(dg.Noneable(int), None),
        received(dg.Noneable(int), 3),
        received(dg.Noneable(int), "x"),
        received({"a": dg.Noneable(str)}, {"a": None}),
        received({"a": dg.Noneable(str)}, {}),
        received({"a": dg.Field(dg.Noneable(str), default_value=None)}, {}),
    )


def case_map():
    return received(dg.Map(str, int), {"a": 1}), received({str: int}, {"a": "x"}), received(dg.Map(int, str), {1: "a"})


def case_enum():
    class Mode(enum.Enum):
        FAST = "fast"
        SAFE = "safe"

    chosen = dg.Enum("Chosen", [dg.EnumValue("a"), dg.EnumValue("b", python_value=2)])
    return (
        received(dg.Enum.from_python_enum(Mode), "FAST"),
        received(dg.Enum.from_python_enum(Mode), "fast"),
        received(dg.Enum.from_python_enum_direct_values(Mode), "fast"),
        received(chosen, "a"),
        received(chosen, "b"),
        received(chosen, "c"),
        received({"m": dg.Field(dg.Enum.from_python_enum(Mode), default_value="SAFE")}),
    )


def case_scalar_union():
    schema = dg.ScalarUnion(scalar_type=int, non_scalar_schema={"a": str})
    return received(schema, 3), received(schema, {"a": "x"}), received(schema, "x"), received(schema, {"b": 1})


def case_sources():
    import os

    os.environ["DIFFERENTIAL_TEXT"] = "text"
    os.environ["DIFFERENTIAL_NUMBER"] = "3"
    os.environ["DIFFERENTIAL_FLAG"] = "true"
    return (
        received(dg.StringSource, {"env": "DIFFERENTIAL_TEXT"}),
        received(dg.StringSource, "plain"),
        received(dg.IntSource, {"env": "DIFFERENTIAL_NUMBER"}),
        received(dg.BoolSource, {"env": "DIFFERENTIAL_FLAG"}),
        received({"a": dg.StringSource}, {"a": {"env": "DIFFERENTIAL_TEXT"}}),
        received(dg.IntSource, 7),
    )


def case_field_errors():
    return [
        raised(lambda: dg.Field(int, default_value="x"), Exception),
        raised(lambda: dg.Field(int, is_required=True, default_value=1), Exception),
        raised(lambda: dg.Field(3), Exception),
        raised(lambda: dg.Array(3), Exception),
        raised(lambda: dg.Noneable("x"), Exception),
        raised(lambda: dg.Shape("x"), Exception),
        raised(lambda: dg.Enum("x", [3]), Exception),
        raised(lambda: dg.Selector(3), Exception),
    ]


def case_field_facts():
    field = dg.Field(int, default_value=2, description="d")
    return field.is_required, field.default_provided, field.default_value, field.description, dg.Field({"a": int}).is_required


def case_unknown_places():
    return received(int, 3, config_key="configs"), received({"a": int}, [1])


def case_any_config():
    return received(dg.Any, {"x": 1}), received(None, 3) if False else "-", received(dg.Any, [1])


def case_config_class_by_context():
    class Inner(dg.Config):
        n: int = 2

    class Outer(dg.Config):
        inner: Inner = Inner()
        name: str | None = None

    @dg.op
    def reads(context: dg.OpExecutionContext, config: Outer):
        return config.inner.n, context.op_config

    @dg.job
    def job():
        reads()

    return job.execute_in_process().output_for_node("reads"), reads(dg.build_op_context(), Outer(name="x"))


def case_job_config():
    @dg.op(config_schema={"a": int, "b": int})
    def reads(context):
        return context.op_config

    @dg.job(config={"ops": {"reads": {"config": {"a": 1, "b": 2}}}})
    def job():
        reads()

    return (
        job.execute_in_process().output_for_node("reads"),
        job.execute_in_process(run_config={"ops": {"reads": {"config": {"a": 5, "b": 6}}}}).output_for_node("reads"),
    )


def case_run_config_object():
    class Settings(dg.Config):
        a: int
        b: str = "x"

    @dg.op
    def reads(config: Settings):
        return config.a, config.b

    @dg.job(config=dg.RunConfig(ops={"reads": Settings(a=1)}))
    def job():
        reads()

    return job.execute_in_process().output_for_node("reads"), job.execute_in_process(
        run_config=dg.RunConfig({"reads": Settings(a=2, b="y")})
    ).output_for_node("reads")


def case_validate_run_config():
    @dg.op(config_schema={"a": int})
    def reads(context): ...

    @dg.job
    def job():
        reads()

    return raised(lambda: dg.validate_run_config(job, {"ops": {"reads": {"config": {"a": "x"}}}}), dg.DagsterInvalidConfigError), raised(
        lambda: dg.validate_run_config(job, {"ops": {"reads": {"config": {"a": 1}}}}), Exception
    )


def case_config_class_kinds():
    from typing import Literal, Optional

    from pydantic import Field

    class Cat(dg.Config):
        kind: Literal["cat"] = "cat"
        lives: int = 9

    class Dog(dg.Config):
        kind: Literal["dog"] = "dog"
        tricks: list[str]

    class Owner(dg.Config):
        pet: Cat | Dog = Field(discriminator="kind")
        age: Optional[int] = None
        limits: dict[str, int] = {}

    @dg.op
    def reads(config: Owner):
        return type(config.pet).__name__, config.age, config.limits

    @dg.job
    def job():
        reads()

    def of(config):
        try:
            return job.execute_in_process(run_config={"ops": {"reads": {"config": config}}}).output_for_node("reads")
        except dg.DagsterInvalidConfigError:
            return "invalid"

    return [
        of({"pet": {"cat": {"lives": 3}}}),
        of({"pet": {"dog": {"tricks": ["sit"]}}, "age": 3}),
        of({"pet": {"dog": {}}}),
        of({"pet": {"bird": {}}}),
        of({"pet": {"cat": {}}, "limits": {"a": 1}}),
        of({"pet": {"cat": {}}, "limits": {"a": "x"}}),
        of({}),
    ]


def case_validators():
    from pydantic import field_validator

    class Checked(dg.Config):
        size: int

        @field_validator("size")
        @classmethod
        def positive(cls, value):
            if value < 0:
                raise ValueError("negative")
            return value

    @dg.op
    def reads(config: Checked):
        return config.size

    @dg.job
    def job():
        reads()

    return [
        raised(lambda: job.execute_in_process(run_config={"ops": {"reads": {"config": {"size": -1}}}}), Exception),
        job.execute_in_process(run_config={"ops": {"reads": {"config": {"size": 1}}}}).output_for_node("reads"),
    ]
