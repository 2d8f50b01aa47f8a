"""An asset, and one that is made as soon as the first one has been; its sensor is switched on."""

from __future__ import annotations

import dagwright as dg


@dg.asset
def upstream() -> None: ...


@dg.asset(deps=[upstream], automation_condition=dg.AutomationCondition.eager())
def downstream() -> None: ...


defs = dg.Definitions(
    assets=[upstream, downstream],
    jobs=[dg.define_asset_job("make_upstream", "upstream", executor_def=dg.in_process_executor)],
    sensors=[dg.AutomationConditionSensorDefinition("eager", target="*", default_status=dg.DefaultSensorStatus.RUNNING)],
    executor=dg.in_process_executor,
)
