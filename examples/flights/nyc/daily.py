"""Day by day: the raw flights of a day, and its figures."""

from __future__ import annotations

import dagwright as dg
from nyc.warehouse import SourceFiles, Warehouse

DAYS = dg.DailyPartitionsDefinition(start_date="2013-01-01", end_date="2014-01-01")

_DAY = "make_date(year, month, day) = cast(? as date)"


@dg.asset(
    key=dg.AssetKey(["raw", "flights"]),
    partitions_def=DAYS,
    group_name="daily",
    kinds={"duckdb", "csv"},
    owners=["team:flights"],
    description="All departures of one day, as recorded. Loading a day again replaces it.",
)
def raw_flights(context: dg.AssetExecutionContext, warehouse: Warehouse, files: SourceFiles) -> dg.MaterializeResult:
    day, path = context.partition_key, files.path("flights")
    with warehouse.write() as connection:
        connection.execute("create table if not exists raw_flights as select * from read_csv(?, nullstr='NA') limit 0", [path])
        connection.execute(f"delete from raw_flights where {_DAY}", [day])
        connection.execute(f"insert into raw_flights select * from read_csv(?, nullstr='NA') where {_DAY}", [path, day])
        row = connection.execute(
            f"select count(*), count(*) filter (dep_time is null), avg(dep_delay), avg(arr_delay) from raw_flights where {_DAY}", [day]
        ).fetchone()
    assert row is not None
    rows, cancelled, dep_delay, arr_delay = row
    context.log.info(f"{rows} flights on {day}, {cancelled} of them cancelled")
    return dg.MaterializeResult(metadata={"rows": rows, "cancelled": cancelled, "mean_dep_delay": dep_delay, "mean_arr_delay": arr_delay})


@dg.asset(
    partitions_def=DAYS,
    deps=[raw_flights],
    group_name="daily",
    kinds={"duckdb"},
    description="Figures of one day: flights, cancellations, share on time. Its page plots them over the days.",
)
def daily_summary(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
    day = context.partition_key
    with warehouse.write() as connection:
        connection.execute(
            "create table if not exists daily_summary "
            "(day date primary key, flights integer, cancelled integer, on_time double, worst_delay double)"
        )
        connection.execute(
            f"""
            insert or replace into daily_summary
            select cast(? as date), count(*), count(*) filter (dep_time is null),
                   count(*) filter (arr_delay < 15) / nullif(count(arr_delay), 0)::double, max(dep_delay)
            from raw_flights where {_DAY}
            """,
            [day, day],
        )
        row = connection.execute(
            "select flights, cancelled, on_time, worst_delay from daily_summary where day = cast(? as date)", [day]
        ).fetchone()
    assert row is not None
    flights, cancelled, on_time, worst = row
    return dg.MaterializeResult(
        metadata={"flights": flights, "cancelled": cancelled, "share_on_time": on_time, "worst_delay_minutes": worst}
    )


@dg.asset_check(asset=raw_flights, blocking=True, description="A flight is identified by its day, carrier, number and origin.")
def flights_have_unique_keys(warehouse: Warehouse) -> dg.AssetCheckResult:
    duplicates = warehouse.number("select count(*) - count(distinct (year, month, day, carrier, flight, origin)) from raw_flights")
    return dg.AssetCheckResult(passed=duplicates == 0, metadata={"duplicates": duplicates})
