"""What a failing step does to the others."""

import dagster as dg


@dg.asset
def good():
    return 1


@dg.asset
def bad(good):
    raise ValueError("bad on purpose")


@dg.asset
def after(bad):
    return 2


@dg.asset
def beside(good):
    return 3


def case_rest_of_run():
    return dg.materialize([good, bad, after, beside], raise_on_error=False)


def case_exception_is_the_users():
    try:
        dg.materialize([good, bad])
    except ValueError as error:
        return str(error)


def case_failure_data():
    @dg.op
    def breaks():
        raise KeyError("k")

    @dg.job
    def job():
        breaks()

    result = job.execute_in_process(raise_on_error=False)
    data = result.failure_data_for_node("breaks")
    return (
        result.is_node_failed("breaks"),
        result.is_node_success("breaks"),
        data is not None,
        data.error.cause.cls_name if data.error.cause else data.error.cls_name,
    )


def case_no_value():
    result = dg.materialize([good, bad], raise_on_error=False)
    try:
        result.asset_value("bad")
    except Exception:  # noqa: BLE001 - the classes differ
        return "no value"


def case_returns_wrong_type():
    @dg.asset
    def typed() -> int:
        return "text"

    return dg.materialize([typed], raise_on_error=False)


def case_wrong_type_between():
    @dg.op
    def text():
        return "text"

    @dg.op
    def wants(number: int):
        return number

    @dg.job
    def job():
        wants(text())

    return job.execute_in_process(raise_on_error=False)


def case_type_error_class():
    @dg.op(out=dg.Out(int))
    def wrong():
        return "x"

    @dg.job
    def job():
        wrong()

    from observe import raised

    return raised(job.execute_in_process, dg.DagsterTypeCheckDidNotPass)
