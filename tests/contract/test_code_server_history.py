"""User code on a real code server asks of the past, and adds to it: `context.instance` in steps and in sensors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.contract import code_server
from tests.contract.code_server import CodeServer

from dagwright_shared.model.events import LogMessage, StepFailed
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.runs import RunStatus
from dagwright_shared.model.ticks import SensorQuestion
from dagwright_shared.store import engine as store_engine

pytestmark = pytest.mark.contract
SOURCE = """
import dagwright as dg


@dg.asset
def raw(context):
    context.add_output_metadata({"rows": 7})


@dg.asset(deps=[raw])
def looks(context: dg.AssetExecutionContext):
    instance = context.instance
    event = instance.get_latest_materialization_event(dg.AssetKey("raw"))
    instance.add_dynamic_partitions("customers", ["acme", "globex"])
    instance.delete_dynamic_partition("customers", "acme")
    instance.report_runless_asset_event(dg.AssetMaterialization("outside", metadata={"k": "v"}))
    instance.add_run_tags(context.run_id, {"seen": "yes"})
    return dg.MaterializeResult(metadata={
        "rows": event.asset_materialization.metadata["rows"].value,
        "known_run": event.run_id == instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]), limit=1)[0].run_id,
        "customers": ",".join(instance.get_dynamic_partitions("customers")),
        "outside": instance.get_latest_materialization_event(dg.AssetKey("outside")).asset_materialization.metadata["k"].value,
        "records": len(instance.get_event_records(dg.EventRecordsFilter(dg.DagsterEventType.ASSET_MATERIALIZATION, dg.AssetKey("raw")))),
        "me": instance.get_run_by_id(context.run_id).status.value,
        "steps": len(instance.get_run_step_stats(context.run_id)),
        "keys": instance.has_asset_key(dg.AssetKey("raw")),
    })


make_raw = dg.define_asset_job("make_raw", selection="raw")
inside = dg.define_asset_job("inside", selection="looks", executor_def=dg.in_process_executor)
apart = dg.define_asset_job("apart", selection="looks", executor_def=dg.multiprocess_executor)


@dg.op
def breaks():
    raise ValueError("no bread")


@dg.job(executor_def=dg.in_process_executor)
def bakery():
    breaks()


@dg.op
def forgets(context: dg.OpExecutionContext):
    instance, key, letters = context.instance, dg.AssetKey("letters"), dg.StaticPartitionsDefinition(["a", "b", "c"])
    for letter in "ab":
        instance.report_runless_asset_event(dg.AssetMaterialization(key, partition=letter))
    records = instance.get_asset_records([key, dg.AssetKey("unknown")])
    instance.wipe_asset_partitions(key, ["a"])
    states = instance.get_status_by_partition(key, ["a", "b", "c"], letters)
    instance.wipe_assets([key])
    (broken,) = instance.get_runs(dg.RunsFilter(job_name="bakery"), limit=1)
    instance.delete_run(broken.run_id)
    context.log.info("records=%s states=%s left=%s broken=%s", [record.asset_entry.last_materialization.asset_materialization.partition
        for record in records], [state and state.value for state in states.values()], sorted(instance.get_materialized_partitions(key)),
        instance.has_run(broken.run_id))
    instance.delete_run(context.run_id)


@dg.job(executor_def=dg.in_process_executor)
def cleaning():
    forgets()


@dg.asset_sensor(asset_key=dg.AssetKey("raw"), job=inside)
def on_raw(context, event):
    return dg.RunRequest(run_key=event.run_id)


@dg.run_failure_sensor
def alarm(context):
    context.log.info("%s: %s", context.dagster_run.job_name, context.get_step_failure_events()[0].message)


defs = dg.Definitions(assets=[raw, looks], jobs=[make_raw, inside, apart, bakery, cleaning], sensors=[on_raw, alarm])
"""


@pytest.fixture
def server(code_server_database: str, tmp_path: Path, free_port: int) -> Iterator[CodeServer]:
    engine = store_engine.create(code_server_database, name="tests")
    with code_server.start(tmp_path, SOURCE, code_server_database, engine, free_port) as started:
        started.settled()
        yield started
    engine.dispose()


def test_steps_and_sensors_see_what_happened(server: CodeServer) -> None:
    first = server.finished(server.launched("make_raw", asset_keys=(AssetKey("raw"),)).run_id)
    assert first.status is RunStatus.SUCCESS
    records = 1
    for job in ("inside", "apart"):
        run = server.finished(server.launched(job, asset_keys=(AssetKey("looks"),)).run_id)
        assert run.status is RunStatus.SUCCESS, [event.data for event in server.events(run.run_id) if event.type == "STEP_FAILED"]
        assert run.tags["seen"] == "yes"
        (made,) = [event.payload for event in server.events(run.run_id) if event.type == "ASSET_MATERIALIZED"]
        told = {name: value.value for name, value in made.metadata.items()}  # type: ignore[union-attr]
        assert told == {
            "rows": 7, "known_run": job == "inside", "customers": "globex", "outside": "v", "records": records, "me": "STARTED",
            "steps": 1, "keys": True,
        }  # fmt: skip
        # The data version of what an earlier run made.
        assert list(made.input_data_versions) == ["raw"]  # type: ignore[union-attr]

    found = server.client.evaluate_sensor(SensorQuestion(name="on_raw"))
    assert [request.run_key for request in found.requests] == [first.run_id]
    assert server.client.evaluate_sensor(SensorQuestion(name="on_raw", cursor=found.cursor)).requests == ()


def test_a_step_forgets_assets_and_ended_runs(server: CodeServer) -> None:
    server.finished(server.launched("bakery").run_id)
    run = server.finished(server.launched("cleaning").run_id)
    (told,) = [event.payload.message for event in server.events(run.run_id) if isinstance(event.payload, LogMessage)]
    assert told == "records=['b'] states=[None, 'MATERIALIZED', None] left=[] broken=False"
    (failed,) = [event.payload for event in server.events(run.run_id) if isinstance(event.payload, StepFailed)]
    assert "is STARTED; cancel it first" in failed.error.message  # its own run


def test_a_failure_sensor_reacts_to_runs_that_fail_from_now_on(server: CodeServer) -> None:
    begin = server.client.evaluate_sensor(SensorQuestion(name="alarm"))
    assert "from now on" in str(begin.skip_reason)
    assert server.finished(server.launched("bakery").run_id).status is RunStatus.FAILURE
    question = SensorQuestion(name="alarm", cursor=begin.cursor)
    told = code_server.until(lambda: server.client.evaluate_sensor(question).logs, "the event")
    assert "INFO bakery: no bread" in told
    after = server.client.evaluate_sensor(question).cursor
    assert server.client.evaluate_sensor(SensorQuestion(name="alarm", cursor=after)).logs == ()
