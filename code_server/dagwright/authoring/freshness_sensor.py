"""A sensor that asks freshness checks again when what they said may no longer hold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from dagwright.authoring import source as sources
from dagwright.authoring.check_factories import FRESH_UNTIL
from dagwright.authoring.checks import AssetChecksDefinition
from dagwright.authoring.event_types import EventType
from dagwright.authoring.instance import EventRecordsFilter, Instance
from dagwright.authoring.instance_events import EventLogEntry
from dagwright.authoring.requests import RunRequest, SkipReason
from dagwright.authoring.selections import AssetSelection
from dagwright.authoring.sensors import DefaultSensorStatus, SensorDefinition, SensorEvaluationContext, sensor
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.keys import AssetCheckKey
from dagwright_shared.model.snapshot import Overlap


def build_sensor_for_freshness_checks(
    *,
    freshness_checks: Sequence[AssetChecksDefinition],
    minimum_interval_seconds: int | None = None,
    name: str = "freshness_checks_sensor",
    default_status: DefaultSensorStatus = DefaultSensorStatus.STOPPED,
    tags: Mapping[str, str] | None = None,
) -> SensorDefinition:
    """A sensor that evaluates freshness checks when their answer may have changed.

    That is: a check without any result; one that passed, once its `dagwright/fresh_until_timestamp` is over; and one that failed, once
    its asset was materialized since. While a run of the sensor goes on, it asks for no other.

    Args:
        freshness_checks: what `build_last_update_freshness_checks` and `build_time_partition_freshness_checks` gave.
        minimum_interval_seconds: time between evaluations.
        name, default_status: of the sensor.
        tags: of its runs.

    Raises:
        DefinitionError: no checks, or one of them twice.

    Example:
        >>> from datetime import timedelta
        >>> from dagwright import build_last_update_freshness_checks
        >>> checks = build_last_update_freshness_checks(assets=["orders"], lower_bound_delta=timedelta(hours=24))
        >>> build_sensor_for_freshness_checks(freshness_checks=checks).name
        'freshness_checks_sensor'
    """
    source = sources.of_caller()
    keys = [key for each in freshness_checks for key in each.check_keys]
    if not keys or len(keys) != len(set(keys)):
        twice = next((key.to_user_string() for key in keys if keys.count(key) > 1), None)
        said = f"the check {twice} is listed twice" if twice else "there are no checks"
        raise DefinitionError(f"sensor {name!r}: {said}", source=source, mend="list each freshness check once")

    @sensor(
        name=name,
        minimum_interval_seconds=minimum_interval_seconds,
        asset_selection=AssetSelection.checks(*freshness_checks),
        default_status=default_status,
        description="Evaluates freshness checks whose answer may have changed.",
        overlap=Overlap.SKIP,
    )
    def ask_again(context: SensorEvaluationContext) -> RunRequest | SkipReason:
        now = datetime.now(UTC)
        due = [key for key in keys if is_due(context.instance, key, now)]
        return RunRequest(asset_check_keys=due, tags=tags) if due else SkipReason("no freshness check can say anything new yet")

    return ask_again


def is_due(instance: Instance, key: AssetCheckKey, now: datetime) -> bool:
    """Whether a freshness check may say something else than the last time."""
    last = _last(instance, key)
    found = last.asset_check_evaluation if last is not None else None
    if last is None or found is None:
        return True
    if found.passed:
        until = getattr(found.metadata.get(FRESH_UNTIL), "value", None)
        return until is None or until <= now.timestamp()
    made = instance.get_latest_materialization_event(key.asset_key)
    return made is not None and made.timestamp > last.timestamp


def _last(instance: Instance, key: AssetCheckKey) -> EventLogEntry | None:
    """The newest result of a check, which is among those of the other checks of its asset."""
    before: int | None = None
    while True:
        page = instance.get_event_records(
            EventRecordsFilter(EventType.ASSET_CHECK_EVALUATION, asset_key=key.asset_key, before_cursor=before), limit=100
        )
        for item in page:
            result = item.event_log_entry.asset_check_evaluation
            if result is not None and result.check_name == key.name:
                return item.event_log_entry
        if len(page) < 100:
            return None
        before = page[-1].storage_id
