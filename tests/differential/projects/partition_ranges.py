"""Runs of a range of partitions, and what a step and its IO managers see of it."""

import dagster as dg
from observe import raised

days = dg.DailyPartitionsDefinition(start_date="2024-01-01", end_date="2024-01-11")
weeks = dg.WeeklyPartitionsDefinition(start_date="2024-01-01", end_date="2024-01-29")
letters = dg.StaticPartitionsDefinition(["a", "b", "c", "d"])
multi = dg.MultiPartitionsDefinition({"day": days, "letter": letters})


def between(start, end):
    return {"dagster/asset_partition_range_start": start, "dagster/asset_partition_range_end": end}


class Recorder(dg.IOManager):
    def __init__(self):
        self.calls = []

    def _seen(self, context):
        keys = [str(key) for key in context.asset_partition_keys] if context.has_asset_partitions else None
        span = context.asset_partition_key_range if keys else None
        return context.asset_key, keys, span and (str(span.start), str(span.end)), context.has_partition_key

    def handle_output(self, context, obj):
        self.calls.append(("store", *self._seen(context)))

    def load_input(self, context):
        self.calls.append(("load", *self._seen(context)))
        return 1


def calls(up_def, down_def, tags, mapping=None):
    @dg.asset(partitions_def=up_def)
    def up():
        return 1

    @dg.asset(partitions_def=down_def, ins={"up": dg.AssetIn(partition_mapping=mapping)})
    def down(context, up):
        return 1

    recorder = Recorder()
    dg.materialize([up, down], selection=[down], tags=tags, resources={"io_manager": recorder})
    return recorder.calls


def of_context(definition, tags=None, partition_key=None):
    seen = {}

    @dg.asset(partitions_def=definition)
    def ranged(context: dg.AssetExecutionContext) -> None:
        seen["has"] = (context.has_partition_key, context.has_partition_key_range)
        seen["keys"] = [str(key) for key in context.partition_keys]
        seen["range"] = [str(end) for end in context.partition_key_range]
        seen["key"] = raised(lambda: context.partition_key, dg.DagsterInvariantViolationError)
        seen["of output"] = [str(end) for end in context.asset_partition_key_range_for_output()]
        seen["window"] = raised(lambda: seen.update(times=context.partition_time_window), Exception)
        seen["window of output"] = raised(lambda: seen.update(out=context.asset_partitions_time_window_for_output()), Exception)
        seen["tags"] = {key: value for key, value in context.run.tags.items() if "range" in key}

    result = dg.materialize([ranged], tags=tags, partition_key=partition_key)
    return seen, result


def case_days():
    return of_context(days, between("2024-01-02", "2024-01-04"))


def case_letters():
    return of_context(letters, between("b", "d"))


def case_range_of_one():
    return of_context(letters, between("b", "b"))


def case_one_partition():
    return of_context(letters, partition_key="b")


def case_box():
    return of_context(multi, between("2024-01-02|b", "2024-01-03|c"))


def case_one_of_a_box():
    return of_context(multi, partition_key=dg.MultiPartitionKey({"day": "2024-01-02", "letter": "b"}))


def case_wrong_ends():
    @dg.asset(partitions_def=letters)
    def ranged() -> None: ...

    ends = [{"dagster/asset_partition_range_start": "a"}, between("a", "z"), between("z", "a")]
    return [raised(lambda tags=tags: dg.materialize([ranged], tags=tags), Exception) for tags in ends]


def case_loads_same():
    return calls(days, days, between("2024-01-03", "2024-01-05"))


def case_loads_previous():
    return calls(days, days, between("2024-01-03", "2024-01-05"), dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1))


def case_loads_wider():
    return calls(days, days, between("2024-01-03", "2024-01-05"), dg.TimeWindowPartitionMapping(start_offset=-2))


def case_loads_days_of_weeks():
    return calls(days, weeks, between(weeks.get_first_partition_key(), weeks.get_first_partition_key()))


def case_loads_weeks_of_days():
    return calls(weeks, days, between("2024-01-06", "2024-01-09"))


def case_loads_unpartitioned():
    return calls(None, days, between("2024-01-06", "2024-01-09"))


def case_metadata_by_partition():
    @dg.asset(partitions_def=letters)
    def ranged(context: dg.AssetExecutionContext) -> None:
        context.add_output_metadata({"all": 1})
        context.add_asset_metadata({"asset": 2})
        for number, key in enumerate(context.partition_keys):
            context.add_asset_metadata({"own": number}, asset_key="ranged", partition_key=key)

    return dg.materialize([ranged], tags=between("a", "c"))


def case_materialize_result():
    @dg.asset(partitions_def=letters)
    def ranged(context):
        return dg.MaterializeResult(metadata={"n": len(context.partition_keys)})

    return dg.materialize([ranged], tags=between("a", "c"))


def case_multi_asset():
    @dg.multi_asset(specs=[dg.AssetSpec("x", partitions_def=letters), dg.AssetSpec("y", partitions_def=letters)])
    def both(context):
        yield dg.MaterializeResult("x", metadata={"keys": list(context.partition_keys)})
        yield dg.MaterializeResult("y")

    return dg.materialize([both], tags=between("c", "d"))


def case_value_for_several():
    @dg.asset(partitions_def=letters)
    def ranged():
        return 1

    return raised(lambda: dg.materialize([ranged], tags=between("a", "b")), Exception)


def case_values_as_dict():
    @dg.asset(partitions_def=letters)
    def up(context):
        return f"value of {context.partition_key}"

    seen = []

    @dg.asset(partitions_def=letters)
    def down(up) -> None:
        seen.append(up)

    with dg.DagsterInstance.ephemeral() as instance:
        import tempfile

        with tempfile.TemporaryDirectory() as folder:
            resources = {"io_manager": dg.FilesystemIOManager(base_dir=folder)}
            for key in letters.get_partition_keys():
                dg.materialize([up], partition_key=key, instance=instance, resources=resources)
            dg.materialize([up, down], selection=[down], tags=between("a", "c"), instance=instance, resources=resources)
            dg.materialize([up, down], selection=[down], partition_key="b", instance=instance, resources=resources)
    return seen


def case_check_beside():
    @dg.asset(partitions_def=letters)
    def ranged() -> None: ...

    @dg.asset_check(asset=ranged)
    def fine(context):
        return dg.AssetCheckResult(passed=len(context.partition_keys) == 2)

    return dg.materialize([ranged, fine], tags=between("a", "b"))


def case_built_context():
    @dg.asset(partitions_def=days)
    def ranged(context: dg.AssetExecutionContext):
        return (
            list(context.partition_keys),
            context.has_partition_key,
            context.has_partition_key_range,
            context.partition_key_range.start,
            raised(lambda: context.partition_key, Exception),
        )

    return ranged(dg.build_asset_context(partition_key_range=dg.PartitionKeyRange("2024-01-02", "2024-01-03")))


def case_job():
    @dg.asset(partitions_def=letters)
    def ranged(context: dg.AssetExecutionContext) -> None:
        context.log.info(str(context.partition_keys))

    job = dg.define_asset_job("of_letters", [ranged], partitions_def=letters)
    found = dg.Definitions(assets=[ranged], jobs=[job]).resolve_job_def("of_letters")
    return found.execute_in_process(tags=between("b", "c"))


def case_run_request():
    request = dg.RunRequest(tags=between("a", "c"))
    return list(request.partition_key_range), request.partition_key, dg.RunRequest(partition_key="a").partition_key_range


def case_dynamic():
    parts = dg.DynamicPartitionsDefinition(name="colours")

    @dg.asset(partitions_def=parts)
    def painted(context) -> None:
        seen.extend(context.partition_keys)

    seen = []
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("colours", ["red", "green", "blue"])
        result = dg.materialize([painted], tags=between("green", "blue"), instance=instance)
    return result, seen


def case_stored_in_instance():
    @dg.asset(partitions_def=letters)
    def ranged() -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([ranged], tags=between("b", "c"), instance=instance)
        run = instance.get_runs()[0]
        return sorted(instance.get_materialized_partitions(dg.AssetKey("ranged"))), {k: v for k, v in run.tags.items() if "range" in k}


def case_without_a_partition():
    @dg.asset(partitions_def=letters)
    def plain():
        return 1

    @dg.asset(partitions_def=letters)
    def silent() -> None: ...

    return dg.materialize([plain]), dg.materialize([silent])
