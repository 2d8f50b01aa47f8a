from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

import dagwright as dg
from dagwright.authoring import schedules, sensors
from dagwright_shared.model.errors import DefinitionError, UserCodeError
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.snapshot import MissedTicks, Overlap, TriggerTarget

NOON = datetime(2024, 1, 11, 12, tzinfo=UTC)
TARGET = TriggerTarget(job_name="j")


@dg.op
def work() -> None: ...


@dg.job
def j() -> None:
    work()


class Db(dg.ConfigurableResource):
    path: str = "p"


def evaluate(fn: Any, **resources: Any) -> Any:
    made = dg.schedule(cron_schedule="0 0 * * *", job=j, name="asked", execution_timezone="America/New_York")(fn)
    return schedules.evaluate(made, dg.build_schedule_context(scheduled_execution_time=NOON, resources=resources), TARGET, None)


def test_everything_that_a_schedule_says() -> None:
    made = dg.ScheduleDefinition(
        job=j,
        cron_schedule=["0 1 * * *", "@daily"],
        execution_timezone="Europe/Berlin",
        run_config={"ops": {}},
        tags={"a": "b"},
        default_status=dg.DefaultScheduleStatus.RUNNING,
        missed_ticks="all",
        max_missed_ticks=9,
        overlap="cancel_old",
        metadata={"n": 1},
    )
    assert made.name == "j_schedule"
    assert made.crons == ("0 1 * * *", "@daily")
    assert (made.missed_ticks, made.max_missed_ticks, made.overlap) == (MissedTicks.ALL, 9, Overlap.CANCEL_OLD)
    evaluation = schedules.evaluate(made, dg.build_schedule_context(), TARGET, None)
    assert evaluation.requests[0].config == {"ops": {}}
    assert evaluation.requests[0].tags == {"a": "b"}
    assert evaluation.requests[0].job_name == "j"


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "cron": ({"cron_schedule": "often"}, "not a cron expression"),
    "no cron": ({}, "has no cron_schedule"),
    "zone": ({"cron_schedule": "0 0 * * *", "execution_timezone": "Nowhere"}, "not a time zone"),
    "name": ({"cron_schedule": "0 0 * * *", "name": "a b"}, "not a valid name"),
    "overlap": ({"cron_schedule": "0 0 * * *", "overlap": "never"}, "overlap is 'never'.*cancel_old"),
    "missed": ({"cron_schedule": "0 0 * * *", "max_missed_ticks": 0}, "max_missed_ticks is 0"),
    "two targets": ({"cron_schedule": "0 0 * * *", "target": "x"}, "has job and target"),
    "function and config": (
        {"cron_schedule": "0 0 * * *", "execution_fn": lambda: None, "run_config": {"a": 1}},
        "has a function, and run_config",
    ),
    "environment": ({"cron_schedule": "0 0 * * *", "environment_vars": {"a": "b"}}, "environment_vars= is not supported"),
    "argument": ({"cron_schedule": "0 0 * * *", "execution_fn": lambda context, other: None}, "argument 'other'"),
}


@pytest.mark.parametrize("name", BAD)
def test_schedules_that_cannot_be(name: str) -> None:
    options, message = BAD[name]
    with pytest.raises(DefinitionError, match=message) as caught:
        dg.ScheduleDefinition(job=j, **options)
    assert "test_schedules_and_sensors.py" in str(caught.value)


def test_a_schedule_needs_something_to_run() -> None:
    with pytest.raises(DefinitionError, match="nothing to run"):
        dg.ScheduleDefinition(name="x", cron_schedule="0 0 * * *")
    with pytest.raises(DefinitionError, match="job is a int"):
        dg.ScheduleDefinition(name="x", cron_schedule="0 0 * * *", job=3)
    with pytest.raises(DefinitionError, match=r"schedule x: selection 'a &'"):
        dg.ScheduleDefinition(name="x", cron_schedule="0 0 * * *", target="a &")


def test_answers_of_a_schedule() -> None:
    def one(context):
        return dg.RunRequest(
            run_key=context.scheduled_execution_time.isoformat(), partition_key="p", run_config=dg.RunConfig(ops={"work": {}})
        )

    (request,) = evaluate(one).requests
    assert request.run_key == "2024-01-11T07:00:00-05:00"
    assert request.partition == ("p",)
    assert evaluate(lambda context: dg.SkipReason("not today")).skip_reason == "not today"
    assert evaluate(lambda: None).skip_reason == "the schedule's function returned nothing"
    assert evaluate(lambda: []).skip_reason == "the schedule's function asked for no runs"
    assert evaluate(lambda: {"ops": {}}).requests[0].config == {"ops": {}}
    assert len(evaluate(lambda: [dg.RunRequest(), dg.RunRequest()]).requests) == 2

    def generator(context):
        yield dg.RunRequest()
        yield dg.RunRequest()

    assert len(evaluate(generator).requests) == 2

    def skips(context):
        yield dg.SkipReason("no")

    assert evaluate(skips).skip_reason == "no"


def test_schedules_receive_resources() -> None:
    def with_resource(context, db: Db):
        return dg.RunRequest(tags={"path": db.path})

    assert evaluate(with_resource, db=Db(path="x")).requests[0].tags == {"path": "x"}

    def only_resource(db: Db):
        return dg.RunRequest(tags={"path": db.path})

    assert evaluate(only_resource, db=Db(path="y")).requests[0].tags == {"path": "y"}


@pytest.mark.parametrize("returned", [3, "later", [3], [dg.RunRequest(), dg.SkipReason("x")]])
def test_what_a_schedule_may_not_return(returned: Any) -> None:
    with pytest.raises(UserCodeError, match="schedule 'asked'") as caught:
        evaluate(lambda context: returned)
    assert caught.value.info.class_name == "TypeError"


def test_pieces_of_a_schedule() -> None:
    made = dg.ScheduleDefinition(
        name="x", job=j, cron_schedule="0 0 * * *", run_config_fn=lambda context: {"ops": {}}, tags_fn=lambda context: {"a": "b"},
        should_execute=lambda context: context.scheduled_execution_time.day == 11,
    )  # fmt: skip
    (request,) = schedules.evaluate(made, dg.build_schedule_context(scheduled_execution_time=NOON), TARGET, None).requests
    assert (request.config, request.tags) == ({"ops": {}}, {"a": "b"})
    other = schedules.evaluate(made, dg.build_schedule_context(scheduled_execution_time=datetime(2024, 1, 12, tzinfo=UTC)), TARGET, None)
    assert other.skip_reason == "should_execute said no"


def test_a_schedule_of_a_partitioned_job() -> None:
    nightly = dg.define_asset_job("nightly", partitions_def=dg.DailyPartitionsDefinition("2024-01-01", timezone="America/New_York"))
    made = dg.build_schedule_from_partitioned_job(nightly, hour_of_day=3)
    assert made.crons == ("0 3 * * *",)
    assert made.timezone == made.execution_timezone == "America/New_York"
    (request,) = schedules.evaluate(
        made, dg.build_schedule_context(scheduled_execution_time=NOON), TriggerTarget(job_name="nightly"), None
    ).requests
    assert request.partition == ("2024-01-10",)
    early = schedules.evaluate(made, dg.build_schedule_context(scheduled_execution_time=datetime(2023, 1, 1, tzinfo=UTC)), TARGET, None)
    assert early.skip_reason == "no partition has ended yet"
    static = dg.define_asset_job("s", partitions_def=dg.StaticPartitionsDefinition(["a"]))
    with pytest.raises(DefinitionError, match="static ones need a cron_schedule"):
        dg.build_schedule_from_partitioned_job(static)
    weekly = dg.build_schedule_from_partitioned_job(static, cron_schedule="0 4 * * 1")
    assert weekly.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=NOON)).run_requests[0].partition_key == "a"


def test_a_schedule_of_a_job_with_one_dimension_of_time() -> None:
    days, areas = dg.DailyPartitionsDefinition("2024-01-01"), dg.DynamicPartitionsDefinition(name="areas")
    nightly = dg.define_asset_job("nightly", partitions_def=dg.MultiPartitionsDefinition({"area": areas, "day": days}))
    made = dg.build_schedule_from_partitioned_job(nightly, minute_of_hour=5, tags={"a": "b"})
    assert made.crons == ("5 0 * * *",)
    instance = dg.DagsterInstance.ephemeral()
    instance.add_dynamic_partitions("areas", ["n", "s"])
    at_noon = dg.build_schedule_context(instance=instance, scheduled_execution_time=NOON)
    requests = schedules.evaluate(made, at_noon, TriggerTarget(job_name="nightly"), nightly.partitions_def).requests
    assert [each.partition for each in requests] == [("n", "2024-01-10"), ("s", "2024-01-10")]
    assert [each.run_key for each in requests] == ["n|2024-01-10", "s|2024-01-10"]
    assert requests[0].tags["a"] == "b"
    early = dg.build_schedule_context(instance=instance, scheduled_execution_time=datetime(2023, 1, 1, tzinfo=UTC))
    assert made.evaluate_tick(early).skip_message == "no partition has ended yet"
    two = dg.define_asset_job("two", partitions_def=dg.MultiPartitionsDefinition({"a": days, "b": days}))
    with pytest.raises(DefinitionError, match="one dimension"):
        dg.build_schedule_from_partitioned_job(two)


# ---- sensors


def sense(fn: Any, targets: dict[str | None, TriggerTarget] | None = None, cursor: str | None = None, **options: Any) -> Any:
    made = dg.sensor(job=j, name="asked", **options)(fn)
    return sensors.evaluate(made, dg.build_sensor_context(cursor=cursor), {"j": TARGET} if targets is None else targets, {})


def test_answers_of_a_sensor() -> None:
    def result(context):
        assert context.cursor == "5"
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key="k")],
            cursor="6",
            dynamic_partitions_requests=[dg.DynamicPartitionsDefinition(name="r").build_add_request(["eu"])],
        )

    evaluation = sense(result, cursor="5")
    assert evaluation.cursor == "6"
    assert evaluation.requests[0].job_name == "j"
    assert evaluation.dynamic_partitions[0].add == ("eu",)

    def remembers(context):
        context.update_cursor("7")
        yield dg.RunRequest(run_key="a")

    assert sense(remembers).cursor == "7"
    assert sense(lambda: dg.SkipReason("nothing new")).skip_reason == "nothing new"
    assert sense(lambda: None).skip_reason == "the sensor's function asked for no runs"
    assert sense(lambda: dg.SensorResult(skip_reason="s")).skip_reason == "s"
    assert len(sense(lambda: [dg.RunRequest(), dg.RunRequest()]).requests) == 2


def test_sensors_of_several_jobs() -> None:
    targets = {"j": TARGET, "k": TriggerTarget(job_name="k")}
    assert sense(lambda: dg.RunRequest(job_name="k"), targets).requests[0].job_name == "k"
    with pytest.raises(UserCodeError, match="several jobs"):
        sense(lambda: dg.RunRequest(tags={}), targets)
    with pytest.raises(UserCodeError, match="one of its jobs: j, k"):
        sense(lambda: dg.RunRequest(job_name="x"), targets)
    only_assets = sense(lambda: dg.RunRequest(asset_selection=["a/b"]), {})
    assert only_assets.requests[0].asset_keys == (AssetKey(["a", "b"]),)
    with pytest.raises(UserCodeError, match="no target"):
        sense(lambda: dg.RunRequest(tags={}), {})


def test_what_a_sensor_may_not_do() -> None:
    for returned in (3, ["x"], [dg.SkipReason("a"), dg.SkipReason("b")]):
        with pytest.raises(UserCodeError, match="return RunRequests"):
            sense(lambda returned=returned: returned)
    with pytest.raises(TypeError, match="cursor is a int"):
        sense(lambda context: context.update_cursor(3))
    with pytest.raises(ValueError, match="give one of them"):
        dg.SensorResult(run_requests=[dg.RunRequest()], skip_reason="x")
    with pytest.raises(TypeError, match="run_key is a int"):
        dg.RunRequest(run_key=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="partition_key is a datetime"):
        dg.RunRequest(partition_key=NOON)  # type: ignore[arg-type]


def test_definitions_of_sensors() -> None:
    @dg.sensor(jobs=[j, dg.define_asset_job("k")], minimum_interval_seconds=5, default_status=dg.DefaultSensorStatus.RUNNING)
    def looks(context, db: Db):
        """It looks."""

    assert [target.job_name for target in looks.targets] == ["j", "k"]
    assert looks.description == "It looks."
    assert looks.required_resource_keys == {"db"}

    @dg.sensor
    def bare() -> None: ...

    assert bare.targets == ()
    with pytest.raises(DefinitionError, match="minimum_interval_seconds is -1"):
        sense(lambda: None, minimum_interval_seconds=-1)
    with pytest.raises(DefinitionError, match="argument 'other'"):
        sense(lambda context, other: None)


def test_a_schedule_evaluated_in_a_test() -> None:
    made = dg.ScheduleDefinition(job=j, cron_schedule="0 7 * * *", run_config={"ops": {}}, tags={"t": "v"})
    answer = made.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=NOON))
    assert [(r.run_key, r.run_config, r.tags) for r in answer.run_requests] == [(None, {"ops": {}}, {"t": "v"})]
    assert answer.skip_message is None

    wrong = dg.ScheduleDefinition(name="wrong", job=j, cron_schedule="0 7 * * *", execution_fn=lambda context: 3)
    with pytest.raises(UserCodeError, match="schedule 'wrong'"):
        wrong.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=NOON))


def test_a_partitioned_schedule_evaluated_in_a_test() -> None:
    @dg.asset(partitions_def=dg.DailyPartitionsDefinition(start_date="2024-01-01"))
    def made() -> None: ...

    days = dg.define_asset_job("days", selection=[made])
    defs = dg.Definitions(assets=[made], jobs=[days], schedules=[dg.build_schedule_from_partitioned_job(days)])
    schedule = defs.get_schedule_def("days_schedule")
    (request,) = schedule.evaluate_tick(dg.build_schedule_context(scheduled_execution_time=NOON)).run_requests
    assert (request.run_key, request.partition_key, request.tags) == ("2024-01-10", "2024-01-10", {"dagster/partition": "2024-01-10"})


def test_a_sensor_evaluated_in_a_test() -> None:
    @dg.sensor(job=j)
    def counting(context: dg.SensorEvaluationContext):
        context.update_cursor(str(int(context.cursor or 0) + 1))
        return dg.RunRequest(run_key="k")

    answer = counting.evaluate_tick(dg.build_sensor_context(cursor="4"))
    assert ([r.run_key for r in answer.run_requests], answer.skip_message, answer.cursor) == (["k"], None, "5")

    @dg.sensor(job=j)
    def astray(context):
        return dg.RunRequest(job_name="other")

    with pytest.raises(UserCodeError, match="RunRequest for one of its jobs: j"):
        astray.evaluate_tick(dg.build_sensor_context())


def test_overlap_of_a_sensor() -> None:
    @dg.sensor(job_name="job", overlap="skip")
    def careful(context): ...

    assert careful.overlap == "skip"
    with pytest.raises(dg.DagsterInvalidDefinitionError, match="overlap is 'never'"):

        @dg.sensor(job_name="job", overlap="never")
        def wrong(context): ...
