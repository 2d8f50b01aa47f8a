"""Automation conditions of partitioned assets, through mappings, over several ticks."""

from datetime import datetime, timedelta, timezone

import dagster as dg

C = dg.AutomationCondition
START = datetime(2026, 3, 1, tzinfo=timezone.utc)
NOON = datetime(2026, 3, 5, 12, 0, tzinfo=timezone.utc)
DAYS = dg.DailyPartitionsDefinition("2026-03-01")
HOURS = dg.HourlyPartitionsDefinition("2026-03-04-00:00")
NAMES = dg.StaticPartitionsDefinition(["a", "b", "c"])
COLORS = dg.StaticPartitionsDefinition(["red", "blue"])


class Story:
    """An instance, a cursor and a clock."""

    def __init__(self, *assets, at=NOON):
        self.assets, self.now = list(assets), at
        self.instance = dg.DagsterInstance.ephemeral()
        self.cursor = None
        self.told = []

    def tick(self, after=timedelta(minutes=1)):
        self.now += after
        result = dg.evaluate_automation_conditions(self.assets, self.instance, evaluation_time=self.now, cursor=self.cursor)
        self.cursor = result.cursor
        asked = {}
        for asset in self.assets:
            for key in asset.keys:
                partitions = result.get_requested_partitions(key)
                if partitions:
                    asked[key.to_user_string()] = sorted(str(partition) for partition in partitions)
        self.told.append([result.total_requested, asked])
        return self

    def report(self, key, *partitions):
        for partition in partitions or (None,):
            self.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition))
        return self

    def make(self, *assets, partition=None):
        assert dg.materialize(self.assets, selection=list(assets), partition_key=partition, instance=self.instance).success
        return self

    def change(self, *assets):
        self.assets = list(assets)
        return self

    def add(self, *keys):
        self.instance.add_dynamic_partitions("dyn", list(keys))
        return self

    def delete(self, key):
        self.instance.delete_dynamic_partition("dyn", key)
        return self


def made(name, condition=None, deps=(), partitions=None):
    @dg.asset(name=name, deps=list(deps), automation_condition=condition, partitions_def=partitions)
    def _asset() -> None: ...

    return _asset


def case_missing_static():
    return Story(made("x", C.missing(), partitions=NAMES)).tick().report("x", "b").tick().told


def case_missing_daily():
    return Story(made("x", C.missing(), partitions=DAYS)).tick().report("x", "2026-03-02").tick(timedelta(days=1)).told


def case_latest_window():
    return Story(made("x", C.in_latest_time_window(), partitions=DAYS)).tick().tick(timedelta(days=1)).told


def case_latest_window_with_lookback():
    found = []
    for hours in (1, 24, 30, 48, 1000):
        found += Story(made("x", C.in_latest_time_window(timedelta(hours=hours)), partitions=DAYS)).tick().told
    return found


def case_latest_window_before_any():
    return Story(made("x", C.in_latest_time_window(), partitions=DAYS), at=START).tick().told


def case_latest_window_static():
    return Story(made("x", C.in_latest_time_window(), partitions=NAMES)).tick().told


def case_latest_window_multi():
    both = dg.MultiPartitionsDefinition({"day": DAYS, "color": COLORS})
    return Story(made("x", C.in_latest_time_window(), partitions=both)).tick().tick(timedelta(days=1)).told


def case_latest_window_multi_last_axis_time():
    both = dg.MultiPartitionsDefinition({"a": COLORS, "z": DAYS})
    return Story(made("x", C.in_latest_time_window(timedelta(days=2)), partitions=both)).tick().told


def case_eager_daily():
    up, down = made("up", partitions=DAYS), None
    down = made("down", C.eager(), [up], DAYS)
    story = Story(up, down).tick().report("up", "2026-03-04").tick().tick().report("down", "2026-03-04").tick()
    return story.report("up", "2026-03-02").tick().tick(timedelta(days=1)).report("up", "2026-03-05").tick().told


def case_eager_daily_without_window():
    up = made("up", partitions=DAYS)
    down = made("down", C.eager().without(C.in_latest_time_window()), [up], DAYS)
    story = Story(up, down).tick().report("up", "2026-03-04", "2026-03-01").tick().tick().report("down", "2026-03-04").tick()
    return story.report("up", "2026-03-02").tick().told


def case_eager_new_day_is_newly_missing():
    return Story(made("x", C.eager(), partitions=DAYS)).tick().tick(timedelta(days=1)).tick().told


def case_eager_new_day_waits_for_its_upstream():
    up = made("up", partitions=DAYS)
    down = made("down", C.eager(), [up], DAYS)
    return Story(up, down).tick().tick(timedelta(days=1)).report("up", "2026-03-05").tick().tick().told


def case_eager_static():
    up = made("up", partitions=NAMES)
    down = made("down", C.eager(), [up], NAMES)
    return Story(up, down).tick().report("up", "a", "c").tick().report("down", "a").tick().report("up", "a", "b").tick().tick().told


def case_eager_static_key_added():
    one = made("x", C.eager(), partitions=dg.StaticPartitionsDefinition(["a", "b"]))
    two = made("x", C.eager(), partitions=NAMES)
    return Story(one).tick().change(two).tick().tick().told


def case_eager_chain_static():
    up = made("up", partitions=NAMES)
    one = made("one", C.eager(), [up], NAMES)
    two = made("two", C.eager(), [one], NAMES)
    return Story(up, one, two).tick().report("up", "b").tick().make(one, two, partition="b").tick().told


def case_eager_unpartitioned_below():
    up = made("up", partitions=NAMES)
    down = made("down", C.eager(), [up])
    return Story(up, down).tick().report("up", "a").tick().report("up", "b", "c").tick().tick().told


def case_eager_partitioned_below():
    up = made("up")
    down = made("down", C.eager(), [up], NAMES)
    return Story(up, down).tick().report("up").tick().tick().report("down", "a").tick().report("up").tick().told


def case_hourly_to_daily():
    up = made("up", partitions=HOURS)
    down = made("down", C.any_deps_match(C.newly_updated()), [up], dg.DailyPartitionsDefinition("2026-03-04"))
    story = Story(up, down).tick().report("up", "2026-03-04-05:00").tick().report("up", "2026-03-05-03:00").tick()
    return story.report("up", "2026-03-04-00:00", "2026-03-04-23:00").tick().told


def case_hourly_to_daily_missing():
    up = made("up", partitions=HOURS)
    down = made("down", ~C.any_deps_missing(), [up], dg.DailyPartitionsDefinition("2026-03-04"))
    story = Story(up, down).tick().report("up", *[f"2026-03-04-{hour:02}:00" for hour in range(23)]).tick()
    return story.report("up", "2026-03-04-23:00").tick().told


def case_daily_to_hourly():
    up = made("up", partitions=DAYS)
    down = made("down", C.any_deps_match(C.newly_updated()), [up], HOURS)
    return Story(up, down).tick().report("up", "2026-03-04").tick().report("up", "2026-03-02").tick().told


def case_time_offsets():
    up = made("up", partitions=DAYS)
    mapped = dg.AssetDep(up, partition_mapping=dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1))
    down = made("down", C.any_deps_match(C.newly_updated()), [mapped], DAYS)
    story = Story(up, down).tick().report("up", "2026-03-02").tick().report("up", "2026-03-04").tick().tick(timedelta(days=1))
    return story.told


def case_time_window_of_three():
    up = made("up", partitions=DAYS)
    mapped = dg.AssetDep(up, partition_mapping=dg.TimeWindowPartitionMapping(start_offset=-2, end_offset=0))
    updated = made("updated", C.any_deps_match(C.newly_updated()), [mapped], DAYS)
    whole = made("whole", ~C.any_deps_match(C.missing()), [mapped], DAYS)
    story = Story(up, updated, whole).tick().report("up", "2026-03-02").tick()
    return story.report("up", "2026-03-01", "2026-03-03").tick().told


def case_last_partition():
    up = made("up", partitions=DAYS)
    mapped = dg.AssetDep(up, partition_mapping=dg.LastPartitionMapping())
    down = made("down", C.any_deps_match(C.newly_updated()), [mapped], NAMES)
    return Story(up, down).tick().report("up", "2026-03-03").tick().report("up", "2026-03-04").tick().told


def case_all_partitions():
    up = made("up", partitions=NAMES)
    mapped = dg.AssetDep(up, partition_mapping=dg.AllPartitionMapping())
    down = made("down", C.any_deps_match(C.newly_updated()), [mapped], NAMES)
    missing = made("missing", ~C.any_deps_missing(), [mapped], NAMES)
    return Story(up, down, missing).tick().report("up", "a").tick().report("up", "b", "c").tick().told


def case_specific_partitions():
    up = made("up", partitions=NAMES)
    mapped = dg.AssetDep(up, partition_mapping=dg.SpecificPartitionsPartitionMapping(["b"]))
    down = made("down", C.any_deps_match(C.newly_updated()), [mapped])
    return Story(up, down).tick().report("up", "a").tick().report("up", "b").tick().told


def case_static_mapping():
    up = made("up", partitions=NAMES)
    mapped = dg.AssetDep(up, partition_mapping=dg.StaticPartitionMapping({"a": "red", "b": ["red", "blue"]}))
    down = made("down", C.any_deps_match(C.newly_updated()), [mapped], COLORS)
    return Story(up, down).tick().report("up", "a").tick().report("up", "b").tick().report("up", "c").tick().told


def case_multi_dimension():
    both = dg.MultiPartitionsDefinition({"name": NAMES, "color": COLORS})
    up = made("up", partitions=NAMES)
    down = made("down", C.any_deps_match(C.newly_updated()), [up], both)
    return Story(up, down).tick().report("up", "a").tick().report("up", "c", "b").tick().told


def case_multi_to_one_dimension():
    both = dg.MultiPartitionsDefinition({"name": NAMES, "color": COLORS})
    up = made("up", partitions=both)
    down = made("down", C.any_deps_match(C.newly_updated()), [up], NAMES)
    story = Story(up, down).tick()
    story.report("up", dg.MultiPartitionKey({"name": "b", "color": "red"}))
    return story.tick().told


def case_multi_same():
    both = dg.MultiPartitionsDefinition({"day": DAYS, "color": COLORS})
    up = made("up", partitions=both)
    down = made("down", C.eager(), [up], both)
    story = Story(up, down).tick()
    story.report("up", dg.MultiPartitionKey({"day": "2026-03-04", "color": "red"})).tick().tick()
    story.tick(timedelta(days=1))
    story.report("up", dg.MultiPartitionKey({"day": "2026-03-05", "color": "blue"})).tick().tick()
    return story.told


def case_multi_state_over_days():
    both = dg.MultiPartitionsDefinition({"a": COLORS, "z": DAYS})
    up = made("up", partitions=both)
    down = made("down", C.any_deps_match(C.newly_updated()).since(C.newly_updated()), [up], both)
    story = Story(up, down).tick()
    story.report("up", dg.MultiPartitionKey({"a": "blue", "z": "2026-03-02"})).tick().tick(timedelta(days=1)).tick(timedelta(days=2))
    return story.report("down", dg.MultiPartitionKey({"a": "blue", "z": "2026-03-02"})).tick().told


def case_self_dependency():
    back = dg.TimeWindowPartitionMapping(start_offset=-1, end_offset=-1)

    @dg.asset(partitions_def=DAYS, automation_condition=C.eager(), deps=[dg.AssetDep("x", partition_mapping=back)])
    def x() -> None: ...

    story = Story(x).tick().report("x", "2026-03-03").tick().report("x", "2026-03-04").tick().tick(timedelta(days=1)).tick()
    return story.told


def case_dynamic():
    dyn = dg.DynamicPartitionsDefinition(name="dyn")
    story = Story(made("x", C.eager(), partitions=dyn)).add("a").tick().add("b").tick().tick().add("c", "d").tick()
    return story.told


def case_dynamic_on_missing():
    dyn = dg.DynamicPartitionsDefinition(name="dyn")
    return Story(made("x", C.on_missing(), partitions=dyn)).tick().add("a").tick().tick().report("x", "a").add("b").tick().told


def case_dynamic_deleted():
    dyn = dg.DynamicPartitionsDefinition(name="dyn")
    story = Story(made("x", C.eager(), partitions=dyn)).add("a", "b", "c").tick().delete("a").tick().add("d").tick().told
    return story


def case_dynamic_since():
    dyn = dg.DynamicPartitionsDefinition(name="dyn")
    up = made("up", partitions=dyn)
    down = made("down", C.any_deps_match(C.newly_updated()).since(C.newly_updated()), [up], dyn)
    story = Story(up, down).add("a", "b", "c").tick().report("up", "b", "c").tick().delete("a").tick().report("down", "b").tick()
    return story.told


def case_on_cron_daily():
    up = made("up", partitions=DAYS)
    down = made("down", C.on_cron("0 1 * * *"), [up], DAYS)
    story = Story(up, down).tick().tick(timedelta(hours=14)).report("up", "2026-03-05").tick().tick().tick(timedelta(days=1))
    return story.told


def case_on_cron_all_partitions():
    condition = C.on_cron("0 1 * * *").without(C.in_latest_time_window())
    return Story(made("x", condition, partitions=NAMES)).tick().tick(timedelta(days=1)).tick().told


def case_newly_updated_partitions():
    x = made("x", C.newly_updated(), partitions=NAMES)
    return Story(x).report("x", "a").tick().report("x", "b").tick().report("x", "c", "b").tick().tick().told


def case_newly_true_partitions():
    x = made("x", (~C.missing()).newly_true(), partitions=NAMES)
    return Story(x).tick().report("x", "a").tick().report("x", "a", "b").tick().told


def case_partition_of_another_definition_does_not_count():
    x = made("x", C.newly_updated(), partitions=NAMES)
    return Story(x).tick().report("x", "zzz").tick().report("x").tick().told


def case_in_run_of_both():
    up = made("up", partitions=NAMES)
    down = made("down", C.eager(), [up], NAMES)
    story = Story(up, down).tick().make(up, down, partition="a").tick().make(up, partition="b").tick()
    return story.make(down, partition="b").tick().told


def case_weekly_of_days():
    up = made("up", partitions=dg.DailyPartitionsDefinition("2026-02-01"))
    weeks = dg.WeeklyPartitionsDefinition("2026-02-01")
    down = made("down", C.any_deps_match(C.newly_updated()), [up], weeks)
    whole = made("whole", ~C.any_deps_missing(), [up], weeks)
    story = Story(up, down, whole).tick().report("up", "2026-02-10").tick()
    return story.report("up", *[f"2026-02-{day:02}" for day in range(1, 8)]).tick().told


def case_end_offset():
    now = dg.DailyPartitionsDefinition("2026-03-01", end_offset=1)
    return Story(made("x", C.in_latest_time_window(), partitions=now)).tick().tick(timedelta(days=1)).told


def case_multi_asset_partitions():
    @dg.multi_asset(specs=[dg.AssetSpec("one", automation_condition=C.missing()), dg.AssetSpec("two")], partitions_def=NAMES)
    def both():
        yield dg.MaterializeResult(asset_key="one")
        yield dg.MaterializeResult(asset_key="two")

    return Story(both).tick().report("one", "a").tick().told
