"""Five thousand assets in layers, each with an eager condition: what an idle deployment of that size costs is measured with it."""

from __future__ import annotations

import dagwright as dg

ASSETS, WIDTH = 5_000, 100


def _asset(number: int) -> dg.AssetsDefinition:
    above = [f"a{number - WIDTH}"] if number >= WIDTH else []

    @dg.asset(name=f"a{number}", deps=above, automation_condition=dg.AutomationCondition.eager())
    def made() -> None: ...

    return made


defs = dg.Definitions(
    assets=[_asset(number) for number in range(ASSETS)],
    sensors=[
        dg.AutomationConditionSensorDefinition("conditions", target=dg.AssetSelection.all(), default_status=dg.DefaultSensorStatus.RUNNING)
    ],
)
