"""What an instance in memory says of assets, and forgets."""

from __future__ import annotations

import pytest

import dagwright as dg
from dagwright_shared.model.errors import ConflictError, NotFoundError
from dagwright_shared.model.events import AssetFailed, RunEvent
from dagwright_shared.model.keys import RunId

pytestmark = pytest.mark.unit

LETTERS = dg.StaticPartitionsDefinition(["a", "b", "c", "d"])


@dg.asset(partitions_def=LETTERS, code_version="2", check_specs=[dg.AssetCheckSpec("fine", asset="letters")])
def letters(context: dg.AssetExecutionContext):
    passed = context.partition_key != "b"
    return dg.MaterializeResult(tags={"letter": context.partition_key}, check_results=[dg.AssetCheckResult(passed=passed)])


@pytest.fixture
def instance() -> dg.Instance:
    made = dg.Instance.ephemeral()
    for letter in "ab":
        dg.materialize([letters], partition_key=letter, instance=made)
    return made


def failed(instance: dg.Instance, letter: str) -> None:
    store = instance.history
    event = AssetFailed(asset_key=letters.key, partition=(letter,))
    store.append(None, RunEvent(seq=0, time=store.now(), payload=event))  # type: ignore[attr-defined]


def test_records(instance: dg.Instance) -> None:
    instance.report_runless_asset_event(dg.AssetObservation("seen"))
    made, seen = instance.get_asset_records()
    entry = made.asset_entry
    assert entry.asset_key == letters.key
    assert entry.last_materialization is not None
    assert entry.last_materialization.asset_materialization is not None
    assert entry.last_materialization.asset_materialization.partition == "b"
    assert made.storage_id == entry.last_materialization_storage_id
    assert instance.get_run_by_id(str(entry.last_run_id)) is not None
    assert (seen.asset_entry.last_materialization, seen.asset_entry.last_run_id) == (None, None)
    assert seen.asset_entry.last_observation is not None
    assert [record.asset_entry.asset_key for record in instance.get_asset_records([dg.AssetKey("seen"), dg.AssetKey("no")])] == [
        dg.AssetKey("seen")
    ]


def test_states_of_partitions(instance: dg.Instance) -> None:
    failed(instance, "a")
    failed(instance, "c")
    states = instance.get_status_by_partition(letters.key, LETTERS.get_partition_keys(), LETTERS)
    status = dg.AssetPartitionStatus
    assert states == {"a": status.FAILED, "b": status.MATERIALIZED, "c": status.FAILED, "d": None}
    dg.materialize([letters], partition_key="a", instance=instance)
    assert instance.get_status_by_partition(letters.key, ["a"], LETTERS) == {"a": status.MATERIALIZED}

    @dg.asset(partitions_def=LETTERS)
    def asks(context: dg.AssetExecutionContext) -> None:
        found = context.instance.get_status_by_partition(context.asset_key, LETTERS.get_partition_keys(), LETTERS)
        busy.extend(key for key, state in found.items() if state is status.IN_PROGRESS)

    busy: list[str] = []
    tags = {"dagster/asset_partition_range_start": "b", "dagster/asset_partition_range_end": "c"}
    dg.materialize([asks], tags=tags, instance=instance)
    assert busy == ["b", "c"]


def test_places_tags_versions_and_verdicts(instance: dg.Instance) -> None:
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    places = instance.get_latest_storage_id_by_partition(letters.key, kind)
    assert set(places) == {"a", "b"}
    assert instance.get_latest_storage_id_by_partition(letters.key, kind, {"a", "b"}, after_cursor=places["a"]) == {"b": places["b"]}
    assert instance.get_event_tags_for_asset(letters.key, {"letter": "a"})[0]["letter"] == "a"
    assert [tags["letter"] for tags in instance.get_event_tags_for_asset(letters.key, filter_event_id=places["b"])] == ["b"]
    assert instance.get_latest_materialization_code_versions([letters.key, dg.AssetKey("no")]) == {
        letters.key: "2",
        dg.AssetKey("no"): None,
    }
    verdict = instance.get_latest_asset_check_evaluation_record(dg.AssetCheckKey(letters.key, "fine"))
    assert verdict is not None
    assert verdict.evaluation.passed is False
    assert instance.get_asset_keys_for_run(verdict.run_id) == {letters.key}
    assert instance.get_latest_asset_check_evaluation_record(dg.AssetCheckKey(letters.key, "other")) is None


def test_forgetting(instance: dg.Instance) -> None:
    instance.wipe_asset_partitions(letters.key, ["a"])
    assert instance.get_materialized_partitions(letters.key) == {"b"}
    instance.wipe_asset_partitions(letters.key, [])
    assert instance.get_materialized_partitions(letters.key) == {"b"}
    newest = instance.get_asset_records()[0].storage_id
    instance.wipe_assets([letters.key])
    assert not instance.has_asset_key(letters.key)
    dg.materialize([letters], partition_key="d", instance=instance)
    assert instance.get_asset_records()[0].storage_id > newest
    with pytest.raises(TypeError, match="takes a list of keys"):
        instance.wipe_assets(letters.key)  # type: ignore[arg-type]


def test_deleting_runs(instance: dg.Instance) -> None:
    first = instance.get_run_ids()[0]
    instance.delete_run(first)
    assert not instance.has_run(first)
    with pytest.raises(NotFoundError):
        instance.delete_run(first)

    @dg.op
    def itself(context: dg.OpExecutionContext) -> None:
        context.instance.delete_run(RunId(context.run_id))

    @dg.job
    def deletes() -> None:
        itself()

    with pytest.raises(ConflictError, match="is STARTED; cancel it first"):
        deletes.execute_in_process(instance=instance)
