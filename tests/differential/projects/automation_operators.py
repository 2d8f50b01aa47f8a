"""Operands and operators of automation conditions over several ticks: each case is a little timeline, and what each tick asks for."""

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


# ---- operands


def case_missing_every_tick():
    a = made("a", C.missing())
    return Story(a).tick().tick().make(a).tick().told


def case_newly_missing():
    return Story(made("a", C.newly_missing())).tick().tick().told


def case_newly_updated():
    a = made("a", C.newly_updated())
    return Story(a).make(a).tick().tick().make(a).tick().tick().report("a").tick().told


def case_newly_requested():
    a = made("a", C.missing() & ~C.newly_requested())
    return Story(a).tick().tick().tick().told


def case_newly_requested_of_dep():
    a = made("a", C.missing())
    b = made("b", C.any_deps_match(C.newly_requested()), [a])
    return Story(a, b).tick().tick().make(a).tick().tick().told


def case_execution_failed():
    switch = []

    def sometimes(context):
        if not switch:
            raise Exception("no")

    a = made("a", C.execution_failed(), run=sometimes)
    story = Story(a).tick().make(a, fails=True).tick().tick()
    switch.append(1)
    return story.make(a).tick().told


def case_in_progress_seen_from_inside():
    seen = []
    a = made("a", C.run_in_progress(), run=lambda context: seen.append(story.tick()))
    story = Story(a)
    return story.tick().make(a).tick().told


def case_deps_in_progress_seen_from_inside():
    up = made("up", run=lambda context: story.tick())
    down = made("down", C.any_deps_in_progress(), [up])
    story = Story(up, down)
    return story.tick().make(up).tick().told


def case_initial_evaluation():
    a = made("a", C.initial_evaluation())
    return Story(a).tick().tick().change(made("a", C.initial_evaluation() & ~C.in_progress())).tick().told


def case_initial_evaluation_of_new_partitions():
    a = made("a", C.initial_evaluation())
    b = made("a", C.initial_evaluation(), partitions=dg.StaticPartitionsDefinition(["x", "y"]))
    return Story(a).tick().change(b).tick().tick().told


def case_code_version_changed():
    one, two = (made("a", C.code_version_changed(), code_version=version) for version in "12")
    return Story(one).tick().tick().change(two).tick().tick().change(made("a", C.code_version_changed())).tick().tick().told


def case_code_version_of_deps():
    condition = C.any_deps_match(C.code_version_changed())
    one, two = (made("up", code_version=version) for version in "12")
    return Story(one, made("down", condition, [one])).tick().change(two, made("down", condition, [two])).tick().tick().told


def case_code_version_since_handled():
    one, two = (made("a", C.code_version_changed().since_last_handled(), code_version=version) for version in "12")
    return Story(one).tick().change(two).tick().tick().make(two).tick().told


def case_data_version_changed():
    down = made("down", C.any_deps_match(C.data_version_changed()), [dg.AssetKey("up")])
    story = Story(dg.AssetSpec("up"), down).tick().report("up", version="1").tick().report("up", version="1").tick()
    return story.report("up", version="2").tick().tick().told


def case_data_version_changed_of_runs():
    a = made("a")
    b = made("b", C.any_deps_match(C.data_version_changed()), [a])
    return Story(a, b).tick().make(a).tick().make(a).tick().tick().told


def case_will_be_requested_in_order():
    a = made("a", C.missing())
    b = made("b", C.any_deps_match(C.will_be_requested()), [a])
    c = made("c", C.any_deps_match(C.will_be_requested()), [b])
    return Story(a, b, c).tick().make(a).tick().told


def case_will_be_requested_not_with_other_partitions():
    a = made("a", C.missing(), partitions=dg.StaticPartitionsDefinition(["x"]))
    b = made("b", C.any_deps_match(C.will_be_requested()), [a])
    return Story(a, b).tick().told


def case_executed_with_tags():
    a = made("a")
    b = made("b", C.any_deps_match(C.executed_with_tags(tag_keys={"good"}, tag_values={"team": "x"})), [a])
    story = Story(a, b).tick().make(a).tick().make(a, tags={"good": "1"}).tick()
    return story.make(a, tags={"good": "1", "team": "x"}).tick().tick().make(a).tick().told


def case_new_updates_with_tags():
    a = made("a")
    some = made("some", C.any_deps_match(C.any_new_update_has_run_tags(tag_values={"k": "v"})), [a])
    every = made("every", C.any_deps_match(C.all_new_updates_have_run_tags(tag_values={"k": "v"})), [a])
    story = Story(a, some, every).make(a).tick().make(a, tags={"k": "v"}).tick().make(a, tags={"k": "v"}).make(a).tick()
    return story.make(a).tick().tick().told


# ---- operators


def case_since_sequences():
    up, other = made("up"), made("other")
    trigger, reset = C.asset_matches("up", C.newly_updated()), C.asset_matches("other", C.newly_updated())
    a = made("a", trigger.since(reset), [up, other])
    story = Story(up, other, a).tick().make(up).tick().tick().make(other).tick().tick()
    story.make(up).make(other).tick().tick().make(other).make(up).tick().tick()
    return story.make(other).tick().told


def case_since_with_time_of_each():
    up = made("up")
    condition = C.any_deps_match(C.newly_updated()).since(C.newly_updated())
    a = made("a", condition, [up])
    story = Story(up, a).tick().make(up).make(a).tick().tick().make(a).make(up).tick().tick()
    return story.make(a).tick().told


def case_since_deep_in_deps():
    one, two = made("one"), made("two")
    condition = C.all_deps_match(C.newly_updated().since(C.asset_matches("reset", C.newly_updated())))
    reset = made("reset")
    a = made("a", condition, [one, two])
    story = Story(one, two, reset, a).tick().make(one).tick().make(two).tick().tick().make(reset).tick().make(one, two).tick()
    return story.told


def case_since_last_handled_of_missing():
    a = made("a", C.missing().since_last_handled())
    return Story(a).tick().tick().make(a).tick().told


def case_newly_true():
    up = made("up")
    a = made("a", C.any_deps_match(C.missing()).newly_true(), [up])
    return Story(up, a).tick().tick().make(up).tick().told


def case_newly_true_of_not():
    up = made("up")
    a = made("a", (~C.any_deps_missing()).newly_true(), [up])
    return Story(up, a).tick().make(up).tick().tick().told


def case_not_in_the_first_place():
    a = made("a", ~C.newly_updated())
    return Story(a).tick().make(a).tick().tick().told


def case_or_and():
    up = made("up")
    a = made("a", (C.missing() | C.any_deps_updated()) & ~C.any_deps_missing(), [up])
    return Story(up, a).tick().make(up).tick().make(a).tick().make(up).tick().tick().told


def case_state_behind_a_false_and():
    gate, up = made("gate"), made("up")
    seen = C.asset_matches("up", C.newly_updated()).since(C.newly_requested())
    a = made("a", ~C.asset_matches("gate", C.missing()) & seen, [gate, up])
    return Story(gate, up, a).tick().make(up).tick().make(gate).tick().tick().told


def case_any_deps_of_none():
    return Story(made("a", C.any_deps_match(C.missing())), made("b", C.all_deps_match(C.missing()))).tick().told


def case_all_deps_updated():
    one, two = made("one"), made("two")
    a = made("a", C.all_deps_match(C.newly_updated()), [one, two])
    return Story(one, two, a).tick().make(one).tick().make(two).tick().make(one, two).tick().tick().told


def case_two_levels_of_deps():
    top = made("top")
    middle = made("middle", deps=[top])
    a = made("a", C.any_deps_match(C.any_deps_match(C.newly_updated())), [middle])
    return Story(top, middle, a).tick().make(top).tick().make(middle).tick().told


def case_asset_matches_unrelated():
    far = made("far")
    a = made("a", C.asset_matches("far", C.newly_updated()))
    return Story(far, a).tick().make(far).tick().tick().told


def case_asset_matches_downstream():
    a = made("a", C.asset_matches("down", C.missing()))
    down = made("down", deps=[a])
    return Story(a, down).tick().make(a, down).tick().told


def case_any_downstream_conditions():
    a = made("a", C.any_downstream_conditions())
    b = made("b", deps=[a])
    c = made("c", C.on_cron("0 * * * *"), [b])
    return Story(a, b, c).tick().tick(timedelta(hours=1)).tick().told


def case_any_downstream_conditions_of_several():
    a = made("a", C.any_downstream_conditions())
    b = made("b", C.missing() | C.any_downstream_conditions(), [a])
    c = made("c", C.newly_updated(), [b])
    return Story(a, b, c).tick().make(a).tick().make(a).tick().told


def case_changed_condition_keeps_what_is_the_same():
    up = made("up")
    one = made("a", C.any_deps_match(C.newly_updated()).since(C.newly_requested()) & C.missing(), [up])
    two = made("a", C.any_deps_match(C.newly_updated()).since(C.newly_requested()), [up])
    return Story(up, one).tick().make(up, one).tick().change(up, two).tick().tick().told


def case_dep_added():
    up, new = made("up"), made("new")
    one, two = made("a", C.eager(), [up]), made("a", C.eager(), [up, new])
    return Story(up, new, one).make(up, new).tick().change(up, new, two).tick().make(new).tick().told


# ---- multi-assets


def case_multi_asset_is_made_whole():
    @dg.multi_asset(specs=[dg.AssetSpec("one", automation_condition=C.missing()), dg.AssetSpec("two")])
    def both():
        yield dg.MaterializeResult(asset_key="one")
        yield dg.MaterializeResult(asset_key="two")

    story = Story(both).tick()
    return story.make(both).tick().told


def case_multi_asset_that_can_subset():
    @dg.multi_asset(
        specs=[dg.AssetSpec("one", automation_condition=C.missing(), skippable=True), dg.AssetSpec("two", skippable=True)], can_subset=True
    )
    def both(context: dg.AssetExecutionContext):
        for key in context.selected_asset_keys:
            yield dg.MaterializeResult(asset_key=key)

    return Story(both).tick().told


def case_observable_source():
    versions = iter("1123")

    @dg.observable_source_asset
    def seen():
        return dg.DataVersion(next(versions))

    down = made("down", C.eager(), [seen])
    story = Story(seen, down)

    def observe():
        assert dg.observe([seen], instance=story.instance).success

    story.tick()
    for _ in range(4):
        observe()
        story.tick().tick()
    return story.told


def case_labels_of_results():
    result = dg.evaluate_automation_conditions([made("a", C.eager())], dg.DagsterInstance.ephemeral())
    return [[r.key.to_user_string(), r.true_subset.size, len(r.child_results)] for r in result.results]
