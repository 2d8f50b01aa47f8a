"""Calling assets and ops as functions, as unit tests do."""

import dagster as dg
from observe import raised


class Size(dg.Config):
    size: int = 2


class Store(dg.ConfigurableResource):
    name: str


@dg.op
def plain(number: int = 3):
    return number * 2


@dg.op
def with_config(context: dg.OpExecutionContext, config: Size, number):
    return config.size * number, context.op_config


@dg.asset(partitions_def=dg.DailyPartitionsDefinition(start_date="2024-01-01"))
def daily(context: dg.AssetExecutionContext, store: Store):
    context.add_output_metadata({"a": 1})
    return context.partition_key, store.name


@dg.asset
def results():
    yield dg.Output(1, metadata={"x": 1})


@dg.op(required_resource_keys={"store"}, config_schema={"k": int})
def old(context):
    return context.resources.store, context.op_config["k"]


def case_plain():
    return plain(), plain(4), plain(number=5)


def case_config():
    return with_config(dg.build_op_context(), Size(size=5), 2)[0], with_config(dg.build_op_context(), config=Size(size=7), number=1)[0]


def case_asset():
    context = dg.build_asset_context(partition_key="2024-01-03", resources={"store": Store(name="n")})
    return daily(context), daily(dg.build_asset_context(partition_key="2024-01-04"), store=Store(name="m"))


def case_generator():
    found = list(results())
    return [(type(one).__name__, one.value, one.metadata) for one in found]


def case_old():
    return old(dg.build_op_context(resources={"store": "s"}, op_config={"k": 4})), raised(
        lambda: old(dg.build_op_context(resources={"store": "s"})), Exception
    )


def case_no_context():
    return raised(lambda: daily(), Exception)


def case_metadata():
    context = dg.build_asset_context(partition_key="2024-01-03")
    daily(context, store=Store(name="n"))
    return context.get_output_metadata("result")


def case_check():
    @dg.asset_check(asset="t")
    def fine(context: dg.AssetCheckExecutionContext):
        return dg.AssetCheckResult(passed=True, metadata={"a": 1})

    found = fine(dg.build_asset_check_context())
    return found.passed, found.metadata


def case_materialize_result():
    @dg.asset
    def made(context) -> dg.MaterializeResult:
        context.log.info("x")
        return dg.MaterializeResult(metadata={"n": 3})

    return made(dg.build_asset_context()).metadata


def case_resource():
    @dg.resource(config_schema={"a": int})
    def made(context):
        return context.resource_config["a"]

    return made(dg.build_init_resource_context(config={"a": 3}))


def case_multi_asset():
    @dg.multi_asset(outs={"a": dg.AssetOut(), "b": dg.AssetOut()})
    def two():
        return 1, 2

    return two()


def case_context_facts():
    context = dg.build_op_context(partition_key="p")
    return context.partition_key, context.has_partition_key, context.run_id == context.run_id, bool(context.log)
