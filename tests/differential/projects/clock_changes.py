"""Days on which clocks are changed, and keys that are added at run time: partitions, their windows, runs and schedules of them."""

from datetime import datetime, timezone

import dagster as dg
from observe import raised, told

SPRING, AUTUMN = "2024-03-31", "2024-10-27"  # in Berlin
HOURS = dg.HourlyPartitionsDefinition("2024-03-31-00:00", end_date="2024-11-01-00:00", timezone="Europe/Berlin")
DAYS = dg.DailyPartitionsDefinition("2024-03-29", end_date="2024-11-01", timezone="Europe/Berlin")


def windows(definition, keys):
    return [[moment.isoformat() for moment in definition.time_window_for_partition_key(key)] for key in keys]


def case_hours_of_spring():
    keys = [key for key in HOURS.get_partition_keys() if key.startswith(SPRING)]
    return len(keys), keys[:5], windows(HOURS, keys[:4])


def case_hours_of_autumn():
    keys = [key for key in HOURS.get_partition_keys() if key.startswith(AUTUMN)]
    return len(keys), keys[:6], windows(HOURS, keys[:5])


def case_days():
    keys = [SPRING, "2024-04-01", AUTUMN, "2024-10-28"]
    return windows(DAYS, keys), [(end - start).total_seconds() for start, end in map(DAYS.time_window_for_partition_key, keys)]


def case_days_that_begin_within_the_change():
    definition = dg.DailyPartitionsDefinition(
        "2024-03-29", hour_offset=2, minute_offset=30, end_date="2024-04-03", timezone="Europe/Berlin"
    )
    return windows(definition, definition.get_partition_keys())


def case_days_that_begin_within_the_change_of_autumn():
    definition = dg.DailyPartitionsDefinition(
        "2024-10-25", hour_offset=2, minute_offset=30, end_date="2024-10-30", timezone="Europe/Berlin"
    )
    return windows(definition, definition.get_partition_keys())


def case_hours_of_a_day():
    return [len(HOURS.get_partition_keys_in_time_window(DAYS.time_window_for_partition_key(day))) for day in (SPRING, "2024-04-01", AUTUMN)]


def case_last_partition_during_the_change():
    moments = [datetime(2024, 10, 27, hour, 30, tzinfo=timezone.utc) for hour in (0, 1, 2)]
    found = []
    for moment in moments:
        with dg.partition_loading_context(effective_dt=moment):
            found.append(HOURS.get_last_partition_key())
    return found


def run_of(definition, key):
    @dg.asset(partitions_def=definition)
    def windowed(context: dg.AssetExecutionContext):
        window = context.partition_time_window
        return dg.MaterializeResult(metadata={"from": window.start.isoformat(), "to": window.end.isoformat()})

    return told(dg.materialize_to_memory([windowed], partition_key=key))


def case_runs_of_the_days():
    return run_of(DAYS, SPRING), run_of(DAYS, AUTUMN)


def case_a_run_of_an_hour_that_there_is_twice():
    return run_of(HOURS, [key for key in HOURS.get_partition_keys() if key.startswith(f"{AUTUMN}-02")][-1])


def scheduled(definition, at, **options):
    @dg.asset(partitions_def=definition)
    def made(): ...

    job = dg.define_asset_job("job", [made], partitions_def=definition)
    schedule = dg.build_schedule_from_partitioned_job(job, **options)
    defs = dg.Definitions(assets=[made], jobs=[job], schedules=[schedule])
    found = defs.get_repository_def().get_schedule_def(schedule.name)
    context = dg.build_schedule_context(scheduled_execution_time=at, repository_def=defs.get_repository_def())
    return (
        schedule.name,
        found.cron_schedule,
        found.execution_timezone,
        [r.partition_key for r in found.evaluate_tick(context).run_requests],
    )


def case_schedule_of_days():
    return [scheduled(DAYS, datetime(2024, 4, 1, 0, tzinfo=DAYS.get_first_partition_window().start.tzinfo))[1:]]


def case_schedule_of_days_at_an_hour():
    tz = DAYS.get_first_partition_window().start.tzinfo
    return scheduled(DAYS, datetime(2024, 10, 28, 4, tzinfo=tz), hour_of_day=4)


NAMES = dg.DynamicPartitionsDefinition(name="names")


@dg.asset(partitions_def=NAMES)
def by_name(context: dg.AssetExecutionContext):
    return dg.MaterializeResult(metadata={"key": context.partition_key, "known": len(context.instance.get_dynamic_partitions("names"))})


@dg.asset(partitions_def=NAMES, deps=[by_name])
def after_name(context: dg.AssetExecutionContext):
    return dg.MaterializeResult(metadata={"key": context.partition_key})


def case_dynamic_keys_in_a_run():
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("names", ["b", "a"])
        result = dg.materialize([by_name, after_name], partition_key="a", instance=instance)
        return told(result), instance.get_dynamic_partitions("names"), instance.get_materialized_partitions(by_name.key)


def case_a_dynamic_key_that_is_not_there():
    with dg.instance_for_test() as instance:
        return raised(lambda: dg.materialize([by_name], partition_key="nobody", instance=instance))


def case_dynamic_keys_with_odd_signs():
    with dg.instance_for_test() as instance:
        keys = ["ü b", "a/b,c:d"]
        instance.add_dynamic_partitions("names", keys)
        for key in keys:
            dg.materialize([by_name], partition_key=key, instance=instance)
        return sorted(instance.get_materialized_partitions(by_name.key)), NAMES.get_partition_keys(dynamic_partitions_store=instance)


def case_dynamic_keys_are_taken_away():
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("names", ["a", "b"])
        dg.materialize([by_name], partition_key="a", instance=instance)
        instance.delete_dynamic_partition("names", "a")
        there = instance.has_dynamic_partition("names", "a")
        return there, instance.get_dynamic_partitions("names"), sorted(instance.get_materialized_partitions(by_name.key))


def case_dynamic_keys_in_a_dimension():
    grid = dg.MultiPartitionsDefinition({"name": NAMES, "day": dg.StaticPartitionsDefinition(["1", "2"])})

    @dg.asset(partitions_def=grid)
    def cells(context: dg.AssetExecutionContext):
        return dg.MaterializeResult(metadata=dict(context.partition_key.keys_by_dimension))

    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("names", ["x", "y"])
        result = dg.materialize([cells], partition_key=dg.MultiPartitionKey({"name": "y", "day": "2"}), instance=instance)
        return told(result), [str(key) for key in grid.get_partition_keys(dynamic_partitions_store=instance)]


def case_a_sensor_adds_keys():
    @dg.sensor(target=[by_name])
    def finds(context):
        return dg.SensorResult(
            run_requests=[dg.RunRequest(partition_key="new")], dynamic_partitions_requests=[NAMES.build_add_request(["new"])]
        )

    with dg.instance_for_test() as instance, dg.build_sensor_context(instance=instance) as context:
        found = finds(context)
        request = found.dynamic_partitions_requests[0]
        return [r.partition_key for r in found.run_requests], list(request.partition_keys), request.partitions_def_name


def case_statuses_of_dynamic_keys():
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("names", ["a", "b"])
        dg.materialize([by_name], partition_key="a", instance=instance)
        found = instance.get_status_by_partition(by_name.key, ["a", "b"], NAMES)
        return {key: status.value if status else None for key, status in found.items()}


def case_records_and_wipes():
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("names", ["a", "b"])
        for key in "ab":
            dg.materialize([by_name, after_name], partition_key=key, instance=instance)
        records = instance.get_asset_records([by_name.key, dg.AssetKey("unknown")])
        newest = [record.asset_entry.last_materialization.asset_materialization.partition for record in records]
        instance.wipe_assets([by_name.key])
        return newest, instance.has_asset_key(by_name.key), sorted(key.to_user_string() for key in instance.all_asset_keys())
