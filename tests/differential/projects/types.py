"""Types of values that are checked while the run goes on."""

import dagster as dg
from observe import raised

Even = dg.DagsterType(
    name="Even", type_check_fn=lambda context, value: isinstance(value, int) and value % 2 == 0, description="divisible by two"
)
Told = dg.DagsterType(
    name="Told",
    type_check_fn=lambda context, value: dg.TypeCheck(success=bool(value), description="empty", metadata={"length": len(value)}),
)


def job_of(value, kind):
    @dg.op(out=dg.Out(kind))
    def makes():
        return value

    @dg.job
    def job():
        makes()

    return job


def succeeds(value, kind):
    return job_of(value, kind).execute_in_process(raise_on_error=False).success


def case_own_type():
    return succeeds(2, Even), succeeds(3, Even), succeeds("a", Told), succeeds("", Told)


def case_python_types():
    return (
        succeeds(1, int),
        succeeds("1", int),
        succeeds(1, float),
        succeeds(1.5, int),
        succeeds(True, int),
        succeeds(None, str),
        succeeds([1], list),
    )


def case_generics():
    return succeeds([1], list[int]), succeeds(["a"], list[int]), succeeds({"a": 1}, dict[str, int]), succeeds({"a": "b"}, dict[str, int])


def case_optional():
    from typing import Optional

    return succeeds(None, Optional[int]), succeeds(1, Optional[int]), succeeds("x", Optional[int])


def case_old_names():
    return (
        succeeds("a", dg.String),
        succeeds(1, dg.Int),
        succeeds(1.0, dg.Float),
        succeeds(True, dg.Bool),
        succeeds(object(), dg.Any),
        succeeds([1], dg.List[int]),
    )


def case_nothing():
    return succeeds(None, dg.Nothing)


def case_error():
    return raised(job_of(3, Even).execute_in_process, dg.DagsterTypeCheckDidNotPass)


def case_asset_type():
    @dg.asset(dagster_type=Even)
    def even():
        return 3

    return dg.materialize([even], raise_on_error=False)


def case_loader():
    @dg.dagster_type_loader(int)
    def load_even(context, given):
        return given * 2

    Loaded = dg.DagsterType(name="Loaded", type_check_fn=lambda c, v: True, loader=load_even)

    @dg.op(ins={"number": dg.In(Loaded)})
    def takes(number):
        return number

    @dg.job
    def job():
        takes()

    return job.execute_in_process(run_config={"ops": {"takes": {"inputs": {"number": 4}}}}).output_for_node("takes")


def case_python_object_type():
    class Thing:
        pass

    Typed = dg.PythonObjectDagsterType(Thing)
    return succeeds(Thing(), Typed), succeeds(1, Typed)


def case_check():
    return dg.check_dagster_type(Even, 2).success, dg.check_dagster_type(Even, 3).success
