"""A job of ops: looks at every table of the warehouse and writes a report."""

from __future__ import annotations

from pathlib import Path

import dagwright as dg
from nyc.warehouse import Warehouse, markdown_table


class ReportConfig(dg.Config):
    title: str = "The flights warehouse"
    minimum_rows: int = 1
    """Tables with fewer rows are marked as suspicious."""


@dg.op(description="The tables that the warehouse has.")
def list_tables(warehouse: Warehouse) -> list[str]:
    if not Path(warehouse.path).is_file():
        return []
    with warehouse.read() as connection:
        return [row[0] for row in connection.execute("select table_name from information_schema.tables order by 1").fetchall()]


@dg.op(description="How many rows each table has.")
def count_rows(context: dg.OpExecutionContext, warehouse: Warehouse, tables: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for table in tables:
        counts[table] = warehouse.number(f'select count(*) from "{table}"')
        context.log.info(f"{table}: {counts[table]} rows")
    return counts


@dg.op(description="The worst days that were loaded, as Markdown.")
def worst_days(warehouse: Warehouse, tables: list[str]) -> str:
    if "daily_summary" not in tables:
        return "No day has been loaded yet."
    with warehouse.read() as connection:
        return markdown_table(
            connection, "select day, flights, cancelled, worst_delay from daily_summary order by worst_delay desc limit 5"
        )


@dg.op(description="Writes the report beside the warehouse.")
def write_report(context: dg.OpExecutionContext, config: ReportConfig, warehouse: Warehouse, counts: dict[str, int], days: str) -> str:
    lines = [f"# {config.title}", "", "| table | rows | |", "| --- | --- | --- |"]
    lines += [f"| {name} | {rows:,} | {'suspicious' if rows < config.minimum_rows else ''} |" for name, rows in counts.items()]
    text = "\n".join([*lines, "", "## Worst days", "", days, ""])
    path = Path(warehouse.path).with_name("flights-report.md")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    context.add_output_metadata({"report": dg.MetadataValue.md(text), "path": dg.MetadataValue.path(path), "tables": len(counts)})
    return str(path)


@dg.job(description="Counts the rows of every table and writes a report.")
def warehouse_report() -> None:
    tables = list_tables()
    write_report(counts=count_rows(tables), days=worst_days(tables))
