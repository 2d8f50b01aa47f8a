"""Hypothesis strategies for every type of the model that crosses the wire, made from the annotations of its fields."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from enum import Enum
from typing import Any

from hypothesis import strategies as st

from dagwright_shared.model import (
    automation,
    errors,
    events,
    freshness,
    history,
    keys,
    metadata,
    partitions,
    runs,
    selection,
    snapshot,
    ticks,
)

# Surrogates cannot be encoded; what becomes of them has tests of its own.
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_components = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=32, exclude_characters="/"), min_size=1, max_size=6)
_floats = st.floats(allow_nan=False)
asset_keys = st.lists(_components, min_size=1, max_size=3).map(keys.AssetKey)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | _floats | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
_objects = st.dictionaries(texts, json_values, max_size=3)
_moments = st.datetimes(timezones=st.just(UTC), min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31))  # noqa: DTZ001 - hypothesis adds the zone

_NAMED: dict[str, st.SearchStrategy[Any]] = {
    "str": texts,
    "bool": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "float": _floats,
    "bytes": st.binary(max_size=20),
    "datetime": _moments,
    "AssetKey": asset_keys,
    "AssetCheckKey": st.builds(keys.AssetCheckKey, asset_keys, _components),
    "PartitionKey": st.lists(texts, max_size=3).map(tuple),
    "JsonValue": json_values,
    "JsonSchema": _objects,
    "Any": json_values,
    "dict[str, Any]": _objects,
    **dict.fromkeys(("RunId", "StepKey", "LocationName", "Digest"), texts),
}


def of(annotation: str) -> st.SearchStrategy[Any]:
    """Values of an annotation as it is written in the model. A KeyError means: teach this module the new type."""
    annotation = annotation.strip('"')
    if annotation in _NAMED:
        return _NAMED[annotation]
    if annotation.endswith(" | None"):
        return st.none() | of(annotation.removesuffix(" | None"))
    head, _, inner = annotation.removesuffix("]").partition("[")
    match head:
        case "tuple":
            return st.lists(of(inner.removesuffix(", ...")), max_size=2).map(tuple)
        case "Sequence":
            return st.lists(of(inner), max_size=2).map(tuple)
        case "Mapping":
            key, _, item = inner.partition(", ")
            return st.dictionaries(of(key), of(item), max_size=2)
    raise KeyError(annotation)


def built(kind: type) -> st.SearchStrategy[Any]:
    return st.builds(kind, **{field.name: st.deferred(lambda text=str(field.type): of(text)) for field in dataclasses.fields(kind)})


for _module in (errors, partitions, snapshot, runs, ticks, events, automation, freshness, history):
    for _name, _kind in vars(_module).items():
        if isinstance(_kind, type) and _kind.__module__ == _module.__name__:
            if issubclass(_kind, Enum):
                _NAMED[_name] = st.sampled_from(_kind)
            elif dataclasses.is_dataclass(_kind):
                _NAMED[_name] = built(_kind)

_NAMED["ErrorInfo"] = st.recursive(
    st.builds(errors.ErrorInfo, class_name=texts, message=texts, frames=of("tuple[Frame, ...]"), hint=of("str | None"), metadata=_objects),
    lambda inner: st.builds(errors.ErrorInfo, class_name=texts, message=texts, cause=inner),
    max_leaves=3,
)
_NAMED["Selection"] = st.lists(asset_keys, max_size=2).map(lambda found: selection.Keys(tuple(found)))
_NAMED["Condition"] = st.recursive(
    _NAMED["Operand"],
    lambda inner: st.builds(
        automation.Operator,
        kind=_NAMED["OperatorKind"],
        operands=st.lists(inner, max_size=2).map(tuple),
        label=of("str | None"),
        allow=of("Selection | None"),
        ignore=of("Selection | None"),
        asset_key=of("AssetKey | None"),
        blocking_only=st.booleans(),
    ),
    max_leaves=4,
)
_NAMED["Freshness"] = st.one_of(_NAMED["WindowFreshness"], _NAMED["CronFreshness"])
_simple = ("StaticPartitions", "TimeWindowPartitions", "DynamicPartitions")
_NAMED["SimplePartitions"] = st.one_of(*(_NAMED[name] for name in _simple))
_NAMED["tuple[tuple[str, SimplePartitions], ...]"] = st.lists(st.tuples(texts, _NAMED["SimplePartitions"]), max_size=3).map(tuple)
_NAMED["Partitions"] = st.one_of(_NAMED["SimplePartitions"], _NAMED["MultiPartitions"])
_NAMED["HistoryQuestion"] = st.one_of(*(_NAMED[kind.__name__] for kind in history.HistoryQuestion.__args__))
_NAMED["Payload"] = st.one_of(*(_NAMED[kind.__name__] for kind in events.EVENT_TYPES))
_NAMED["ReportableEvent"] = st.one_of(*(_NAMED[kind.__name__] for kind in history.ReportableEvent.__args__))

for _name in ("TableColumnConstraints", "TableColumn", "TableConstraints", "TableSchema", "TableColumnDep", "TableColumnLineage"):
    _NAMED[_name] = built(getattr(metadata, _name))
_cells = st.none() | st.booleans() | st.integers() | _floats | texts
_NAMED["TableRecord"] = st.builds(metadata.TableRecord, st.dictionaries(texts, _cells, max_size=3))
# Not __subclasses__(): it also has the classes that dataclass(slots=True) replaced.
_metadata_kinds = [kind for name, kind in vars(metadata).items() if name.endswith("MetadataValue") and dataclasses.is_dataclass(kind)]
_metadata_kinds.remove(metadata.ObjectMetadataValue)  # it arrives as text: see test_objects_as_metadata_are_seen_by_their_class_elsewhere
_big = {"IntMetadataValue": st.builds(metadata.IntMetadataValue, st.none() | st.integers())}
_NAMED["MetadataValue"] = st.one_of(*(_big.get(kind.__name__, built(kind)) for kind in _metadata_kinds))
_NAMED["Metadata"] = st.dictionaries(texts, _NAMED["MetadataValue"], max_size=3)
