"""Values of assets that a function loads itself, by `context.load_asset_value`."""

import dagster as dg
from observe import raised

days = dg.DailyPartitionsDefinition("2024-01-01", "2024-01-05")


class Recorder(dg.IOManager):
    def __init__(self):
        self.values = {}
        self.asked = []

    def _place(self, context):
        return (context.asset_key, context.asset_partition_key if context.has_asset_partitions else None)

    def handle_output(self, context, obj):
        self.values[self._place(context)] = obj

    def load_input(self, context):
        self.asked.append((*self._place(context), getattr(context.dagster_type.typing_type, "__name__", None) or "Any"))
        return self.values[self._place(context)]


@dg.asset
def numbers():
    return [1, 2, 3]


@dg.asset(io_manager_key="other", key_prefix="deep")
def words():
    return {"a": 1}


def case_of_deps():
    seen = []

    @dg.asset(deps=[numbers, words])
    def reader(context: dg.AssetExecutionContext):
        seen.append(context.load_asset_value(dg.AssetKey("numbers")))
        seen.append(context.load_asset_value(dg.AssetKey(["deep", "words"]), python_type=dict))

    default, other = Recorder(), Recorder()
    resources = {"io_manager": default, "other": other}
    dg.materialize([numbers, words, reader], resources=resources)
    dg.materialize([numbers, words, reader], selection=[reader], resources=resources)
    return [seen, default.asked, other.asked]


def case_of_an_argument():
    seen = []

    @dg.asset
    def reader(context: dg.AssetExecutionContext, numbers):
        seen.append(context.load_asset_value(dg.AssetKey("numbers")) == numbers)

    result = dg.materialize([numbers, reader], resources={"io_manager": Recorder()})
    return [seen, result.success]


def case_of_a_partition():
    seen = []

    @dg.asset(partitions_def=days)
    def daily(context):
        return context.partition_key

    @dg.asset(deps=[daily], partitions_def=days)
    def reader(context: dg.AssetExecutionContext):
        seen.append(context.load_asset_value(dg.AssetKey("daily"), partition_key="2024-01-02"))
        seen.append(context.load_asset_value(dg.AssetKey("daily"), partition_key=context.partition_key))

    resources = {"io_manager": Recorder()}
    for day in ("2024-01-02", "2024-01-03"):
        dg.materialize([daily], partition_key=day, resources=resources)
    dg.materialize([daily, reader], selection=[reader], partition_key="2024-01-03", resources=resources)
    return seen


def case_of_what_is_not_there():
    seen = []

    @dg.asset
    def reader(context: dg.AssetExecutionContext):
        seen.append(raised(lambda: context.load_asset_value(dg.AssetKey("nowhere")), Exception))

    dg.materialize([reader])
    return [seen, raised(lambda: dg.build_asset_context().load_asset_value(dg.AssetKey("numbers")), Exception)]
