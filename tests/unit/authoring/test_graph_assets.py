from __future__ import annotations

import pytest

import dagwright as dg
from dagwright.loading.snapshot import build
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.snapshot import AssetExecution


@dg.op
def increment(number: int) -> int:
    return number + 1


@dg.op(config_schema={"by": int})
def shift(context: dg.OpExecutionContext, number: int) -> int:
    return number + int(context.op_config["by"])


@dg.asset
def base() -> int:
    return 3


def test_a_graph_asset_runs_its_ops() -> None:
    @dg.graph_asset(group_name="g", kinds={"python"}, tags={"a": "b"}, config={"shift": {"config": {"by": 10}}})
    def shifted(base):
        """Moved."""
        return shift(increment(base))

    spec = shifted.get_asset_spec()
    assert (spec.group_name, spec.kinds, spec.tags, spec.description) == ("g", {"python"}, {"a": "b"}, "Moved.")
    ran = dg.materialize([base, shifted])
    assert ran.asset_value("shifted") == 14
    assert ran.output_for_node("shifted.increment") == 4
    (found,) = [asset for asset in build(dg.Definitions(assets=[base, shifted]), "x").assets if asset.key.to_user_string() == "shifted"]
    assert [dep.key.to_user_string() for dep in found.deps] == ["base"]


def test_a_graph_asset_with_other_keys_and_a_graph_of_several_assets() -> None:
    @dg.graph_asset(key_prefix="p", ins={"number": dg.AssetIn("base")})
    def moved(number):
        return increment(number)

    @dg.graph_multi_asset(outs={"low": dg.AssetOut(key_prefix="q"), "high": dg.AssetOut(group_name="h")}, group_name=None)
    def pair(base):
        one = increment(base)
        return {"low": one, "high": increment(one)}

    ran = dg.materialize([base, moved, pair])
    assert (ran.asset_value("p/moved"), ran.asset_value("q/low"), ran.asset_value("high")) == (4, 4, 5)


def test_what_a_graph_asset_may_not_be() -> None:
    with pytest.raises(DefinitionError, match="its body returns 0 outputs"):

        @dg.graph_asset
        def nothing():
            pass

    with pytest.raises(TypeError, match="unexpected argument 'grup_name'; did you mean 'group_name'"):

        @dg.graph_asset(grup_name="x")  # type: ignore[call-overload]
        def typo():
            return increment()

    with pytest.raises(DefinitionError, match=r"ins names 'nmber', which it has not.*did you mean 'number'"):

        @dg.graph_asset(ins={"nmber": dg.AssetIn("base")})
        def wrong(number):
            return increment(number)

    with pytest.raises(DefinitionError, match="its body returns the outputs low, but it has low, high"):

        @dg.graph_multi_asset(outs={"low": dg.AssetOut(), "high": dg.AssetOut()})
        def half(base):
            return {"low": increment(base)}


def test_assets_from_ops_and_graphs() -> None:
    made = dg.AssetsDefinition.from_op(increment, keys_by_input_name={"number": "base"}, group_name="g", key_prefix=["a"])
    assert dg.materialize([base, made]).asset_value("a/increment") == 4

    @dg.graph
    def twice(number):
        return increment(increment(number))

    both = dg.AssetsDefinition.from_graph(twice, keys_by_input_name={"number": "base"}, keys_by_output_name={"result": "twice_base"})
    assert dg.materialize([base, both]).asset_value("twice_base") == 5
    with pytest.raises(DefinitionError, match=r"keys_by_input_name names 'numbr', which it has not.*did you mean 'number'"):
        dg.AssetsDefinition.from_op(increment, keys_by_input_name={"numbr": "base"})


def test_attributes_of_definitions() -> None:
    changed = base.with_attributes(
        asset_key_replacements={dg.AssetKey("base"): dg.AssetKey(["x", "base"])},
        group_names_by_key={dg.AssetKey("base"): "other"},
        tags_by_key={dg.AssetKey("base"): {"k": "v"}},
    )
    spec = changed.get_asset_spec()
    assert (changed.key.to_user_string(), spec.group_name, spec.tags) == ("x/base", "other", {"k": "v"})
    (outside,) = base.to_source_assets()
    assert (outside.is_executable, outside.execution) == (False, AssetExecution.EXTERNAL)
    moved = base.map_asset_specs(lambda spec: spec.with_io_manager_key("elsewhere"))
    assert moved.io_manager_key_of(dg.AssetKey("base")) == "elsewhere"


def test_observations() -> None:
    @dg.observable_source_asset
    def file() -> dg.DataVersion:
        return dg.DataVersion("7")

    @dg.multi_observable_source_asset(specs=[dg.AssetSpec("left"), dg.AssetSpec("right")])
    def outside():
        yield dg.ObserveResult(asset_key="left", metadata={"rows": 1})
        yield dg.ObserveResult(asset_key="right")

    older = dg.SourceAsset("older", observe_fn=lambda: dg.DataVersion("9"), group_name="g")
    ran = dg.materialize([file, outside, older])
    versions = {
        e.payload.asset_key.to_user_string(): e.payload.data_version for e in ran.events if type(e.payload).__name__ == "AssetObserved"
    }  # type: ignore[union-attr]
    assert versions == {"file": "7", "left": None, "right": None, "older": "9"}
    assert not ran.get_asset_materialization_events()
    assert file.is_observable
    assert not file.is_materializable
    with pytest.raises(DefinitionError, match="external_asset was given a str"):
        dg.external_asset("x")  # type: ignore[arg-type]


class Simple(dg.Config):
    amount: int


@dg.config_mapping
def simple(value: Simple) -> dg.RunConfig:
    return dg.RunConfig(ops={"shift": {"config": {"by": value.amount}}})


def test_config_mappings_of_jobs_and_graphs() -> None:
    @dg.op
    def one() -> int:
        return 1

    @dg.job(config=simple)
    def mapped():
        shift(one())

    assert mapped.execute_in_process(run_config={"amount": 4}).output_for_node("shift") == 5
    with pytest.raises(dg.DagsterInvalidConfigError, match=r"config\.amount: this entry is required"):
        mapped.execute_in_process(run_config={})

    @dg.graph(config=dg.ConfigMapping(lambda v: {"shift": {"config": {"by": v["n"]}}}, config_schema={"n": int}))
    def inner():
        return shift(one())

    @dg.job
    def outer():
        inner()

    config = {"ops": {"inner": {"config": {"n": 2}}}}
    assert outer.execute_in_process(run_config=config).output_for_node("inner.shift") == 3
    assert inner.execute_in_process(run_config={"ops": {"config": {"n": 5}}}).output_for_node("shift") == 6
    (snapshot,) = build(dg.Definitions(jobs=[outer]), "x").jobs
    assert "n" in str(snapshot.config_schema)


def test_configured_ops() -> None:
    by_two = shift.configured({"by": 2}, name="by_two")

    @dg.configured(shift, config_schema={"half": int})
    def doubled(config):
        return {"by": config["half"] * 2}

    @dg.op
    def one() -> int:
        return 1

    @dg.job
    def j():
        doubled(by_two(one()))

    ran = j.execute_in_process(run_config={"ops": {"doubled": {"config": {"half": 3}}}})
    assert (ran.output_for_node("by_two"), ran.output_for_node("doubled")) == (3, 9)
    with pytest.raises(DefinitionError, match="op 'one' takes no config to fix"):
        one.configured({"x": 1})


def test_config_by_partition() -> None:
    @dg.static_partitioned_config(["eu", "us"])
    def region(key: str):
        return {"ops": {"show": {"config": {"region": key}}}}

    @dg.op(config_schema={"region": str})
    def show(context: dg.OpExecutionContext) -> str:
        return str(context.op_config["region"])

    @dg.job(config=region)
    def report():
        show()

    assert report.execute_in_process(partition_key="us").output_for_node("show") == "us"
    assert report.run_request_for_partition("eu").run_config == {"ops": {"show": {"config": {"region": "eu"}}}}

    @dg.daily_partitioned_config(start_date="2024-01-01")
    def day(start, _end):
        return {"ops": {"show": {"config": {"region": start.strftime("%Y")}}}}

    assert day.get_run_config_for_partition_key("2024-01-03")["ops"]["show"]["config"] == {"region": "2024"}
    with pytest.raises(DefinitionError, match=r"is partitioned by .* but its config by"):
        dg.define_asset_job("j", config=region, partitions_def=dg.StaticPartitionsDefinition(["x"]))


def test_checks_that_ops_of_a_graph_evaluate() -> None:
    @dg.op
    def judge(number):
        return number < 0

    @dg.graph_asset(check_specs=[dg.AssetCheckSpec("negative", asset="checked", blocking=True)])
    def checked(base):
        made = increment(base)
        return {"result": made, "checked_negative": judge(made)}

    @dg.asset(deps=[checked])
    def after(): ...

    @dg.asset
    def base():
        return 1

    result = dg.materialize([base, checked, after], raise_on_error=False)
    [evaluated] = result.get_asset_check_evaluations()
    assert (evaluated.passed, evaluated.check_name) == (False, "negative")
    assert result.is_node_skipped("after")
    with pytest.raises(DefinitionError, match="which this function does not compute"):
        dg.graph_asset(name="x", check_specs=[dg.AssetCheckSpec("c", asset="y")])(lambda: increment(1))
