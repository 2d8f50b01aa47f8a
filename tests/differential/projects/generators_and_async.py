"""Functions that yield, and functions that wait."""

import asyncio

import dagster as dg


@dg.op(out={"a": dg.Out(int), "b": dg.Out(int)})
def yields():
    yield dg.Output(1, "a")
    yield dg.Output(2, "b", metadata={"m": 1})


@dg.op
async def waits(a, b):
    await asyncio.sleep(0)
    return a + b


@dg.asset
async def waiting():
    await asyncio.sleep(0)
    return 5


@dg.op(out={"first": dg.Out(), "second": dg.Out()})
def named_tuple() -> tuple[int, str]:
    return 1, "x"


@dg.op
def one_output() -> dg.Output[int]:
    return dg.Output(3, metadata={"k": "v"})


@dg.asset
def yields_result():
    yield dg.MaterializeResult(metadata={"y": 1})


def case_job():
    @dg.job
    def job():
        waits(*yields())

    result = job.execute_in_process()
    return result, result.output_for_node("waits")


def case_async_asset():
    return dg.materialize([waiting]).asset_value("waiting")


def case_tuple():
    @dg.job
    def job():
        named_tuple()
        one_output()

    result = job.execute_in_process()
    return result.output_for_node("named_tuple", "second"), result.output_for_node("one_output")


def case_yield_result():
    return dg.materialize([yields_result])


def case_async_generator():
    @dg.op
    async def streams():
        yield dg.Output(4)

    @dg.job
    def job():
        streams()

    return job.execute_in_process().output_for_node("streams")


def case_wrong_number():
    @dg.op(out={"a": dg.Out(), "b": dg.Out()})
    def short():
        return (1,)

    @dg.job
    def job():
        short()

    return job.execute_in_process(raise_on_error=False)


def case_output_twice():
    @dg.op
    def twice():
        yield dg.Output(1)
        yield dg.Output(2)

    @dg.job
    def job():
        twice()

    return job.execute_in_process(raise_on_error=False)


def case_unknown_output():
    @dg.op
    def wrong():
        yield dg.Output(1, "elsewhere")

    @dg.job
    def job():
        wrong()

    return job.execute_in_process(raise_on_error=False)
