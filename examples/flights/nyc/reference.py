"""Tables that do not depend on a day: carriers, airports, planes, weather."""

from __future__ import annotations

import dagwright as dg
from nyc.warehouse import SourceFiles, Warehouse, markdown_table

GROUP = "reference"


def load_table(warehouse: Warehouse, table: str, path: str, preview: str) -> dg.MaterializeResult:
    """Replace a table by a CSV file, in one transaction."""
    with warehouse.write() as connection:
        connection.execute(f"create or replace table {table} as select * from read_csv(?, nullstr='NA')", [path])
        rows = connection.execute(f"select count(*) from {table}").fetchone()
        columns = connection.execute("select count(*) from information_schema.columns where table_name = ?", [table]).fetchone()
        head = markdown_table(connection, preview)
    assert rows is not None
    assert columns is not None
    return dg.MaterializeResult(metadata={"rows": rows[0], "columns": columns[0], "preview": dg.MetadataValue.md(head)})


@dg.asset(group_name=GROUP, kinds={"duckdb", "csv"}, description="The sixteen airlines, by their two-letter code.")
def carriers(warehouse: Warehouse, files: SourceFiles) -> dg.MaterializeResult:
    return load_table(warehouse, "carriers", files.path("airlines"), "select * from carriers order by carrier")


@dg.asset(group_name=GROUP, kinds={"duckdb", "csv"}, description="Airports of the United States: code, name, place, time zone.")
def airports(warehouse: Warehouse, files: SourceFiles) -> dg.MaterializeResult:
    return load_table(warehouse, "airports", files.path("airports"), "select faa, name, tzone from airports order by faa limit 5")


class PlanesConfig(dg.Config):
    outages: int = 1
    """How many attempts fail before the registry answers: shows what a retry looks like."""


@dg.asset(
    group_name=GROUP,
    kinds={"duckdb", "csv"},
    retry_policy=dg.RetryPolicy(max_retries=3, delay=0.2, backoff=dg.Backoff.EXPONENTIAL),
    description="The aircraft registry. It plays a source that is down at first: the first attempt fails, the retry succeeds.",
)
def planes(context: dg.AssetExecutionContext, config: PlanesConfig, warehouse: Warehouse, files: SourceFiles) -> dg.MaterializeResult:
    if context.retry_number < config.outages:
        raise ConnectionError(f"the aircraft registry does not answer (attempt {context.retry_number + 1})")
    return load_table(
        warehouse, "planes", files.path("planes"), "select manufacturer, count(*) as planes from planes group by 1 order by 2 desc limit 5"
    )


@dg.asset(group_name=GROUP, kinds={"duckdb", "csv"}, description="Hourly weather at the three airports.")
def weather(warehouse: Warehouse, files: SourceFiles) -> dg.MaterializeResult:
    preview = "select origin, round(avg(temp), 1) as mean_temp, round(sum(precip), 1) as precip from weather group by 1 order by 1"
    return load_table(warehouse, "weather", files.path("weather"), preview)
