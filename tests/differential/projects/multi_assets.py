"""Functions that make several assets."""

import dagster as dg


@dg.multi_asset(outs={"a": dg.AssetOut(), "b": dg.AssetOut(key_prefix="deep", description="second")})
def two():
    return 1, 2


@dg.multi_asset(specs=[dg.AssetSpec("x"), dg.AssetSpec("y", deps=["x"]), dg.AssetSpec("z", skippable=True)], can_subset=True)
def three(context: dg.AssetExecutionContext):
    for key in sorted(context.selected_asset_keys):
        if key.path[-1] != "z":
            yield dg.MaterializeResult(asset_key=key, metadata={"of": len(context.selected_asset_keys)})


@dg.multi_asset(outs={"left": dg.AssetOut(is_required=False), "right": dg.AssetOut(is_required=False)}, can_subset=True)
def halves(context):
    for name in sorted(context.selected_output_names):
        yield dg.Output(name.upper(), output_name=name)


@dg.asset
def after_left(left):
    return left + "!"


@dg.multi_asset(outs={"one": dg.AssetOut(), "two": dg.AssetOut()}, internal_asset_deps={"one": set(), "two": {dg.AssetKey("one")}})
def inner():
    yield dg.Output(1, "one")
    yield dg.Output(2, "two", metadata={"n": 2})


def case_outs():
    return dg.materialize([two])


def case_specs():
    return dg.materialize([three])


def case_subset():
    return dg.materialize([three], selection=["y"])


def case_outs_subset():
    return dg.materialize([halves, after_left], selection=["left", "after_left"])


def case_inner():
    return dg.materialize([inner]), {k: v for k, v in inner.asset_deps.items()}


def case_missing_output():
    @dg.multi_asset(outs={"p": dg.AssetOut(), "q": dg.AssetOut()})
    def forgets():
        yield dg.Output(1, "p")

    return dg.materialize([forgets], raise_on_error=False)


def case_keys():
    return two.keys, three.keys, two.keys_by_output_name, three.can_subset
