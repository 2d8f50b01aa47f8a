"""Automation conditions and freshness policies: composed, changed, refused, in the snapshot."""

from __future__ import annotations

from datetime import timedelta

import pytest

import dagwright as dg
from dagwright.loading.snapshot import build
from dagwright_shared.model.automation import Operand, OperandKind, Operator, OperatorKind, walk
from dagwright_shared.model.freshness import CronFreshness, WindowFreshness
from dagwright_shared.model.keys import AssetKey, LocationName
from dagwright_shared.model.selection import Keys
from dagwright_shared.wire.snapshot import decode_snapshot, encode_snapshot

AC = dg.AutomationCondition


class TestConditionsOfJobs:
    @pytest.mark.parametrize("kind", ["any_job_root_assets_match", "all_job_root_assets_match"])
    def test_an_asset_cannot_have_one(self, kind: str) -> None:
        @dg.asset(automation_condition=getattr(AC, kind)(AC.missing()) | AC.missing())
        def orders(): ...

        with pytest.raises(dg.DefinitionError, match=rf"asset orders: {kind} looks at .*defined at .*test_automation.py.*To mend: give"):
            build(dg.Definitions(assets=[orders]), LocationName("here"))

    def test_nor_a_job(self) -> None:
        with pytest.raises(dg.DefinitionError, match=r"job 'nightly' has an automation condition.*test_automation.py.*by a schedule"):
            dg.define_asset_job("nightly", automation_condition=AC.missing())


class TestComposing:
    def test_policies_are_made_of_named_parts(self):
        assert [part.name for part in AC.eager().children] == ["in_latest_time_window", "since", "not", "not", "not"]
        assert AC.on_cron("0 3 * * *", "Europe/Berlin").get_label() == "on_cron(0 3 * * *, Europe/Berlin)"
        assert AC.on_missing().get_label() == "on_missing"

    def test_and_or_are_flat_unless_labelled(self):
        a, b, c = AC.missing(), AC.in_progress(), AC.newly_updated()
        assert (a & b & c).node == Operator(kind=OperatorKind.AND, operands=(a.node, b.node, c.node))
        assert len(((a | c).with_label("x") | b).children) == 3 or len(((a | c).with_label("x") | b).children) == 2
        assert (~a).node == Operator(kind=OperatorKind.NOT, operands=(a.node,))

    def test_replace_by_name_and_by_condition(self):
        changed = AC.eager().replace("newly_missing", AC.missing())
        assert "newly_missing" not in [part.label for part in walk(changed.node)]
        assert AC.eager().replace(AC.in_progress(), AC.run_in_progress()) != AC.eager()
        assert AC.eager().get_label() == AC.eager().replace("handled", AC.missing()).get_label()

    def test_without(self):
        left = AC.eager().without(~AC.any_deps_missing())
        assert len(left.children) == 4
        with pytest.raises(dg.DefinitionError, match="has no operand check_failed"):
            AC.eager().without(AC.check_failed())

    def test_allow_and_ignore_reach_every_part_about_upstreams(self):
        narrowed = AC.eager().ignore(dg.AssetSelection.groups("slow")).allow(dg.AssetSelection.all())
        deps = [part for part in walk(narrowed.node) if part.kind is OperatorKind.ANY_DEPS]
        assert len(deps) == 3
        assert all(part.ignore is not None and part.allow is not None for part in deps)
        with pytest.raises(dg.DefinitionError, match="looks at no upstreams"):
            AC.missing().ignore("*")

    def test_wrong_parts(self):
        with pytest.raises(dg.DefinitionError, match=r"(?s)combined with .*called if it is a method"):
            AC.missing() & AC.in_progress  # type: ignore[operator]
        with pytest.raises(dg.DefinitionError, match="every tuesday"):
            AC.on_cron("every tuesday")
        with pytest.raises(dg.DefinitionError, match="Mars/Base"):
            AC.cron_tick_passed("0 0 * * *", "Mars/Base")


class TestOlderSpellings:
    def test_policies_stand_for_conditions(self):
        assert dg.AutoMaterializePolicy.eager().to_automation_condition() == AC.eager()
        with_rule = dg.AutoMaterializePolicy.eager().with_rules(dg.AutoMaterializeRule.skip_on_not_all_parents_updated())
        assert with_rule.without_rules(dg.AutoMaterializeRule.skip_on_not_all_parents_updated()) == dg.AutoMaterializePolicy.eager()
        assert with_rule.to_automation_condition() != AC.eager()
        with pytest.raises(ValueError, match="has no rule skip_on_run_in_progress"):
            dg.AutoMaterializePolicy.lazy().without_rules(dg.AutoMaterializeRule.skip_on_run_in_progress())

    def test_on_an_asset(self):
        @dg.asset(auto_materialize_policy=dg.AutoMaterializePolicy.eager())
        def old():
            pass

        assert old.specs_by_key[AssetKey("old")].automation_condition == AC.eager()


class TestFreshness:
    def test_kinds(self):
        window = dg.FreshnessPolicy.time_window(timedelta(hours=24), warn_window=timedelta(hours=12))
        assert window.to_model() == WindowFreshness(fail_seconds=86400, warn_seconds=43200)
        daily = dg.FreshnessPolicy.cron("0 9 * * *", timedelta(hours=6), "Europe/Berlin")
        assert daily.to_model() == CronFreshness(deadline_cron="0 9 * * *", lower_bound_seconds=21600, timezone="Europe/Berlin")
        assert dg.FreshnessPolicy(maximum_lag_minutes=60).to_model() == WindowFreshness(fail_seconds=3600)
        older = dg.LegacyFreshnessPolicy(maximum_lag_minutes=60, cron_schedule="0 9 * * *")
        assert (older.deadline_cron, older.lower_bound_delta) == ("0 9 * * *", timedelta(hours=1))

    def test_wrong_ones(self):
        with pytest.raises(dg.DefinitionError, match="warning comes before the failure"):
            dg.FreshnessPolicy.time_window(timedelta(hours=1), timedelta(hours=2))
        with pytest.raises(dg.DefinitionError, match="fail_window is 0:00:00"):
            dg.FreshnessPolicy.time_window(timedelta(0))
        with pytest.raises(dg.DefinitionError, match="bad"):
            dg.FreshnessPolicy.cron("bad", timedelta(hours=1))

    def test_apply(self):
        hour, day = (dg.FreshnessPolicy.time_window(timedelta(hours=count)) for count in (1, 24))
        spec = dg.apply_freshness_policy(dg.AssetSpec("a"), hour)
        assert dg.apply_freshness_policy(spec, day, overwrite_existing=False).freshness_policy == hour
        assert dg.apply_freshness_policy(spec, day).freshness_policy == day


def test_the_snapshot_carries_them_and_they_survive_the_wire():
    @dg.asset(group_name="slow")
    def raw():
        pass

    @dg.asset(
        deps=[raw],
        automation_condition=AC.eager().ignore(dg.AssetSelection.groups("slow")).allow(dg.AssetSelection.keys("raw", "elsewhere")),
        freshness_policy=dg.FreshnessPolicy.time_window(timedelta(hours=1)),
    )
    def report():
        pass

    @dg.asset_check(asset=report, automation_condition=AC.on_missing())
    def sane():
        return dg.AssetCheckResult(passed=True)

    made = build(dg.Definitions(assets=[raw, report], asset_checks=[sane]), LocationName("here"))
    again = decode_snapshot(encode_snapshot(made))
    assert again == made
    found = {asset.key: asset for asset in again.assets}[AssetKey("report")]
    assert found.freshness == WindowFreshness(fail_seconds=3600)
    deps = [part for part in walk(found.automation) if part.kind is OperatorKind.ANY_DEPS]
    assert {(part.ignore, part.allow) for part in deps} == {
        (Keys((AssetKey("raw"),)), Keys((AssetKey("elsewhere"), AssetKey("raw")))),
    }
    assert again.checks[0].automation == AC.on_missing().node
    assert Operand(kind=OperandKind.MISSING) in list(walk(again.checks[0].automation))
