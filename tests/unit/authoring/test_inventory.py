"""What definitions have, by name and key, as tests of users' projects look it up."""

from __future__ import annotations

from pathlib import Path

import pytest

import dagwright as dg
from dagwright_shared.model.errors import NotFoundError


@dg.asset(group_name="raw", metadata={"rows": 3})
def orders() -> list[int]:
    return [1, 2]


@dg.asset(deps=["elsewhere"])
def revenue(orders: list[int]) -> int:
    return sum(orders)


@dg.asset_check(asset=orders)
def fine() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@dg.sensor(target=[orders])
def watch() -> None: ...


def defs(**more: object) -> dg.Definitions:
    some = dg.define_asset_job("some", selection="orders")
    daily = dg.ScheduleDefinition(name="daily", job=some, cron_schedule="@daily")
    return dg.Definitions(assets=[orders, revenue], asset_checks=[fine], jobs=[some], schedules=[daily], sensors=[watch], **more)


def test_jobs_schedules_and_sensors_by_name() -> None:
    repository = defs().get_repository_def()
    assert repository.job_names == ["__ASSET_JOB", "some"]
    assert repository.has_job("some")
    assert not repository.has_job("none")
    assert [job.name for job in repository.get_all_jobs()] == ["__ASSET_JOB", "some"]
    assert (repository.has_schedule_def("daily"), repository.has_sensor_def("daily")) == (True, False)
    assert [item.name for item in (*repository.schedule_defs, *repository.sensor_defs)] == ["daily", "watch"]
    with pytest.raises(NotFoundError, match="dialy"):
        repository.get_schedule_def("dialy")


def test_the_job_of_all_assets() -> None:
    result = defs().get_implicit_global_asset_job_def().execute_in_process()
    assert result.asset_value("revenue") == 3
    assert defs().get_job("__ASSET_JOB").execute_in_process().success
    assert not dg.Definitions().has_implicit_global_asset_job_def()


def test_one_asset_can_be_had_without_its_upstream() -> None:
    alone = dg.Definitions(assets=[revenue])
    assert alone.get_assets_def("revenue")([1, 2, 3]) == 6
    with pytest.raises(NotFoundError, match="did you mean 'revenue'"):
        dg.Definitions(assets=[revenue, orders]).get_assets_def("revenu")


def test_the_asset_graph() -> None:
    graph = defs().resolve_asset_graph()
    node = graph.get(orders.key)
    assert (node.group_name, node.metadata, node.child_keys) == ("raw", {"rows": 3}, {revenue.key})
    assert (node.is_executable, node.is_external, node.is_partitioned, node.check_keys) == (True, False, False, set(fine.check_keys))
    assert graph.get(revenue.key).parent_keys == {orders.key, dg.AssetKey("elsewhere")}
    assert graph.external_asset_keys == {dg.AssetKey("elsewhere")}
    assert graph.root_materializable_asset_keys == {orders.key}
    assert graph.toposorted_asset_keys.index(orders.key) < graph.toposorted_asset_keys.index(revenue.key)
    assert not graph.has(dg.AssetKey("nothing"))
    with pytest.raises(NotFoundError, match="did you mean 'orders'"):
        graph.get(dg.AssetKey("order"))


def test_selections_are_resolved_on_lists_of_assets() -> None:
    assert dg.AssetSelection.groups("raw").resolve([orders, revenue]) == {orders.key}
    assert dg.define_asset_job("j", selection=[orders, revenue]).selection == dg.AssetSelection.assets(orders, revenue)


def test_stored_values_are_loaded(tmp_path: Path) -> None:
    @dg.asset(partitions_def=dg.StaticPartitionsDefinition(["a", "b"]))
    def parts(context: dg.AssetExecutionContext) -> str:
        return context.partition_key * 2

    stored = defs(resources={"io_manager": dg.FilesystemIOManager(base_dir=str(tmp_path))})
    stored.get_implicit_global_asset_job_def().execute_in_process()
    assert stored.load_asset_value("revenue", python_type=int) == 3
    whole = dg.Definitions(assets=[parts], resources=stored.resources)
    for key in "ab":
        dg.materialize([parts], partition_key=key, resources=whole.resources)
    with whole.get_asset_value_loader() as loader:
        assert loader.load_asset_value("parts", partition_key="b") == "bb"
        assert loader.load_asset_value("parts") == {"a": "aa", "b": "bb"}
    with pytest.raises(NotFoundError, match="did you mean 'parts'"):
        whole.load_asset_value("part")


def test_what_a_sensor_may_launch() -> None:
    job = dg.define_asset_job("some")
    one = dg.sensor(name="one", job=job)(lambda _: None)
    two = dg.sensor(name="two", jobs=[job, dg.define_asset_job("other")])(lambda _: None)
    assert (one.job, one.job_name, one.asset_selection) == (job, "some", None)
    assert [each.name for each in two.jobs] == ["some", "other"]
    assert two.job_name is None
    assert watch.asset_selection == dg.AssetSelection.assets(orders)
    with pytest.raises(dg.DefinitionError, match="sensor 'two' has 2 jobs"):
        _ = two.job


def test_values_of_graphs_that_compute_assets() -> None:
    @dg.op
    def double(x: int) -> int:
        return x * 2

    @dg.graph_asset
    def quadrupled(one: int) -> int:
        return double(double(one))

    @dg.asset
    def one() -> int:
        return 1

    result = dg.materialize([one, quadrupled])
    assert [result.output_for_node(name) for name in ("quadrupled", "quadrupled.double", "quadrupled.double_2")] == [4, 2, 4]


def test_failures_name_their_cause() -> None:
    @dg.op
    def raises() -> None:
        raise KeyError("k")

    @dg.op
    def fails(context: dg.OpExecutionContext) -> None:
        raise dg.Failure(f"no {context.op_handle.name}", metadata={"rows": 0})

    @dg.job
    def both() -> None:
        raises()
        fails()

    result = both.execute_in_process(raise_on_error=False)
    raised, failed = result.failure_data_for_node("raises"), result.failure_data_for_node("fails")
    assert raised is not None and raised.error is not None and raised.error.cause is not None  # noqa: PT018 - narrows
    assert (raised.error.cause.cls_name, raised.user_failure_data) == ("KeyError", None)
    assert failed is not None and failed.user_failure_data is not None  # noqa: PT018
    assert (failed.user_failure_data.description, failed.user_failure_data.metadata) == ("no fails", {"rows": dg.IntMetadataValue(0)})


def test_inputs_and_outputs_with_their_names() -> None:
    @dg.op(ins={"x": dg.In(int, description="a number")}, out={"y": dg.Out(int, io_manager_key="io")})
    def work(x: int) -> int:
        return x

    assert work.compute_fn.decorated_fn(3) == 3
    assert (work.compute_fn.name, orders.op.compute_fn.decorated_fn()) == ("work", [1, 2])
    assert [(each.name, each.description) for each in work.input_defs] == [("x", "a number")]
    assert [(each.name, each.io_manager_key, each.is_required) for each in work.output_defs] == [("y", "io", True)]


def test_the_path_of_a_key_is_a_list() -> None:
    key = dg.AssetKey(["shop", "orders"])
    assert key.path == ["shop", "orders"]
    assert (key.parts, key.to_string()) == (("shop", "orders"), '["shop", "orders"]')


def test_kinds_may_be_written_as_tags() -> None:
    spec = dg.AssetSpec("a", tags={"dagster/kind/python": "", "tier": "1"}, kinds={"duckdb"})
    assert (spec.kinds, spec.tags) == ({"python", "duckdb"}, {"tier": "1"})


def test_resource_definitions_are_made_of_a_function_and_a_schema() -> None:
    @dg.op(required_resource_keys={"limit", "name"})
    def both(context: dg.OpExecutionContext) -> tuple[int, str]:
        return context.resources.limit, context.resources.name

    limit = dg.ResourceDefinition(lambda context: context.resource_config["rows"], config_schema={"rows": int})

    @dg.job(resource_defs={"limit": limit, "name": dg.ResourceDefinition(lambda: "n")})
    def job() -> None:
        both()

    config = {"resources": {"limit": {"config": {"rows": 3}}}}
    assert job.execute_in_process(run_config=config).output_for_node("both") == (3, "n")


def test_a_call_is_tried_again() -> None:
    seen: list[str] = []

    def opens(path: str) -> str:
        seen.append(path)
        if len(seen) < 3:
            raise OSError("locked")
        return path

    assert dg.backoff(opens, (OSError,), kwargs={"path": "p"}, delay_generator=iter([0.0, 0.0])) == "p"
    seen.clear()
    with pytest.raises(OSError, match="locked"):
        dg.backoff(opens, (OSError,), ["p"], max_retries=1, delay_generator=iter([0.0]))
