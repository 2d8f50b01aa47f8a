"""Sensors of every kind, well and badly behaved, for the end-to-end tests."""

from __future__ import annotations

import os
import time
from datetime import timedelta

import dagwright as dg

RUNNING = dg.DefaultSensorStatus.RUNNING


@dg.asset(freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=1)))
def raw() -> int:
    return 1


@dg.asset
def other() -> int:
    return 2


files = dg.DynamicPartitionsDefinition(name="files")


@dg.asset(partitions_def=files)
def parsed(context: dg.AssetExecutionContext) -> str:
    return context.partition_key


@dg.op
def one() -> int:
    return 1


def quick(name: str) -> dg.JobDefinition:
    @dg.job(name=name, executor_def=dg.in_process_executor)
    def made():
        one()

    return made


@dg.op
def breaks() -> None:
    raise ValueError("the step broke")


@dg.job(executor_def=dg.in_process_executor)
def broken():
    breaks()


react, source, after, alarmed, deploy, polled, both = map(quick, ("react", "source", "after", "alarmed", "deploy", "polled", "both"))


@dg.asset_sensor(asset_key=dg.AssetKey("raw"), job=react, default_status=RUNNING)
def on_raw(context, event):
    return dg.RunRequest(tags={"made_by": event.run_id})


@dg.multi_asset_sensor(monitored_assets=[dg.AssetKey("raw"), dg.AssetKey("other")], job=both, default_status=RUNNING)
def on_both(context):
    if all(context.latest_materialization_records_by_key().values()):
        context.advance_all_cursors()
        return dg.RunRequest()
    return dg.SkipReason("not both yet")


@dg.run_status_sensor(run_status=dg.RunStatus.SUCCESS, monitored_jobs=[source], request_job=after, default_status=RUNNING)
def on_source(context):
    return dg.RunRequest(tags={"after": context.dagster_run.run_id})


@dg.run_failure_sensor(monitor_all_code_locations=True, request_job=alarmed, default_status=RUNNING)
def on_failure(context):
    return dg.RunRequest(tags={"failed": context.dagster_run.run_id, "why": context.failure_event.message[:80]})


@dg.webhook_sensor(secret=dg.EnvVar("HOOK_SECRET"), job=deploy)
def github(context: dg.WebhookSensorEvaluationContext):
    body = context.delivery.json
    context.log.info("event %s", context.delivery.headers.get("x-github-event"))
    if body.get("raise"):
        raise KeyError(body["raise"])
    return dg.RunRequest(run_key=body.get("key"), tags={"ref": body["ref"]})


@dg.sensor(job=polled, minimum_interval_seconds=1, default_status=RUNNING)
def counts(context: dg.SensorEvaluationContext):
    seen = int(context.cursor or 0)
    context.log.info("seen %d", seen)
    key = f"file-{seen}"
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=key)] if seen < 2 else [],
        cursor=str(seen + 1),
        dynamic_partitions_requests=[files.build_add_request([key])],
        asset_events=[dg.AssetMaterialization("outside", metadata={"seen": seen})],
    )


# Every one of these is due each second; none of them may keep `counts` from its own second.


@dg.sensor(job=polled, minimum_interval_seconds=1, default_status=RUNNING)
def raises(context):
    raise RuntimeError("no such bucket")


@dg.sensor(job=polled, minimum_interval_seconds=1, default_status=RUNNING)
def hangs(context):
    time.sleep(3600)


@dg.sensor(job=polled, minimum_interval_seconds=1, default_status=RUNNING)
def wrong(context):
    return 17


@dg.sensor(job=polled, minimum_interval_seconds=1, default_status=RUNNING)
def prints(context):
    line = "x" * 1_000_000
    for _ in range(200):
        print(line)


@dg.sensor(job=polled, minimum_interval_seconds=1, default_status=RUNNING)
def leaves(context):
    os._exit(3)


@dg.sensor(job=polled, minimum_interval_seconds=1, default_status=RUNNING)
def devours(context):
    kept = []
    while True:
        kept.append(bytearray(64 << 20))


@dg.schedule(cron_schedule="* * * * * *", job=polled, default_status=dg.DefaultScheduleStatus.RUNNING)
def schedule_that_leaves(context):
    os._exit(4)


@dg.schedule(cron_schedule="0 6 * * *", job=polled)
def morning(context: dg.ScheduleEvaluationContext):
    return dg.RunRequest(run_key=f"{context.scheduled_execution_time:%Y-%m-%d}")


defs = dg.Definitions(
    assets=[raw, other, parsed],
    jobs=[react, source, after, alarmed, deploy, polled, both, broken],
    sensors=[on_raw, on_both, on_source, on_failure, github, counts, raises, hangs, wrong, prints, leaves, devours],
    schedules=[schedule_that_leaves, morning],
)
