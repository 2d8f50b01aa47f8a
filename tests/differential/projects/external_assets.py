"""Assets made elsewhere, and observed ones."""

import dagster as dg


@dg.observable_source_asset
def feed():
    return dg.DataVersion("v1")


@dg.observable_source_asset(name="rich", group_name="g")
def rich_feed():
    return dg.ObserveResult(metadata={"rows": 3}, data_version=dg.DataVersion("v2"))


@dg.asset(deps=["outside"])
def from_outside():
    return 1


@dg.asset
def reports(context: dg.AssetExecutionContext):
    context.log_event(dg.AssetMaterialization("side", metadata={"n": 1}, description="aside", partition="p"))
    context.log_event(dg.AssetObservation("side", metadata={"n": 2}))
    return 1


def case_specs_in_the_list():
    return dg.materialize([from_outside, dg.AssetSpec("outside", group_name="x")])


def case_logged():
    return dg.materialize([reports])


def case_observe():
    result = dg.observe([feed, rich_feed]) if hasattr(dg, "observe") else None
    return result


def case_observe_job():
    job = (
        dg.define_asset_job("look", selection=[feed, rich_feed])
        if False
        else dg.define_asset_job("look", selection=dg.AssetSelection.assets("feed", "rich"))
    )
    return dg.Definitions(assets=[feed, rich_feed], jobs=[job]).resolve_job_def("look").execute_in_process()


def case_data_version():
    @dg.asset(code_version="1")
    def versioned():
        return dg.MaterializeResult(data_version=dg.DataVersion("abc"))

    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([versioned], instance=instance)
        record = (
            instance.get_latest_data_version_record(dg.AssetKey("versioned"))
            if hasattr(instance, "get_latest_data_version_record")
            else None
        )
        del record
        event = instance.get_latest_materialization_event(dg.AssetKey("versioned"))
        return dict(event.asset_materialization.tags)["dagster/data_version"]


def case_ops_log_too():
    @dg.op
    def tells(context):
        context.log_event(dg.AssetMaterialization(asset_key=["a", "b"], metadata={"x": 1.5}))
        yield dg.AssetMaterialization("yielded")
        yield dg.AssetObservation("watched")
        yield dg.Output(1)

    @dg.job
    def job():
        tells()

    return job.execute_in_process()


def case_expectation():
    @dg.op
    def expects():
        yield dg.ExpectationResult(success=True, label="fine")
        yield dg.Output(1)

    @dg.job
    def job():
        expects()

    return job.execute_in_process()


def case_source_asset():
    source = dg.SourceAsset(key="outside", description="d", group_name="x")
    return source.key, source.description, source.group_name, dg.materialize([from_outside, source])
