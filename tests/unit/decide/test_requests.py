"""From what a tick asked for to runs."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from dagwright_shared.decide import requests
from dagwright_shared.decide.requests import Asker, Definitions
from dagwright_shared.model.errors import InvalidRequestError, NotFoundError
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, Digest, LocationName, RunId
from dagwright_shared.model.partitions import StaticPartitions
from dagwright_shared.model.runs import NewRun, TriggerKind
from dagwright_shared.model.snapshot import AssetSnapshot, JobSnapshot, LocationSnapshot, TriggerTarget
from dagwright_shared.model.ticks import RunRequestData

pytestmark = pytest.mark.unit

A, B, CHECK = AssetKey("a"), AssetKey("b"), AssetCheckKey(AssetKey("a"), "rows")
REGIONS = StaticPartitions(keys=("eu", "us"))
TICK = "schedule:here:nightly:2026-03-01T12:00:00+00:00"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SNAPSHOT = LocationSnapshot(
    location=LocationName("here"),
    dagwright_version="0",
    python_version="3",
    assets=(AssetSnapshot(key=A, partitions=REGIONS), AssetSnapshot(key=B)),
    jobs=(
        JobSnapshot(name="ops", run_tags={"from": "job", "dagwright/priority": "2"}),
        JobSnapshot(name="assets", asset_keys=(A,), check_keys=(CHECK,), partitions=REGIONS),
    ),
)
OPS, ASSETS = TriggerTarget(job_name="ops"), TriggerTarget(job_name="assets")


def runs(*asked: RunRequestData, kind: TriggerKind = TriggerKind.SCHEDULE, targets: tuple[TriggerTarget, ...] = (OPS,)) -> list[NewRun]:
    asker = Asker(kind=kind, name="nightly", tick_id=7, scheduled_for=NOON, targets=targets, tags={"from": "schedule"})
    count = itertools.count()
    definitions = Definitions.of(Digest("d"), SNAPSHOT)
    return requests.new_runs(definitions, asker, asked, make_id=lambda: RunId(str(next(count))), now=NOON)


def test_target_tags_and_priority() -> None:
    (run,) = runs(RunRequestData(tags={"mine": "1"}))
    assert (run.job_name, run.location, run.digest, run.priority) == ("ops", "here", "d", 2)
    assert run.tags == {"from": "schedule", "mine": "1", "dagwright/priority": "2"}
    assert (run.trigger.kind, run.trigger.name, run.trigger.tick_id) == (TriggerKind.SCHEDULE, "nightly", 7)


def test_a_job_of_assets_names_them() -> None:
    (run,) = runs(RunRequestData(partition=("eu",)), targets=(ASSETS,))
    assert (run.asset_keys, run.check_keys, run.partition) == ((A,), (CHECK,), ("eu",))


def test_of_the_checks_certain_ones_or_none() -> None:
    (run,) = runs(RunRequestData(partition=("eu",), only_checks=True), targets=(ASSETS,))
    assert (run.asset_keys, run.check_keys, run.only_checks) == ((A,), (), True)
    (run,) = runs(RunRequestData(asset_keys=(A,), check_keys=(CHECK,), partition=("eu",), only_checks=True), targets=(ASSETS,))
    assert (run.asset_keys, run.check_keys, run.only_checks) == ((A,), (CHECK,), True)


def test_a_range_of_partitions() -> None:
    (run,) = runs(RunRequestData(partition=("eu",), partition_end=("us",)), targets=(ASSETS,))
    assert (run.partition, run.partition_end) == (("eu",), ("us",))


@pytest.mark.parametrize(
    ("kind", "keys", "expected"),
    [
        (TriggerKind.SCHEDULE, [None, None], [TICK, TICK + ":#1"]),
        (TriggerKind.SCHEDULE, ["x"], [TICK + ":x"]),
        (TriggerKind.SENSOR, ["x"], ["sensor:here:nightly:x"]),
        (TriggerKind.SENSOR, [None], ["sensor:here:nightly:@2026-03-01T12:00:00+00:00:0"]),
    ],
)  # fmt: skip
def test_run_keys(kind: TriggerKind, keys: list[str | None], expected: list[str]) -> None:
    made = [run.run_key for run in runs(*(RunRequestData(run_key=key) for key in keys), kind=kind)]
    assert made == expected
    if kind is TriggerKind.SENSOR:
        assert [requests.users_key(key, "here", "nightly") for key in made] == keys


@pytest.mark.parametrize(
    ("asked", "targets", "error", "words"),
    [
        (RunRequestData(job_name="op"), (OPS,), NotFoundError, "did you mean 'ops'"),
        (RunRequestData(), (OPS, ASSETS), InvalidRequestError, "its targets: ops, assets"),
        (RunRequestData(asset_keys=(AssetKey("c"),)), (), NotFoundError, "asset 'c' in location 'here'"),
        (RunRequestData(asset_keys=(B,)), (ASSETS,), NotFoundError, "asset 'b' in job 'assets'"),
        (RunRequestData(partition=("asia",)), (ASSETS,), InvalidRequestError, "no partition 'asia' (2 static keys)"),
        (RunRequestData(partition=("eu",)), (OPS,), InvalidRequestError, "not partitioned"),
        (RunRequestData(partition=("eu",), partition_end=("asia",)), (ASSETS,), InvalidRequestError, "no partition 'asia' (2 static keys)"),
        (RunRequestData(partition=("us",), partition_end=("eu",)), (ASSETS,), InvalidRequestError, "us...eu ends before it begins"),
    ],
)
def test_what_does_not_fit(asked: RunRequestData, targets: tuple[TriggerTarget, ...], error: type[Exception], words: str) -> None:
    with pytest.raises(error) as raised:
        runs(asked, targets=targets)
    assert words in str(raised.value)


def test_partitions_of_a_target() -> None:
    definitions: Any = Definitions.of(Digest("d"), SNAPSHOT)
    assert requests.partitions_of(definitions, ASSETS) == REGIONS
    assert requests.partitions_of(definitions, OPS) is None
    assert requests.partitions_of(definitions, TriggerTarget(asset_keys=(B, A))) == REGIONS
