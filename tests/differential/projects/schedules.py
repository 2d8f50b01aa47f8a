"""What schedules ask for, evaluated by hand."""

from datetime import datetime, timezone

import dagster as dg


@dg.op
def nothing():
    pass


@dg.job
def work():
    nothing()


AT = datetime(2024, 3, 10, 7, 0, tzinfo=timezone.utc)


def asks(schedule, at=AT, **kwargs):
    context = dg.build_schedule_context(scheduled_execution_time=at, **kwargs)
    data = schedule.evaluate_tick(context)
    return [
        (r.run_key, dict(r.run_config or {}), {k: v for k, v in r.tags.items() if not k.startswith("dagster/schedule")}, r.partition_key)
        for r in data.run_requests
    ], data.skip_message


def case_plain():
    return asks(dg.ScheduleDefinition(job=work, cron_schedule="0 7 * * *", run_config={"a": 1}, tags={"t": "v"}, execution_timezone="UTC"))


def case_run_request():
    @dg.schedule(job=work, cron_schedule="0 7 * * *")
    def morning(context: dg.ScheduleEvaluationContext):
        day = context.scheduled_execution_time.strftime("%Y-%m-%d")
        return dg.RunRequest(run_key=day, run_config={"ops": {}}, tags={"day": day})

    return asks(morning), morning.name, morning.cron_schedule


def case_dictionary():
    @dg.schedule(job=work, cron_schedule="@daily")
    def config_only():
        return {"ops": {}}

    return asks(config_only)


def case_skip():
    @dg.schedule(job=work, cron_schedule="@daily")
    def never(context):
        return dg.SkipReason("not today")

    return asks(never)


def case_none():
    @dg.schedule(job=work, cron_schedule="@daily")
    def nothing_at_all(context):
        return None

    return asks(nothing_at_all)[0]


def case_several():
    @dg.schedule(job=work, cron_schedule="@daily")
    def several(context):
        for key in ("a", "b"):
            yield dg.RunRequest(run_key=key)

    return asks(several)


def case_resources():
    class Store(dg.ConfigurableResource):
        name: str

    @dg.schedule(job=work, cron_schedule="@daily")
    def with_store(context: dg.ScheduleEvaluationContext, store: Store):
        return dg.RunRequest(run_key=store.name)

    return asks(with_store, resources={"store": Store(name="s")})


def case_direct():
    @dg.schedule(job=work, cron_schedule="@daily")
    def direct(context):
        return dg.RunRequest(run_key=context.scheduled_execution_time.isoformat())

    return direct(dg.build_schedule_context(scheduled_execution_time=AT)).run_key


def partitioned(definition, **kwargs):
    @dg.asset(partitions_def=definition)
    def made():
        return 1

    job = dg.define_asset_job("made_job", selection=[made], partitions_def=definition)
    schedule = dg.build_schedule_from_partitioned_job(job, **kwargs)
    defs = dg.Definitions(assets=[made], jobs=[job], schedules=[schedule])
    found = (
        defs.get_schedule_def("made_job_schedule") if hasattr(defs, "get_schedule_def") else defs.resolve_schedule_def("made_job_schedule")
    )
    return found.name, found.cron_schedule, found.execution_timezone, asks(found, repository_def=defs.get_repository_def())[0]


def case_of_static_job():
    return partitioned(dg.StaticPartitionsDefinition(["a", "b"]), cron_schedule="0 4 * * *", execution_timezone="UTC")


def case_of_multi_partitioned_job():
    days, areas = dg.DailyPartitionsDefinition(start_date="2024-01-01"), dg.StaticPartitionsDefinition(["n", "s"])
    return partitioned(dg.MultiPartitionsDefinition({"day": days, "area": areas}), hour_of_day=5)


def case_of_daily_job():
    return partitioned(dg.DailyPartitionsDefinition(start_date="2024-01-01", timezone="Europe/Berlin"), hour_of_day=5)


def case_of_hourly_job():
    return partitioned(dg.HourlyPartitionsDefinition(start_date="2024-01-01-00:00"), minute_of_hour=10)


def case_of_monthly_job():
    return partitioned(dg.MonthlyPartitionsDefinition(start_date="2024-01-01"), day_of_month=2)


def case_bad_cron():
    from observe import raised

    return [
        raised(lambda cron=cron: dg.ScheduleDefinition(job=work, cron_schedule=cron), dg.DagsterInvalidDefinitionError)
        for cron in ("nonsense", "61 * * * *", "* * *")
    ]


def case_bad_zone():
    from observe import raised

    return raised(
        lambda: dg.ScheduleDefinition(job=work, cron_schedule="@daily", execution_timezone="Mars/Base"), dg.DagsterInvalidDefinitionError
    )


def case_names():
    first = dg.ScheduleDefinition(job=work, cron_schedule="0 0 * * *")
    second = dg.ScheduleDefinition(
        name="own", target=work, cron_schedule=["0 0 * * *", "0 1 * * *"], default_status=dg.DefaultScheduleStatus.RUNNING
    )
    return first.name, second.name, second.default_status, second.job_name
