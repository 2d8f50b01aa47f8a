"""Assets made by graphs of ops."""

import dagster as dg


@dg.op
def fetch():
    return [3, 1, 2]


@dg.op
def order(rows):
    return sorted(rows)


@dg.op
def count(rows):
    return len(rows)


@dg.graph_asset(group_name="g", description="in order", metadata={"m": 1})
def ordered():
    return order(fetch())


@dg.graph_multi_asset(outs={"rows": dg.AssetOut(), "number": dg.AssetOut(key=["deep", "number"])})
def both():
    rows = fetch()
    return {"rows": order(rows), "number": count(rows)}


@dg.asset
def reads(ordered):
    return ordered[0]


@dg.graph_asset
def on_top(ordered):
    return count(ordered)


def case_graph_asset():
    result = dg.materialize([ordered, reads, on_top])
    return result, result.asset_value("reads"), result.asset_value("on_top")


def case_graph_multi_asset():
    return dg.materialize([both])


def case_from_graph():
    @dg.graph
    def g():
        return order(fetch())

    made = dg.AssetsDefinition.from_graph(g)
    return made.key, dg.materialize([made]).asset_value("g")


def case_from_op():
    made = dg.AssetsDefinition.from_op(fetch)
    return made.key, dg.materialize([made]).asset_value("fetch")


def case_failing_op():
    @dg.op
    def breaks(rows):
        raise ValueError("x")

    @dg.graph_asset
    def broken():
        return breaks(fetch())

    return dg.materialize([broken], raise_on_error=False)


def case_check_in_graph_asset():
    @dg.op(out={"result": dg.Out(), "t_ok": dg.Out()})
    def makes():
        yield dg.Output(1, "result")
        yield dg.Output(True, "t_ok")

    return sorted(ordered.keys), ordered.descriptions_by_key, ordered.group_names_by_key
