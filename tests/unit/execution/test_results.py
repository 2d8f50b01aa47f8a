"""What the results of runs in this process tell: events and errors as projects read them."""

import dagwright as dg


class Spilled(Exception):
    pass


@dg.op
def spills():
    raise Spilled("milk")


@dg.op
def refuses():
    raise dg.Failure("too cold", metadata={"degrees": 3})


@dg.op(out={"left": dg.Out(), "right": dg.Out()})
def splits():
    yield dg.Output(1, "left", metadata={"rows": 4})
    yield dg.Output(2, "right")


@dg.job
def kitchen():
    spills()
    refuses()
    splits()


def test_errors_are_worded_as_the_last_line_of_a_traceback():
    result = kitchen.execute_in_process(raise_on_error=False)
    data = result.failure_data_for_node("spills")
    assert (data.error.cls_name, data.error.message) == (
        "DagsterExecutionStepExecutionError",
        'DagsterExecutionStepExecutionError: Error occurred while executing op "spills":\n',
    )
    assert (data.error.cause.cls_name, data.error.cause.message) == ("Spilled", f"{__name__}.Spilled: milk\n")
    assert data.error_source.value == "USER_CODE_ERROR"
    assert data.user_failure_data is None
    assert f"{__name__}.Spilled: milk" in data.error_display_string
    assert str(data.error.cause) == f"{__name__}.Spilled: milk"


def test_a_failure_is_the_error_itself():
    data = kitchen.execute_in_process(raise_on_error=False).failure_data_for_node("refuses")
    assert data.error.cls_name == "Failure"
    assert data.error.message.endswith("Failure: too cold\n")
    assert data.error.cause is None
    assert data.error_source.value == "FRAMEWORK_ERROR"
    assert (data.user_failure_data.description, data.user_failure_data.metadata["degrees"].value) == ("too cold", 3)


def test_outputs_are_told_before_they_are_stored():
    result = kitchen.execute_in_process(raise_on_error=False)
    told = [(event.event_type, event.event_specific_data.output_name) for event in result.events_for_node("splits")[1:-1]]
    given, stored = dg.DagsterEventType.STEP_OUTPUT, dg.DagsterEventType.HANDLED_OUTPUT
    assert told == [(given, "left"), (stored, "left"), (given, "right"), (stored, "right")]
    outputs = [event.step_output_data for event in result.all_events if event.is_successful_output]
    assert [(data.step_output_handle.step_key, data.output_name, data.mapping_key) for data in outputs] == [
        ("splits", "left", None),
        ("splits", "right", None),
    ]
    assert outputs[0].metadata["rows"].value == 4


@dg.asset
def milk(context) -> int:
    context.log.info(context.job_name)
    return 1


@dg.asset_check(asset=milk)
def fresh(context, milk):
    return dg.AssetCheckResult(passed=context.job_name == "__ephemeral_asset_job__")


def test_an_evaluation_names_the_materialization_that_it_judged():
    with dg.DagsterInstance.ephemeral() as instance:
        both = dg.materialize([milk, fresh], instance=instance)
        made = instance.get_latest_materialization_event(milk.key)
        (judged,) = both.get_asset_check_evaluations()
        later = dg.materialize([milk, fresh], instance=instance, selection=dg.AssetSelection.checks(fresh))
        (again,) = later.get_asset_check_evaluations()
    for evaluation in (judged, again):
        target = evaluation.target_materialization_data
        assert (target.run_id, target.timestamp) == (both.run_id, made.timestamp)
    assert judged.target_materialization_data == again.target_materialization_data


def test_a_check_of_what_was_never_made_judges_nothing():
    @dg.asset_check(asset="elsewhere")
    def looks():
        return dg.AssetCheckResult(passed=True)

    result = dg.materialize([looks])
    assert result.get_asset_check_evaluations()[0].target_materialization_data is None


def test_runs_of_materialize_have_a_job_of_no_name_of_yours():
    result = dg.materialize([milk, fresh])
    assert result.dagster_run.job_name == "__ephemeral_asset_job__"
    assert result.get_asset_check_evaluations()[0].passed
