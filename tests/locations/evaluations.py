"""Schedules and sensors that answer in each way, and some that fail."""

import dagwright as dg


@dg.asset
def numbers():
    return [1]


everything = dg.define_asset_job("everything")


class Folder(dg.ConfigurableResource):
    path: str


@dg.schedule(cron_schedule="0 6 * * *", job=everything, execution_timezone="Europe/Berlin")
def every_morning(context: dg.ScheduleEvaluationContext, folder: Folder):
    context.log.info("looking at %s", folder.path)
    return dg.RunRequest(run_key=f"{context.scheduled_execution_time:%Y-%m-%d %H:%M}", tags={"folder": "a"})


@dg.schedule(cron_schedule="0 7 * * *", job=everything)
def never(context):
    return dg.SkipReason("not today")


@dg.schedule(cron_schedule="0 8 * * *", job=everything)
def breaks(context):
    raise ZeroDivisionError("by zero")


@dg.sensor(job=everything)
def counts(context: dg.SensorEvaluationContext):
    seen = int(context.cursor or 0)
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=str(seen))], cursor=str(seen + 1))


@dg.sensor(job=everything)
def leaves(context):
    raise SystemExit(1)


defs = dg.Definitions(
    assets=[numbers],
    jobs=[everything],
    schedules=[every_morning, never, breaks],
    sensors=[counts, leaves],
    resources={"folder": Folder(path="/data")},
)
