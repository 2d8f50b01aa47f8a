"""What the Dask tests run; the workers of the cluster import this file by themselves."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import dagwright as dg

SIGNALS = Path(os.environ.get("DAGWRIGHT_TEST_SIGNALS", "/nonexistent"))


class Where(dg.ConfigurableResource):
    word: str = "there"


@dg.op
def number(context) -> int:
    context.log.info("pid %s", os.getpid())
    print("printed", flush=True)
    print("warned", file=sys.stderr)
    return 20


@dg.op
async def double(context, n: int, where: Where) -> int:
    context.log.info("pid %s %s", os.getpid(), where.word)
    return n * 2


@dg.op
def total(context, values: list[int]) -> int:
    context.log.info("total %s", sum(values))
    return sum(values)


@dg.job
def flow():
    total([double(number()), double.alias("other")(number.alias("second")())])


@dg.op(pool="database")
def pooled() -> None: ...


@dg.op
def beside_the_pool() -> None: ...


@dg.job
def shares_a_pool():
    for number in range(3):
        pooled.alias(f"pooled_{number}")()
    beside_the_pool()


@dg.op
def boom() -> int:
    print("before")
    raise ValueError("no")


@dg.op(retry_policy=dg.RetryPolicy(max_retries=2, delay=0.05))
def flaky(context) -> int:
    if context.retry_number < 2:
        raise ConnectionError(f"attempt {context.retry_number}")
    return 1


@dg.job
def troubled():
    total([boom()])
    flaky()


@dg.op
def held(context) -> int:
    (SIGNALS / f"held-{context.retry_number}").write_text(str(os.getpid()))
    deadline = time.monotonic() + 60
    while not (SIGNALS / "go").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return context.retry_number


@dg.job
def survives():
    total([held(), number()])


@dg.op
def long(context):
    try:
        context.log.info("in it")
        for _ in range(6000):
            time.sleep(0.005)
    finally:
        (SIGNALS / "finally").touch()


@dg.job
def stops():
    for _ in range(6):
        long()


@dg.op(timeout=0.3)
def slow():
    for _ in range(6000):
        time.sleep(0.005)


@dg.job
def overdue():
    slow()


@dg.op(tags={"dagwright/dask_resources": '{"GPU": 1}'})
def heavy():
    time.sleep(0.05)


@dg.job
def heavies():
    for _ in range(4):
        heavy()


@dg.op
def chatty(context):
    for line in range(5000):
        context.log.info("line %s", line)


@dg.job
def talks():
    chatty()


@dg.op(step_group="chain", out=dg.Out(io_manager_key="memory"))
def begin(context) -> int:
    context.log.info("pid %s", os.getpid())
    print("begin")
    return 1


@dg.op(step_group="chain", out=dg.Out(io_manager_key="memory"))
def link(context, n: int) -> int:
    context.log.info("pid %s", os.getpid())
    print(f"link {n}")
    return n + 1


@dg.job(resource_defs={"memory": dg.mem_io_manager})
def grouped():
    for index in range(3):
        tag = {"dagwright/step_group": f"g{index}"}
        value = begin.tag(tag).alias(f"begin_{index}")()
        for place in range(3):
            value = link.tag(tag).alias(f"link_{index}_{place}")(value)


@dg.op(step_group="g")
def first(context) -> int:
    context.log.info("pid %s", os.getpid())
    return 1


@dg.op(step_group="g")
def held_in_group(context, n: int) -> int:
    context.log.info("pid %s", os.getpid())
    (SIGNALS / f"held-{context.retry_number}").write_text(str(os.getpid()))
    deadline = time.monotonic() + 60
    while not (SIGNALS / "go").exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return n


@dg.op(step_group="g")
def last(context, n: int):
    context.log.info("pid %s", os.getpid())


@dg.job
def group_survives():
    last(held_in_group(first()))


@dg.asset
def base():
    return 3


@dg.asset_check(asset=base, blocking=True)
def never(base):
    return dg.AssetCheckResult(passed=base == 4)


@dg.asset
def below(base):
    return base


@dg.asset
def beside():
    return 1


@dg.asset
def after_beside(beside):
    return beside + 1


defs = dg.Definitions(
    assets=[base, below, beside, after_beside],
    asset_checks=[never],
    jobs=[flow, troubled, survives, stops, overdue, heavies, talks, grouped, group_survives, shares_a_pool],
    resources={"where": Where()},
)
