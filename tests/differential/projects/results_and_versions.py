"""What functions return: results with values, versions, failures with metadata, retries."""

import dagster as dg
from observe import raised


def ran(fn, **options):
    return dg.materialize([dg.asset(**options)(fn)], raise_on_error=False)


def case_value_in_result():
    def made():
        return dg.MaterializeResult(value=[1, 2], metadata={"n": 2}, tags={"a": "b"}, data_version=dg.DataVersion("v1"))

    result = ran(made)
    return result, result.output_for_node("made")


def case_output():
    def made():
        return dg.Output(
            [1], metadata={"n": 1, "f": 1.5, "t": "x", "l": [1], "d": {"a": 1}, "b": True, "none": None}, data_version=dg.DataVersion("1")
        )

    return ran(made)


def case_version_of_materialization():
    def made():
        return dg.MaterializeResult(data_version=dg.DataVersion("seven"))

    result = ran(made)
    event = result.get_asset_materialization_events()[0] if hasattr(result, "get_asset_materialization_events") else None
    tags = event.materialization.tags
    return tags.get("dagster/data_version", tags.get("dagwright/data_version"))


def case_add_output_metadata():
    def made(context):
        context.add_output_metadata({"rows": 3})
        context.add_output_metadata({"more": "text"}) if False else None
        return 1

    return ran(made)


def case_add_asset_metadata():
    def made(context):
        context.add_asset_metadata({"rows": 3})
        context.add_asset_metadata({"cols": 4}, asset_key="made")
        return 1

    return ran(made)


def case_failure():
    def made():
        raise dg.Failure("broken", metadata={"a": 1})

    result = ran(made)
    return result, result.failure_data_for_node("made") is not None


def case_failure_without_retries():
    tries = []

    def made():
        tries.append(1)
        raise dg.Failure("broken", allow_retries=False)

    return ran(made, retry_policy=dg.RetryPolicy(max_retries=3)), len(tries)


def case_failure_with_retries():
    tries = []

    def made():
        tries.append(1)
        raise dg.Failure("broken")

    return ran(made, retry_policy=dg.RetryPolicy(max_retries=2)), len(tries)


def case_retry_requested():
    tries = []

    def made():
        tries.append(1)
        if len(tries) < 3:
            raise dg.RetryRequested(max_retries=5)
        return len(tries)

    result = ran(made)
    return result, result.output_for_node("made")


def case_retry_requested_too_often():
    def made():
        raise dg.RetryRequested(max_retries=1) from ValueError("x")

    return ran(made)


def case_retry_number():
    seen = []

    def made(context):
        seen.append(context.retry_number)
        if context.retry_number < 2:
            raise ValueError("again")

    return ran(made, retry_policy=dg.RetryPolicy(max_retries=2)), seen


def case_none():
    def made() -> None:
        return None

    def given():
        return None

    return ran(made), ran(given)


def case_wrong_annotation():
    def made() -> int:
        return "text"

    return ran(made)


def case_none_where_none_is_promised():
    def made() -> None:
        return 3

    return ran(made)


def case_logged_records():
    def made(context):
        context.log_event(dg.AssetMaterialization("other", metadata={"a": 1}, description="d", tags={"k": "v"}))
        context.log_event(dg.AssetObservation("seen", metadata={"b": 2}))
        return 1

    return ran(made)


def case_op_records():
    @dg.op
    def works(context):
        yield dg.AssetMaterialization(asset_key=["x", "y"], partition="p1")
        yield dg.AssetObservation(asset_key="z")
        yield dg.Output(3)

    @dg.job
    def job():
        works()

    return job.execute_in_process()


def case_generator_and_return():
    def made():
        yield dg.Output(1, metadata={"a": 1})

    return ran(made)


def case_two_outputs_of_one():
    def made():
        yield dg.Output(1)
        yield dg.Output(2)

    return ran(made)


def case_yield_plain():
    def made():
        yield 3

    return ran(made)


def case_materialize_result_of_other():
    def made():
        return dg.MaterializeResult(asset_key="other")

    return ran(made)


def case_result_facts():
    found = dg.MaterializeResult(asset_key="a", metadata={"x": 1}, tags={"t": "v"}, data_version=dg.DataVersion("1"))
    return found.asset_key, found.metadata, dict(found.tags), found.data_version.value


def case_output_facts():
    found = dg.Output(3, output_name="x", metadata={"a": "b"}, data_version=dg.DataVersion("2"))
    return (
        found.value,
        found.output_name,
        found.metadata,
        found.data_version.value,
        dg.Output(1) == dg.Output(1),
        dg.Output(1) == dg.Output(2),
    )


def case_dynamic_facts():
    found = dg.DynamicOutput(3, mapping_key="k", metadata={"a": 1})
    return found.value, found.mapping_key, found.output_name, raised(lambda: dg.DynamicOutput(1, mapping_key="not valid"), Exception)


def case_materialization_facts():
    found = dg.AssetMaterialization("a", description="d", metadata={"x": 1}, partition="p", tags={"t": "v"})
    return found.asset_key, found.description, found.metadata, found.partition, dict(found.tags), found.label


def case_failure_facts():
    error = dg.Failure("text", metadata={"a": 1}, allow_retries=False)
    return error.description, error.metadata, error.allow_retries, str(error)


def case_policy_facts():
    policy = dg.RetryPolicy(max_retries=3, delay=0.2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.FULL)
    return policy.max_retries, policy.delay, policy.backoff.name, policy.jitter.name, dg.RetryPolicy().max_retries


def case_provenance():
    seen = []

    @dg.asset(code_version="1")
    def up():
        return 1

    @dg.asset(code_version="2")
    def down(context, up):
        found = context.get_asset_provenance(dg.AssetKey("down"))
        seen.append(found.code_version if found else None)
        return 2

    with dg.instance_for_test() as instance:
        dg.materialize([up, down], instance=instance)
        dg.materialize([up, down], instance=instance)
    return seen


def case_no_default_metadata_clash():
    def made():
        return dg.MaterializeResult(
            metadata={"table": dg.MetadataValue.md("# x"), "url": dg.MetadataValue.url("http://x"), "ts": dg.MetadataValue.timestamp(1.0)}
        )

    return ran(made)
