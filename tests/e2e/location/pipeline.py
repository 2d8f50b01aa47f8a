"""The location that the end-to-end tests run: ordinary work, and work that is made to be hit by faults."""

from __future__ import annotations

import os
import time
from pathlib import Path

import dagwright as dg

SIGNALS = Path(os.environ["DAGWRIGHT_E2E_SIGNALS"])
"""Steps tell the test here that they have started, and wait here to be let go."""


def _announce(name: str) -> None:
    (SIGNALS / f"{name}.pid").write_text(str(os.getpid()))


def _wait_for_release(name: str, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not (SIGNALS / f"{name}.go").exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody released {name}")
        time.sleep(0.02)


@dg.op
def one() -> int:
    return 1


@dg.job(executor_def=dg.in_process_executor)
def one_op():
    one()


@dg.op
def before(context: dg.OpExecutionContext) -> int:
    with (SIGNALS / "before.count").open("a") as file:
        file.write("x")
    return 20


@dg.op
def held(context: dg.OpExecutionContext, number: int) -> int:
    _announce(f"held-{context.run.tags.get('case', 'none')}")
    _wait_for_release(f"held-{context.run.tags.get('case', 'none')}")
    return number + 1


@dg.op
def after(context: dg.OpExecutionContext, number: int) -> None:
    context.log.info(f"the number is {number}")
    assert number == 21


@dg.job
def held_job():
    after(held(before()))


@dg.op(retry_policy=dg.RetryPolicy(max_retries=2, delay=0.1))
def held_with_retry(context: dg.OpExecutionContext) -> int:
    case = context.run.tags.get("case", "none")
    if context.retry_number == 0:
        _announce(f"held-{case}")
        _wait_for_release(f"held-{case}")
    return context.retry_number


@dg.job
def step_retry_job():
    held_with_retry()


@dg.job(executor_def=dg.in_process_executor)
def held_in_process_job():
    after(held(before()))


@dg.asset(partitions_def=dg.DailyPartitionsDefinition(start_date="2024-01-01", end_date="2024-02-01"))
def daily(context: dg.AssetExecutionContext) -> str:
    print("printed by", context.partition_key)
    return context.partition_key


@dg.asset
def plain() -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"rows": 3, "note": dg.MetadataValue.md("**three** rows")})


class Limit(dg.Config):
    limit: int = 5
    label: str


@dg.op
def configured(context: dg.OpExecutionContext, config: Limit) -> int:
    return config.limit


@dg.job
def configured_job():
    configured()


@dg.op
def breaks() -> None:
    raise ValueError("the step broke")


@dg.job
def broken_job():
    breaks()


@dg.schedule(cron_schedule="* * * * * *", job=one_op)
def every_second(context: dg.ScheduleEvaluationContext):
    return dg.RunRequest(run_key=None, tags={"scheduled": "yes"})


defs = dg.Definitions(
    assets=[daily, plain],
    jobs=[one_op, held_job, step_retry_job, held_in_process_job, configured_job, broken_job],
    schedules=[every_second],
)
