"""Runs of a range of partitions, as the engine executes and records them."""

from __future__ import annotations

import pytest

import dagwright as dg
from dagwright.execution.executors.in_process import InProcessExecutor
from dagwright.execution.executors.multiprocess import MultiprocessExecutor
from dagwright.planning.plan import plan_run
from dagwright_shared.model.events import AssetFailed, AssetMaterialized, StepFailed
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.runs import RunStatus
from tests.unit.execution.running import run

pytestmark = pytest.mark.unit

LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c", "d"])
BETWEEN = {"partition": ("b",), "partition_end": ("d",)}


@pytest.mark.parametrize("executor", [InProcessExecutor(), MultiprocessExecutor(2)], ids=lambda executor: executor.name)
def test_each_partition_is_recorded(executor):
    @dg.asset(partitions_def=LETTERS)
    def up(context) -> None:
        context.add_asset_metadata({"own": 1}, partition_key="c")

    @dg.asset(partitions_def=LETTERS, deps=[up])
    def down(context) -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata={"read": list(context.asset_partition_keys_for_input("up"))})

    ran = run(up, down, executor=executor, **BETWEEN)
    assert ran.status is RunStatus.SUCCESS
    made = [(m.asset_key.to_user_string(), m.partition[0], sorted(m.metadata)) for m in ran.of(AssetMaterialized)]
    assert made == [
        ("up", "b", []), ("up", "c", ["own"]), ("up", "d", []), ("down", "b", ["read"]), ("down", "c", ["read"]), ("down", "d", ["read"]),
    ]  # fmt: skip
    assert ran.of(AssetMaterialized)[-1].metadata["read"].value == ["b", "c", "d"]


def test_a_failure_is_one_of_each_partition_that_was_not_made():
    @dg.asset(partitions_def=LETTERS)
    def broken(context):
        context.log_event(dg.AssetMaterialization("broken", partition="c"))
        raise ValueError

    ran = run(broken, executor=InProcessExecutor(), **BETWEEN)
    assert [failed.partition for failed in ran.of(AssetFailed)] == [("b",), ("d",)]


def test_one_value_for_several_partitions_says_what_to_do():
    @dg.asset(partitions_def=LETTERS)
    def valued():
        return 1

    error = run(valued, executor=InProcessExecutor(), **BETWEEN).of(StepFailed)[0].error
    assert "FilesystemIOManager stores one partition at a time" in error.message
    assert "`-> None`" in error.message


def test_partition_key_of_a_range_says_what_to_use():
    @dg.asset(partitions_def=LETTERS)
    def keyed(context) -> None:
        context.partition_key  # noqa: B018

    error = run(keyed, executor=InProcessExecutor(), **BETWEEN).of(StepFailed)[0].error
    assert error.class_name.endswith(".PartitionError")
    assert error.message == "step 'keyed' covers the range b...d, so it has no partition_key; use partition_keys or partition_key_range"


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("c", "b", "the range c...b of asset plain ends before it begins"),
        ("a", "e", "there is no partition 'e'"),
        ("", "b", "there is no partition ''"),
    ],
)
def test_ranges_that_do_not_fit(first, last, words):
    @dg.asset(partitions_def=LETTERS)
    def plain() -> None: ...

    with pytest.raises(dg.InvalidRequestError) as raised:
        plan_run(dg.Definitions(assets=[plain]), asset_keys=[AssetKey("plain")], partition=(first,), partition_end=(last,))
    assert words in raised.value.problems[0].message
    assert raised.value.problems[0].path == "partition"


def test_tags_with_half_a_range_or_with_a_partition_beside():
    @dg.asset(partitions_def=LETTERS)
    def plain() -> None: ...

    start, end = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
    with pytest.raises(dg.InvalidRequestError, match=f"give {end} too"):
        dg.materialize([plain], tags={start: "a"})
    with pytest.raises(dg.InvalidRequestError, match="leave one of them out"):
        dg.materialize([plain], tags={start: "a", end: "b"}, partition_key="a")
    with pytest.raises(ValueError, match="leave one of them out"):
        dg.RunRequest(partition_key="a", tags={start: "a", end: "b"})


def test_a_run_request_with_a_range():
    request = dg.RunRequest(tags={"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "c", "x": "y"})
    data = request.to_model(None, LETTERS)
    assert (data.partition, data.partition_end, data.tags) == (("a",), ("c",), {"x": "y"})
