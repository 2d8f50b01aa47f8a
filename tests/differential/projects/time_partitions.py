"""Keys of partitions of time: offsets, time zones, daylight saving."""

from datetime import datetime, timezone

import dagster as dg

NOW = datetime(2024, 4, 3, 12, 30, tzinfo=timezone.utc)


def keys(definition, now=NOW):
    found = definition.get_partition_keys(current_time=now)
    return len(found), found[:3], found[-3:]


def windows(definition, *names):
    return [definition.time_window_for_partition_key(name) for name in names]


def case_daily():
    return keys(dg.DailyPartitionsDefinition(start_date="2024-01-01"))


def case_daily_end():
    return keys(dg.DailyPartitionsDefinition(start_date="2024-01-01", end_date="2024-02-01"))


def case_daily_end_offset():
    return [keys(dg.DailyPartitionsDefinition(start_date="2024-01-01", end_offset=offset)) for offset in (1, -2, 0)]


def case_daily_minute_hour():
    definition = dg.DailyPartitionsDefinition(start_date="2024-03-01", minute_offset=30, hour_offset=4, timezone="America/New_York")
    return keys(definition), windows(definition, "2024-03-10", "2024-03-09")


def case_daily_zone():
    definition = dg.DailyPartitionsDefinition(start_date="2024-03-08", timezone="Europe/Berlin")
    return keys(definition, datetime(2024, 4, 1, 21, 59, tzinfo=timezone.utc)), windows(definition, "2024-03-31", "2024-03-30")


def case_daily_format():
    return keys(dg.DailyPartitionsDefinition(start_date="2024/01/01", fmt="%Y/%m/%d"))


def case_daily_starts_at():
    return keys(dg.DailyPartitionsDefinition(start_date=datetime(2024, 1, 1, 7, 20)))


def case_hourly_forward():
    definition = dg.HourlyPartitionsDefinition(start_date="2024-03-10-00:00", timezone="America/New_York", end_date="2024-03-10-06:00")
    found = definition.get_partition_keys(current_time=NOW)
    return found, windows(definition, *found[1:3])


def case_hourly_back():
    definition = dg.HourlyPartitionsDefinition(start_date="2023-11-05-00:00", timezone="America/New_York", end_date="2023-11-05-05:00")
    found = definition.get_partition_keys(current_time=NOW)
    return found, windows(definition, *found)


def case_hourly_minute():
    return keys(dg.HourlyPartitionsDefinition(start_date="2024-04-01-00:00", minute_offset=15))


def case_weekly():
    return [keys(dg.WeeklyPartitionsDefinition(start_date="2024-01-01", day_offset=day)) for day in range(7)]


def case_weekly_zone():
    definition = dg.WeeklyPartitionsDefinition(start_date="2024-03-01", hour_offset=3, timezone="Australia/Sydney")
    return keys(definition), windows(definition, definition.get_partition_keys(current_time=NOW)[-1])


def case_monthly():
    definition = dg.MonthlyPartitionsDefinition(start_date="2023-05-06")
    return keys(definition), windows(definition, "2024-02-01")


def case_monthly_offsets():
    definition = dg.MonthlyPartitionsDefinition(start_date="2023-05-01", day_offset=10, hour_offset=2, end_offset=1)
    return keys(definition), windows(definition, definition.get_partition_keys(current_time=NOW)[0])


def case_cron():
    definition = dg.TimeWindowPartitionsDefinition(start="2024-01-01", fmt="%Y-%m-%d", cron_schedule="0 0 1,15 * *")
    return keys(definition), windows(definition, "2024-01-15", "2024-02-01")


def case_quarterly():
    return keys(dg.TimeWindowPartitionsDefinition(start="2022-01", fmt="%Y-%m", cron_schedule="0 0 1 */3 *"))


def case_every_six_hours():
    definition = dg.TimeWindowPartitionsDefinition(
        start="2024-03-09-00:00", fmt="%Y-%m-%d-%H:%M", cron_schedule="0 */6 * * *", timezone="America/New_York"
    )
    return keys(definition), windows(definition, "2024-03-10-00:00", "2024-03-10-06:00")


def case_membership():
    definition = dg.DailyPartitionsDefinition(start_date="2024-01-01", end_date="2024-01-05")
    return [definition.has_partition_key(key) for key in ("2024-01-01", "2024-01-04", "2024-01-05", "2023-12-31", "nonsense")]


def case_first_last():
    definition = dg.DailyPartitionsDefinition(start_date="2024-01-01", end_date="2024-01-05")
    return definition.get_first_partition_key(), definition.get_last_partition_key(), definition.get_num_partitions()


def case_range():
    definition = dg.DailyPartitionsDefinition(start_date="2024-01-01", end_date="2024-01-10")
    return definition.get_partition_keys_in_range(dg.PartitionKeyRange("2024-01-03", "2024-01-05"))


def case_next():
    definition = dg.DailyPartitionsDefinition(start_date="2024-01-01", end_date="2024-01-10")
    return definition.get_next_partition_key("2024-01-02"), definition.get_next_partition_key("2024-01-09")


def case_cron_of_definition():
    return [
        dg.DailyPartitionsDefinition(start_date="2024-01-01", hour_offset=3).get_cron_schedule(),
        dg.HourlyPartitionsDefinition(start_date="2024-01-01-00:00").get_cron_schedule(minute_of_hour=5),
        dg.WeeklyPartitionsDefinition(start_date="2024-01-01").get_cron_schedule(hour_of_day=4, day_of_week=2),
        dg.MonthlyPartitionsDefinition(start_date="2024-01-01").get_cron_schedule(day_of_month=3),
    ]
