from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

import dagwright as dg
from dagwright_shared.model.errors import DefinitionError


def verdicts(checks: Any, instance: dg.DagsterInstance, *assets: Any) -> dict[str, bool]:
    ran = dg.materialize([*assets, *checks], instance=instance, selection=dg.AssetSelection.checks(*checks))
    return {found.check_name: found.passed for found in ran.get_asset_check_evaluations()}


SCHEMA = dg.TableSchema([dg.TableColumn("a", "int")])


@dg.asset
def orders() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": 3, "dagster/column_schema": SCHEMA})


def test_freshness_and_bounds() -> None:
    fresh = dg.build_last_update_freshness_checks(assets=[orders], lower_bound_delta=timedelta(hours=1))
    bounds = dg.build_metadata_bounds_checks(assets=[orders], metadata_key="rows", min_value=1, max_value=5)
    with dg.DagsterInstance.ephemeral() as instance:
        assert verdicts([*fresh, *bounds], instance, orders) == {"freshness_check": False, "rows_bound_check": False}
        dg.materialize([orders], instance=instance)
        assert verdicts([*fresh, *bounds], instance, orders) == {"freshness_check": True, "rows_bound_check": True}
        tight = dg.build_metadata_bounds_checks(assets=[orders], metadata_key="rows", max_value=3, exclusive_max=True)
        assert verdicts(tight, instance, orders) == {"rows_bound_check": False}


def test_changes_of_columns() -> None:
    checks = dg.build_column_schema_change_checks(assets=[orders])
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([orders], instance=instance)
        assert verdicts(checks, instance, orders) == {"column_schema_change": True}
        changed = dg.TableSchema([dg.TableColumn("a", "string"), dg.TableColumn("b", "int")])
        instance.report_runless_asset_event(dg.AssetMaterialization("orders", metadata={"dagster/column_schema": changed}))
        assert verdicts(checks, instance, orders) == {"column_schema_change": False}


def test_the_newest_partition() -> None:
    @dg.asset(partitions_def=dg.DailyPartitionsDefinition("2020-01-01", end_date="2020-01-03"))
    def daily() -> None: ...

    (check,) = dg.build_time_partition_freshness_checks(assets=[daily], deadline_cron="0 6 * * *")
    with dg.DagsterInstance.ephemeral() as instance:
        assert not next(iter(check(dg.build_asset_check_context(instance=instance)))).passed
        instance.report_runless_asset_event(dg.AssetMaterialization("daily", partition="2020-01-02"))
        assert next(iter(check(dg.build_asset_check_context(instance=instance)))).passed


def test_bad_uses() -> None:
    with pytest.raises(DefinitionError, match="lower_bound_delta is 3"):
        dg.build_last_update_freshness_checks(assets=["x"], lower_bound_delta=3)  # type: ignore[arg-type]
    with pytest.raises(DefinitionError, match="assets is 'x'"):
        dg.build_column_schema_change_checks(assets="x")
    with pytest.raises(DefinitionError, match="there is no bound"):
        dg.build_metadata_bounds_checks(assets=["x"], metadata_key="rows")
    with pytest.raises(DefinitionError, match="the asset orders has no time partitions"):
        dg.build_time_partition_freshness_checks(assets=[orders], deadline_cron="0 6 * * *")
    with pytest.raises(DefinitionError, match="freshness check"):
        dg.build_last_update_freshness_checks(assets=["x"], lower_bound_delta=timedelta(1), deadline_cron="never")


def test_resources_outside_of_runs() -> None:
    @dg.resource(config_schema={"path": str}, required_resource_keys={"root"})
    def place(context: dg.InitResourceContext) -> str:
        return f"{context.resources.root}/{context.resource_config['path']}"

    context = dg.build_init_resource_context(config={"path": "x"}, resources={"root": "/data"})
    assert place(context) == "/data/x"
    config = {"place": {"config": {"path": "y"}}}
    with dg.build_resources({"place": place, "root": dg.ResourceDefinition.hardcoded_resource("/r")}, resource_config=config) as found:
        assert found.place == "/r/y"
        with pytest.raises(dg.DagsterUnknownResourceError, match="no resource 'plase'"):
            _ = found.plase
