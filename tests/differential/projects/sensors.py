"""What sensors ask for, evaluated by hand."""

import dagster as dg


@dg.op
def nothing():
    pass


@dg.job
def work():
    nothing()


@dg.job
def other():
    nothing()


def asks(sensor, **kwargs):
    data = sensor.evaluate_tick(dg.build_sensor_context(**kwargs))
    return (
        [(r.run_key, dict(r.run_config or {}), dict(r.tags).get("t"), r.job_name) for r in data.run_requests],
        data.skip_message,
        data.cursor,
    )


def case_cursor():
    @dg.sensor(job=work, minimum_interval_seconds=5)
    def counts(context: dg.SensorEvaluationContext):
        number = int(context.cursor or 0)
        context.update_cursor(str(number + 1))
        yield dg.RunRequest(run_key=f"n{number}", tags={"t": "x"})

    return asks(counts), asks(counts, cursor="4"), counts.minimum_interval_seconds


def case_skip():
    @dg.sensor(job=work)
    def skips():
        return dg.SkipReason("nothing new")

    return asks(skips)


def case_result():
    @dg.sensor(jobs=[work, other])
    def result(context):
        return dg.SensorResult(
            run_requests=[dg.RunRequest(run_key="a", job_name="other"), dg.RunRequest(run_key="b", job_name="work")], cursor="c"
        )

    return asks(result)


def case_result_with_skip():
    @dg.sensor(job=work)
    def result(context):
        return dg.SensorResult(skip_reason="why not", cursor="d")

    return asks(result)


def case_dynamic_partitions():
    parts = dg.DynamicPartitionsDefinition(name="files")

    @dg.sensor(job=work)
    def files(context):
        return dg.SensorResult(dynamic_partitions_requests=[parts.build_add_request(["a", "b"]), parts.build_delete_request(["c"])])

    data = files.evaluate_tick(dg.build_sensor_context(instance=dg.DagsterInstance.ephemeral()))
    return [(type(r).__name__, r.partitions_def_name, list(r.partition_keys)) for r in data.dynamic_partitions_requests]


def case_asset_events():
    @dg.sensor(job=work)
    def events(context):
        return dg.SensorResult(asset_events=[dg.AssetMaterialization("outside", metadata={"n": 1})])

    data = events.evaluate_tick(dg.build_sensor_context())
    return [(e.asset_key, e.metadata) for e in data.asset_events]


def case_resources():
    class Store(dg.ConfigurableResource):
        name: str

    @dg.sensor(job=work)
    def with_store(context, store: Store):
        return dg.RunRequest(run_key=store.name)

    return asks(with_store, resources={"store": Store(name="s")})


def case_direct():
    @dg.sensor(job=work)
    def direct(context):
        return dg.RunRequest(run_key="k", run_config={"a": 1})

    found = direct(dg.build_sensor_context())
    return found.run_key, found.run_config


def case_no_job():
    @dg.sensor()
    def jobless(context):
        return dg.RunRequest(run_key="k")

    try:
        return asks(jobless)
    except Exception:  # noqa: BLE001 - the classes differ
        return "an error"


def case_mixed():
    @dg.sensor(job=work)
    def mixed(context):
        yield dg.SkipReason("no")
        yield dg.RunRequest(run_key="k")

    try:
        return asks(mixed)
    except Exception:  # noqa: BLE001 - the classes differ
        return "an error"


def case_asset_sensor():
    @dg.asset
    def watched():
        return 1

    @dg.asset_sensor(asset_key=dg.AssetKey("watched"), job=work)
    def on_watched(context, event):
        assert event.dagster_event.asset_key == dg.AssetKey("watched")
        return dg.RunRequest(run_key="seen")

    with dg.DagsterInstance.ephemeral() as instance:
        first = on_watched.evaluate_tick(dg.build_sensor_context(instance=instance))
        dg.materialize([watched], instance=instance)
        second = on_watched.evaluate_tick(dg.build_sensor_context(instance=instance))
        third = on_watched.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=second.cursor))
        return [[r.run_key for r in data.run_requests] for data in (first, second, third)]


def case_run_status():
    @dg.run_status_sensor(run_status=dg.DagsterRunStatus.SUCCESS)
    def on_success(context: dg.RunStatusSensorContext):
        return dg.RunRequest(run_key=context.dagster_run.job_name)

    with dg.DagsterInstance.ephemeral() as instance:
        result = work.execute_in_process(instance=instance)
        run = instance.get_run_by_id(result.run_id)
        context = dg.build_run_status_sensor_context(
            sensor_name="on_success", dagster_instance=instance, dagster_run=run, dagster_event=result.get_run_success_event()
        )
        return on_success(context).run_key, run.status, run.job_name


def case_run_failure():
    @dg.op
    def breaks():
        raise ValueError("x")

    @dg.job
    def breaking():
        breaks()

    seen = []

    @dg.run_failure_sensor
    def on_failure(context: dg.RunFailureSensorContext):
        whole = {event.step_key: event.step_failure_data.error.to_string() for event in context.get_step_failure_events()}
        seen.append((context.dagster_run.job_name, {step: "ValueError: x" in text and "in breaks" in text for step, text in whole.items()}))

    with dg.DagsterInstance.ephemeral() as instance:
        result = breaking.execute_in_process(instance=instance, raise_on_error=False)
        context = dg.build_run_status_sensor_context(
            sensor_name="on_failure",
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            dagster_event=result.get_run_failure_event(),
        ).for_run_failure()
        on_failure(context)
    return seen
