"""A thousand sensors with the usual interval, and a thousand schedules that are due in the same second."""

from __future__ import annotations

import os

import dagwright as dg

COUNT = int(os.environ.get("BENCH_TRIGGERS", "1000"))


@dg.op
def one() -> int:
    return 1


@dg.job(executor_def=dg.in_process_executor)
def quick():
    one()


def _sensor(number: int) -> dg.SensorDefinition:
    @dg.sensor(name=f"sensor_{number}", job=quick, default_status=dg.DefaultSensorStatus.RUNNING)
    def looks(context: dg.SensorEvaluationContext):
        context.update_cursor(str(int(context.cursor or 0) + 1))
        return dg.SkipReason("nothing new")

    return looks


def _schedule(number: int) -> dg.ScheduleDefinition:
    @dg.schedule(name=f"schedule_{number}", cron_schedule="* * * * *", job=quick, default_status=dg.DefaultScheduleStatus.RUNNING)
    def ticks(context: dg.ScheduleEvaluationContext):
        return dg.SkipReason(f"{context.scheduled_execution_time:%H:%M}")

    return ticks


defs = dg.Definitions(jobs=[quick], sensors=[_sensor(number) for number in range(COUNT)], schedules=[])
if os.environ.get("BENCH_SCHEDULES"):
    defs = dg.Definitions(jobs=[quick], schedules=[_schedule(number) for number in range(COUNT)])
