"""The flights example: `dagwright dev -f examples/flights/definitions.py`."""

from __future__ import annotations

import dagwright as dg
from nyc import daily, reference, report, yearly
from nyc.warehouse import SourceFiles, Warehouse

full_year = dg.define_asset_job(
    "full_year",
    selection=dg.AssetSelection.groups(yearly.GROUP),
    description="The year's flights and their statistics; the partition is the year. Load the reference tables first.",
)
reference_tables = dg.define_asset_job(
    "reference_tables", selection=dg.AssetSelection.groups(reference.GROUP), description="Carriers, airports, planes and weather."
)
daily_load = dg.define_asset_job(
    "daily_load", selection=dg.AssetSelection.groups("daily"), partitions_def=daily.DAYS, description="One day's flights and figures."
)


@dg.schedule(
    job=daily_load,
    cron_schedule="0 6 * * *",
    execution_timezone="America/New_York",
    description="Each morning loads the same day of 2013, as if that year were now.",
)
def every_morning(context: dg.ScheduleEvaluationContext) -> dg.RunRequest | dg.SkipReason:
    today = context.scheduled_execution_time
    if (today.month, today.day) == (2, 29):
        return dg.SkipReason("2013 has no 29 February")
    return dg.RunRequest(partition_key=f"2013-{today:%m-%d}", tags={"source": "schedule"})


defs = dg.Definitions(
    assets=[
        reference.carriers, reference.airports, reference.planes, reference.weather,
        daily.raw_flights, daily.daily_summary,
        yearly.flights, yearly.carrier_delays, yearly.route_delays, yearly.weather_delays,
    ],
    asset_checks=[
        daily.flights_have_unique_keys, yearly.flights_are_complete, yearly.carriers_add_up,
        yearly.tail_numbers_are_known, yearly.carrier_codes_are_unique,
    ],
    jobs=[full_year, reference_tables, daily_load, report.warehouse_report],
    schedules=[every_morning],
    resources={"warehouse": Warehouse(), "files": SourceFiles()},
)  # fmt: skip
