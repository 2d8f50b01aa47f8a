from __future__ import annotations

from datetime import UTC, datetime

import pytest

import dagwright as dg
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.mappings import upstream_keys
from dagwright_shared.wire.assets import decode_mapping, encode_mapping

NOW = datetime(2024, 1, 5, tzinfo=UTC)
DAYS = dg.StaticPartitionsDefinition(["1", "2"])
AREAS = dg.StaticPartitionsDefinition(["x", "y"])
BOTH = dg.MultiPartitionsDefinition({"day": DAYS, "area": AREAS})


def keys(key: tuple[str, ...], down: dg.PartitionsDefinition, up: dg.PartitionsDefinition, mapping: dg.PartitionMapping) -> list[str]:
    data = mapping.to_model()
    assert decode_mapping(encode_mapping(data)) == data
    return ["|".join(found) for found in upstream_keys(key, down.to_model(), up.to_model(), data, NOW).keys]


def test_one_dimension_of_several() -> None:
    to_day = dg.MultiToSingleDimensionPartitionMapping(partition_dimension_name="day")
    assert keys(("1",), DAYS, BOTH, to_day) == ["x|1", "y|1"]
    assert keys(("x", "2"), BOTH, DAYS, to_day) == ["2"]
    assert keys(("x", "2"), BOTH, DAYS, dg.MultiPartitionMapping({})) == ["1", "2"]
    assert keys(("x", "2"), BOTH, DAYS, dg.MultiToSingleDimensionPartitionMapping()) == ["2"]


def test_dimension_by_dimension() -> None:
    same_area = dg.DimensionPartitionMapping("area", dg.IdentityPartitionMapping())
    mapping = dg.MultiPartitionMapping({"area": same_area})
    assert keys(("y", "1"), BOTH, BOTH, mapping) == ["y|1", "y|2"]
    swapped = dg.StaticPartitionMapping({"1": "2", "2": "1"})
    crossed = dg.MultiPartitionMapping({"area": same_area, "day": dg.DimensionPartitionMapping("day", swapped)})
    assert keys(("y", "1"), BOTH, BOTH, crossed) == ["y|2"]
    with pytest.raises(DefinitionError, match="the dimension 'area' has a IdentityPartitionMapping"):
        dg.MultiPartitionMapping({"area": dg.IdentityPartitionMapping()})  # type: ignore[dict-item]
