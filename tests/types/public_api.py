"""A user's file: it is checked by `mypy --strict`, and never run."""

from __future__ import annotations

from collections.abc import Iterator

import dagwright as dg


class Settings(dg.Config):
    rows: int = 10


class Warehouse(dg.ConfigurableResource[None]):
    path: str

    def table(self, name: str) -> str:
        return f"{self.path}/{name}"


@dg.asset(group_name="raw", kinds={"csv"}, retry_policy=dg.RetryPolicy(max_retries=2, delay=1.0))
def flights(context: dg.AssetExecutionContext, config: Settings, warehouse: Warehouse) -> dg.MaterializeResult[None]:
    context.log.info("loading %s", warehouse.table("flights"))
    return dg.MaterializeResult(metadata={"rows": dg.MetadataValue.int(config.rows)})


@dg.asset
def delays(flights: list[int]) -> int:
    return sum(flights)


@dg.asset_check(asset=delays, blocking=True)
def positive(delays: int) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=delays > 0)


@dg.multi_asset(specs=[dg.AssetSpec("left"), dg.AssetSpec("right")])
def both() -> Iterator[dg.MaterializeResult[None]]:
    yield dg.MaterializeResult(asset_key="left")
    yield dg.MaterializeResult(asset_key="right")


@dg.op(config_schema={"by": dg.Field(int, default_value=1)}, out=dg.Out(int))
def increment(context: dg.OpExecutionContext, number: int) -> int:
    return number + int(context.op_config["by"])


@dg.op
def one() -> int:
    return 1


@dg.graph
def chain() -> object:
    return increment(one())


@dg.job(tags={"team": "core"})
def nightly() -> None:
    chain()


@dg.graph_asset(group_name="small")
def counted() -> object:
    return increment(one())


@dg.schedule(cron_schedule="0 3 * * *", target=nightly)
def at_three(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    return dg.RunRequest(run_key=context.scheduled_execution_time.isoformat())


@dg.static_partitioned_config(["eu", "us"])
def of_region(key: str) -> dict[str, object]:
    return {"ops": {"increment": {"config": {"by": len(key)}}}}


defs = dg.Definitions(
    assets=[flights, delays, both, counted, dg.AssetSpec("outside")],
    asset_checks=[positive],
    jobs=[nightly, dg.define_asset_job("raw", selection=dg.AssetSelection.groups("raw"))],
    schedules=[at_three],
    resources={"warehouse": Warehouse(path="/data")},
)

key: dg.AssetKey = flights.key
total: int = delays([1, 2])
stored: dg.MaterializeResult[None] = flights(dg.build_asset_context(), config=Settings(rows=1), warehouse=Warehouse(path="/x"))
also: dg.MaterializeResult[None] = flights(dg.build_asset_context(resources={"warehouse": Warehouse(path="/x")}))
specs: list[str] = [spec.key.to_user_string() for spec in both.specs]
try:
    defs.get_job_def("missing")
except dg.DagsterInvariantViolationError as error:
    message: str = error.message
