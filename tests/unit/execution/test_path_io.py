"""The base of IO managers that keep files."""

from __future__ import annotations

import json

import pytest

import dagwright as dg

pytestmark = pytest.mark.unit


class JsonFiles(dg.UPathIOManager):
    extension = ".json"

    def dump_to_path(self, context, obj, path):
        path.write_text(json.dumps(obj))

    async def load_from_path(self, context, path):
        return json.loads(path.read_text())

    def get_metadata(self, context, obj):
        return {"kind": type(obj).__name__}


DAYS = dg.StaticPartitionsDefinition(["d1", "d2"])


@dg.asset(partitions_def=DAYS)
def daily(context):
    return {"day": context.partition_key}


@dg.asset
def whole(daily: dict[str, dict]):
    return sorted(daily)


@dg.asset
def again(whole):
    return [*whole, "x"]


def test_files_by_asset_and_partition(tmp_path):
    resources = {"io_manager": JsonFiles(tmp_path)}
    for day in ("d1", "d2"):
        result = dg.materialize([daily], resources=resources, partition_key=day)
    assert (tmp_path / "daily" / "d2.json").exists()
    metadata = result.asset_materializations_for_node("daily")[0].metadata
    assert metadata["path"].value == str(tmp_path / "daily" / "d2.json")
    assert metadata["kind"].value == "dict"
    made = dg.materialize([daily, whole, again], selection="whole or again", resources=resources)
    assert made.asset_value("again") == ["d1", "d2", "x"]


def test_a_missing_partition_is_an_error_or_left_out(tmp_path):
    resources = {"io_manager": JsonFiles(str(tmp_path))}
    dg.materialize([daily], resources=resources, partition_key="d1")
    with pytest.raises(FileNotFoundError, match="Materialize it first"):
        dg.materialize([daily, whole], selection="whole", resources=resources)

    @dg.asset(ins={"daily": dg.AssetIn(metadata={"allow_missing_partitions": True})})
    def some(daily):
        return sorted(daily)

    assert dg.materialize([daily, some], selection="some", resources=resources).asset_value("some") == ["d1"]


def test_mistakes_are_told(tmp_path):
    class Bad(JsonFiles):
        extension = "json"

    with pytest.raises(ValueError, match=r"begins with a dot: .\.json"):
        Bad(tmp_path)
