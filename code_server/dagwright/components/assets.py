"""Assets and checks as YAML writes them, and changing the assets of definitions afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field as default
from typing import Annotated, Any, Literal, TypeAlias

from dagwright.authoring import naming
from dagwright.authoring.definitions import Definitions
from dagwright.authoring.partitions import PartitionsDefinition, StaticPartitionsDefinition
from dagwright.authoring.policies import BackfillPolicy
from dagwright.authoring.selections import AssetSelection
from dagwright.authoring.specs import AssetCheckSpec, AssetSpec
from dagwright.authoring.time_partitions import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    TimeWindowPartitionsDefinition,
    WeeklyPartitionsDefinition,
)
from dagwright.components.resolution import ResolutionContext
from dagwright.components.resolved import Resolvable, resolve_fields
from dagwright.components.resolver import Model, Resolver
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.graph import Topology
from dagwright_shared.model.keys import AssetCheckKey, AssetKey
from dagwright_shared.model.snapshot import AssetExecution

ResolvedAssetKey: TypeAlias = Annotated[
    AssetKey,
    Resolver(lambda _, value: naming.asset_key(value), model_field_type=str, description="The asset's key, such as `schema/table`."),
]


class HourlyPartitionsModel(Resolvable, Model):
    """`type: hourly`."""

    type: Literal["hourly"] = "hourly"
    start_date: str
    end_date: str | None = None
    timezone: str | None = None
    minute_offset: int = 0


class DailyPartitionsModel(HourlyPartitionsModel):
    """`type: daily`."""

    type: Literal["daily"] = "daily"  # type: ignore[assignment]  # each kind has a type of its own
    hour_offset: int = 0


class WeeklyPartitionsModel(DailyPartitionsModel):
    """`type: weekly`."""

    type: Literal["weekly"] = "weekly"  # type: ignore[assignment]
    day_offset: int = 0


class MonthlyPartitionsModel(DailyPartitionsModel):
    """`type: monthly`."""

    type: Literal["monthly"] = "monthly"  # type: ignore[assignment]
    day_offset: int = 1


class TimeWindowPartitionsModel(Resolvable, Model):
    """`type: time_window`."""

    type: Literal["time_window"] = "time_window"
    start_date: str
    fmt: str
    cron_schedule: str
    end_date: str | None = None
    timezone: str | None = None


class StaticPartitionsModel(Resolvable, Model):
    """`type: static`."""

    type: Literal["static"] = "static"
    partition_keys: Sequence[str]


def _partitions(context: ResolutionContext, model: Any) -> PartitionsDefinition | None:
    if model is None:
        return None
    values = context.resolve_value(model.model_dump(exclude_unset=True))
    kind = values.pop("type", model.type)
    if kind == "time_window":
        values = {{"start_date": "start", "end_date": "end"}.get(name, name): value for name, value in values.items()}
    kinds: Mapping[str, Callable[..., PartitionsDefinition]] = {
        "hourly": HourlyPartitionsDefinition,
        "daily": DailyPartitionsDefinition,
        "weekly": WeeklyPartitionsDefinition,
        "monthly": MonthlyPartitionsDefinition,
        "time_window": TimeWindowPartitionsDefinition,
        "static": StaticPartitionsDefinition,
    }
    return kinds[kind](**values)


class SingleRunBackfillModel(Resolvable, Model):
    """`type: single_run`."""

    type: Literal["single_run"] = "single_run"


class MultiRunBackfillModel(Resolvable, Model):
    """`type: multi_run`."""

    type: Literal["multi_run"] = "multi_run"
    max_partitions_per_run: int = 1


def _backfill(_: ResolutionContext, model: Any) -> BackfillPolicy | None:
    if model is None:
        return None
    if model.type == "single_run":
        return BackfillPolicy.single_run()
    return BackfillPolicy.multi_run(max_partitions_per_run=model.max_partitions_per_run)


class OpSpec(Resolvable, Model):
    """The op behind assets and checks."""

    name: str | None = None
    tags: dict[str, Any] | None = None
    description: str | None = None
    pool: str | None = None
    backfill_policy: Annotated[
        BackfillPolicy | None, Resolver(_backfill, model_field_type=SingleRunBackfillModel | MultiRunBackfillModel | None)
    ] = None


def _tags(context: ResolutionContext, value: Any) -> dict[str, str]:
    """Tags as text: YAML makes numbers and booleans of what is not quoted."""
    found = context.resolve_value(dict(value or {}))
    return {key: str(one).lower() if isinstance(one, bool) else str(one) for key, one in found.items()}


Tags: TypeAlias = Annotated[Mapping[str, str], Resolver(_tags, model_field_type=dict[str, str | int | float | bool])]
Partitions: TypeAlias = Annotated[
    PartitionsDefinition | None,
    Resolver(
        _partitions,
        model_field_type=HourlyPartitionsModel
        | DailyPartitionsModel
        | WeeklyPartitionsModel
        | MonthlyPartitionsModel
        | TimeWindowPartitionsModel
        | StaticPartitionsModel
        | None,
    ),
]
_Object: TypeAlias = Annotated[Any, Resolver.default(model_field_type=str | None)]


@dataclass(kw_only=True)
class AssetAttributes(Resolvable):
    """What may be said of an asset, besides its key."""

    deps: Sequence[ResolvedAssetKey] | None = None
    description: str | None = None
    metadata: Mapping[str, Any] = default(default_factory=dict)
    group_name: str | None = None
    skippable: bool = False
    code_version: str | None = None
    owners: Sequence[str] | None = None
    tags: Tags = default(default_factory=dict)
    kinds: Sequence[str] = default(default_factory=list)
    automation_condition: _Object = None
    partitions_def: Partitions = None
    freshness_policy: _Object = None


@dataclass(kw_only=True)
class AssetSpecAttributes(AssetAttributes):
    """An asset."""

    key: ResolvedAssetKey


@dataclass(kw_only=True)
class AssetUpdate(AssetAttributes):
    """Changes to an asset that a component makes."""

    key: ResolvedAssetKey | None = None
    key_prefix: str | Sequence[str] | None = None


@dataclass(kw_only=True)
class CheckSpecAttributes(Resolvable):
    """A check."""

    name: str
    asset: ResolvedAssetKey
    additional_deps: Sequence[ResolvedAssetKey] | None = None
    description: str | None = None
    blocking: bool = False
    metadata: Mapping[str, Any] | None = None
    automation_condition: _Object = None


def _asset_spec(context: ResolutionContext, model: Any) -> AssetSpec:
    values = resolve_fields(model, AssetSpecAttributes, context)
    return AssetSpec(**values, source=_source(context))


def _check_spec(context: ResolutionContext, model: Any) -> AssetCheckSpec:
    return AssetCheckSpec(**resolve_fields(model, CheckSpecAttributes, context), source=_source(context))


def _source(context: ResolutionContext) -> Any:
    return context.document.at(context.path) if context.document is not None else None


ResolvedAssetSpec: TypeAlias = Annotated[AssetSpec, Resolver(_asset_spec, model_field_type=AssetSpecAttributes)]
"""An AssetSpec that YAML writes as a mapping: `key`, `deps`, `group_name`, `tags` ..."""
ResolvedAssetCheckSpec: TypeAlias = Annotated[AssetCheckSpec, Resolver(_check_spec, model_field_type=CheckSpecAttributes)]
"""An AssetCheckSpec that YAML writes as a mapping: `name`, `asset`, `blocking` ..."""
AssetAttributesModel = AssetUpdate.model()
ResolvedAssetAttributes: TypeAlias = Annotated[
    Mapping[str, Any], Resolver(lambda context, model: resolve_fields(model, AssetAttributes, context), model_field_type=AssetAttributes)
]
"""The attributes that YAML gives, as keyword arguments for `AssetSpec.replace_attributes`."""


# ---------------------------------------------------------------- post-processing


class AssetPostProcessorModel(Resolvable, Model):
    """An entry of `post_processing: assets:`."""

    target: str = "*"
    operation: Literal["merge", "replace"] = "merge"
    attributes: ResolvedAssetAttributes


def _post_processor(context: ResolutionContext, model: Any) -> Callable[[Definitions], Definitions]:
    def process(defs: Definitions) -> Definitions:
        try:
            targets = select(defs, context.at_path("target").resolve_value(model.target, as_type=str))
        except DefinitionError as error:
            raise context.at_path("target").error(str(error)) from None

        def change(spec: AssetSpec) -> AssetSpec:
            if spec.key not in targets:
                return spec
            # Resolved for each asset: templates may use `asset`.
            inner = context.with_scope(asset=spec).at_path("attributes")
            values = resolve_fields(model.attributes, AssetAttributes, inner)
            if model.operation == "merge":
                merged = {name: values.pop(name) for name in ("metadata", "tags") if name in values}
                spec = spec.merge_attributes(**merged)
            return spec.replace_attributes(**values)

        return defs.map_asset_specs(func=change)

    return process


AssetPostProcessor: TypeAlias = Annotated[
    Callable[[Definitions], Definitions], Resolver(_post_processor, model_field_type=AssetPostProcessorModel)
]
"""A function of Definitions that YAML writes as `target`, `operation` and `attributes`."""


class PostProcessing(Resolvable, Model):
    """`post_processing:` of a component."""

    assets: Sequence[AssetPostProcessor] | None = None


def select(defs: Definitions, target: str) -> frozenset[AssetKey]:
    """The assets that a selection picks, without resolving the definitions as a whole."""
    graph = _Graph(defs)
    return frozenset(graph.specs) if target == "*" else AssetSelection.from_string(target).resolve(graph)


class _Graph:
    """Definitions as selections see them."""

    def __init__(self, defs: Definitions) -> None:
        self._by_key = {key: definition for definition in defs.assets for key in definition.keys}
        self.specs = {key: definition.specs_by_key[key] for key, definition in self._by_key.items()}
        self._checks = [key for definition in (*defs.assets, *defs.asset_checks) for key in definition.check_keys]

    @property
    def topology(self) -> Topology:
        return Topology({key: [dep.asset_key for dep in spec.deps] for key, spec in self.specs.items()})

    def facts(self, key: AssetKey) -> Any:
        spec, definition = self.specs[key], self._by_key[key]
        return _Facts(
            group=spec.group,
            tags=spec.tags,
            kinds=spec.kinds,
            owners=tuple(spec.owners),
            execution=AssetExecution.MATERIALIZE if definition.is_executable else AssetExecution.EXTERNAL,
            op_name=definition.name if definition.is_executable else None,
        )

    def check_keys(self, key: AssetKey) -> Iterable[AssetCheckKey]:
        return [one for one in self._checks if one.asset_key == key]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    group: str
    tags: Mapping[str, str]
    kinds: frozenset[str]
    owners: tuple[str, ...]
    execution: AssetExecution
    op_name: str | None
