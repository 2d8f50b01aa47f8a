"""What events say of themselves: their types, the steps and nodes that they are of."""

import dagster as dg

TOLD_BY_ONE_ALONE = {
    *("ENGINE_EVENT", "RESOURCE_INIT_STARTED", "RESOURCE_INIT_SUCCESS", "STEP_INPUT", "STEP_OUTPUT", "STEP_RESTARTED", "HOOK_SKIPPED"),
    *("LOGS_CAPTURED", "ASSET_MATERIALIZATION_PLANNED", "ASSET_CHECK_EVALUATION_PLANNED"),
    "STEP_SKIPPED",  # of what is behind a failed step; dagwright tells it
}
MEMBERS = (
    "is_alert_event",
    "is_asset_failed_to_materialize",
    "is_asset_materialization_planned",
    "is_asset_observation",
    "is_expectation_result",
    "is_failure",
    "is_handled_output",
    "is_hook_event",
    "is_job_event",
    "is_job_failure",
    "is_job_success",
    "is_loaded_input",
    "is_resource_init_failure",
    "is_run_failure",
    "is_step_event",
    "is_step_failure",
    "is_step_materialization",
    "is_step_restarted",
    "is_step_skipped",
    "is_step_start",
    "is_step_success",
    "is_step_up_for_retry",
)


@dg.success_hook
def fine(context): ...


@dg.failure_hook
def broken(context):
    raise ValueError("the hook itself")


@dg.op(out=dg.DynamicOut())
def parts():
    yield dg.DynamicOutput(1, mapping_key="a")


@dg.op
def double(number):
    return number * 2


@dg.op
def fails(numbers):
    raise dg.Failure("no")


@dg.op
def never(number): ...


@dg.graph
def inner(number):
    return double(number)


@dg.job(hooks={fine, broken})
def everything():
    never(fails(parts().map(inner).collect()))


def told(event):
    handle, step = event.node_handle, event.step_handle
    return [
        event.event_type_value,
        event.step_key,
        event.step_kind_value,
        handle and (str(handle), handle.name, handle.path, handle.is_or_descends_from(handle)),
        step and (step.key, step.to_key(), step.node_handle == handle),
        [name for name in MEMBERS if getattr(event, name)],
    ]


def events(result):
    return sorted({repr(told(event)) for event in result.all_events if event.event_type_value not in TOLD_BY_ONE_ALONE})


def case_types():
    return {name: member.value for name, member in dg.DagsterEventType.__members__.items() if name not in ("LOG_MESSAGE", "STEP_CANCELED")}


def case_job():
    return events(everything.execute_in_process(raise_on_error=False))


def case_node_events():
    result = everything.execute_in_process(raise_on_error=False)
    return sorted({event.event_type_value for event in result.all_node_events} - TOLD_BY_ONE_ALONE)


def case_assets():
    @dg.asset(key_prefix="a", check_specs=[dg.AssetCheckSpec("c", asset=dg.AssetKey(["a", "b"]))])
    def b(context):
        context.log_event(dg.AssetObservation("seen"))
        return dg.MaterializeResult(check_results=[dg.AssetCheckResult(passed=True)])

    return events(dg.materialize([b]))


def case_retry():
    seen = []

    @dg.op(retry_policy=dg.RetryPolicy(max_retries=1))
    def again():
        seen.append(1)
        if len(seen) < 2:
            raise ValueError

    @dg.job
    def retried():
        again()

    return events(retried.execute_in_process())
