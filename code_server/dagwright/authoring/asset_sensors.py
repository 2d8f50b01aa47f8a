"""Sensors of assets: they react to new materializations."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field, fields
from typing import Any

from dagwright.authoring import naming
from dagwright.authoring import source as sources
from dagwright.authoring.instance import AssetRecordsFilter, Instance
from dagwright.authoring.instance_events import EventLogRecord
from dagwright.authoring.partitions import PartitionsDefinition
from dagwright.authoring.requests import SkipReason, misfit
from dagwright.authoring.selections import AssetSelection
from dagwright.authoring.sensor_results import SensorResult, as_result, together
from dagwright.authoring.sensors import AT_ONCE, SensorDefinition, SensorEvaluationContext
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.snapshot import SensorKind


class AssetSensorDefinition(SensorDefinition):
    """A sensor that is called with each new materialization of an asset. See `@asset_sensor`."""

    takes_inputs = 1

    asset_key: AssetKey

    def __init__(
        self,
        name: str | None,
        asset_key: Any,
        job_name: str | None,
        asset_materialization_fn: Callable[..., Any],
        minimum_interval_seconds: int | None = None,
        description: str | None = None,
        **options: Any,
    ) -> None:
        options |= {"job_name": job_name, "minimum_interval_seconds": minimum_interval_seconds, "description": description}
        object.__setattr__(self, "asset_key", naming.asset_key(asset_key, "@asset_sensor", sources.of_function(asset_materialization_fn)))
        super().__init__(name, evaluation_fn=asset_materialization_fn, kind=SensorKind.ASSET, **options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """With a context alone: evaluate against its instance; with an event too: run the function."""
        if len(args) == 1 and not kwargs and isinstance(args[0], SensorEvaluationContext):
            return self.ask(args[0])
        return super().__call__(*args, **kwargs)

    def ask(self, context: SensorEvaluationContext) -> Any:
        """The function's answers to the materializations since the evaluation before; the first evaluation looks at the newest alone."""
        first = not context.cursor
        wanted = AssetRecordsFilter(self.asset_key, after_storage_id=None if first else int(context.cursor or 0))
        page = context.instance.fetch_materializations(wanted, limit=1 if first else AT_ONCE, ascending=not first)
        if not page.records:
            if first:
                context.update_cursor("0")  # whatever comes now is new
            return SkipReason(f"{self.asset_key.to_user_string()} has not been materialized since the evaluation before")
        answers = [self._react(context, item) for item in page.records]
        context.update_cursor(str(page.records[-1].storage_id))
        context.more = page.has_more and not first
        return answers[0] if len(answers) == 1 else together([as_result(answer, f"sensor {self.name!r}") for answer in answers])

    def _react(self, context: SensorEvaluationContext, item: EventLogRecord) -> Any:
        returned = self.call(context, item.event_log_entry)
        if isinstance(returned, Iterator):
            returned = list(returned)
        if isinstance(returned, SensorResult) and returned.cursor is not None:
            raise misfit(f"sensor {self.name!r}", returned, "a SensorResult without a cursor: an asset sensor keeps its own")
        return returned

    def watched(self, graph: Any) -> dict[str, Any]:
        del graph
        return {"asset_keys": (self.asset_key,)}


def asset_sensor(asset_key: Any, **options: Any) -> Callable[[Callable[..., Any]], AssetSensorDefinition]:
    """Turn a function of a context and a materialization into a sensor.

    Args:
        asset_key: the asset that it watches.
        options: as for `@sensor`: job, jobs, job_name, name, minimum_interval_seconds, description, default_status,
            required_resource_keys, tags, metadata.

    Example:
        >>> from dagwright import AssetKey, RunRequest
        >>> @asset_sensor(asset_key=AssetKey("raw"), job_name="report")
        ... def on_raw(context, asset_event):
        ...     return RunRequest(run_key=asset_event.run_id)
        >>> on_raw.asset_key
        AssetKey(['raw'])
    """

    def decorate(fn: Callable[..., Any]) -> AssetSensorDefinition:
        given = {"name": None, "job_name": None, **options}
        return AssetSensorDefinition(asset_key=asset_key, asset_materialization_fn=fn, **given)

    return decorate


@dataclass(slots=True, kw_only=True)
class _Place:
    """How far an asset has been consumed."""

    latest_id: int | None = None
    partition: str | None = None
    unconsumed: dict[str, int] = field(default_factory=dict)
    """Partition to the newest event of it that was passed over."""


@dataclass(slots=True, kw_only=True)
class MultiAssetSensorEvaluationContext(SensorEvaluationContext):
    """What the function of a `@multi_asset_sensor` knows; its cursor has a place for each asset."""

    asset_keys: Sequence[AssetKey] = ()
    partitions: Mapping[AssetKey, PartitionsDefinition | None] = field(default_factory=dict)

    def latest_materialization_records_by_key(self, asset_keys: Sequence[AssetKey] | None = None) -> dict[AssetKey, EventLogRecord | None]:
        """The newest materialization of each asset since its cursor; None where there is none."""
        return {key: next(iter(self._records(key, limit=1, ascending=False)), None) for key in asset_keys or self.asset_keys}

    def materialization_records_for_key(self, asset_key: AssetKey, limit: int | None = None) -> list[EventLogRecord]:
        """Materializations since the cursor, oldest first."""
        return self._records(asset_key, limit=limit, ascending=True)

    def latest_materialization_records_by_partition(
        self, asset_key: AssetKey, after_cursor_partition: bool = False
    ) -> dict[str, EventLogRecord]:
        """The newest materialization of each partition since the cursor, and of those that were passed over; oldest first."""
        place = self._place(asset_key)
        found = [*self.get_trailing_unconsumed_events(asset_key), *self._records(asset_key, limit=None, ascending=True)]
        newest = {item.partition_key: item for item in found if item.partition_key is not None}
        ordered = sorted(newest.items(), key=lambda pair: pair[1].storage_id)
        if after_cursor_partition and place.partition is not None:
            keys = list(definition.get_partition_keys()) if (definition := self.partitions.get(asset_key)) is not None else []
            border = keys.index(place.partition) if place.partition in keys else -1
            ordered = [(key, item) for key, item in ordered if key in keys and keys.index(key) > border]
        return dict(ordered)

    def latest_materialization_records_by_partition_and_asset(self) -> dict[str, dict[AssetKey, EventLogRecord]]:
        """As `latest_materialization_records_by_partition`, of all assets: by partition, then asset."""
        found: dict[str, dict[AssetKey, EventLogRecord]] = {}
        for key in self.asset_keys:
            for partition, item in self.latest_materialization_records_by_partition(key).items():
                found.setdefault(partition, {})[key] = item
        return found

    def all_partitions_materialized(self, asset_key: AssetKey, partitions: Sequence[str] | None = None) -> bool:
        """Whether these partitions (by default all) have been materialized.

        Raises:
            ValueError: the asset is not partitioned.
        """
        definition = self.partitions.get(asset_key)
        if partitions is None and definition is None:
            raise ValueError(
                f"{asset_key.to_user_string()} is not partitioned, as far as is known; give partitions=, or definitions= to the context"
            )
        wanted = partitions if partitions is not None else definition.get_partition_keys() if definition is not None else ()
        made: set[str] = self.instance.get_materialized_partitions(asset_key)
        return set(wanted) <= made

    def get_cursor_partition(self, asset_key: AssetKey) -> str | None:
        """The partition of the materialization that the cursor stands at."""
        return self._place(asset_key).partition

    def get_trailing_unconsumed_events(self, asset_key: AssetKey) -> list[EventLogRecord]:
        """Materializations that the cursor passed over, oldest first."""
        ids = sorted(self._place(asset_key).unconsumed.values())
        if not ids:
            return []
        wanted = AssetRecordsFilter(asset_key, after_storage_id=ids[0] - 1, before_storage_id=ids[-1] + 1)
        found = self.instance.fetch_materializations(wanted, limit=9_999, ascending=True).records
        return [item for item in found if item.storage_id in ids]

    def advance_cursor(self, materialization_records_by_key: Mapping[AssetKey, EventLogRecord | None]) -> None:
        """Note that these materializations are consumed. Older ones of other partitions stay, as unconsumed."""
        places = self._places()
        for key, item in materialization_records_by_key.items():
            if item is None:
                continue
            place = places.setdefault(key.to_user_string(), _Place())
            if place.latest_id is None or item.storage_id > place.latest_id:
                between = AssetRecordsFilter(key, after_storage_id=place.latest_id, before_storage_id=item.storage_id)
                passed = self.instance.fetch_materializations(between, limit=9_999, ascending=True).records
                place.unconsumed.update({event.partition_key: event.storage_id for event in passed if event.partition_key is not None})
                place.latest_id, place.partition = item.storage_id, item.partition_key
            if item.partition_key is not None and place.unconsumed.get(item.partition_key, item.storage_id) <= item.storage_id:
                place.unconsumed.pop(item.partition_key, None)
        self._write(places)

    def advance_all_cursors(self) -> None:
        """Note that everything up to now is consumed."""
        places = self._places()
        for key, item in self.latest_materialization_records_by_key().items():
            old = places.get(key.to_user_string(), _Place())
            places[key.to_user_string()] = (
                _Place(latest_id=item.storage_id, partition=item.partition_key)
                if item is not None
                else _Place(latest_id=old.latest_id, partition=old.partition)
            )
        self._write(places)

    def _records(self, key: AssetKey, *, limit: int | None, ascending: bool) -> list[EventLogRecord]:
        wanted = AssetRecordsFilter(key, after_storage_id=self._place(key).latest_id)
        return list(self.instance.fetch_materializations(wanted, limit=limit or 9_999, ascending=ascending).records)

    def _place(self, key: AssetKey) -> _Place:
        if key not in self.asset_keys:
            known = ", ".join(one.to_user_string() for one in self.asset_keys)
            raise ValueError(f"this sensor does not watch {AssetKey.from_coercible(key).to_user_string()}; it watches {known}")
        return self._places().get(key.to_user_string(), _Place())

    def _places(self) -> dict[str, _Place]:
        return {name: _Place(**values) for name, values in json.loads(self.cursor or "{}").items()}

    def _write(self, places: Mapping[str, _Place]) -> None:
        plain = {name: {part.name: getattr(place, part.name) for part in fields(place)} for name, place in places.items()}
        self.update_cursor(json.dumps(plain, sort_keys=True))


class MultiAssetSensorDefinition(SensorDefinition):
    """A sensor that watches several assets. See `@multi_asset_sensor`."""

    monitored: AssetSelection

    def __init__(
        self,
        name: str | None,
        monitored_assets: Any,
        job_name: str | None,
        asset_materialization_fn: Callable[..., Any],
        minimum_interval_seconds: int | None = None,
        description: str | None = None,
        *,
        request_assets: Any = None,
        **options: Any,
    ) -> None:
        options |= {"job_name": job_name, "minimum_interval_seconds": minimum_interval_seconds, "description": description}
        source = sources.of_function(asset_materialization_fn)
        try:
            object.__setattr__(self, "monitored", _selection(monitored_assets))
        except DefinitionError as error:
            raise DefinitionError(f"@multi_asset_sensor: {error.message}", source=source) from None
        super().__init__(
            name, evaluation_fn=asset_materialization_fn, asset_selection=request_assets, kind=SensorKind.MULTI_ASSET, **options
        )

    def prepared(self, context: SensorEvaluationContext, definitions: Any) -> SensorEvaluationContext:
        keys, partitions = _monitored(self.monitored, definitions)
        given = {part.name: getattr(context, part.name) for part in fields(SensorEvaluationContext)}
        return MultiAssetSensorEvaluationContext(**given, asset_keys=keys, partitions=partitions)

    def watched(self, graph: Any) -> dict[str, Any]:
        named = getattr(self.monitored.node, "keys", ())  # they may be of another location
        return {"asset_keys": tuple(sorted({*self.monitored.resolve(graph), *named}))}


def multi_asset_sensor(monitored_assets: Any, **options: Any) -> Callable[[Callable[..., Any]], MultiAssetSensorDefinition]:
    """Turn a function of a MultiAssetSensorEvaluationContext into a sensor.

    Args:
        monitored_assets: keys, or a selection.
        options: as for `@sensor`; `request_assets` selects what it may launch.

    Example:
        >>> from dagwright import AssetKey, RunRequest
        >>> @multi_asset_sensor(monitored_assets=[AssetKey("a"), AssetKey("b")], job_name="report")
        ... def on_both(context):
        ...     if all(context.latest_materialization_records_by_key().values()):
        ...         context.advance_all_cursors()
        ...         return RunRequest()
        >>> on_both.name
        'on_both'
    """

    def decorate(fn: Callable[..., Any]) -> MultiAssetSensorDefinition:
        given = {"name": None, "job_name": None, **options}
        return MultiAssetSensorDefinition(monitored_assets=monitored_assets, asset_materialization_fn=fn, **given)

    return decorate


def build_multi_asset_sensor_context(
    *,
    monitored_assets: Any,
    repository_def: Any = None,
    instance: Instance | None = None,
    cursor: str | None = None,
    repository_name: str | None = None,
    cursor_from_latest_materializations: bool = False,
    resources: Mapping[str, Any] | None = None,
    definitions: Any = None,
    last_sensor_start_time: float | None = None,
) -> MultiAssetSensorEvaluationContext:
    """A context for calling the function of a `@multi_asset_sensor` in a test.

    Args:
        monitored_assets: as for the sensor.
        definitions: the Definitions that it belongs to; needed for selections and for partitions.
        cursor_from_latest_materializations: start after what the instance has already.
    """
    given = definitions if definitions is not None else repository_def
    keys, partitions = _monitored(_selection(monitored_assets), given.resolve() if given is not None else None)
    context = MultiAssetSensorEvaluationContext(
        cursor=cursor,
        instance=Instance.ephemeral() if instance is None else instance,
        repository_name=repository_name,
        repository_def=given,
        resource_values=dict(resources or {}),
        last_sensor_start_time=last_sensor_start_time,
        asset_keys=keys,
        partitions=partitions,
    )
    if cursor_from_latest_materializations:
        context.advance_all_cursors()
    return context


def _selection(given: Any) -> AssetSelection:
    return AssetSelection.assets(*given) if isinstance(given, (list, tuple)) else AssetSelection.from_coercible(given)


def _monitored(selection: AssetSelection, definitions: Any) -> tuple[tuple[AssetKey, ...], dict[AssetKey, PartitionsDefinition | None]]:
    keys = getattr(selection.node, "keys", None)
    if definitions is None:
        if keys is None:
            raise ValueError("monitored_assets is a selection; give definitions= so that it can be resolved")
        return tuple(keys), {}
    graph = definitions.graph
    found = tuple(keys) if keys is not None else tuple(sorted(selection.resolve(graph)))
    return found, {key: graph.spec(key).partitions_def for key in found if key in graph.assets_by_key}
