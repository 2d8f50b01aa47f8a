"""Days that depend on days, a whole that depends on all of them, and a check between."""

import dagwright as dg

days = dg.DailyPartitionsDefinition("2024-01-01", end_date="2024-01-11")


@dg.asset(partitions_def=days)
def day(context: dg.AssetExecutionContext) -> int:
    return context.partition_time_window.start.day


@dg.asset(partitions_def=days)
def doubled(day: int) -> int:
    return 2 * day


@dg.asset_check(asset=doubled, blocking=True)
def is_even(doubled):
    return dg.AssetCheckResult(passed=doubled % 2 == 0, metadata={"value": doubled})


@dg.asset
def whole(doubled) -> dg.MaterializeResult:
    return dg.MaterializeResult(metadata={"days": len(doubled), "sum": sum(doubled.values())})


by_day = dg.define_asset_job("by_day", selection="key:day or key:doubled")
defs = dg.Definitions(assets=[day, doubled, whole], asset_checks=[is_even], jobs=[by_day])
