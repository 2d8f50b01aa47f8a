"""Sensors of assets, runs and automation: as objects, in the snapshot, and evaluated against an instance in memory."""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime

import pytest

import dagwright as dg
from dagwright.execution import evaluate
from dagwright.loading.snapshot import build
from dagwright_shared.model.keys import LocationName
from dagwright_shared.model.snapshot import SensorKind
from dagwright_shared.model.ticks import ScheduleQuestion, SensorQuestion

DAYS = dg.StaticPartitionsDefinition(["a", "b", "c"])


@dg.asset
def raw():
    return 1


@dg.asset(partitions_def=DAYS)
def parted():
    return 1


@dg.asset(deps=[raw], code_version="1")
def report():
    return 2


@dg.op
def breaks():
    raise ValueError("no bread")


@dg.job
def bakery():
    breaks()


@dg.op
def fine():
    pass


@dg.job(tags={"team": "x"})
def works():
    fine()


on_report = dg.define_asset_job("on_report", selection="report")


@dg.asset_sensor(asset_key=dg.AssetKey("raw"), job=on_report)
def raw_sensor(context, asset_event: dg.EventLogEntry):
    assert asset_event.dagster_event is not None
    return dg.RunRequest(run_key=asset_event.run_id, tags={"key": asset_event.dagster_event.asset_key.to_user_string()})


def ask(sensor, instance, cursor=None, **more):
    definitions = dg.Definitions(assets=[raw, parted, report], jobs=[on_report, bakery, works], sensors=[sensor], **more)
    return evaluate.sensor(definitions, SensorQuestion(name=sensor.name, cursor=cursor), instance=instance)


class TestAssetSensor:
    def test_reacts_once_to_each_materialization(self):
        instance = dg.DagsterInstance.ephemeral()
        assert "has not been materialized" in str(ask(raw_sensor, instance).skip_reason)
        run_id = dg.materialize([raw], instance=instance).run_id
        found = ask(raw_sensor, instance)
        assert [(r.run_key, r.job_name, r.tags) for r in found.requests] == [(run_id, "on_report", {"key": "raw"})]
        assert ask(raw_sensor, instance, found.cursor).requests == ()

    def test_direct_call_evaluates_against_the_instance(self):
        instance = dg.DagsterInstance.ephemeral()
        context = dg.build_sensor_context(instance=instance)
        assert isinstance(raw_sensor(context), dg.SkipReason)
        dg.materialize([raw], instance=instance)
        assert isinstance(raw_sensor(context), dg.RunRequest)

    def test_its_cursor_is_its_own(self):
        @dg.asset_sensor(asset_key="raw", job=on_report)
        def wrong(context, event):
            return dg.SensorResult(cursor="x")

        instance = dg.DagsterInstance.ephemeral()
        dg.materialize([raw], instance=instance)
        with pytest.raises(dg.UserCodeError, match="keeps its own"):
            ask(wrong, instance)

    def test_a_stray_argument_is_refused(self):
        with pytest.raises(dg.DefinitionError, match=r"'other'.*neither the context nor a resource"):

            @dg.asset_sensor(asset_key="raw", job=on_report)
            def wrong(context, event, other):
                pass


class TestMultiAssetSensor:
    def make(self):
        @dg.multi_asset_sensor(monitored_assets=[dg.AssetKey("raw"), dg.AssetKey("report")], job=works)
        def both(context):
            if all(context.latest_materialization_records_by_key().values()):
                context.advance_all_cursors()
                return dg.RunRequest()
            return dg.SkipReason("not both")

        return both

    def test_waits_for_all(self):
        instance, both = dg.DagsterInstance.ephemeral(), self.make()
        dg.materialize([raw], instance=instance)
        assert ask(both, instance).skip_reason == "not both"
        dg.materialize([raw, report], instance=instance)
        found = ask(both, instance)
        assert len(found.requests) == 1
        assert ask(both, instance, found.cursor).skip_reason == "not both"

    def test_partitions_and_what_was_passed_over(self):
        instance = dg.DagsterInstance.ephemeral()
        for key in ("a", "b"):
            dg.materialize([parted], partition_key=key, instance=instance)
        definitions = dg.Definitions(assets=[parted])
        context = dg.build_multi_asset_sensor_context(monitored_assets=[parted.key], instance=instance, definitions=definitions)
        records = context.latest_materialization_records_by_partition(parted.key)
        assert list(records) == ["a", "b"]
        assert not context.all_partitions_materialized(parted.key)
        assert context.all_partitions_materialized(parted.key, ["a", "b"])
        context.advance_cursor({parted.key: records["b"]})
        assert context.get_cursor_partition(parted.key) == "b"
        assert [item.partition_key for item in context.get_trailing_unconsumed_events(parted.key)] == ["a"]
        context.advance_cursor({parted.key: records["a"]})
        assert context.get_trailing_unconsumed_events(parted.key) == []
        assert context.latest_materialization_records_by_partition_and_asset() == {}

    def test_an_asset_that_it_does_not_watch(self):
        context = dg.build_multi_asset_sensor_context(monitored_assets=[dg.AssetKey("raw")])
        with pytest.raises(ValueError, match="does not watch other; it watches raw"):
            context.materialization_records_for_key(dg.AssetKey("other"))


class TestRunSensors:
    def test_failure_sensor_tells_of_each_failed_run(self):
        told = []

        @dg.run_failure_sensor(monitored_jobs=[bakery], request_job=works)
        def alarm(context: dg.RunFailureSensorContext):
            told.append(
                (context.dagster_run.job_name, context.get_step_failure_events()[0].message, "breaks" in str(context.failure_event.message))
            )
            return dg.RunRequest(run_key=context.dagster_run.run_id)

        instance = dg.DagsterInstance.ephemeral()
        bakery.execute_in_process(instance=instance, raise_on_error=False)
        first = ask(alarm, instance)
        assert first.requests == ()
        assert told == []
        bakery.execute_in_process(instance=instance, raise_on_error=False)
        works.execute_in_process(instance=instance)
        second = ask(alarm, instance, first.cursor)
        assert told == [("bakery", "no bread", True)]
        assert [request.job_name for request in second.requests] == ["works"]
        assert ask(alarm, instance, second.cursor).requests == ()

    def test_status_sensor_goes_on_after_a_failure_of_its_own(self):
        told = []

        @dg.run_status_sensor(run_status=dg.DagsterRunStatus.SUCCESS)
        def tell(context):
            told.append(context.dagster_run.tags["team"])
            raise RuntimeError("no network")

        instance = dg.DagsterInstance.ephemeral()
        first = ask(tell, instance)
        for _ in range(2):
            works.execute_in_process(instance=instance)
        second = ask(tell, instance, first.cursor)
        assert told == ["x", "x"]
        assert any("no network" in line for line in second.logs)

    def test_direct_call_with_a_built_context(self):
        @dg.run_failure_sensor
        def alarm(context):
            return f"{context.dagster_run.job_name}: {context.failure_event.event_type_value}"

        instance = dg.DagsterInstance.ephemeral()
        result = bakery.execute_in_process(instance=instance, raise_on_error=False)
        context = dg.build_run_status_sensor_context(
            sensor_name="alarm", dagster_event=result.get_job_failure_event(), dagster_instance=instance, dagster_run=result.dagster_run
        ).for_run_failure()
        assert alarm(context) == "bakery: PIPELINE_FAILURE"

    def test_a_status_without_an_event_is_refused(self):
        with pytest.raises(dg.DefinitionError, match=r"waits for QUEUED.*(?s:.*)use one of STARTED"):
            dg.run_status_sensor(dg.DagsterRunStatus.QUEUED)(lambda context: None)

    def test_a_stranger_in_monitored_jobs(self):
        with pytest.raises(dg.DefinitionError, match=r"monitored_jobs has 3, a int"):
            dg.run_failure_sensor(name="x", monitored_jobs=[3])(lambda context: None)

    def test_mail(self, monkeypatch):
        sent = []

        class Server:
            def __init__(self, host, port, **_):
                sent.append((host, port))

            def __enter__(self):
                return self

            def __exit__(self, *_):
                pass

            def login(self, user, password):
                sent.append((user, password))

            def send_message(self, mail):
                sent.append((mail["To"], mail["Subject"]))

        monkeypatch.setattr(smtplib, "SMTP_SSL", Server)
        mailer = dg.make_email_on_run_failure_sensor(
            "me@x.org", "secret", ["a@x.org", "b@x.org"], smtp_host="mail", monitor_all_code_locations=True
        )
        instance = dg.DagsterInstance.ephemeral()
        first = ask(mailer, instance)
        bakery.execute_in_process(instance=instance, raise_on_error=False)
        ask(mailer, instance, first.cursor)
        assert sent == [("mail", 465), ("me@x.org", "secret"), ("a@x.org, b@x.org", "Run of bakery failed")]


class TestResultsAndSnapshot:
    def test_asset_events_of_a_result_are_recorded(self):
        @dg.sensor(target="report")
        def looks(context):
            return dg.SensorResult(asset_events=[dg.AssetMaterialization("outside", metadata={"rows": 3})])

        trial = dg.TestInstance(dg.Definitions(assets=[raw, report], jobs=[on_report], sensors=[looks]))
        (payload,) = trial.evaluate_sensor("looks").asset_events
        assert payload.asset_key.to_user_string() == "outside"
        event = trial.get_latest_materialization_event(dg.AssetKey("outside"))
        assert event is not None
        assert event.asset_materialization.metadata["rows"].value == 3

    def test_stale_assets_only(self):
        @dg.schedule(cron_schedule="* * * * *", target="*")
        def tick(context):
            return dg.RunRequest(stale_assets_only=True)

        definitions = dg.Definitions(assets=[raw, report], schedules=[tick])
        question = ScheduleQuestion(name="tick", scheduled_for=datetime(2026, 1, 1, tzinfo=UTC))
        instance = dg.DagsterInstance.ephemeral()
        dg.materialize([raw], instance=instance)
        assert evaluate.schedule(definitions, question, instance=instance).requests[0].asset_keys == (dg.AssetKey("report"),)
        dg.materialize([raw, report], instance=instance)
        assert evaluate.schedule(definitions, question, instance=instance).skip_reason == "nothing is stale"
        dg.materialize([raw], instance=instance)
        assert evaluate.schedule(definitions, question, instance=instance).requests[0].asset_keys == (dg.AssetKey("report"),)

    def test_the_snapshot_says_what_is_watched(self):
        @dg.multi_asset_sensor(monitored_assets=dg.AssetSelection.keys("raw") | dg.AssetSelection.keys("report"), job=works)
        def many(context):
            pass

        @dg.run_failure_sensor(monitored_jobs=[bakery, dg.JobSelector("elsewhere", job_name="theirs")])
        def alarm(context):
            pass

        frequent = dg.AutomationConditionSensorDefinition("frequent", target="*", default_condition=dg.AutomationCondition.eager())
        definitions = dg.Definitions(assets=[raw, report], jobs=[works, bakery, on_report], sensors=[raw_sensor, many, alarm, frequent])
        found = {item.name: item for item in build(definitions, LocationName("here")).sensors}
        assert {name: item.kind for name, item in found.items()} == {
            "raw_sensor": SensorKind.ASSET,
            "many": SensorKind.MULTI_ASSET,
            "alarm": SensorKind.RUN_STATUS,
            "frequent": SensorKind.AUTOMATION,
        }
        assert found["raw_sensor"].asset_keys == (dg.AssetKey("raw"),)
        assert found["many"].asset_keys == (dg.AssetKey("raw"), dg.AssetKey("report"))
        assert [(job.job_name, job.location) for job in found["alarm"].monitored_jobs] == [("bakery", None), ("theirs", "elsewhere")]
        assert found["frequent"].default_condition == dg.AutomationCondition.eager().node
        with pytest.raises(dg.UserCodeError, match="the daemon evaluates its conditions"):
            evaluate.sensor(definitions, SensorQuestion(name="frequent"))
