"""Conditions evaluated in a user's test."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import dagwright as dg
from dagwright_shared.model.errors import DefinitionError

pytestmark = pytest.mark.unit
DAYS = dg.DailyPartitionsDefinition("2026-01-01")


@dg.asset(partitions_def=DAYS, automation_condition=dg.AutomationCondition.eager())
def daily() -> None: ...


@dg.asset(automation_condition=dg.AutomationCondition.missing())
def once() -> None: ...


def test_a_trial_keeps_clock_and_cursor() -> None:
    trial = dg.TestInstance(dg.Definitions(assets=[daily]), now=datetime(2026, 1, 3, 12, tzinfo=UTC))
    assert trial.evaluate_automation().total_requested == 0
    trial.advance(timedelta(days=1))
    assert trial.evaluate_automation().get_requested_partitions(daily.key) == {"2026-01-03"}
    assert trial.evaluate_automation().total_requested == 0


def test_what_a_result_says() -> None:
    result = dg.evaluate_automation_conditions([daily, once], dg.DagsterInstance.ephemeral())
    assert (result.total_requested, result.get_num_requested(once.key), result.get_num_requested(daily.key)) == (1, 1, 0)
    assert result.get_requested_partitions(dg.AssetKey("nothing")) == set()
    by_key = {one.key: one for one in result.results}
    assert by_key[once.key].true_subset.size == 1
    assert by_key[daily.key].label == "eager"
    assert "any_deps_updated: 0" in by_key[daily.key].pprint()


def test_a_selection() -> None:
    instance = dg.DagsterInstance.ephemeral()
    assert dg.evaluate_automation_conditions([daily, once], instance, asset_selection=dg.AssetSelection.assets(daily)).total_requested == 0


def test_conditions_with_code_of_their_own_are_refused() -> None:
    with pytest.raises(DefinitionError, match="Mine is an automation condition with code"):

        class Mine(dg.AutomationCondition): ...


def test_the_sensor_that_nobody_wrote() -> None:
    name = "default_automation_condition_sensor"
    alone = dg.Definitions(assets=[daily, once]).resolve().sensors_by_name[name]
    assert alone.default_status is dg.DefaultSensorStatus.STOPPED
    sensor = dg.AutomationConditionSensorDefinition("mine", target=[once])
    both = dg.Definitions(assets=[daily, once], sensors=[sensor]).resolve()
    assert both.sensors_by_name[name].asset_selection.resolve(both.graph) == {daily.key}
    whole = dg.Definitions(assets=[daily, once], sensors=[dg.AutomationConditionSensorDefinition("mine", target="*")])
    assert list(whole.resolve().sensors_by_name) == ["mine"]
    assert not dg.Definitions(assets=[dg.asset(name="plain")(lambda: None)]).resolve().sensors


def test_observed_by_the_clock() -> None:
    @dg.observable_source_asset(auto_observe_interval_minutes=10)
    def outside() -> dg.DataVersion:
        return dg.DataVersion("1")

    trial = dg.TestInstance(dg.Definitions(assets=[outside]), now=datetime(2026, 1, 3, 12, 5, tzinfo=UTC))
    assert trial.evaluate_automation().total_requested == 0
    trial.advance(timedelta(minutes=6))
    assert trial.evaluate_automation().get_num_requested(outside.key) == 1
    assert trial.evaluate_automation().total_requested == 0
    for minutes in (0.5, 45, 90, 3000):
        observed = dg.observable_source_asset(name="outside", auto_observe_interval_minutes=minutes)(lambda: dg.DataVersion("1"))
        start = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC) + timedelta(minutes=99 * minutes)
        trial = dg.TestInstance(dg.Definitions(assets=[observed]), now=start)
        asked = []
        for _ in range(12):
            trial.advance(timedelta(minutes=minutes / 4))
            asked.append(trial.evaluate_automation().total_requested)
        assert asked == [0, 0, 0, 1] * 3, minutes
    with pytest.raises(DefinitionError, match="number of minutes > 0"):
        dg.observable_source_asset(auto_observe_interval_minutes=0)(lambda: None)


def test_a_later_run_reads_what_an_earlier_one_made() -> None:
    @dg.asset
    def first() -> int:
        return 1

    @dg.asset
    def second(first: int) -> int:
        return first + 1

    instance = dg.DagsterInstance.ephemeral()
    dg.materialize([first], instance=instance)
    assert dg.materialize([first, second], selection=[second], instance=instance).asset_value("second") == 2
