"""Checks that are made rather than written: freshness, changes of columns, bounds of metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from dagwright.authoring import naming
from dagwright.authoring import source as sources
from dagwright.authoring.assets_definition import AssetsDefinition
from dagwright.authoring.checks import AssetChecksDefinition, multi_asset_check
from dagwright.authoring.results import AssetCheckResult, AssetCheckSeverity
from dagwright.authoring.specs import AssetCheckSpec
from dagwright.authoring.time_partitions import TimeWindowPartitionsDefinition
from dagwright_shared.model import cron
from dagwright_shared.model.errors import DefinitionError, SourceRef
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.metadata import TableColumn, TableSchema, TimestampMetadataValue

COLUMN_SCHEMA = ("dagwright/column_schema", "dagster/column_schema")
"""Metadata entries that hold the columns of a table."""

FRESH_UNTIL = "dagwright/fresh_until_timestamp"
"""The metadata entry of a freshness check that passed: when the asset can be late again, in seconds since 1970."""

Verdict = tuple[bool, str, Mapping[str, Any]]


def build_last_update_freshness_checks(
    *,
    assets: Sequence[Any],
    lower_bound_delta: timedelta,
    deadline_cron: str | None = None,
    timezone: str = "UTC",
    severity: AssetCheckSeverity = AssetCheckSeverity.WARN,
    blocking: bool = False,
) -> Sequence[AssetChecksDefinition]:
    """Checks that assets were materialized recently.

    Args:
        assets: definitions, keys or text.
        lower_bound_delta: how long ago the latest materialization may be, counted from now, or from the latest deadline.
        deadline_cron: when data must be there; between deadlines nothing changes.
        timezone: of the deadlines.
        severity: of a failure.
        blocking: as for `@asset_check`.

    Raises:
        DefinitionError: no assets, a span that is not positive, or no cron expression.

    Example:
        >>> from datetime import timedelta
        >>> (check,) = build_last_update_freshness_checks(assets=["orders"], lower_bound_delta=timedelta(hours=24))
        >>> check.check_key.to_user_string()
        'orders:freshness_check'
    """
    source = sources.of_caller()
    if not isinstance(lower_bound_delta, timedelta) or lower_bound_delta <= timedelta(0):
        raise DefinitionError(
            f"freshness check: lower_bound_delta is {lower_bound_delta!r}", source=source, mend="give a positive timedelta"
        )
    deadline, following = _deadline(deadline_cron, timezone, source)

    def judge(instance: Any, key: AssetKey) -> Verdict:
        now = datetime.now(UTC)
        needed = (deadline(now) or now) - lower_bound_delta
        event = instance.get_latest_materialization_event(key)
        if event is None:
            return False, "it was never materialized", {"needed_since": needed}
        at = datetime.fromtimestamp(event.timestamp, UTC)
        told: dict[str, Any] = {"last_updated": at, "needed_since": needed}
        until = following(now) or at + lower_bound_delta
        if at < needed:
            return False, f"it was last materialized at {at:%Y-%m-%d %H:%M:%S} UTC", told
        return True, "it is fresh", {**told, FRESH_UNTIL: _stamp(until)}

    return _checks("freshness_check", assets, judge, severity, blocking, source)


def build_time_partition_freshness_checks(
    *,
    assets: Sequence[Any],
    deadline_cron: str,
    timezone: str = "UTC",
    severity: AssetCheckSeverity = AssetCheckSeverity.WARN,
    blocking: bool = False,
) -> Sequence[AssetChecksDefinition]:
    """Checks that the newest partition that was complete at the latest deadline is materialized.

    Args:
        assets: definitions of assets with time partitions.
        deadline_cron, timezone, severity, blocking: as for `build_last_update_freshness_checks`.

    Raises:
        DefinitionError: an asset has no time partitions.
    """
    source = sources.of_caller()
    deadline, following = _deadline(deadline_cron, timezone, source)
    partitions: dict[AssetKey, TimeWindowPartitionsDefinition] = {}
    for item in assets:
        for spec in item.specs if isinstance(item, AssetsDefinition) else ():
            if isinstance(spec.partitions_def, TimeWindowPartitionsDefinition):
                partitions[spec.key] = spec.partitions_def
    for key in _keys(assets, source):
        if key not in partitions:
            raise DefinitionError(
                f"freshness check: the asset {key.to_user_string()} has no time partitions",
                source=source,
                mend="give definitions with time partitions",
            )

    def judge(instance: Any, key: AssetKey) -> Verdict:
        now = datetime.now(UTC)
        wanted = partitions[key].get_last_partition_key(deadline(now) or now)
        until = {FRESH_UNTIL: _stamp(following(now) or now)}
        if wanted is None:
            return True, "no partition was due", until
        there = wanted in set(instance.get_materialized_partitions(key))
        told = {"partition": wanted, **(until if there else {})}
        return there, f"partition {wanted} is {'there' if there else 'missing'}", told

    return _checks("freshness_check", assets, judge, severity, blocking, source)


def build_column_schema_change_checks(
    *, assets: Sequence[Any], severity: AssetCheckSeverity = AssetCheckSeverity.WARN
) -> Sequence[AssetChecksDefinition]:
    """Checks that a table's columns are those of the materialization before, as its metadata tells them.

    Example:
        >>> (check,) = build_column_schema_change_checks(assets=["orders"])
        >>> check.check_key.name
        'column_schema_change'
    """

    def judge(instance: Any, key: AssetKey) -> Verdict:
        found = [record.asset_materialization for record in instance.fetch_materializations(key, limit=2).records]
        schemas = [_schema(each.metadata) for each in found if each is not None]
        if len(schemas) < 2:
            return True, "there are not two materializations yet", {}
        new, old = schemas[0], schemas[1]
        if new is None or old is None:
            return False, f"a materialization has no {COLUMN_SCHEMA[0]} in its metadata", {}
        before, after = {c.name: c for c in old.columns}, {c.name: c for c in new.columns}
        changes = [f"added {name}" for name in after if name not in before]
        changes += [f"removed {name}" for name in before if name not in after]
        changes += [f"{n}: {before[n].type} became {after[n].type}" for n in after if n in before and _differ(before[n], after[n])]
        return not changes, "; ".join(changes) or "the columns are the same", {}

    return _checks("column_schema_change", assets, judge, severity, False, sources.of_caller())


def build_metadata_bounds_checks(
    *,
    assets: Sequence[Any],
    metadata_key: str,
    severity: AssetCheckSeverity = AssetCheckSeverity.WARN,
    min_value: float | None = None,
    max_value: float | None = None,
    exclusive_min: bool = False,
    exclusive_max: bool = False,
) -> Sequence[AssetChecksDefinition]:
    """Checks that a number in the metadata of the latest materialization lies between bounds.

    Args:
        assets: definitions, keys or text.
        metadata_key: the entry.
        min_value, max_value: at least one of them.
        exclusive_min, exclusive_max: whether the bound itself is too little, or too much.

    Example:
        >>> (check,) = build_metadata_bounds_checks(assets=["orders"], metadata_key="rows", min_value=1)
        >>> check.check_key.name
        'rows_bound_check'
    """
    source = sources.of_caller()
    if min_value is None and max_value is None:
        raise DefinitionError("bounds check: there is no bound", source=source, mend="give min_value= or max_value=")

    def judge(instance: Any, key: AssetKey) -> Verdict:
        event = instance.get_latest_materialization_event(key)
        made = event.asset_materialization if event is not None else None
        value = getattr(made.metadata.get(metadata_key), "value", None) if made is not None else None
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False, f"the latest materialization has no number {metadata_key!r}", {}
        low = min_value is not None and (value < min_value or (exclusive_min and value == min_value))
        high = max_value is not None and (value > max_value or (exclusive_max and value == max_value))
        bounds = f"{'-inf' if min_value is None else min_value} to {'inf' if max_value is None else max_value}"
        return not (low or high), f"{value} is {'outside of' if low or high else 'within'} {bounds}", {"actual_value": value}

    return _checks(f"{naming.identifier(AssetKey((metadata_key,)))}_bound_check", assets, judge, severity, False, source)


def _checks(
    name: str,
    assets: Sequence[Any],
    judge: Callable[[Any, AssetKey], Verdict],
    severity: AssetCheckSeverity,
    blocking: bool,
    source: SourceRef | None,
) -> list[AssetChecksDefinition]:
    """One definition for each asset: a run evaluates those of the assets that it asks for."""

    def of(key: AssetKey) -> AssetChecksDefinition:
        def check(context: Any) -> Iterator[AssetCheckResult]:
            passed, description, metadata = judge(context.instance, key)
            yield AssetCheckResult(
                passed=passed, asset_key=key, check_name=name, description=description, severity=severity, metadata=metadata
            )

        spec = AssetCheckSpec(name, asset=key, blocking=blocking, source=source)
        return multi_asset_check(specs=[spec], name=naming.identifier(key, name), description=f"{name} of {key.to_user_string()}")(check)

    return [of(key) for key in _keys(assets, source)]


def _keys(assets: Sequence[Any], source: SourceRef | None) -> list[AssetKey]:
    if isinstance(assets, (str, AssetKey)) or not assets:
        raise DefinitionError(f"assets is {assets!r}", source=source, mend="give a list of assets")
    found: dict[AssetKey, None] = {}
    for item in assets:
        keys = item.keys if isinstance(item, AssetsDefinition) else [naming.asset_key(item, "check", source)]
        for key in keys:
            if key in found:
                raise DefinitionError(f"the asset {key.to_user_string()} is listed twice", source=source, mend="list each asset once")
            found[key] = None
    return list(found)


def _stamp(at: datetime) -> TimestampMetadataValue:
    return TimestampMetadataValue(at.timestamp())


_Moment = Callable[[datetime], datetime | None]


def _deadline(expression: str | None, timezone: str, source: SourceRef | None) -> tuple[_Moment, _Moment]:
    """The deadline before a moment and the one after it; none without an expression."""
    if expression is None:
        return lambda _: None, lambda _: None
    try:
        ready = cron.check(expression)
        cron.zone(timezone)
    except ValueError as error:
        raise DefinitionError(f"freshness check: {error}", source=source) from None
    return lambda now: next(islice(cron.before(ready, now, timezone), 1)), lambda now: next(islice(cron.after(ready, now, timezone), 1))


def _schema(metadata: Mapping[str, Any]) -> TableSchema | None:
    for name in COLUMN_SCHEMA:
        schema = getattr(metadata.get(name), "schema", None)
        if isinstance(schema, TableSchema):
            return schema
    return None


def _differ(old: TableColumn, new: TableColumn) -> bool:
    return old.type != new.type
