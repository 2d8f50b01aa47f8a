"""Automation conditions over several ticks: each case is a little timeline, and what each tick asks for."""

from datetime import datetime, timedelta, timezone

import dagster as dg

C = dg.AutomationCondition
NOON = datetime(2026, 3, 10, 12, 0, tzinfo=timezone.utc)


class Story:
    """An instance, a cursor and a clock."""

    def __init__(self, *assets, checks=(), at=NOON):
        self.assets, self.now = list(assets), at
        self.defs = dg.Definitions(assets=self.assets, asset_checks=list(checks))
        self.instance = dg.DagsterInstance.ephemeral()
        self.cursor = None
        self.told = []

    def tick(self, after=timedelta(minutes=1), selection=None):
        self.now += after
        result = dg.evaluate_automation_conditions(
            self.defs, self.instance, asset_selection=selection, evaluation_time=self.now, cursor=self.cursor
        )
        self.cursor = result.cursor
        asked = {}
        for key in sorted({k for asset in self.assets for k in _keys(asset)}):
            partitions = result.get_requested_partitions(key)
            if partitions:
                asked[key.to_user_string()] = sorted(str(partition) for partition in partitions)
        self.told.append([result.total_requested, asked])
        return self

    def make(self, *assets, partition=None, tags=None, fails=False):
        result = dg.materialize(
            self.assets, selection=list(assets), partition_key=partition, instance=self.instance, tags=tags, raise_on_error=False
        )
        assert result.success is not fails
        return self

    def report(self, key, partition=None, version=None):
        tags = {"dagster/data_version": version} if version else None
        self.instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=partition, tags=tags))
        return self

    def change(self, *assets, checks=()):
        self.assets = list(assets)
        self.defs = dg.Definitions(assets=self.assets, asset_checks=list(checks))
        return self


def _keys(asset):
    return [asset.key] if isinstance(asset, dg.AssetSpec) else list(asset.keys)


def made(name, condition=None, deps=(), partitions=None, code_version=None, run=lambda context: None, **more):
    @dg.asset(name=name, deps=list(deps), automation_condition=condition, partitions_def=partitions, code_version=code_version, **more)
    def _asset(context: dg.AssetExecutionContext) -> None:
        run(context)

    return _asset


def fail(context):
    raise Exception("no")


# ---- eager


def case_eager_first_tick_asks_for_nothing():
    return Story(made("a", C.eager())).tick().tick().told


def case_eager_newly_missing_asset_in_the_second_tick():
    a, b = made("a", C.eager()), made("b", C.eager())
    return Story(a).tick().change(a, b).tick().tick().told


def case_eager_after_upstream():
    up = made("up")
    down = made("down", C.eager(), [up])
    return Story(up, down).tick().make(up).tick().tick().make(down).tick().make(up).tick().tick().told


def case_eager_chain_in_one_tick():
    up = made("up")
    one = made("one", C.eager(), [up])
    two = made("two", C.eager(), [one])
    three = made("three", C.eager(), [two])
    story = Story(up, one, two, three).tick().make(up).tick().tick()
    return story.make(one, two, three).tick().tick().make(up).tick().make(one).tick().tick().told


def case_eager_diamond():
    up = made("up")
    left, right = made("left", C.eager(), [up]), made("right", C.eager(), [up])
    down = made("down", C.eager(), [left, right])
    story = Story(up, left, right, down).tick().make(up).tick().make(left, right, down).tick()
    return story.make(left).tick().make(down).tick().make(left, right).tick().tick().told


def case_eager_waits_for_missing_upstream():
    one, two = made("one"), made("two")
    down = made("down", C.eager(), [one, two])
    return Story(one, two, down).tick().make(one).tick().make(two).tick().tick().told


def case_eager_with_upstream_made_in_the_same_run():
    up = made("up")
    down = made("down", C.eager(), [up])
    return Story(up, down).tick().make(up, down).tick().make(up).tick().make(down).tick().told


def case_eager_upstream_by_reports():
    down = made("down", C.eager(), [dg.AssetKey("outside")])
    story = Story(dg.AssetSpec("outside"), down).tick().report("outside").tick().tick()
    return story.make(down).tick().report("outside").tick().tick().told


def case_eager_of_a_failing_asset():
    up = made("up")
    down = made("down", C.eager(), [up], run=fail)
    return Story(up, down).tick().make(up).tick().make(down, fails=True).tick().tick().make(up).tick().tick().told


def case_eager_without_failed():
    up = made("up")
    down = made("down", C.eager() & ~C.execution_failed(), [up], run=fail)
    return Story(up, down).tick().make(up).tick().make(down, fails=True).tick().make(up).tick().told


def case_eager_ignoring():
    one, two = made("one"), made("two")
    down = made("down", C.eager().ignore(dg.AssetSelection.assets("two")), [one, two])
    return Story(one, two, down).tick().make(one).tick().make(down).tick().make(two).tick().make(one).tick().told


def case_eager_allowing():
    one, two = made("one"), made("two")
    down = made("down", C.eager().allow(dg.AssetSelection.assets("two")), [one, two])
    return Story(one, two, down).tick().make(two).tick().make(down).tick().make(one).tick().make(two).tick().told


def case_eager_without_missing_deps():
    one, two = made("one"), made("two")
    down = made("down", C.eager().without(~C.any_deps_missing()), [one, two])
    return Story(one, two, down).tick().make(one).tick().tick().told


def case_eager_replaced_part():
    one, two = made("one"), made("two")
    condition = C.eager().replace("any_deps_updated", C.any_deps_match(C.newly_updated()).ignore(dg.AssetSelection.assets("two")))
    down = made("down", condition, [one, two])
    return Story(one, two, down).tick().make(one, two).tick().make(down).tick().make(two).tick().make(one).tick().told


def case_eager_two_updates_between_ticks():
    up = made("up")
    down = made("down", C.eager(), [up])
    return Story(up, down).tick().make(up).make(up).tick().make(up).tick().make(down).tick().told


def case_eager_update_after_the_asset_itself():
    up = made("up")
    down = made("down", C.eager(), [up])
    return Story(up, down).tick().make(up).make(down).make(up).tick().tick().told


def case_eager_selection_of_some():
    up = made("up")
    one, two = made("one", C.eager(), [up]), made("two", C.eager(), [up])
    story = Story(up, one, two).tick(selection=dg.AssetSelection.assets("one")).make(up)
    return story.tick(selection=dg.AssetSelection.assets("one")).tick().tick().told


# ---- on_cron, on_missing


def case_on_cron_without_deps():
    return Story(made("a", C.on_cron("0 * * * *"))).tick().tick(timedelta(hours=1)).tick().tick(timedelta(minutes=59)).tick().told


def case_on_cron_waits_for_its_deps():
    one, two = made("one"), made("two")
    down = made("down", C.on_cron("0 * * * *"), [one, two])
    story = Story(one, two, down, at=datetime.now(timezone.utc)).tick().make(one, two).tick().tick(timedelta(hours=1))
    return story.make(one).tick().make(two).tick().tick().make(down).tick().told


def case_on_cron_chain():
    one = made("one", C.on_cron("0 * * * *"))
    two = made("two", C.on_cron("0 * * * *"), [one])
    return Story(one, two).tick().tick(timedelta(hours=1)).tick().make(one, two).tick().tick(timedelta(hours=1)).told


def case_on_cron_in_a_zone():
    a = made("a", C.on_cron("0 9 * * *", "Asia/Tokyo"))
    return Story(a, at=datetime(2026, 3, 10, 23, 30, tzinfo=timezone.utc)).tick().tick(timedelta(hours=1)).tick().told


def case_on_cron_at_the_very_moment():
    a = made("a", C.cron_tick_passed("0 * * * *"))
    return Story(a, at=NOON - timedelta(minutes=1)).tick().tick().tick().tick(timedelta(minutes=58)).tick().told


def case_on_missing():
    up = made("up")
    down = made("down", C.on_missing(), [up])
    return Story(up, down).tick().make(up).tick().tick().make(down).tick().told


def case_on_missing_new_asset():
    up = made("up")
    down = made("down", C.on_missing(), [up])
    return Story(up).tick().change(up, down).tick().make(up).tick().tick().told
