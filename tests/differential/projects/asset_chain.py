"""Assets that read each other, with what they attach."""

import dagster as dg


@dg.asset(
    group_name="first",
    description="where it begins",
    metadata={"static": 1},
    tags={"team": "north"},
    owners=["team:north"],
    kinds={"python"},
)
def numbers(context: dg.AssetExecutionContext):
    context.add_output_metadata({"count": 3, "note": "three"})
    return [1, 2, 3]


@dg.asset
def total(numbers: list) -> int:
    return sum(numbers)


@dg.asset(deps=[total], key_prefix=["reports", "daily"])
def printed() -> dg.MaterializeResult:
    return dg.MaterializeResult(
        metadata={"pages": dg.MetadataValue.int(2), "url": dg.MetadataValue.url("https://example.com")}, tags={"size": "a4"}
    )


@dg.asset(ins={"rows": dg.AssetIn(key="numbers")})
def doubled(rows):
    yield dg.Output([row * 2 for row in rows], metadata={"rows": len(rows)})


def case_materialize():
    return dg.materialize([numbers, total, printed, doubled])


def case_values():
    result = dg.materialize_to_memory([numbers, total, doubled])
    return result.asset_value("total"), result.output_for_node("doubled"), result.asset_value(dg.AssetKey("numbers"))


def case_selection():
    return dg.materialize([numbers, total, doubled], selection=[numbers, doubled])


def case_selection_text():
    return dg.materialize([numbers, total, printed, doubled], selection="+total")


def case_node_events():
    result = dg.materialize_to_memory([numbers, total])
    found = result.asset_materializations_for_node("numbers")
    return [(one.asset_key, one.metadata) for one in found]


def case_specs():
    specs = [*numbers.specs, *printed.specs]
    return [
        (s.key, s.description, dict(s.tags), list(s.owners), sorted(s.kinds), s.group_name, [d.asset_key for d in s.deps]) for s in specs
    ]
