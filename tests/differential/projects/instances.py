"""What the instance remembers, in memory."""

import dagster as dg


@dg.asset
def made(context: dg.AssetExecutionContext):
    context.add_output_metadata({"n": 1})
    return 1


@dg.op
def nothing():
    pass


@dg.job(tags={"team": "x"})
def work():
    nothing()


@dg.op
def breaks():
    raise ValueError("x")


@dg.job
def broken():
    breaks()


def case_latest_materialization():
    with dg.DagsterInstance.ephemeral() as instance:
        before = instance.get_latest_materialization_event(dg.AssetKey("made"))
        result = dg.materialize([made], instance=instance)
        event = instance.get_latest_materialization_event(dg.AssetKey("made"))
        return before, event.asset_materialization.asset_key, event.asset_materialization.metadata["n"], event.run_id == result.run_id


def case_runs():
    with dg.DagsterInstance.ephemeral() as instance:
        work.execute_in_process(instance=instance)
        broken.execute_in_process(instance=instance, raise_on_error=False)
        everything = instance.get_runs()
        failed = instance.get_runs(filters=dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
        named = instance.get_runs(filters=dg.RunsFilter(job_name="work"))
        tagged = instance.get_run_records(filters=dg.RunsFilter(tags={"team": "x"}), limit=5)
        return (
            [r.job_name for r in everything],
            [r.status for r in failed],
            [r.status for r in named],
            [r.dagster_run.job_name for r in tagged],
            instance.get_runs_count(),
        )


def case_run_by_id():
    with dg.DagsterInstance.ephemeral() as instance:
        result = work.execute_in_process(instance=instance, tags={"a": "b"})
        run = instance.get_run_by_id(result.run_id)
        return (
            run.job_name,
            run.status,
            run.is_success,
            {k: v for k, v in run.tags.items() if not k.startswith((".", "dagster/"))},
            instance.get_run_by_id("x") is None,
        )


def case_event_records():
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([made], instance=instance)
        dg.materialize([made], instance=instance)
        records = instance.get_event_records(
            dg.EventRecordsFilter(event_type=dg.DagsterEventType.ASSET_MATERIALIZATION, asset_key=dg.AssetKey("made"))
        )
        fetched = instance.fetch_materializations(dg.AssetKey("made"), limit=1)
        return len(records), records[0].storage_id > records[1].storage_id, records[0].asset_key, len(fetched.records), fetched.has_more


def case_inside_a_run():
    seen = []

    @dg.asset
    def looks(context: dg.AssetExecutionContext, made):
        event = context.instance.get_latest_materialization_event(dg.AssetKey("made"))
        seen.append(event.asset_materialization.metadata["n"])

    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([made, looks], instance=instance)
    return seen


def case_dynamic_partitions():
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("p", ["a", "b"])
        instance.add_dynamic_partitions("p", ["b", "c"])
        instance.delete_dynamic_partition("p", "a")
        return instance.get_dynamic_partitions("p"), instance.has_dynamic_partition("p", "a")


def case_report():
    with dg.DagsterInstance.ephemeral() as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization("outside", metadata={"k": "v"}))
        event = instance.get_latest_materialization_event(dg.AssetKey("outside"))
        return event.asset_materialization.metadata["k"], sorted(key.to_user_string() for key in instance.all_asset_keys())


def case_events_of_a_run():
    result = dg.materialize([made])
    wanted = {"RUN_START", "STEP_START", "STEP_SUCCESS", "ASSET_MATERIALIZATION", "RUN_SUCCESS"}
    return [event.event_type_value for event in result.all_events if event.event_type_value in wanted]


def case_event_facts():
    result = dg.materialize([made])
    event = result.get_asset_materialization_events()[0]
    return event.asset_key, event.step_key, event.is_step_materialization, event.materialization.metadata["n"], event.event_type.value


def case_materialized_partitions():
    days = dg.StaticPartitionsDefinition(["a", "b"])

    @dg.asset(partitions_def=days)
    def parted(context):
        return 1

    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([parted], partition_key="b", instance=instance)
        return instance.get_materialized_partitions(dg.AssetKey("parted"))


def case_run_stats():
    with dg.DagsterInstance.ephemeral() as instance:
        result = work.execute_in_process(instance=instance)
        stats = instance.get_run_stats(result.run_id)
        return stats.steps_succeeded, stats.steps_failed, stats.start_time is not None
