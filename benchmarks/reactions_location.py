"""Three things that happen, each with a run that follows it: by an eager condition, an asset sensor and a run status sensor."""

from __future__ import annotations

import dagwright as dg


@dg.asset
def upstream() -> None: ...


@dg.asset(deps=[upstream], automation_condition=dg.AutomationCondition.eager())
def downstream() -> None: ...


@dg.asset
def watched() -> None: ...


@dg.op
def nothing() -> None: ...


@dg.job(executor_def=dg.in_process_executor)
def happens() -> None:
    nothing()


@dg.job(executor_def=dg.in_process_executor)
def after_asset() -> None:
    nothing()


@dg.job(executor_def=dg.in_process_executor)
def after_run() -> None:
    nothing()


@dg.asset_sensor(asset_key=dg.AssetKey("watched"), job=after_asset, default_status=dg.DefaultSensorStatus.RUNNING)
def sees_asset(context: dg.SensorEvaluationContext, event: dg.EventLogEntry) -> dg.RunRequest:
    return dg.RunRequest(run_key=f"{context.cursor} {event.run_id}")


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[happens],
    request_job=after_run,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def sees_run(context: dg.RunStatusSensorContext) -> dg.RunRequest:
    return dg.RunRequest(run_key=context.dagster_run.run_id)


defs = dg.Definitions(
    assets=[upstream, downstream, watched],
    jobs=[
        dg.define_asset_job("make_upstream", "upstream", executor_def=dg.in_process_executor),
        dg.define_asset_job("make_watched", "watched", executor_def=dg.in_process_executor),
        happens,
        after_asset,
        after_run,
    ],
    sensors=[
        dg.AutomationConditionSensorDefinition("eager", target="*", default_status=dg.DefaultSensorStatus.RUNNING),
        sees_asset,
        sees_run,
    ],
    executor=dg.in_process_executor,
)
