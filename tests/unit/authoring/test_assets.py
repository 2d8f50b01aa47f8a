from __future__ import annotations

import pytest

import dagwright as dg
from dagwright_shared.model.errors import DefinitionError


@dg.asset
def upstream() -> list[int]:
    """Numbers."""
    return [1, 2]


def test_everything_that_an_asset_says() -> None:
    class Limit(dg.Config):
        rows: int

    @dg.asset(
        name="table",
        key_prefix=["db", "schema"],
        deps=["raw/files", dg.AssetKey("x"), upstream, dg.AssetDep("y", partition_mapping=dg.AllPartitionMapping())],
        ins={"numbers": dg.AssetIn(key="upstream_numbers", metadata={"a": 1}, input_manager_key="im")},
        metadata={"rows": 3},
        tags={"tier": "gold"},
        owners=["team:data", "a@b.org"],
        kinds={"duckdb"},
        group_name="g",
        code_version="7",
        io_manager_key="store",
        partitions_def=dg.StaticPartitionsDefinition(["a"]),
        op_tags={"cpu": "2"},
        output_required=False,
        pool="p",
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[dg.AssetCheckSpec("fine", asset=["db", "schema", "table"])],
    )
    def function(context, config: Limit, numbers: list[int]) -> dict[str, int]:
        """What it is."""
        return {}

    spec = function.get_asset_spec()
    assert function.key == dg.AssetKey(["db", "schema", "table"])
    assert function.name == "db__schema__table"
    assert spec.description == "What it is."
    assert [dep.asset_key.to_user_string() for dep in spec.deps] == ["upstream_numbers", "raw/files", "x", "upstream", "y"]
    assert function.loaded_by_input_name == {"numbers": dg.AssetKey("upstream_numbers")}
    assert list(function.partition_mappings) == [dg.AssetKey("y")]
    assert (spec.group, spec.code_version, spec.kinds, spec.owners) == ("g", "7", {"duckdb"}, ["team:data", "a@b.org"])
    assert function.op is not None
    out = function.op.outs["result"]
    assert (out.io_manager_key, out.is_required, out.dagster_type) == ("store", False, dict[str, int])
    assert function.op.ins["numbers"].input_manager_key == "im"
    assert function.op.tags == {"cpu": "2"}
    assert [key.to_user_string() for key in function.check_keys] == ["db/schema/table:fine"]
    assert function.partitions_def == dg.StaticPartitionsDefinition(["a"])
    assert function.io_manager_key_of(function.key) == "store"


def test_direct_calls() -> None:
    @dg.asset
    def total(upstream: list[int]) -> int:
        return sum(upstream)

    assert upstream() == [1, 2]
    assert total([3]) == 3
    assert total(upstream=[4]) == 4


def test_return_annotations() -> None:
    @dg.asset
    def stored() -> dg.MaterializeResult:
        return dg.MaterializeResult()

    @dg.asset
    def nothing() -> None: ...

    @dg.asset
    def wrapped() -> dg.Output[int]:
        return dg.Output(1)

    kinds = [made.op.outs["result"] for made in (stored, nothing, wrapped) if made.op is not None]
    assert [(out.is_nothing, out.dagster_type) for out in kinds] == [(False, None), (True, dg.Nothing), (False, int)]


def test_an_asset_may_bring_its_own_io_manager() -> None:
    class Keep(dg.ConfigurableIOManager):
        def handle_output(self, context, obj) -> None: ...

        def load_input(self, context) -> int:
            return 1

    keep = Keep()

    @dg.asset(io_manager_def=keep, resource_defs={"other": 3})
    def made() -> int:
        return 1

    assert made.resource_defs == {"made__io_manager": keep, "other": 3}
    assert made.io_manager_key_of(made.key) == "made__io_manager"


WRONG = {
    "bad name": ({"name": "a b"}, "not a valid name"),
    "both keys": ({"key": "a", "name": "b"}, "key= and name="),
    "bad group": ({"group_name": "a b"}, "not a valid group name"),
    "bad owner": ({"owners": ["nobody"]}, "owner 'nobody'.*e-mail address"),
    "bad tag value": ({"tags": {"a": 1}}, "value of type int"),
    "kinds as text": ({"kinds": "duckdb"}, "kinds is 'duckdb'"),
    "deps as text": ({"deps": "a"}, "deps is 'a'.*give a list"),
    "a dep that is no asset": ({"deps": [3]}, "3 .a int. does not name an asset"),
    "deps twice": ({"deps": ["a", dg.AssetDep("a", partition_mapping=dg.LastPartitionMapping())]}, "depends on a twice"),
    "an empty component": ({"deps": ["a//b"]}, "not an asset key"),
    "bad partitions": ({"partitions_def": "daily"}, "partitions_def is a str"),
    "hooks": ({"hooks": {1}}, "hooks has 1, a int"),
    "condition": ({"automation_condition": 1}, "automation_condition is 1, a int"),
    "freshness": ({"freshness_policy": 1}, "freshness_policy is 1, a int"),
    "ins of another kind": ({"ins": {"x": dg.In(int)}}, "is a In.*give an AssetIn"),
    "ins without argument": ({"ins": {"x": dg.AssetIn()}}, "no such argument"),
    "check of another asset": ({"check_specs": [dg.AssetCheckSpec("c", asset="other")]}, "does not compute"),
    "checks twice": ({"check_specs": [dg.AssetCheckSpec("c", asset="f"), dg.AssetCheckSpec("c", asset="f")]}, "two checks named 'c'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_an_asset_may_not_say(name: str) -> None:
    options, message = WRONG[name]
    with pytest.raises(DefinitionError, match=message) as caught:

        @dg.asset(**options)  # type: ignore[call-overload,untyped-decorator]
        def f() -> None: ...

    assert "test_assets.py" in str(caught.value)


def test_an_argument_and_a_dep_exclude_each_other() -> None:
    with pytest.raises(DefinitionError, match="both by an argument and by deps="):

        @dg.asset(deps=[upstream])
        def f(upstream) -> None: ...


def test_an_unknown_option_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="colour"):

        @dg.asset(colour="red")  # type: ignore[call-overload,untyped-decorator]
        def f() -> None: ...


def test_specs_are_replaced_and_merged() -> None:
    spec = dg.AssetSpec("a", deps=["b"], tags={"x": "1"}, kinds={"k"})
    assert spec.replace_attributes(group_name="g").group == "g"
    merged = spec.merge_attributes(deps=["c"], tags={"y": "2"}, kinds={"l"})
    assert [dep.asset_key.to_user_string() for dep in merged.deps] == ["b", "c"]
    assert merged.tags == {"x": "1", "y": "2"}
    assert merged.kinds == {"k", "l"}
    with pytest.raises(DefinitionError, match="no attribute 'colour'"):
        spec.replace_attributes(colour=1)


def test_multi_assets_by_specs() -> None:
    @dg.multi_asset(
        specs=[dg.AssetSpec("a"), dg.AssetSpec("b", deps=["a"], skippable=True)], deps=["up"], group_name="g", can_subset=True, name="both"
    )
    def function(context) -> None: ...

    assert function.name == "both"
    assert {k.to_user_string(): [d.asset_key.to_user_string() for d in s.deps] for k, s in function.specs_by_key.items()} == {
        "a": ["up"],
        "b": ["a"],
    }
    assert {spec.group for spec in function.specs} == {"g"}
    assert function.can_subset
    assert function.op is not None
    assert not any(out.is_required for out in function.op.outs.values())
    with pytest.raises(DefinitionError, match="has 2 assets"):
        _ = function.key


def test_multi_assets_by_outs() -> None:
    @dg.multi_asset(
        outs={"left": dg.AssetOut(key_prefix="p", io_manager_key="im", tags={"a": "b"}), "right": dg.AssetOut(key="r", is_required=False)},
        internal_asset_deps={"right": {dg.AssetKey(["p", "left"])}},
        code_version="2",
    )
    def function(up: int) -> tuple[int, str]:
        return 1, "x"

    assert [key.to_user_string() for key in function.keys] == ["p/left", "r"]
    assert function.op is not None
    assert function.op.outs["left"].io_manager_key == "im"
    assert (function.op.outs["left"].dagster_type, function.op.outs["right"].dagster_type) == (int, str)
    deps = {k.to_user_string(): [d.asset_key.to_user_string() for d in s.deps] for k, s in function.specs_by_key.items()}
    assert deps == {"p/left": ["up"], "r": ["p/left"]}
    assert {spec.code_version for spec in function.specs} == {"2"}


def test_multi_assets_that_cannot_be() -> None:
    def f() -> None: ...

    for options, message in (
        ({}, "needs either outs or specs"),
        ({"specs": [dg.AssetSpec("a"), dg.AssetSpec("a")]}, "lists the asset a twice"),
        ({"outs": {"a": dg.AssetOut(key="x"), "b": dg.AssetOut(key="x")}}, "two outputs for the asset x"),
        ({"outs": {"a": 3}}, "is a int"),
        ({"specs": ["a"]}, "specs has a str"),
        ({"outs": {"a": dg.AssetOut()}, "internal_asset_deps": {"b": set()}}, "names the output 'b'"),
        ({"specs": [dg.AssetSpec("a", group_name="x")], "group_name": "y"}, "group_name is given both"),
    ):
        with pytest.raises(DefinitionError, match=message):
            dg.multi_asset(**options)(f)  # type: ignore[arg-type]


def test_external_assets() -> None:
    source = dg.SourceAsset("raw/files", io_manager_key="files", group_name="raw")
    assert not source.is_executable
    assert source.io_manager_key_of(source.key) == "files"
    (made,) = dg.external_assets_from_specs([dg.AssetSpec("x")])
    assert made.key == dg.AssetKey("x")


def test_checks() -> None:
    @dg.asset_check(asset=upstream, blocking=True, additional_ins={"other": dg.AssetIn("lookup")}, additional_deps=["z"])
    def fine(context, numbers: list[int], other) -> dg.AssetCheckResult:
        """It is fine."""
        return dg.AssetCheckResult(passed=bool(numbers))

    assert fine.asset_key == dg.AssetKey("upstream")
    assert fine.spec.blocking
    assert fine.spec.description == "It is fine."
    assert fine.name == "upstream_fine"
    assert fine.loaded_by_input_name == {"numbers": dg.AssetKey("upstream"), "other": dg.AssetKey("lookup")}
    assert fine.spec.key == dg.AssetCheckKey(dg.AssetKey("upstream"), "fine")

    with pytest.raises(DefinitionError, match="only one may be the asset's value"):

        @dg.asset_check(asset="a")
        def two(x, y) -> dg.AssetCheckResult: ...  # type: ignore[empty-body]

    with pytest.raises(DefinitionError, match="automation_condition is 1, a int"):

        @dg.asset_check(asset="a", automation_condition=1)
        def with_condition() -> dg.AssetCheckResult: ...  # type: ignore[empty-body]

    @dg.multi_asset_check(specs=[dg.AssetCheckSpec("a", asset="x"), dg.AssetCheckSpec("b", asset="x")], can_subset=True)
    def several() -> None: ...

    assert len(several.check_keys) == 2


def test_check_results_are_matched_to_their_checks() -> None:
    from dagwright.authoring import results

    a, b = (dg.AssetCheckKey(dg.AssetKey("x"), name) for name in "ab")
    assert results.check_key(dg.AssetCheckResult(passed=True), [a]) == a
    assert results.check_key(dg.AssetCheckResult(passed=True, check_name="b"), [a, b]) == b
    with pytest.raises(ValueError, match="could be any"):
        results.check_key(dg.AssetCheckResult(passed=True), [a, b])
    with pytest.raises(ValueError, match="fits none"):
        results.check_key(dg.AssetCheckResult(passed=True, check_name="c"), [a, b])
    with pytest.raises(TypeError, match="not a bool"):
        dg.AssetCheckResult(passed=1)  # type: ignore[arg-type]


def test_result_objects() -> None:
    made = dg.MaterializeResult(asset_key="a/b", metadata={"rows": 3}, data_version=dg.DataVersion("1"), tags={"x": "y"}, value=None)
    assert made.asset_key == dg.AssetKey(["a", "b"])
    assert made.metadata == {"rows": 3}, "as it was given, so that a test of the function can look at it"
    assert dg.ObserveResult(metadata={"rows": 3}).metadata == {"rows": 3}
    with pytest.raises(TypeError, match="metadata 'thing'"):
        dg.MaterializeResult(metadata={"thing": object()})
    outside = dg.SourceAsset("outside", description="d", group_name="x")
    assert (outside.description, outside.group_name) == ("d", "x")
    assert made.value is None
    assert repr(dg.MaterializeResult().value) == "<no value>"
    assert dg.Output(1, metadata={"a": "b"}).output_name == "result"
    with pytest.raises(TypeError, match="DynamicOutput"):
        dg.Output(1, mapping_key="x")
    with pytest.raises(DefinitionError, match="mapping key"):
        dg.DynamicOutput(1, mapping_key="a b")
    assert dg.AssetMaterialization("a", partition="p").partition == "p"
    assert dg.AssetObservation("a", metadata={"n": 1}).metadata["n"].value == 1
    assert dg.Failure("x", metadata={"n": 1}, allow_retries=False).metadata["n"].value == 1
