"""Values as users print and compare them: str(), repr(), and the kind of sequence that an attribute is."""

from datetime import datetime, timezone

import dagster as dg

KEY = dg.AssetKey(["a", "b"])


def texts(value):
    return [str(value), repr(value), f"{value}"]


def case_keys():
    window = dg.TimeWindow(datetime(2024, 1, 1, tzinfo=timezone.utc), datetime(2024, 1, 2, tzinfo=timezone.utc))
    values = [
        KEY,
        dg.AssetCheckKey(KEY, "c"),
        dg.PartitionKeyRange("a", "b"),
        dg.MultiPartitionKey({"b": "1", "a": "2"}),
        dg.DataVersion("1"),
        dg.SkipReason("nothing"),
        window,
    ]
    return [texts(value) for value in values], f"made {KEY} of {[KEY]}"


def case_in_a_run():
    @dg.asset(key=KEY)
    def made(context):
        context.add_output_metadata({"key": str(context.asset_key), "op": context.op_def.name})

    return dg.materialize([made])


def case_selections():
    of = dg.AssetSelection
    found = [
        of.all(),
        of.assets("a", "b"),
        of.groups("x"),
        of.groups("x") | of.assets("a"),
        of.assets("a").downstream(),
        of.assets("a").downstream(depth=2),
        of.assets("a").upstream(depth=1) - of.assets("b"),
        of.all() - of.groups("g"),
        of.tag("k", "v") & of.owner("x@y.z"),
        of.kind("python"),
        of.all().roots(),
        of.groups("x").sinks(),
        (of.groups("x") | of.groups("y")) & of.kind("python"),
        of.assets("a", "b").downstream(),
    ]
    return [str(one) for one in found], found[1].to_selection_str()


def case_metadata():
    of = dg.MetadataValue
    kinds = [
        of.int(3),
        of.float(3.5),
        of.text("x"),
        of.url("x"),
        of.md("x"),
        of.json({"a": 1}),
        of.bool(True),
        of.null(),
        of.timestamp(3.0),
    ]
    return [repr(one) for one in kinds]


def case_labels():
    of = dg.AutomationCondition
    found = [of.eager(), of.on_cron("0 0 * * *"), of.on_missing(), of.in_progress(), of.newly_missing(), of.any_deps_updated()]
    return [one.get_label() for one in found]


def case_lists_equal_lists():
    spec = dg.AssetSpec("a", deps=["b"], owners=["team:x"], kinds={"k"})
    check = dg.AssetCheckSpec("c", asset="a", additional_deps=["z"])
    passed = dg.AssetCheckResult(passed=True, check_name="c")
    made = dg.MaterializeResult("a", check_results=[passed])
    result = dg.SensorResult(run_requests=[], dynamic_partitions_requests=[], asset_events=[])
    return {
        "owners": spec.owners == ["team:x"],
        "deps": spec.deps == [dg.AssetDep("b")],
        "no deps": dg.AssetSpec("a").deps == [] and dg.AssetSpec("a").owners == [],
        "kinds": spec.kinds == {"k"},
        "additional": check.additional_deps == [dg.AssetDep("z")],
        "checks": made.check_results == [passed],
        "requests": (result.run_requests, result.dynamic_partitions_requests, result.asset_events) == ([], [], []),
        "prefix": dg.AssetIn(key_prefix=["p", "q"]).key_prefix == ["p", "q"],
        "metadata": dg.AssetDep("a", metadata={"m": 1}).metadata,
    }


@dg.asset(check_specs=[dg.AssetCheckSpec("c", asset="told")], owners=["team:x"])
def told():
    return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)])


@dg.asset_check(asset=told)
def apart():
    return dg.AssetCheckResult(passed=True)


def case_definitions():
    defs = dg.Definitions(assets=[told], asset_checks=[apart])
    return {
        "keys": told.keys == {dg.AssetKey("told")},
        "check keys": told.check_keys == {dg.AssetCheckKey(dg.AssetKey("told"), "c")},
        "apart": apart.check_keys == {dg.AssetCheckKey(dg.AssetKey("told"), "apart")},
        "owners": told.owners_by_key == {dg.AssetKey("told"): ["team:x"]},
        "assets": list(defs.assets) == [told] and defs.asset_checks == [apart],
    }


def case_positional():
    first = dg.AssetObservation("a", "seen", {"x": 1}, "p")
    mapping = dg.LastPartitionMapping()
    return first, dg.AssetIn("a", None, None, None, mapping).partition_mapping == mapping
