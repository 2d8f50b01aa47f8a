"""The full year: 336,776 flights, and what they say of carriers, routes and weather."""

from __future__ import annotations

import dagwright as dg
from nyc.reference import airports, carriers, planes, weather
from nyc.warehouse import SourceFiles, Warehouse, markdown_table

YEARS = dg.StaticPartitionsDefinition(["2013"])
GROUP = "year"
EXPECTED_FLIGHTS = 336_776


class FlightsConfig(dg.Config):
    include_cancelled: bool = True
    """Whether flights that never departed are kept."""


@dg.asset(partitions_def=YEARS, group_name=GROUP, kinds={"duckdb", "csv"}, description="All flights of a year in one table.")
def flights(context: dg.AssetExecutionContext, config: FlightsConfig, warehouse: Warehouse, files: SourceFiles) -> dg.MaterializeResult:
    year = int(context.partition_key)
    condition = "" if config.include_cancelled else " and dep_time is not null"
    with warehouse.write() as connection:
        connection.execute(
            "create or replace table flights as "
            f"select * from read_csv(?, nullstr='NA') where year = ?{condition} order by time_hour, carrier, flight",
            [files.path("flights"), year],
        )
        row = connection.execute("select count(*), count(*) filter (dep_time is null), count(distinct tailnum) from flights").fetchone()
        months = markdown_table(
            connection, "select month, count(*) as flights, avg(dep_delay) as mean_dep_delay from flights group by 1 order by 1"
        )
    assert row is not None
    print(f"loaded {row[0]} flights of {year}")
    return dg.MaterializeResult(metadata={"rows": row[0], "cancelled": row[1], "planes": row[2], "by_month": dg.MetadataValue.md(months)})


@dg.asset(partitions_def=YEARS, deps=[flights, carriers], group_name=GROUP, kinds={"duckdb"}, description="How late each carrier is.")
def carrier_delays(warehouse: Warehouse) -> dg.MaterializeResult:
    with warehouse.write() as connection:
        connection.execute(
            """
            create or replace table carrier_delays as
            select f.carrier, any_value(c.name) as name, count(*) as flights, count(*) filter (f.dep_time is null) as cancelled,
                   avg(f.dep_delay) as mean_dep_delay, avg(f.arr_delay) as mean_arr_delay, median(f.arr_delay) as median_arr_delay,
                   quantile_cont(f.arr_delay, 0.9) as p90_arr_delay
            from flights f left join carriers c using (carrier) group by f.carrier
            """
        )
        table = markdown_table(
            connection,
            "select name, flights, cancelled, mean_dep_delay, mean_arr_delay, p90_arr_delay "
            "from carrier_delays order by mean_arr_delay desc",
        )
        row = connection.execute("select count(*), sum(flights)::bigint, arg_max(name, mean_arr_delay) from carrier_delays").fetchone()
    assert row is not None
    return dg.MaterializeResult(metadata={"carriers": row[0], "flights": row[1], "latest": row[2], "delays": dg.MetadataValue.md(table)})


@dg.asset(partitions_def=YEARS, deps=[flights, airports], group_name=GROUP, kinds={"duckdb"}, description="How late each route is.")
def route_delays(warehouse: Warehouse) -> dg.MaterializeResult:
    with warehouse.write() as connection:
        connection.execute(
            """
            create or replace table route_delays as
            select f.origin, f.dest, any_value(a.name) as dest_name, count(*) as flights, avg(f.arr_delay) as mean_arr_delay,
                   avg(f.air_time) as mean_air_time, any_value(f.distance) as distance
            from flights f left join airports a on a.faa = f.dest group by f.origin, f.dest
            """
        )
        table = markdown_table(
            connection,
            "select origin, dest, dest_name, flights, mean_arr_delay from route_delays "
            "where flights >= 100 order by mean_arr_delay desc limit 10",
        )
        row = connection.execute("select count(*), count(distinct dest) from route_delays").fetchone()
    assert row is not None
    return dg.MaterializeResult(metadata={"routes": row[0], "destinations": row[1], "latest_routes": dg.MetadataValue.md(table)})


@dg.asset(
    partitions_def=YEARS,
    deps=[flights, weather],
    group_name=GROUP,
    kinds={"duckdb"},
    description="Delays against the weather at departure.",
)
def weather_delays(warehouse: Warehouse) -> dg.MaterializeResult:
    with warehouse.write() as connection:
        connection.execute(
            """
            create or replace table flights_weather as
            select f.*, w.temp, w.wind_speed, w.precip, w.visib from flights f left join weather w using (origin, time_hour)
            """
        )
        connection.execute(
            """
            create or replace table weather_delays as
            select case when visib is null then 'unknown' when visib < 2 then '0-2' when visib < 5 then '2-5'
                        when visib < 10 then '5-10' else '10' end as visibility_miles,
                   count(*) as flights, avg(dep_delay) as mean_dep_delay
            from flights_weather group by 1
            """
        )
        table = markdown_table(connection, "select * from weather_delays order by mean_dep_delay desc")
        row = connection.execute("select count(*), count(*) filter (temp is null) from flights_weather").fetchone()
    assert row is not None
    return dg.MaterializeResult(metadata={"rows": row[0], "without_weather": row[1], "by_visibility": dg.MetadataValue.md(table)})


@dg.asset_check(asset=flights, blocking=True, description="Every flight of 2013 is there: a partial load must not reach the statistics.")
def flights_are_complete(warehouse: Warehouse) -> dg.AssetCheckResult:
    rows = warehouse.number("select count(*) from flights")
    return dg.AssetCheckResult(passed=rows == EXPECTED_FLIGHTS, metadata={"rows": rows, "expected": EXPECTED_FLIGHTS})


@dg.asset_check(asset=carrier_delays, description="The carriers' flights add up to all flights, and each carrier has a name.")
def carriers_add_up(warehouse: Warehouse) -> dg.AssetCheckResult:
    difference = warehouse.number("select (select count(*) from flights) - (select sum(flights)::bigint from carrier_delays)")
    nameless = warehouse.number("select count(*) from carrier_delays where name is null")
    return dg.AssetCheckResult(passed=difference == 0 and nameless == 0, metadata={"difference": difference, "nameless": nameless})


@dg.asset_check(asset=planes, description="Tail numbers of flights are in the registry. Many are not: it warns.")
def tail_numbers_are_known(warehouse: Warehouse) -> dg.AssetCheckResult:
    with warehouse.read() as connection:
        has_flights = connection.execute("select count(*) from information_schema.tables where table_name = 'flights'").fetchone() == (1,)
        query = "select count(*) filter (p.tailnum is null) / count(*)::double from flights f left join planes p using (tailnum)"
        row = connection.execute(query).fetchone() if has_flights else (0.0,)
    unknown = row[0] if row else 0.0
    return dg.AssetCheckResult(passed=unknown < 0.1, severity=dg.AssetCheckSeverity.WARN, metadata={"unknown_share": unknown})


@dg.asset_check(asset=carriers, blocking=True, description="A code stands for one carrier.")
def carrier_codes_are_unique(warehouse: Warehouse) -> dg.AssetCheckResult:
    duplicates = warehouse.number("select count(*) - count(distinct carrier) from carriers")
    return dg.AssetCheckResult(passed=duplicates == 0, metadata={"duplicates": duplicates})
