"""Edges of partition mappings: offsets between cadences and at the ends, zones, dimensions, mappings of the user's own."""

import dagster as dg
from observe import raised

try:
    Result = dg.UpstreamPartitionsResult
except AttributeError:
    from dagster._core.definitions.partitions.mapping.partition_mapping import UpstreamPartitionsResult as Result

days = dg.DailyPartitionsDefinition(start_date="2024-01-01", end_date="2024-01-11")
late_days = dg.DailyPartitionsDefinition(start_date="2024-01-05", end_date="2024-01-08")
weeks = dg.WeeklyPartitionsDefinition(start_date="2023-12-31", end_date="2024-01-29")
months = dg.MonthlyPartitionsDefinition(start_date="2023-11-01", end_date="2024-04-01")
hours = dg.HourlyPartitionsDefinition(start_date="2024-01-01-00:00", end_date="2024-01-04-00:00")
berlin = dg.DailyPartitionsDefinition(start_date="2024-03-29", end_date="2024-04-03", timezone="Europe/Berlin")
berlin_hours = dg.HourlyPartitionsDefinition(start_date="2024-03-29-00:00", end_date="2024-04-03-00:00", timezone="Europe/Berlin")
letters = dg.StaticPartitionsDefinition(["a", "b", "c"])
more_letters = dg.StaticPartitionsDefinition(["c", "b", "x"])
multi = dg.MultiPartitionsDefinition({"day": days, "letter": letters})
other_multi = dg.MultiPartitionsDefinition({"date": days, "sign": letters})


class Recorder(dg.IOManager):
    def __init__(self):
        self.loads = []

    def handle_output(self, context, obj):
        pass

    def load_input(self, context):
        # Dagster keeps what is not of time in a set: their order is not defined.
        self.loads.append(sorted(str(key) for key in context.asset_partition_keys))
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


def offset(start, end=0, **more):
    return dg.TimeWindowPartitionMapping(start_offset=start, end_offset=end, **more)


def case_previous_of_the_first():
    return loads(days, days, "2024-01-01", offset(-1, -1)), loads(days, days, "2024-01-01", offset(-1))


def case_next_of_the_last():
    return loads(days, days, "2024-01-10", offset(1, 1)), loads(days, days, "2024-01-10", offset(0, 1))


def case_upside_down():
    return loads(days, days, "2024-01-05", offset(1, -1))


def case_offset_of_weeks_in_days():
    return loads(days, weeks, "2024-01-07", offset(-1)), loads(days, weeks, "2024-01-07", offset(-1, -1))


def case_offset_of_days_in_weeks():
    return loads(weeks, days, "2024-01-07", offset(-1)), loads(weeks, days, "2024-01-07", offset(-1, -1))


def case_offset_of_days_in_hours():
    return loads(hours, days, "2024-01-02", offset(-1, -1)), loads(hours, days, "2024-01-03", offset(-1))


def case_months_read_days():
    return raised(lambda: loads(days, months, "2024-01-01"), Exception)


def case_months_of_days():
    return (
        loads(months, days, "2024-01-05"),
        loads(months, days, "2024-01-05", offset(-1)),
        loads(months, days, "2024-01-01", offset(-1, -1)),
    )


def case_weeks_of_months():
    return loads(weeks, months, "2024-01-01", offset(0, 0, allow_nonexistent_upstream_partitions=True))


def case_upstream_starts_later():
    return (
        raised(lambda: loads(late_days, days, "2024-01-03"), Exception),
        loads(late_days, days, "2024-01-03", offset(0, 0, allow_nonexistent_upstream_partitions=True)),
        loads(late_days, days, "2024-01-06"),
        raised(lambda: loads(late_days, days, "2024-01-09"), Exception),
    )


def case_part_of_it_is_missing():
    return (
        raised(lambda: loads(late_days, weeks, "2023-12-31"), Exception),
        loads(late_days, weeks, "2023-12-31", offset(0, 0, allow_nonexistent_upstream_partitions=True)),
    )


def case_short_and_long_days():
    return [len(loads(berlin_hours, berlin, key)[0]) for key in ("2024-03-30", "2024-03-31", "2024-04-01")]


def case_offset_over_a_short_day():
    return loads(berlin, berlin, "2024-04-01", offset(-2)), loads(berlin_hours, berlin, "2024-03-31", offset(-1, -1))[0][-2:]


def case_identity_of_other_letters():
    return loads(more_letters, letters, "b"), raised(lambda: loads(more_letters, letters, "a"), Exception)


def case_identity_of_other_days():
    return (
        loads(late_days, days, "2024-01-06", dg.IdentityPartitionMapping()),
        raised(lambda: loads(late_days, days, "2024-01-02", dg.IdentityPartitionMapping()), Exception),
    )


def case_all_and_last_of_days():
    return loads(days, letters, "a", dg.AllPartitionMapping()), loads(days, letters, "a", dg.LastPartitionMapping())


def case_last_of_dimensions():
    return loads(multi, letters, "a", dg.LastPartitionMapping())


def case_specific():
    return loads(letters, days, "2024-01-02", dg.SpecificPartitionsPartitionMapping(["c", "a"]))


def case_static_lists():
    down = dg.StaticPartitionsDefinition(["x", "y", "z"])
    mapping = dg.StaticPartitionMapping({"a": ["x", "y"], "b": {"y"}, "c": "y"})
    return [loads(letters, down, key, mapping) for key in ("x", "y", "z")]


def case_to_single():
    by_name = dg.MultiToSingleDimensionPartitionMapping("day")
    return loads(multi, days, "2024-01-02", by_name), loads(days, multi, "2024-01-02|b", by_name)


def case_to_weeks():
    return loads(multi, weeks, "2023-12-31")[0][:4], loads(weeks, multi, "2024-01-08|b")


def case_renamed_dimensions():
    mapping = dg.MultiPartitionMapping(
        {
            "day": dg.DimensionPartitionMapping("date", offset(-1)),
            "letter": dg.DimensionPartitionMapping("sign", dg.StaticPartitionMapping({"a": "b", "c": "b"})),
        }
    )
    return loads(multi, other_multi, dg.MultiPartitionKey({"date": "2024-01-03", "sign": "b"}), mapping)


def case_one_dimension_whole():
    mapping = dg.MultiPartitionMapping(
        {
            "day": dg.DimensionPartitionMapping("date", dg.LastPartitionMapping()),
            "letter": dg.DimensionPartitionMapping("sign", dg.AllPartitionMapping()),
        }
    )
    return loads(multi, other_multi, dg.MultiPartitionKey({"date": "2024-01-03", "sign": "b"}), mapping)


class EveryOther(dg.PartitionMapping):
    """The letter itself and the one two places before it."""

    def get_upstream_mapped_partitions_result_for_partitions(
        self,
        downstream_partitions_subset,
        downstream_partitions_def,
        upstream_partitions_def,
        current_time=None,
        dynamic_partitions_store=None,
    ):
        known = list(upstream_partitions_def.get_partition_keys())
        wanted = set()
        for key in downstream_partitions_subset.get_partition_keys():
            at = known.index(key)
            wanted |= {known[at], known[max(0, at - 2)]}
        return Result(
            partitions_subset=upstream_partitions_def.empty_subset().with_partition_keys(wanted),
            required_but_nonexistent_subset=upstream_partitions_def.empty_subset(),
        )

    def get_downstream_partitions_for_partitions(
        self,
        upstream_partitions_subset,
        upstream_partitions_def,
        downstream_partitions_def,
        current_time=None,
        dynamic_partitions_store=None,
    ):
        return downstream_partitions_def.empty_subset().with_partition_keys(downstream_partitions_def.get_partition_keys())

    def validate_partition_mapping(self, upstream_partitions_def, downstream_partitions_def):
        pass

    @property
    def description(self):
        return "every other"


def case_of_the_users_own():
    return loads(letters, letters, "c", EveryOther()), loads(letters, letters, "a", EveryOther())
