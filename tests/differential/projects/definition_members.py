"""Members of definitions that projects read: of time partitions, of ops, of outputs that are assets."""

import dagster as dg
from observe import raised


def seen(partitions):
    kind = partitions.schedule_type
    offsets = [read(partitions, f"{part}_offset") for part in ("minute", "hour", "day")]
    return [kind and kind.value, *offsets]


def read(partitions, name):
    error = raised(lambda: getattr(partitions, name), Exception)
    return getattr(partitions, name) if error == "no error" else error


def case_offsets():
    return [
        seen(dg.HourlyPartitionsDefinition("2024-01-01-00:00", minute_offset=10)),
        seen(dg.WeeklyPartitionsDefinition("2024-01-01", day_offset=2, hour_offset=4)),
        seen(dg.MonthlyPartitionsDefinition("2024-01-01", day_offset=3)),
        seen(dg.MonthlyPartitionsDefinition("2024-01-01", minute_offset=15)),
        seen(dg.TimeWindowPartitionsDefinition(start="2024-01-01", fmt="%Y-%m-%d", cron_schedule="0 0 * * 1-5")),
    ]


def case_offsets_of_days():
    days = dg.DailyPartitionsDefinition("2024-01-01", minute_offset=15, hour_offset=3)
    return [days.minute_offset, days.hour_offset, days.schedule_type.value, raised(lambda: days.day_offset, Exception)]


def case_valid_keys():
    letters = dg.StaticPartitionsDefinition(["a", "b"])
    days = dg.DailyPartitionsDefinition("2024-01-01")
    return [
        sorted(letters.filter_valid_partition_keys({"a", "z"})),
        sorted(days.filter_valid_partition_keys({"2024-01-02", "1999-01-01"})),
        sorted(letters.filter_valid_partition_keys(set())),
    ]


def case_output_of_a_spec():
    spec = dg.AssetSpec(
        "x", metadata={"a": 1}, group_name="g", code_version="1", description="d", owners=["team:a"], tags={"t": "u"}, kinds={"k"}
    )
    out = dg.AssetOut.from_spec(spec, is_required=False, io_manager_key="io")

    @dg.multi_asset(outs={"first": out, "second": dg.AssetOut.from_spec(dg.AssetSpec(["deep", "y"]))})
    def both():
        yield dg.Output(1, "second")

    made = both.specs_by_key[dg.AssetKey("x")]
    result = dg.materialize([both], resources={"io": dg.InMemoryIOManager()})
    return [
        (out.key, out.is_required, out.io_manager_key, out.group_name, out.code_version, out.description, list(out.owners)),
        (made.group_name, made.code_version, made.description, list(made.owners), sorted(made.kinds), made.tags.get("t")),
        sorted(both.keys),
        result,
        raised(lambda: dg.AssetOut.from_spec(dg.AssetSpec("x", deps=["y"])), dg.DagsterInvalidDefinitionError),
    ]


def case_ports_of_an_op():
    @dg.op(ins={"a": dg.In(int, description="how many")}, out={"p": dg.Out(str, description="text"), "q": dg.Out()})
    def work(a, b): ...

    return [
        (work.input_def_named("a").name, work.input_def_named("a").description),
        (work.output_def_named("p").name, work.output_def_named("p").description),
        [work.has_input(name) for name in ("a", "b", "c")],
        [work.has_output(name) for name in ("p", "c")],
        (sorted(work.input_dict), sorted(work.output_dict)),
        raised(lambda: work.input_def_named("c"), Exception),
        raised(lambda: work.output_def_named("c"), Exception),
    ]


def case_subset_of_an_asset_job():
    @dg.asset
    def up(): ...

    @dg.asset(deps=[up])
    def down(): ...

    @dg.asset_check(asset=up)
    def fine():
        return dg.AssetCheckResult(passed=True)

    job = dg.Definitions(assets=[up, down], asset_checks=[fine], jobs=[dg.define_asset_job("both")]).resolve_job_def("both")
    of_up, fine_of_up = dg.AssetKey("up"), dg.AssetCheckKey(dg.AssetKey("up"), "fine")
    chosen = [
        {"asset_selection": {of_up}},
        {"asset_selection": {of_up}, "asset_check_selection": set()},
        {"asset_check_selection": {fine_of_up}},
    ]
    return [
        job.get_subset(asset_selection={of_up}).name,
        [sorted({event.step_key for event in job.get_subset(**one).execute_in_process().all_node_events}) for one in chosen],
        raised(lambda: job.get_subset(asset_selection={dg.AssetKey("nowhere")}), dg.DagsterInvalidSubsetError),
    ]


def case_secret_field():
    return [dg.Field(str, is_secret=True).is_secret, dg.Field(str).is_secret]


def case_inputs_by_name():
    days = dg.DailyPartitionsDefinition("2024-01-01")
    before = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)
    seen = []

    @dg.asset(deps=["up", dg.AssetKey(["p-x", "q"])])
    def reader(loaded): ...

    @dg.asset(partitions_def=days, deps=[dg.AssetDep("again", partition_mapping=before)])
    def again(context): ...

    @dg.asset(partitions_def=days)
    def daily(): ...

    @dg.asset(partitions_def=days, deps=[daily], key_prefix="x")
    def below(context: dg.AssetExecutionContext): ...

    @dg.asset(partitions_def=days, deps=[below])
    def lowest(context: dg.AssetExecutionContext):
        seen.append(list(context.asset_partition_keys_for_input("x_below")))

    @dg.multi_asset(specs=[dg.AssetSpec("a", deps=["z"]), dg.AssetSpec("b", deps=["a"])])
    def both(): ...

    @dg.asset_check(asset=reader, additional_deps=["z"])
    def judged():
        return dg.AssetCheckResult(passed=True)

    @dg.asset_check(asset=reader)
    def loads(reader):
        return dg.AssetCheckResult(passed=True)

    dg.materialize([daily, below, lowest], partition_key="2024-01-02")
    every = (reader, again, both, judged, loads)
    return [seen, [{name: str(key) for name, key in sorted(one.keys_by_input_name.items())} for one in every]]
