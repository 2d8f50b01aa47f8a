"""Sensors that evaluate the automation conditions of assets; the daemon does it, no user function is called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagwright.authoring import naming
from dagwright.authoring import source as sources
from dagwright.authoring.automation import AutomationCondition
from dagwright.authoring.requests import misfit
from dagwright.authoring.selections import AssetSelection
from dagwright.authoring.sensors import DefaultSensorStatus, SensorDefinition, SensorEvaluationContext
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.snapshot import SensorKind


class AutomationConditionSensorDefinition(SensorDefinition):
    """A switch of its own, with its own interval and tags, for the automation of some assets.

    Args:
        name: of the sensor.
        target: the assets and checks whose conditions it evaluates.
        run_tags: of the runs that it asks for.
        default_condition: for those that have none of their own.
        emit_backfills: ask for a backfill where many partitions are to be made.
        tags, default_status, minimum_interval_seconds, description, metadata: as for `@sensor`.

    Example:
        >>> sensor = AutomationConditionSensorDefinition("frequent", target="group:raw", minimum_interval_seconds=5)
        >>> sensor.minimum_interval_seconds
        5
    """

    asset_selection: AssetSelection
    run_tags: Mapping[str, str]
    default_condition: AutomationCondition | None
    emit_backfills: bool

    def __init__(
        self,
        name: str,
        *,
        target: Any,
        tags: Mapping[str, str] | None = None,
        run_tags: Mapping[str, Any] | None = None,
        default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
        minimum_interval_seconds: int | None = None,
        description: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        emit_backfills: bool = True,
        use_user_code_server: bool = False,
        default_condition: AutomationCondition | None = None,
    ) -> None:
        del use_user_code_server  # conditions are data here: nothing has to be asked of user code
        source = sources.of_caller()
        if default_condition is not None and not isinstance(default_condition, AutomationCondition):
            raise DefinitionError(
                f"sensor {name!r}: default_condition is a {type(default_condition).__name__}",
                source=source,
                mend="give an AutomationCondition, such as AutomationCondition.eager()",
            )
        object.__setattr__(self, "asset_selection", AssetSelection.from_coercible(target))
        object.__setattr__(self, "run_tags", naming.check_run_tags(run_tags, f"sensor {name!r}", source))
        object.__setattr__(self, "default_condition", default_condition)
        object.__setattr__(self, "emit_backfills", emit_backfills)
        super().__init__(
            name=name,
            evaluation_fn=_nothing,
            target=self.asset_selection,
            tags=tags,
            default_status=default_status,
            minimum_interval_seconds=minimum_interval_seconds,
            description=description or "Evaluates automation conditions.",
            metadata=metadata,
            source=source,
            kind=SensorKind.AUTOMATION,
        )

    def ask(self, context: SensorEvaluationContext) -> Any:
        del context
        raise misfit(f"sensor {self.name!r}", None, "nothing: it has no function, the daemon evaluates its conditions")

    def watched(self, graph: Any) -> dict[str, Any]:
        return {
            "asset_keys": tuple(sorted(self.asset_selection.resolve(graph))),
            "check_keys": tuple(sorted(self.asset_selection.resolve_checks(graph))),
            "run_tags": self.run_tags,
            "default_condition": self.default_condition.to_model(graph) if self.default_condition is not None else None,
            "emit_backfills": self.emit_backfills,
        }


def _nothing() -> None:
    """No user function is called."""
