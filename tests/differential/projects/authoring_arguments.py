"""Arguments of definitions and of contexts that are built by hand."""

import dagster as dg
from observe import raised

days = dg.DailyPartitionsDefinition(start_date="2024-01-01")
three = dg.PartitionKeyRange("2024-01-01", "2024-01-03")


@dg.op
def work(): ...


@dg.job(owners=["team:shop"])
def owned():
    work()


@dg.asset
def table(): ...


def no_runs(context):
    return dg.SkipReason("nothing")


def case_owners():
    nightly = dg.define_asset_job("nightly", "table", owners=["anna@example.com", "team:shop"])
    schedule = dg.schedule(cron_schedule="0 0 * * *", job=owned, owners=["team:shop"])(no_runs)
    sensor = dg.sensor(job=owned, owners=["team:shop"])(no_runs)
    daily = dg.ScheduleDefinition(job=owned, cron_schedule="0 0 * * *")
    taken = dg.Definitions(assets=[table], jobs=[nightly]).resolve_job_def("nightly")
    return [each.owners for each in (owned, nightly, taken, schedule, sensor, daily, dg.SensorDefinition("bare", evaluation_fn=no_runs))]


def case_wrong_owner():
    return [
        raised(lambda: dg.ScheduleDefinition(job=owned, cron_schedule="0 0 * * *", owners=["shop"]), dg.DagsterInvalidDefinitionError),
        raised(lambda: dg.sensor(job=owned, owners=["shop"])(no_runs), dg.DagsterInvalidDefinitionError),
        raised(lambda: owned.graph.to_job("mine", owners=["shop"]), dg.DagsterInvalidDefinitionError),
    ]


def case_sensors_by_place():
    def of_event(context, event): ...

    one = dg.AssetSensorDefinition("one", dg.AssetKey("table"), "owned", of_event, 60, "of one")
    several = dg.MultiAssetSensorDefinition("several", [dg.AssetKey("table")], "owned", no_runs, 60, "of several")
    runs = dg.RunStatusSensorDefinition("runs", dg.DagsterRunStatus.SUCCESS, no_runs, 60, "of runs", [owned])
    return [
        [(each.name, each.minimum_interval_seconds, each.description) for each in (one, several, runs)],
        one.asset_key,
        (one.job_name, several.job_name),
    ]


def case_op_context_of_a_range():
    context = dg.build_op_context(partition_key_range=three)
    return [
        context.partition_key_range,
        context.has_partition_key_range,
        context.has_partition_key,
        raised(lambda: dg.build_op_context(partition_key="a", partition_key_range=three), Exception),
    ]


def case_output_context_of_a_range():
    context = dg.build_output_context(asset_key=dg.AssetKey("x"), asset_partitions_def=days, asset_partition_key_range=three)
    window = context.asset_partitions_time_window
    return [
        context.asset_partition_keys,
        context.asset_partition_key_range,
        context.has_asset_partitions,
        context.has_partition_key,
        (window.start, window.end),
        raised(lambda: context.asset_partition_key, Exception),
        raised(lambda: dg.build_output_context(asset_partition_key_range=three).asset_partition_keys, Exception),
    ]


def case_spec_of_an_output():
    spec = dg.AssetSpec("x", group_name="g")
    built = dg.build_output_context(asset_spec=spec)
    seen = []

    class Recorder(dg.IOManager):
        def handle_output(self, context, obj):
            seen.append((context.asset_spec.key, context.asset_spec.group_name, context.asset_spec.tags))

        def load_input(self, context): ...

    @dg.asset(group_name="sales", tags={"tier": "gold"})
    def orders():
        return 1

    @dg.multi_asset(outs={"a": dg.AssetOut(group_name="first"), "b": dg.AssetOut(group_name="other")})
    def both(context: dg.OpExecutionContext):
        return 1, 2

    dg.materialize([orders, both], resources={"io_manager": Recorder()})
    return [built.asset_spec.group_name, built.has_asset_key, sorted(seen), raised(lambda: dg.build_output_context().asset_spec, Exception)]
