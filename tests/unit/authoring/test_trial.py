"""The instance with a clock of the test's own."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import dagwright as dg

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dg.asset
def raw():
    return 1


@dg.sensor(target="raw")
def counts(context):
    seen = int(context.cursor or 0)
    return dg.SensorResult(
        run_requests=[dg.RunRequest(run_key=str(seen))],
        cursor=str(seen + 1),
        dynamic_partitions_requests=[dg.DynamicPartitionsDefinition(name="p").build_add_request([f"k{seen}"])],
    )


@dg.schedule(cron_schedule=["0 13 * * *", "30 13 * * *"], target="raw")
def twice(context):
    made = context.instance.get_latest_materialization_event(dg.AssetKey("raw"))
    return dg.SkipReason("there already") if made else dg.RunRequest(tags={"at": f"{context.scheduled_execution_time:%H:%M}"})


def test_time_passes_and_state_is_kept():
    trial = dg.TestInstance(dg.Definitions(assets=[raw], sensors=[counts], schedules=[twice]), now=NOON)
    assert trial.advance(timedelta(minutes=30)) == []
    first, second = trial.advance(timedelta(hours=1))
    assert [tick.evaluation.requests[0].tags["at"] for tick in (first, second)] == ["13:00", "13:30"]
    assert trial.now == NOON + timedelta(minutes=90)
    dg.materialize([raw], instance=trial)
    assert trial.evaluate_schedule("twice").skip_reason == "there already"
    assert [trial.evaluate_sensor("counts").requests[0].run_key for _ in range(2)] == ["0", "1"]
    assert trial.get_dynamic_partitions("p") == ["k0", "k1"]


def test_a_moment_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="has no time zone"):
        dg.TestInstance(dg.Definitions(), now=datetime(2026, 1, 1))  # noqa: DTZ001


def test_a_built_context_has_an_instance():
    context = dg.build_op_context()
    context.instance.add_dynamic_partitions("p", ["a"])
    assert context.instance.has_dynamic_partition("p", "a")
    with pytest.raises(TypeError, match=r"takes a list of keys, not the text 'abc'"):
        context.instance.add_dynamic_partitions("p", "abc")


def test_bad_uses_of_an_instance():
    instance = dg.DagsterInstance.ephemeral()
    with pytest.raises(RuntimeError, match=r"use context\.instance"):
        dg.DagsterInstance.get()
    with pytest.raises(TypeError, match="takes an AssetMaterialization"):
        instance.report_runless_asset_event("raw")
    with pytest.raises(dg.NotFoundError, match="nothing"):
        instance.add_run_tags("nothing", {"a": "b"})
    with pytest.raises(ValueError, match="snapshot_id= is not supported"):
        instance.get_runs(dg.RunsFilter(snapshot_id="x"))
