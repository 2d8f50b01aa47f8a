"""Observed assets, and what an asset's data was made of."""

from __future__ import annotations

import pytest

import dagwright as dg
from dagwright.execution.executors.in_process import InProcessExecutor
from dagwright.execution.executors.multiprocess import MultiprocessExecutor
from dagwright_shared.model.events import AssetMaterialized, AssetObserved
from tests.unit.execution.running import run

pytestmark = pytest.mark.unit


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("DAGWRIGHT_HOME", str(tmp_path))


@pytest.fixture(params=["in_process", "multiprocess"])
def executor(request):
    return InProcessExecutor() if request.param == "in_process" else MultiprocessExecutor(2)


def test_an_observation_is_recorded_and_nothing_is_made(executor):
    @dg.observable_source_asset
    def outside():
        return dg.DataVersion("v7")

    @dg.asset(deps=[outside], code_version="1")
    def inside():
        return 1

    ran = run(outside, inside, executor=executor)
    assert [(o.asset_key.to_user_string(), o.data_version) for o in ran.of(AssetObserved)] == [("outside", "v7")]
    made = ran.of(AssetMaterialized)
    assert [m.asset_key.to_user_string() for m in made] == ["inside"]
    assert made[0].input_data_versions == {"outside": "v7"}


def test_versions_by_partition(executor):
    @dg.observable_source_asset(partitions_def=dg.StaticPartitionsDefinition(["eu", "us"]))
    def outside():
        return dg.DataVersionsByPartition({"eu": "1", "us": "2"})

    ran = run(outside, executor=executor, partition=("eu",))
    assert [(o.partition, o.data_version) for o in ran.of(AssetObserved)] == [(("eu",), "1"), (("us",), "2")]


def test_provenance():
    seen = []

    @dg.asset(code_version="3")
    def up():
        return dg.Output(1, data_version=dg.DataVersion("mine"))

    @dg.asset
    def down(context: dg.AssetExecutionContext, up):
        seen.append((context.get_asset_provenance("up"), context.get_asset_provenance(dg.AssetKey("down"))))

    assert dg.materialize([up, down]).success
    known, unknown = seen[0]
    assert known.code_version == "3"
    assert known.is_user_provided
    assert unknown is None
