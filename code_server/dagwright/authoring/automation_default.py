"""The sensor that a location has without anybody writing it, for the automation conditions that no other sensor evaluates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from dagwright.authoring.assets import AssetsDefinition
from dagwright.authoring.automation_sensors import AutomationConditionSensorDefinition
from dagwright.authoring.selections import AssetSelection
from dagwright.authoring.sensors import SensorDefinition
from dagwright_shared.model import selection
from dagwright_shared.model.keys import AssetCheckKey

NAME = "default_automation_condition_sensor"


class Graph(selection.Selectable, Protocol):
    """The assets and checks of the location."""

    @property
    def checks_by_key(self) -> Mapping[AssetCheckKey, Any]: ...


def sensors(assets: Iterable[AssetsDefinition], graph: Graph, known: Sequence[SensorDefinition]) -> tuple[SensorDefinition, ...]:
    """That sensor, or nothing: it is switched off until somebody switches it on, as in Dagster."""
    keys = {spec.key for item in assets if item.is_executable for spec in item.specs if spec.automation_condition is not None}
    checks = {
        spec.key
        for owner in {id(owner): owner for owner in graph.checks_by_key.values()}.values()
        for spec in owner.check_specs
        if spec.automation_condition is not None
    }
    for item in known:
        if isinstance(item, AutomationConditionSensorDefinition) and (keys or checks):
            keys -= item.asset_selection.resolve(graph)
            checks -= item.asset_selection.resolve_checks(graph)
    if (not keys and not checks) or any(item.name == NAME for item in known):
        return ()
    mine = selection.WithoutChecks(selection.Keys(tuple(sorted(keys))))
    target = AssetSelection(selection.Or(mine, selection.Checks(tuple(sorted(checks)))))
    made = AutomationConditionSensorDefinition(NAME, target=target)
    object.__setattr__(made, "source", None)  # nobody wrote it
    return (made,)
