"""Partitions of assets that read each other: which of the upstream's are loaded."""

import dagster as dg

days = dg.DailyPartitionsDefinition(start_date="2024-01-01", end_date="2024-01-11")
weeks = dg.WeeklyPartitionsDefinition(start_date="2024-01-01", end_date="2024-01-29")
hours = dg.HourlyPartitionsDefinition(start_date="2024-01-01-00:00", end_date="2024-01-03-00:00")
letters = dg.StaticPartitionsDefinition(["a", "b", "c"])
multi = dg.MultiPartitionsDefinition({"day": days, "letter": letters})


class Recorder(dg.IOManager):
    def __init__(self):
        self.loads = []

    def handle_output(self, context, obj):
        self.loads.append(
            ("store", context.asset_key, [str(key) for key in context.asset_partition_keys] if context.has_asset_partitions else None)
        )

    def load_input(self, context):
        self.loads.append(
            ("load", context.asset_key, [str(key) for key in context.asset_partition_keys] if context.has_asset_partitions else None)
        )
        return 1


def loads(up_def, down_def, partition_key, mapping=None):
    @dg.asset(partitions_def=up_def)
    def up():
        return 1

    @dg.asset(partitions_def=down_def, ins={"up": dg.AssetIn(partition_mapping=mapping)})
    def down(context: dg.AssetExecutionContext, up):
        return 1

    recorder = Recorder()
    dg.materialize([up, down], selection=[down], partition_key=partition_key, resources={"io_manager": recorder})
    return recorder.loads


def case_same():
    return loads(days, days, "2024-01-03")


def case_previous_day():
    return loads(days, days, "2024-01-03", dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1))


def case_three_days():
    return loads(days, days, "2024-01-05", dg.TimeWindowPartitionMapping(start_offset=-2))


def case_before_the_first():
    return loads(
        days, days, "2024-01-01", dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=0, allow_nonexistent_upstream_partitions=True)
    )


def case_week_of_days():
    return loads(days, weeks, "2023-12-31" if False else weeks.get_partition_keys()[0])


def case_day_of_hours():
    return loads(hours, days, "2024-01-02")


def case_week_for_a_day():
    return loads(weeks, days, "2024-01-09")


def unordered(calls):
    """Dagster keeps what is not of time in a set, so the order in which it is read differs from run to run."""
    return [(what, key, sorted(keys)) for what, key, keys in calls]


def case_all():
    return loads(letters, days, "2024-01-02", dg.AllPartitionMapping())


def case_last():
    return loads(letters, days, "2024-01-02", dg.LastPartitionMapping())


def case_specific():
    return unordered(loads(letters, days, "2024-01-02", dg.SpecificPartitionsPartitionMapping(["a", "c"])))


def case_static():
    other = dg.StaticPartitionsDefinition(["x", "y"])
    return unordered(loads(letters, other, "x", dg.StaticPartitionMapping({"a": "x", "b": "x", "c": "y"})))


def case_multi_to_single():
    return unordered(loads(multi, days, "2024-01-02"))


def case_single_to_multi():
    return loads(letters, multi, "2024-01-02|b")


def case_multi_to_multi():
    return loads(multi, multi, "2024-01-02|b")


def case_multi_mapping():
    mapping = dg.MultiPartitionMapping(
        {"day": dg.DimensionPartitionMapping("day", dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1))}
    )
    return unordered(loads(multi, multi, "2024-01-02|b", mapping))


def case_unpartitioned_reads_partitioned():
    return loads(letters, None, None)


def case_partitioned_reads_unpartitioned():
    return loads(None, days, "2024-01-02")


def case_dynamic():
    parts = dg.DynamicPartitionsDefinition(name="colours")

    @dg.asset(partitions_def=parts)
    def painted(context):
        return context.partition_key

    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("colours", ["red", "blue"])
        result = dg.materialize([painted], partition_key="red", instance=instance)
        return result, instance.get_dynamic_partitions("colours"), instance.has_dynamic_partition("colours", "red")


def case_context_of_inputs():
    seen = []

    @dg.asset(partitions_def=hours)
    def up():
        return 1

    @dg.asset(partitions_def=days)
    def down(context: dg.AssetExecutionContext, up):
        seen.append(
            (
                len(context.asset_partition_keys_for_input("up")),
                context.asset_partition_key_range_for_input("up").end,
                context.asset_partitions_time_window_for_input("up"),
                context.asset_key_for_input("up"),
                context.asset_partition_key_for_output(),
            )
        )

    dg.materialize([up, down], selection=[down], partition_key="2024-01-02", resources={"io_manager": Recorder()})
    return seen


def case_range_in_one_run():
    seen = []

    @dg.asset(partitions_def=days, backfill_policy=dg.BackfillPolicy.single_run())
    def ranged(context: dg.AssetExecutionContext):
        seen.append(
            (context.partition_keys, context.partition_key_range.start, context.partition_key_range.end, context.partition_time_window)
        )

    tags = {"dagster/asset_partition_range_start": "2024-01-02", "dagster/asset_partition_range_end": "2024-01-04"}
    return dg.materialize([ranged], tags=tags), seen
