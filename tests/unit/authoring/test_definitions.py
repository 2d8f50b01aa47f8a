"""What fails when definitions are put together: each error names the object, file and line, and the mend."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Any

import pytest

import dagwright as dg
from dagwright.loading.snapshot import build
from dagwright_shared.model.errors import DefinitionError, NotFoundError
from dagwright_shared.model.keys import LocationName


def an_asset(name: str, *deps: str, **options: Any) -> dg.AssetsDefinition:
    @dg.asset(name=name, deps=deps, **options)
    def function() -> None: ...

    return function


def job_of_op(name: str = "j", **options: Any) -> dg.JobDefinition:
    @dg.op(**options)
    def work() -> None: ...

    @dg.job(name=name)
    def made() -> None:
        work()

    return made


def fails(match: str, **definitions: Any) -> str:
    with pytest.raises(DefinitionError, match=match) as caught:
        dg.Definitions(**definitions).resolve()
    text = str(caught.value)
    assert re.search(r"test_definitions\.py:\d+", text), text
    assert "To mend: " in text
    return text


def test_duplicate_keys_name_both_places() -> None:
    text = fails("the asset a is defined twice", assets=[an_asset("a"), an_asset("a")])
    assert len(re.findall(r"test_definitions\.py:\d+", text)) >= 3


def test_cycles_show_the_path() -> None:
    text = fails("in a circle", assets=[an_asset("a", "c"), an_asset("b", "a"), an_asset("c", "b")])
    assert re.search(r"a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c", text)


def test_an_asset_may_depend_on_its_own_past_only() -> None:
    days = dg.DailyPartitionsDefinition("2024-01-01")
    past = dg.AssetDep("a", partition_mapping=dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1))

    @dg.asset(name="a", deps=[past], partitions_def=days)
    def looks_back() -> None: ...

    assert dg.Definitions(assets=[looks_back]).resolve().assets_by_key
    fails("the asset a depends on itself", assets=[an_asset("a", "a")])


def test_missing_upstream_names_the_nearest() -> None:
    @dg.asset
    def report(flihgts) -> None: ...

    text = fails("loads the asset 'flihgts' by its argument `flihgts`", assets=[report, an_asset("raw_flights"), an_asset("flights")])
    assert "did you mean 'flights'" in text
    assert "AssetSpec('flihgts')" in text


def test_a_missing_upstream_with_a_default_is_left_out() -> None:
    @dg.asset
    def report(limit: int = 3) -> None: ...

    resolved = dg.Definitions(assets=[report]).resolve()
    assert resolved.assets_by_key[report.key].loaded_by_input_name == {}
    assert resolved.graph.topology.parents(report.key) == ()


def test_an_argument_finds_its_asset_in_the_same_group() -> None:
    upstream = an_asset("flights", key_prefix="raw", group_name="g")

    @dg.asset(group_name="g")
    def report(flights) -> None: ...

    resolved = dg.Definitions(assets=[upstream, report]).resolve()
    assert resolved.assets_by_key[report.key].loaded_by_input_name == {"flights": dg.AssetKey(["raw", "flights"])}
    assert resolved.graph.topology.parents(report.key) == (dg.AssetKey(["raw", "flights"]),)


def test_order_only_upstreams_may_be_elsewhere() -> None:
    resolved = dg.Definitions(assets=[an_asset("a", "elsewhere")]).resolve()
    stub = resolved.assets_by_key[dg.AssetKey("elsewhere")]
    assert not stub.is_executable
    assert stub.specs[0].source is None


WRONG_KINDS: list[tuple[dict[str, Any], str]] = [
    ({"assets": [lambda: 1]}, "assets has '<lambda>', a function.*decorate it"),
    ({"assets": [job_of_op()]}, "assets has 'j', a JobDefinition.*move it to jobs="),
    ({"jobs": [an_asset("a")]}, "jobs has 'a', a AssetsDefinition.*move it to assets="),
    ({"assets": an_asset("a")}, r"assets is 'a', a AssetsDefinition.*give a list"),
    ({"assets": "a"}, "assets is 'a', a str"),
    ({"schedules": [3]}, "schedules has 3, a int"),
    ({"sensors": [job_of_op()]}, "move it to jobs="),
    ({"asset_checks": [an_asset("a")]}, "move it to assets="),
    ({"resources": [1]}, "resources is .*give a dict"),
    ({"resources": {"db": dg.ConfigurableResource}}, "is the class ConfigurableResource.*give an object"),
    ({"resources": {1: 1}}, "resources has the key 1"),
    ({"executor": "multiprocess"}, "executor is a str"),
    ({"loggers": {"console": 1}}, "the logger .console. is a int"),
    ({"jobs": [dg.graph(name="g")(lambda: None)]}, r"make a job of it: g\.to_job\(\)"),
]


@pytest.mark.parametrize(("definitions", "match"), WRONG_KINDS)
def test_wrong_kinds(definitions: dict[str, Any], match: str) -> None:
    fails(match, **definitions)


def test_unknown_resources() -> None:
    warehouse = {"warehouse": 1}
    needs = an_asset("a", required_resource_keys={"warehose"})
    assert "did you mean 'warehouse'" in fails("asset a needs the resource 'warehose'", assets=[needs], resources=warehouse)
    fails("op 'work' of job 'j' needs the resource 'db'", jobs=[job_of_op(required_resource_keys={"db"})])

    class Db(dg.ConfigurableResource):
        path: str = ""

    @dg.sensor(job=job_of_op())
    def looks(db: Db): ...

    fails("sensor 'looks' needs the resource 'db'", sensors=[looks])

    @dg.resource(required_resource_keys={"inner"})
    def outer(context): ...

    fails("resource 'outer' needs the resource 'inner'", resources={"outer": outer})


def test_a_jobs_own_resources_count() -> None:
    @dg.op(required_resource_keys={"db"})
    def work() -> None: ...

    @dg.job(resource_defs={"db": 1})
    def own() -> None:
        work()

    assert dg.Definitions(jobs=[own]).resolve().jobs_by_name["own"] is own


def test_unknown_io_managers() -> None:
    stored = an_asset("a", io_manager_key="lake", dagster_type=int)
    fails("asset a needs the IO manager 'lake'", assets=[stored])
    fails("which is no IO manager", assets=[stored], resources={"lake": object()})
    fails("needs the IO manager 'files'", assets=[dg.SourceAsset("raw", io_manager_key="files")])


def test_resources_that_assets_bring_may_not_clash() -> None:
    own = an_asset("a", resource_defs={"db": 1})
    assert dg.Definitions(assets=[own]).resolve().resources == {"db": 1}
    fails("brings a resource 'db' of its own", assets=[own], resources={"db": object()})


def test_names_are_unique() -> None:
    fails("two definitions of a job have the name 'j'", jobs=[job_of_op(), job_of_op()])
    both = [dg.ScheduleDefinition(name="s", job=job_of_op(f"j{n}"), cron_schedule="0 0 * * *") for n in range(2)]
    fails("two definitions of a schedule or sensor have the name 's'", schedules=both)
    fails("both computed by an op named 'a__b'", assets=[an_asset("a__b"), an_asset("b", key_prefix="a")])


def test_job_selections() -> None:
    a = an_asset("flights", group_name="raw")
    fails("external assets only: e", assets=[dg.AssetSpec("e")], jobs=[dg.define_asset_job("j", "e")])
    assert dg.Definitions(assets=[a], jobs=[dg.define_asset_job("j", "group:later")]).resolve().jobs_by_name["j"].asset_keys == ()
    assert "did you mean 'flights'" in fails("selects the asset flihgts", assets=[a], jobs=[dg.define_asset_job("j", ["flihgts"])])
    days, months = dg.DailyPartitionsDefinition("2024-01-01"), dg.MonthlyPartitionsDefinition("2024-01-01")
    daily = an_asset("daily", partitions_def=days)
    fails("but its asset daily by", assets=[daily], jobs=[dg.define_asset_job("j", "*", partitions_def=months)])
    resolved = dg.Definitions(assets=[daily, a], jobs=[dg.define_asset_job("j")]).resolve()
    assert resolved.jobs_by_name["j"].partitions_def == days
    assert resolved.jobs_by_name["j"].asset_keys == (daily.key, a.key)


def test_checks() -> None:
    @dg.asset_check(asset="flights", name="fine")
    def other(wrong: int) -> dg.AssetCheckResult: ...  # type: ignore[empty-body]

    @dg.asset_check(asset="flights", name="fine")
    def again() -> dg.AssetCheckResult: ...  # type: ignore[empty-body]

    fails("flights:fine is defined twice", assets=[an_asset("flights")], asset_checks=[other, again])

    @dg.asset_check(asset="elsewhere", additional_ins={"x": dg.AssetIn("far")})
    def loads(x: int) -> dg.AssetCheckResult: ...  # type: ignore[empty-body]

    resolved = dg.Definitions(assets=[an_asset("flights"), loads], asset_checks=[again]).resolve()
    assert {key.to_user_string() for key in resolved.assets_by_key} == {"flights", "elsewhere", "far"}
    assert len(resolved.checks) == 2, "a check among the assets is one of the checks"


def test_external_assets_may_be_named_twice() -> None:
    first, second = dg.AssetSpec("e", group_name="first"), dg.AssetSpec("e", group_name="second")
    resolved = dg.Definitions(assets=[first, second, dg.SourceAsset("e")]).resolve()
    assert resolved.graph.spec(dg.AssetKey("e")).group == "first"
    fails("the asset a is defined twice", assets=[an_asset("a"), dg.AssetSpec("a")])


def test_metadata_of_definitions_is_as_written() -> None:
    mark = object()
    spec = dg.AssetSpec("a", metadata={"rows": 3, "by": dg.MetadataValue.url("http://x"), "mark": mark})
    assert dict(spec.metadata) == {"rows": 3, "by": dg.MetadataValue.url("http://x"), "mark": mark}
    shown = build(dg.Definitions(assets=[spec]), LocationName("here")).assets[0].metadata
    assert shown == {"rows": dg.IntMetadataValue(3), "by": dg.MetadataValue.url("http://x"), "mark": dg.TextMetadataValue("[object]")}


def test_targets_of_schedules_and_sensors() -> None:
    fails(
        "runs the job 'jj'.*did you mean 'j1j'",
        jobs=[job_of_op("j1j")],
        schedules=[dg.ScheduleDefinition(job_name="jj", cron_schedule="0 0 * * *")],
    )
    nothing = dg.ScheduleDefinition(name="s", target="group:later", cron_schedule="0 0 * * *")
    dg.Definitions(schedules=[nothing], sensors=[dg.sensor(name="elsewhere", asset_selection=["gone"])(lambda _: None)]).resolve()
    unknown = dg.ScheduleDefinition(name="s", target=["gone"], cron_schedule="0 0 * * *")
    fails("schedule 's' selects the asset gone", schedules=[unknown])
    carried = dg.ScheduleDefinition(job=dg.define_asset_job("all"), cron_schedule="0 0 * * *")
    resolved = dg.Definitions(assets=[an_asset("a")], schedules=[carried]).resolve()
    assert resolved.jobs_by_name["all"].asset_keys == (dg.AssetKey("a"),)
    assert resolved.trigger_target(carried.target).job_name == "all"
    picked = dg.ScheduleDefinition(name="s", target=dg.AssetSelection.assets("a"), cron_schedule="0 0 * * *")
    resolved = dg.Definitions(assets=[an_asset("a")], schedules=[picked]).resolve()
    assert resolved.trigger_target(picked.target).asset_keys == (dg.AssetKey("a"),)


def test_a_partitioned_schedule_waits_for_the_assets() -> None:
    days = dg.DailyPartitionsDefinition("2024-01-01")
    nightly = dg.define_asset_job("nightly")
    schedule = dg.build_schedule_from_partitioned_job(nightly, hour_of_day=2)
    resolved = dg.Definitions(assets=[an_asset("a", partitions_def=days)], jobs=[nightly], schedules=[schedule]).resolve()
    assert resolved.schedules[0].crons == ("0 2 * * *",)
    fails("the job 'nightly' is not partitioned", assets=[an_asset("a")], jobs=[nightly], schedules=[schedule])


def test_merge() -> None:
    shared = object()
    left = dg.Definitions(assets=[an_asset("a")], resources={"r": shared})
    right = dg.Definitions(jobs=[job_of_op()], resources={"r": shared}, executor=dg.in_process_executor, metadata={"n": 1})
    merged = dg.Definitions.merge(left, right).resolve()
    assert (list(merged.jobs_by_name), merged.executor, list(merged.metadata)) == (["j"], dg.in_process_executor, ["n"])
    with pytest.raises(DefinitionError, match="different resources under the key 'r'"):
        dg.Definitions.merge(left, dg.Definitions(resources={"r": object()}))
    with pytest.raises(DefinitionError, match="different executors"):
        dg.Definitions.merge(right, dg.Definitions(executor=dg.multiprocess_executor))


def test_look_ups_name_the_nearest() -> None:
    defs = dg.Definitions(assets=[an_asset("flights")], jobs=[job_of_op("nightly")])
    assert defs.get_job_def("nightly").name == "nightly"
    assert defs.get_assets_def("flights").key == dg.AssetKey("flights")
    with pytest.raises(NotFoundError, match="did you mean 'nightly'"):
        defs.get_job_def("nighly")
    with pytest.raises(NotFoundError, match="did you mean 'flights'"):
        defs.get_assets_def("flight")
    assert [spec.key.to_user_string() for spec in defs.resolve_all_asset_specs()] == ["flights"]
    assert defs.map_asset_specs(func=lambda spec: spec.replace_attributes(group_name="g")).assets[0].specs[0].group == "g"


# ---- collecting from modules


def a_module(**names: Any) -> ModuleType:
    module = ModuleType("user_module")
    module.__dict__.update(names)
    return module


def test_assets_of_modules() -> None:
    a, b = an_asset("a"), an_asset("b", "a")

    @dg.asset
    def c(a) -> None: ...

    found = dg.load_assets_from_modules([a_module(x=a, y=[b, a], z=c)], group_name="g", key_prefix="p")
    assert [item.key.to_user_string() for item in found] == ["p/a", "p/b", "p/c"]
    assert {item.specs[0].group for item in found} == {"g"}
    resolved = dg.Definitions(assets=found).resolve()
    assert resolved.graph.topology.parents(dg.AssetKey(["p", "c"])) == (dg.AssetKey(["p", "a"]),)
    assert resolved.assets_by_key[dg.AssetKey(["p", "b"])].name == "b"  # as in run config
    twice = dg.load_assets_from_modules([a_module(x=a)], key_prefix="q")
    assert {one.name for one in dg.Definitions(assets=[*found, *twice]).resolve().assets} == {"p__a", "b", "c", "q__a"}
    with pytest.raises(DefinitionError, match="but it is in 'own'"):
        dg.load_assets_from_modules([a_module(x=an_asset("x", group_name="own"))], group_name="g")
    specs = dg.load_assets_from_modules([a_module(s=dg.AssetSpec("s"))], include_specs=True)
    assert [spec.key for spec in specs] == [dg.AssetKey("s")]


@dg.asset_check(asset="a")
def module_level_check() -> dg.AssetCheckResult: ...  # type: ignore[empty-body]


def test_checks_of_modules() -> None:
    assert dg.load_asset_checks_from_modules([a_module(c=module_level_check)]) == [module_level_check]


def test_selections() -> None:
    a, b, c = an_asset("a", group_name="g", kinds={"k"}), an_asset("b", "a", tags={"t": "v"}), an_asset("c", "b", key_prefix="x")
    graph = dg.Definitions(assets=[a, b, c, dg.AssetSpec("ext")], asset_checks=[module_level_check]).resolve().graph
    s = dg.AssetSelection

    def keys(selection: dg.AssetSelection) -> list[str]:
        return sorted(key.to_user_string() for key in selection.resolve(graph))

    assert keys(s.all()) == ["a", "b", "x/c"]
    assert keys(s.all(include_sources=True)) == ["a", "b", "ext", "x/c"]
    assert keys(s.assets(a, "b", dg.AssetKey(["x", "c"]))) == ["a", "b", "x/c"]
    assert keys(s.groups("g") | s.tag("t", "v")) == ["a", "b"]
    assert keys(s.kind("k")) == ["a"]
    assert keys(s.tag_string("t=v")) == ["b"]
    assert keys(s.key_prefixes("x")) == ["x/c"]
    assert keys(s.assets("x/c").upstream()) == ["a", "b", "x/c"]
    assert keys(s.assets("a").downstream(depth=1, include_self=False)) == ["b"]
    assert keys((s.all() - s.assets("b")) & s.assets("a", "b")) == ["a"]
    assert keys(s.all().roots()) == ["a"]
    assert keys(s.all().sinks()) == ["x/c"]
    assert keys(s.from_coercible(["a", b])) == ["a", "b"]
    assert keys(s.from_coercible("+b")) == ["a", "b"]
    assert keys(s.from_coercible(a)) == ["a"]
    assert keys(s.checks(module_level_check)) == []
    assert len(s.checks(module_level_check).resolve_checks(graph)) == 1
    assert len(s.checks_for_assets(a).resolve_checks(graph)) == 1
    assert not s.all().without_checks().resolve_checks(graph)
    with pytest.raises(DefinitionError, match="at character 3"):
        s.from_string("a b")


def test_a_function_of_definitions_can_be_called_by_its_old_name() -> None:
    @dg.definitions
    def defs() -> dg.Definitions:
        return dg.Definitions(assets=[dg.AssetSpec("one")])

    @dg.definitions
    def with_context(context: object) -> dg.Definitions:
        return dg.Definitions(assets=[dg.AssetSpec(str(context))])

    assert (defs.has_context_arg, with_context.has_context_arg) == (False, True)
    assert [key.to_user_string() for key in defs.load_fn().resolve_all_asset_keys()] == ["one"]
    assert [key.to_user_string() for key in with_context("two").resolve_all_asset_keys()] == ["two"]
