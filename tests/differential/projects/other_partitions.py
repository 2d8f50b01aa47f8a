"""Static, dynamic and many-dimensional partitions."""

import dagster as dg
from observe import raised

colours = dg.StaticPartitionsDefinition(["red", "green", "blue"])
days = dg.DailyPartitionsDefinition(start_date="2024-01-01", end_date="2024-01-04")
both = dg.MultiPartitionsDefinition({"day": days, "colour": colours})


def case_static():
    return colours.get_partition_keys(), colours.has_partition_key("red"), colours.has_partition_key("pink")


def case_static_bad():
    return [raised(lambda keys=keys: dg.StaticPartitionsDefinition(keys), Exception) for keys in (["a", "a"], ["a...b"], ["a,b"])]


def case_multi_keys():
    return [str(key) for key in both.get_partition_keys()]


def case_multi_parts():
    key = both.get_partition_keys()[1]
    return dict(key.keys_by_dimension), str(dg.MultiPartitionKey({"day": "2024-01-02", "colour": "red"}))


def case_multi_run():
    seen = []

    @dg.asset(partitions_def=both)
    def cell(context: dg.AssetExecutionContext):
        seen.append((str(context.partition_key), dict(context.partition_key.keys_by_dimension)))

    result = dg.materialize([cell], partition_key=dg.MultiPartitionKey({"day": "2024-01-02", "colour": "red"}))
    again = dg.materialize([cell], partition_key="blue|2024-01-03")
    return result, again, seen


def case_partition_outside():
    @dg.asset(partitions_def=colours)
    def painted(context):
        return context.partition_key

    return raised(lambda: dg.materialize([painted], partition_key="pink"), Exception)


def case_partition_missing():
    @dg.asset(partitions_def=colours)
    def painted(context):
        return context.partition_key

    return dg.materialize([painted], raise_on_error=False).success


def case_partition_on_what_has_none():
    @dg.asset
    def plain(context):
        return context.has_partition_key

    return dg.materialize([plain], partition_key="red").asset_value("plain")


def case_window():
    seen = []

    @dg.asset(partitions_def=days)
    def daily(context: dg.AssetExecutionContext):
        seen.append(
            (
                context.partition_time_window,
                context.partition_key,
                context.partition_key_range.start,
                context.partition_keys,
                context.has_partition_key,
            )
        )

    return dg.materialize([daily], partition_key="2024-01-02"), seen


def case_config_by_partition():
    @dg.static_partitioned_config(partition_keys=["x", "y"])
    def by_letter(key: str):
        return {"ops": {"say": {"config": {"letter": key}}}}

    @dg.op(config_schema={"letter": str})
    def say(context):
        return context.op_config["letter"]

    @dg.job(config=by_letter)
    def saying():
        say()

    return by_letter("x"), by_letter.get_partition_keys(), saying.execute_in_process(partition_key="y").output_for_node("say")


def case_config_by_day():
    @(
        dg.daily_partitioned_config(start_date="2024-01-01", end_date="2024-01-03")
        if False
        else dg.daily_partitioned_config(start_date="2024-01-01")
    )
    def by_day(start, end):
        return {"ops": {"say": {"config": {"day": start.strftime("%Y-%m-%d"), "to": end.strftime("%Y-%m-%d")}}}}

    return by_day.get_partition_keys()[:2], by_day.get_run_config_for_partition_key("2024-01-05")
