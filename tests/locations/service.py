"""What a code server is asked in the contract tests: user code that answers, raises, hangs, leaves and talks."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import dagwright as dg

SIGNALS = Path(os.environ.get("DAGWRIGHT_TEST_SIGNALS", "."))
"""Steps tell the test here that they have started, and wait here to be let go."""


def _announce(name: str) -> None:
    written = SIGNALS / f".{name}"
    written.write_text(str(os.getpid()))
    written.rename(SIGNALS / name)


@dg.op
def one() -> int:
    return 1


@dg.op
def two(number: int) -> None:
    print(f"printed {number}")


@dg.job(executor_def=dg.in_process_executor)
def small():
    two(one())


@dg.op
def held(context: dg.OpExecutionContext) -> int:
    case = context.run.tags["case"]
    _announce(f"{case}-{context.run_id}")
    while not (SIGNALS / f"{case}.go").exists():
        time.sleep(0.01)
    return 1


@dg.op
def follows(_value: int) -> None:
    pass


@dg.job
def held_job():
    follows(held())


@dg.job(executor_def=dg.in_process_executor)
def held_in_process():
    follows(held())


@dg.op(pool="one_at_a_time")
def pooled(context: dg.OpExecutionContext) -> int:
    case = context.run.tags["case"]
    _announce(f"{case}-{context.run_id}")
    while not (SIGNALS / f"{case}.go").exists():
        time.sleep(0.01)
    if "again" in context.run.tags and not context.retry_number:
        raise dg.RetryRequested(max_retries=1)
    return 1


@dg.op
def beside() -> None:
    """Needs no slot, and waits for nobody."""


@dg.op(tags={"dagster/concurrency_key": "one_at_a_time"})
def named_by_tag() -> None:
    pass


def _pooled_job(executor: dg.ExecutorDefinition) -> dg.JobDefinition:
    @dg.job(name=f"pooled_{executor.name}", executor_def=executor)
    def made():
        pooled()
        beside()

    return made


@dg.job
def tagged_job():
    named_by_tag()


POOLED = [_pooled_job(one) for one in (dg.in_process_executor, dg.multiprocess_executor, dg.threads_executor, dg.asyncio_executor)]


class Limit(dg.Config):
    limit: int = 5
    label: str


@dg.op
def configured(config: Limit) -> int:
    return config.limit


@dg.job
def configured_job():
    configured()


@dg.asset(partitions_def=dg.DailyPartitionsDefinition(start_date="2024-01-01", end_date="2024-02-01"))
def daily(context: dg.AssetExecutionContext) -> str:
    return context.partition_key


@dg.asset
def plain() -> int:
    return 1


@dg.schedule(cron_schedule="0 6 * * *", job=configured_job, execution_timezone="Europe/Berlin")
def morning(context: dg.ScheduleEvaluationContext):
    context.log.info("it is %s", context.scheduled_execution_time)
    run_config = {"ops": {"configured": {"config": {"limit": 7, "label": "x"}}}}
    return dg.RunRequest(run_key=f"{context.scheduled_execution_time:%Y-%m-%d %H:%M}", tags={"who": "morning"}, run_config=run_config)


@dg.schedule(cron_schedule="0 6 * * *", job=small)
def raises(context):
    try:
        _ = {}["absent"]
    except KeyError as error:
        raise RuntimeError("no such thing") from error


@dg.schedule(cron_schedule="0 6 * * *", job=small)
def hangs(context):
    sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (SIGNALS / "sleeper").write_text(str(sleeper.pid))
    _announce("hangs")
    time.sleep(600)


@dg.schedule(cron_schedule="0 6 * * *", job=small)
def leaves(context):
    os._exit(3)


@dg.schedule(cron_schedule="0 6 * * *", job=small)
def talks(context):
    for number in range(20_000):
        print(f"line {number} of very many")
    os.write(2, b"to standard error\n")
    return dg.SkipReason("talked enough")


@dg.sensor(job=small)
def counts(context: dg.SensorEvaluationContext):
    seen = int(context.cursor or 0)
    if seen >= 2:
        return dg.SkipReason(f"nothing after {seen}")
    requests = [dg.RunRequest(run_key=f"file-{seen}-{letter}", tags={"letter": letter}) for letter in "ab"]
    return dg.SensorResult(run_requests=requests, cursor=str(seen + 1))


@dg.sensor(job=small)
def tells_process(context):
    return dg.SkipReason(str(os.getpid()))


@dg.sensor(job=small)
def breaks(context):
    raise ZeroDivisionError("by zero")


@dg.sensor(job=small)
def exits(context):
    raise SystemExit(1)


defs = dg.Definitions(
    assets=[daily, plain],
    jobs=[small, held_job, held_in_process, configured_job, tagged_job, *POOLED],
    schedules=[morning, raises, hangs, leaves, talks],
    sensors=[counts, tells_process, breaks, exits],
)
