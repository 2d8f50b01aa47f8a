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


def test_several_partitions_are_awaited_together(tmp_path):
    import asyncio

    waiting = asyncio.Barrier(2)  # nobody passes before both are there

    class Together(JsonFiles):
        async def load_from_path(self, context, path):
            await asyncio.wait_for(waiting.wait(), 30)
            return json.loads(path.read_text())

    for day in ("d1", "d2"):
        dg.materialize([daily], resources={"io_manager": JsonFiles(tmp_path)}, partition_key=day)
    made = dg.materialize([daily, whole], selection="whole", resources={"io_manager": Together(tmp_path)})
    assert made.asset_value("whole") == ["d1", "d2"]


def test_values_on_a_file_system_of_fsspec():
    resources = {"io_manager": dg.FilesystemIOManager(base_dir="memory://values/here")}
    for day in ("d1", "d2"):
        dg.materialize([daily], resources=resources, partition_key=day)
    made = dg.materialize([daily, whole], selection="whole", resources=resources)
    assert made.asset_value("whole") == ["d1", "d2"]
    path = made.asset_materializations_for_node("whole")[0].metadata["path"].value
    assert path == "memory://values/here/whole.pickle"
    with pytest.raises(LookupError, match="has not been materialized: there is nothing at memory://"):
        dg.materialize(
            [daily, whole, again], selection="again", resources={"io_manager": dg.FilesystemIOManager(base_dir="memory://empty")}
        )
    in_memory = {"io_manager": JsonFiles("memory://texts")}
    assert dg.materialize([dg.asset(name="n")(lambda: [1])], resources=in_memory).success


def test_without_the_package_for_remote_places_the_error_names_it(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "upath", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'dagwright\[fsspec\]'"):
        dg.materialize([dg.asset(name="n")(lambda: 1)], resources={"io_manager": dg.FilesystemIOManager(base_dir="s3://bucket/values")})
