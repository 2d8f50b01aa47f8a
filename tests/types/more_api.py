"""Another user's file: sensors, partitions, resources, IO managers and tests. It is checked strictly, and never run."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagwright as dg

if TYPE_CHECKING:
    from decimal import Decimal

daily = dg.DailyPartitionsDefinition(start_date="2024-01-01", timezone="Europe/Berlin")
grid = dg.MultiPartitionsDefinition({"day": daily, "region": dg.StaticPartitionsDefinition(["eu", "us"])})
customers = dg.DynamicPartitionsDefinition(name="customers")


class Connection:
    def rows(self, table: str) -> list[dict[str, int]]:
        return [{table: 1}]


class Database(dg.ConfigurableResource[Connection]):
    url: str
    retries: int = 3

    def create_resource(self, context: dg.InitResourceContext) -> Connection:
        return Connection()


class Files(dg.ConfigurableIOManager):
    folder: str

    def handle_output(self, context: dg.OutputContext, obj: object) -> None:
        context.add_output_metadata({"path": dg.MetadataValue.path(f"{self.folder}/{context.name}")})

    def load_input(self, context: dg.InputContext) -> object:
        return context.asset_key.path if context.has_asset_key else context.name


class Session(dg.ConfigurableResource[None]):
    name: str

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Generator[Session]:
        yield self


@dg.asset(partitions_def=daily, automation_condition=dg.AutomationCondition.eager(), freshness_policy=None)
def sales(context: dg.AssetExecutionContext, database: dg.ResourceParam[Connection]) -> dg.Output[list[dict[str, int]]]:
    window = context.partition_time_window
    rows = database.rows(f"sales_{window.start:%Y%m%d}")
    return dg.Output(rows, metadata={"rows": len(rows), "until": window.end.isoformat()})


@dg.asset(partitions_def=grid, ins={"sales": dg.AssetIn(partition_mapping=dg.MultiToSingleDimensionPartitionMapping())})
def by_region(context: dg.AssetExecutionContext, sales: list[dict[str, int]]) -> int:
    context.log.info("partition %s", context.partition_key)
    return len(sales)


@dg.asset(deps=[sales], retry_policy=dg.RetryPolicy(max_retries=1), owners=["team:core"], tags={"a": "b"})
async def fetched(session: Session) -> None:
    raise dg.Failure(session.name, metadata={"url": dg.MetadataValue.url("https://example.com")})


@dg.op(ins={"start": dg.In(dg.Nothing)}, out=dg.DynamicOut(int), tags={"k": "v"})
def several() -> Iterator[dg.DynamicOutput[int]]:
    for number in range(3):
        yield dg.DynamicOutput(number, mapping_key=str(number))


@dg.op
def double(number: int) -> int:
    return number * 2


@dg.success_hook(required_resource_keys={"database"})
def tell(context: dg.HookContext) -> None:
    context.log.info(context.op.name)


@dg.job(hooks={tell}, executor_def=dg.in_process_executor)
def mapped() -> None:
    several().map(double)


@dg.sensor(job=mapped, minimum_interval_seconds=30)
def files(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
    if context.cursor is None:
        yield dg.SkipReason("nothing yet")
    context.update_cursor("1")
    yield dg.RunRequest(run_key="1", tags={"a": "b"})


@dg.asset_sensor(asset_key=dg.AssetKey("sales"), job=mapped)
def on_sales(context: dg.SensorEvaluationContext, event: dg.EventLogEntry) -> dg.RunRequest:
    return dg.RunRequest(run_key=context.cursor)


@dg.run_failure_sensor
def failed(context: dg.RunFailureSensorContext) -> None:
    print(context.failure_event.message, context.dagster_run.run_id)


@dg.multi_asset_check(specs=[dg.AssetCheckSpec("rows", asset=sales)])
def checks() -> Iterator[dg.AssetCheckResult]:
    yield dg.AssetCheckResult(passed=True, check_name="rows", severity=dg.AssetCheckSeverity.WARN)


@dg.resource(config_schema={"path": str})
def folder(context: dg.InitResourceContext) -> str:
    return str(context.resource_config["path"])


@dg.io_manager
def memory() -> dg.IOManager:
    return dg.InMemoryIOManager()


def price() -> Decimal:
    raise NotImplementedError


policy = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=24))
selection: dg.AssetSelection = dg.AssetSelection.groups("raw").downstream() | dg.AssetSelection.assets(sales) & dg.AssetSelection.all()
merged: dg.Definitions = dg.Definitions.merge(
    dg.Definitions(assets=[sales, by_region, fetched], asset_checks=[checks], sensors=[files, on_sales, failed]),
    dg.Definitions(
        jobs=[mapped, dg.define_asset_job("all", selection=selection, partitions_def=daily)],
        schedules=[dg.build_schedule_from_partitioned_job(dg.define_asset_job("each", selection="sales", partitions_def=daily))],
        resources={
            "database": Database(url=dg.EnvVar("DB")),
            "session": Session(name="s"),
            "io_manager": Files(folder="/x"),
            "folder": folder,
        },
    ),
)


@dg.definitions
def defs() -> dg.Definitions:
    return merged


def test_everything() -> None:
    result: dg.ExecuteInProcessResult = dg.materialize([sales], partition_key="2024-01-01", resources={"database": Connection()})
    assert result.success
    value: Any = result.asset_value("sales")
    assert double(3) == 6, value
    with dg.instance_for_test() as instance:
        instance.add_dynamic_partitions("customers", ["a"])
        context: dg.AssetExecutionContext = dg.build_asset_context(partition_key="2024-01-01", instance=instance)
        assert context.partition_key
    data = files(dg.build_sensor_context(cursor="0"))
    assert data is not None
