"""Parts of multi-assets, outputs that may be left out, and graphs of several assets."""

import dagster as dg
from observe import raised


@dg.multi_asset(
    specs=[dg.AssetSpec("a", skippable=True), dg.AssetSpec("b", skippable=True, deps=["a"]), dg.AssetSpec("c", skippable=True)],
    can_subset=True,
)
def three(context):
    for key in sorted(context.selected_asset_keys):
        yield dg.MaterializeResult(asset_key=key, metadata={"name": key.to_user_string()})


@dg.multi_asset(outs={"x": dg.AssetOut(is_required=False), "y": dg.AssetOut(is_required=False)}, can_subset=True)
def two(context):
    for name in sorted(context.selected_output_names):
        yield dg.Output(name * 2, name)


def case_part():
    return dg.materialize([three], selection="b"), dg.materialize([three], selection=["a", "c"])


def case_part_of_outputs():
    result = dg.materialize([two], selection="y")
    return result, result.output_for_node("two", "y")


def case_whole():
    return dg.materialize([three, two])


def case_not_subsettable():
    @dg.multi_asset(specs=[dg.AssetSpec("p"), dg.AssetSpec("q")])
    def fixed():
        yield dg.MaterializeResult(asset_key="p")
        yield dg.MaterializeResult(asset_key="q")

    return raised(lambda: dg.materialize([fixed], selection="p"), Exception), dg.materialize([fixed])


def case_skipped_output():
    @dg.multi_asset(outs={"m": dg.AssetOut(is_required=False), "n": dg.AssetOut(is_required=False)})
    def some():
        yield dg.Output(1, "m")

    @dg.asset
    def of_m(m):
        return m

    @dg.asset
    def of_n(n):
        return n

    return dg.materialize([some, of_m, of_n])


def case_skipped_single():
    @dg.asset(output_required=False)
    def maybe():
        if False:
            yield dg.Output(1)

    @dg.asset
    def after(maybe): ...

    return dg.materialize([maybe, after])


def case_forgotten():
    @dg.multi_asset(specs=[dg.AssetSpec("p"), dg.AssetSpec("q")])
    def fixed():
        yield dg.MaterializeResult(asset_key="p")

    return dg.materialize([fixed], raise_on_error=False)


def case_unknown_key():
    @dg.multi_asset(specs=[dg.AssetSpec("p")])
    def fixed():
        yield dg.MaterializeResult(asset_key="other")

    return dg.materialize([fixed], raise_on_error=False)


def case_tuple():
    @dg.multi_asset(outs={"left": dg.AssetOut(), "right": dg.AssetOut(key=["other", "right"])})
    def pair():
        return 1, 2

    @dg.asset(ins={"value": dg.AssetIn(key=["other", "right"])})
    def reads(value, left):
        return value + left

    result = dg.materialize([pair, reads])
    return result, result.output_for_node("reads")


def case_internal_deps():
    @dg.multi_asset(
        outs={"first": dg.AssetOut(), "second": dg.AssetOut()},
        ins={"source": dg.AssetIn()},
        internal_asset_deps={"first": {dg.AssetKey("source")}, "second": {dg.AssetKey("first")}},
    )
    def chain(source):
        return source, source + 1

    @dg.asset
    def source():
        return 1

    return {key.to_user_string(): sorted(k.to_user_string() for k in deps) for key, deps in chain.asset_deps.items()}, dg.materialize(
        [chain, source]
    )


def case_group_and_attributes():
    @dg.multi_asset(specs=[dg.AssetSpec("p", group_name="g", owners=["team:t"], code_version="2", kinds={"k"})], group_name=None)
    def made(): ...

    spec = next(iter(made.specs))
    return spec.group_name, list(spec.owners), spec.code_version, sorted(spec.kinds)


def case_multi_with_checks():
    @dg.multi_asset(
        specs=[dg.AssetSpec("p"), dg.AssetSpec("q")],
        check_specs=[dg.AssetCheckSpec("ok", asset="p"), dg.AssetCheckSpec("ok", asset="q")],
    )
    def made():
        yield dg.MaterializeResult(asset_key="p", check_results=[dg.AssetCheckResult(asset_key="p", check_name="ok", passed=True)])
        yield dg.MaterializeResult(asset_key="q")
        yield dg.AssetCheckResult(asset_key="q", check_name="ok", passed=False)

    return dg.materialize([made])


@dg.op
def start():
    return 1


@dg.op
def add(number):
    return number + 1


def case_graph_multi_asset():
    @dg.graph_multi_asset(outs={"one": dg.AssetOut(group_name="g"), "two": dg.AssetOut(key_prefix="p")})
    def both():
        first = start()
        return {"one": first, "two": add(first)}

    @dg.asset(ins={"two": dg.AssetIn(key=["p", "two"])})
    def after(one, two):
        return one + two

    result = dg.materialize([both, after])
    return result, result.output_for_node("after"), sorted(key.to_user_string() for key in both.keys)


def case_graph_multi_asset_with_inputs():
    @dg.asset
    def base():
        return 10

    @dg.graph_multi_asset(ins={"base": dg.AssetIn()}, outs={"one": dg.AssetOut(), "two": dg.AssetOut()})
    def both(base):
        first = add(base)
        return {"one": first, "two": add(first)}

    return dg.materialize([base, both])


def case_graph_asset_parts():
    @dg.graph_asset(key_prefix="p", group_name="g", metadata={"a": 1}, description="d", kinds={"k"}, tags={"t": "v"})
    def whole():
        return add(start())

    spec = next(iter(whole.specs))
    return whole.key, spec.group_name, spec.description, sorted(spec.kinds), dict(spec.tags).get("t"), dg.materialize([whole])


def case_graph_asset_with_check():
    @dg.op
    def judge(number):
        return dg.AssetCheckResult(passed=number == 2)

    @dg.graph_asset(check_specs=[dg.AssetCheckSpec("two", asset="checked")])
    def checked():
        made = add(start())
        return {"result": made, "checked_two": judge(made)}

    return dg.materialize([checked])


def case_from_graph_and_op():
    @dg.graph
    def whole():
        return add(start())

    from_graph = dg.AssetsDefinition.from_graph(whole, key_prefix=["x"])
    from_op = dg.AssetsDefinition.from_op(start)
    return from_graph.key, from_op.key, dg.materialize([from_graph, from_op])


def case_retry_in_multi():
    tries = []

    @dg.multi_asset(specs=[dg.AssetSpec("p"), dg.AssetSpec("q")], retry_policy=dg.RetryPolicy(max_retries=2))
    def made():
        tries.append(1)
        if len(tries) < 2:
            raise ValueError("again")
        for name in "pq":
            yield dg.MaterializeResult(asset_key=name)

    return dg.materialize([made], raise_on_error=False)
