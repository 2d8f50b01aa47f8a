"""The definitions of a made-up web shop, as its code server would have sent them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dagwright_shared.model.errors import SourceRef
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, LocationName
from dagwright_shared.model.metadata import MetadataValue
from dagwright_shared.model.partitions import TimeWindowPartitions
from dagwright_shared.model.snapshot import (
    AssetDepSnapshot,
    AssetExecution,
    AssetSnapshot,
    CheckSnapshot,
    EdgeSnapshot,
    JobSnapshot,
    JsonSchema,
    LocationSnapshot,
    NodeSnapshot,
    PortSnapshot,
    ResourceSnapshot,
    RetryPolicyData,
    ScheduleSnapshot,
    SensorKind,
    SensorSnapshot,
    TriggerTarget,
)

LOCATION = LocationName("shop")
DAILY = TimeWindowPartitions(
    cron="0 0 * * *", format="%Y-%m-%d", start=(datetime.now(UTC) - timedelta(days=60)).replace(hour=0, minute=0, second=0, microsecond=0)
)

RATES_SCHEMA: JsonSchema = {
    "type": "object",
    "additionalProperties": False,
    "$defs": {
        "Retry": {
            "type": "object",
            "additionalProperties": False,
            "description": "How often to ask again.",
            "properties": {
                "times": {"type": "integer", "default": 2, "minimum": 0, "maximum": 10, "description": "Attempts after the first."},
                "pause_seconds": {"type": "number", "default": 0.5, "description": "Wait between two attempts."},
            },
        }
    },
    "properties": {
        "base": {
            "type": "string",
            "enum": ["EUR", "USD", "GBP"],
            "default": "EUR",
            "description": "Currency that all rates are quoted in.",
        },
        "url": {"type": "string", "description": "Where the rates come from."},
        "days": {"type": "integer", "default": 1, "minimum": 1, "description": "How many days back to fetch."},
        "dry_run": {"type": "boolean", "default": False, "description": "Fetch and validate only."},
        "symbols": {"type": "array", "items": {"type": "string"}, "default": ["USD", "GBP", "PLN"]},
        "retry": {"$ref": "#/$defs/Retry"},
    },
    "required": ["url"],
}
CLEAN_SCHEMA: JsonSchema = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "drop_test_orders": {"type": "boolean", "default": True},
        "limit": {"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None, "description": "Read at most so many rows."},
    },
}


def _asset(key: str, *deps: str, line: int, partitioned: bool = True, **more: object) -> AssetSnapshot:
    group = key.split("/", maxsplit=1)[0]
    fields: dict[str, object] = {
        "key": AssetKey.from_user_string(key),
        "group": group,
        "deps": tuple(AssetDepSnapshot(key=AssetKey.from_user_string(dep)) for dep in deps),
        "op_name": key.replace("/", "__"),
        "partitions": DAILY if partitioned else None,
        "source": SourceRef(file=f"/srv/shop/shop/{group}.py", line=line),
        "code_version": "3",
        "type_name": "pandas.DataFrame",
    }
    return AssetSnapshot(**(fields | more))  # type: ignore[arg-type]


ASSETS = (
    _asset(
        "raw/orders",
        "partner/order_exports",
        line=12,
        kinds=("python", "csv"),
        owners=("team:ingest",),
        description="Every order of a day, as the shop exports it.\n\n* a row for each line\n* amounts in **euros**, before discounts",
        tags={"domain": "sales"},
        retry_policy=RetryPolicyData(max_retries=3, delay=5.0),
    ),
    _asset("raw/customers", line=31, kinds=("python", "postgres"), description="Customers as the shop's database has them."),
    _asset("raw/products", line=47, partitioned=False, kinds=("python",), description="The product catalog."),
    _asset(
        "partner/order_exports",
        line=1,
        execution=AssetExecution.EXTERNAL,
        op_name=None,
        partitioned=False,
        kinds=("sftp",),
        description="Files that the partner uploads each night.",
    ),
    _asset(
        "staging/orders_clean",
        "raw/orders",
        line=9,
        kinds=("duckdb",),
        config_schema=CLEAN_SCHEMA,
        description="Orders without tests, returns and duplicates.",
    ),
    _asset(
        "staging/order_lines",
        "staging/orders_clean",
        "raw/products",
        line=40,
        kinds=("duckdb",),
        description="Order lines with product data.",
    ),
    _asset(
        "marts/revenue_by_country",
        "staging/orders_clean",
        "raw/customers",
        line=44,
        kinds=("duckdb",),
        owners=("ana@example.com",),
        description="Revenue of a day by country.",
        metadata={
            "dashboard": MetadataValue.url("https://bi.example.com/revenue"),
            "dagwright/code_references": MetadataValue.json(
                {
                    "code_references": [
                        {"kind": "url", "url": "https://github.com/example/shop/tree/main/shop/marts.py#L44", "label": "marts.py"}
                    ]
                }
            ),
        },
        resource_keys=("warehouse",),
    ),
    _asset("marts/basket_size", "staging/orders_clean", line=71, kinds=("duckdb",), description="How many lines an order has."),
    _asset(
        "marts/customer_lifetime_value",
        "marts/revenue_by_country",
        "raw/customers",
        line=90,
        partitioned=False,
        kinds=("python", "scikit-learn"),
        description="What a customer is worth, by a model that is fitted each week.",
    ),
    _asset(
        "marts/a_table_with_a_rather_long_name_that_somebody_thought_was_a_good_idea", "staging/order_lines", line=120, kinds=("duckdb",)
    ),
    _asset(
        "reports/board_deck",
        "marts/revenue_by_country",
        "marts/basket_size",
        "marts/customer_lifetime_value",
        line=8,
        partitioned=False,
        kinds=("markdown",),
        description="The numbers of the week for the board.",
    ),
)
CHECKS = (
    CheckSnapshot(
        key=AssetCheckKey(AssetKey(["raw", "orders"]), "has_rows"),
        description="A day without orders means that the export failed.",
        blocking=True,
        op_name="raw__orders",
    ),
    CheckSnapshot(key=AssetCheckKey(AssetKey(["raw", "orders"]), "ids_are_unique"), op_name="raw__orders"),
    CheckSnapshot(
        key=AssetCheckKey(AssetKey(["staging", "orders_clean"]), "no_negative_amounts"),
        description="Refunds are booked elsewhere.",
        op_name="staging__orders_clean",
    ),
    CheckSnapshot(key=AssetCheckKey(AssetKey(["marts", "basket_size"]), "mean_is_plausible"), op_name="basket_mean"),
)


def _run_schema(ops: dict[str, JsonSchema | None]) -> JsonSchema:
    closed: dict[str, JsonValue] = {"type": "object", "additionalProperties": False}
    nothing: JsonSchema = {**closed}
    per_op: dict[str, JsonValue] = {
        name: {**closed, "properties": {"config": {"$id": f"dagwright:op/{name}", **(schema or nothing)}}}
        for name, schema in ops.items()  # type: ignore[dict-item]
    }
    return {
        **closed,
        "properties": {
            "ops": {**closed, "properties": per_op},
            "resources": {"type": "object"},
            "execution": {"type": "object"},
            "loggers": {"type": "object"},
        },
    }


def _asset_job(name: str, keys: tuple[str, ...], description: str) -> JobSnapshot:
    picked = [asset for asset in ASSETS if asset.key.to_user_string() in keys]
    nodes = tuple(
        NodeSnapshot(
            handle=str(asset.op_name),
            op_name=str(asset.op_name),
            asset_keys=(asset.key,),
            description=asset.description,
            outputs=(PortSnapshot(name="result", type_name="DataFrame"),),
            resource_keys=asset.resource_keys,
            config_schema=asset.config_schema,
        )
        for asset in picked
    )
    made = {asset.key: str(asset.op_name) for asset in picked}
    edges = tuple(
        EdgeSnapshot(from_node=made[dep.key], from_output="result", to_node=str(asset.op_name), to_input=dep.key.path[-1])
        for asset in picked
        for dep in asset.deps
        if dep.key in made
    )
    schema = _run_schema({str(asset.op_name): asset.config_schema for asset in picked})
    return JobSnapshot(
        name=name,
        description=description,
        nodes=nodes,
        edges=edges,
        asset_keys=tuple(made),
        partitions=DAILY,
        config_schema=schema,
        source=SourceRef(file="/srv/shop/shop/jobs.py", line=6),
    )


def _ops_job() -> JobSnapshot:
    def node(name: str, inputs: tuple[str, ...], description: str, schema: JsonSchema | None = None) -> NodeSnapshot:
        return NodeSnapshot(
            handle=name,
            op_name=name,
            description=description,
            config_schema=schema,
            retry_policy=RetryPolicyData(max_retries=2) if schema else None,
            inputs=tuple(PortSnapshot(name=each, type_name="dict[str, float]") for each in inputs),
            outputs=(PortSnapshot(name="result", type_name="dict[str, float]"),),
        )

    return JobSnapshot(
        name="refresh_exchange_rates",
        description="Fetch the rates of the central bank, check them against yesterday's, and store them.",
        nodes=(
            node("fetch_rates", (), "Ask the bank.", RATES_SCHEMA),
            node("validate_rates", ("rates",), "No rate may move by more than 20 %."),
            node("store_rates", ("rates",), "Write them to the warehouse."),
        ),
        edges=(
            EdgeSnapshot(from_node="fetch_rates", from_output="result", to_node="validate_rates", to_input="rates"),
            EdgeSnapshot(from_node="validate_rates", from_output="result", to_node="store_rates", to_input="rates"),
        ),
        tags={"team": "finance"},
        config_schema=_run_schema({"fetch_rates": RATES_SCHEMA, "validate_rates": None, "store_rates": None}),
        resource_keys=("warehouse",),
        source=SourceRef(file="/srv/shop/shop/rates.py", line=55),
    )


def _segments_job() -> JobSnapshot:
    return JobSnapshot(
        name="rebuild_segments",
        description="Split all customers anew.",
        nodes=(
            NodeSnapshot(handle="plan_segments", op_name="plan_segments"),
            NodeSnapshot(handle="transform_segment", op_name="transform_segment"),
        ),
        edges=(EdgeSnapshot(from_node="plan_segments", from_output="result", to_node="transform_segment", to_input="segment"),),
        config_schema=_run_schema({"plan_segments": None}),
    )


def shop() -> LocationSnapshot:
    """The snapshot of the location."""
    return LocationSnapshot(
        location=LOCATION,
        dagwright_version="0.1.0",
        python_version="3.11.9",
        assets=ASSETS,
        checks=CHECKS,
        jobs=(
            _asset_job(
                "daily_sales",
                ("raw/orders", "raw/customers", "staging/orders_clean", "marts/revenue_by_country", "marts/basket_size"),
                "Everything that the sales team looks at in the morning.",
            ),
            _ops_job(),
            _segments_job(),
        ),
        schedules=(
            ScheduleSnapshot(
                name="daily_sales_schedule",
                cron=("0 6 * * *",),
                timezone="Europe/Berlin",
                target=TriggerTarget(job_name="daily_sales"),
                partitioned=True,
                default_running=True,
                description="Before the sales team is at work.",
            ),
            ScheduleSnapshot(
                name="hourly_rates", cron=("3 * * * *",), target=TriggerTarget(job_name="refresh_exchange_rates"), default_running=True
            ),
            ScheduleSnapshot(
                name="weekly_report",
                cron=("30 7 * * 1",),
                timezone="Europe/Berlin",
                target=TriggerTarget(asset_keys=(AssetKey(["reports", "board_deck"]),)),
            ),
        ),
        sensors=(
            SensorSnapshot(
                name="new_partner_files",
                kind=SensorKind.STANDARD,
                targets=(TriggerTarget(job_name="daily_sales"),),
                minimum_interval_seconds=60,
                default_running=True,
                description="Looks for order files on the partner's server.",
            ),
        ),
        resources=(
            ResourceSnapshot(
                key="warehouse", type_name="shop.Warehouse", description="The DuckDB file.", config={"path": "/warehouse/shop.duckdb"}
            ),
        ),
    )
