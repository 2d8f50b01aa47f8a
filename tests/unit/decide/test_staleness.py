"""Staleness: of code, of upstream data, of dependencies, through chains and partitions."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from dagwright_shared.decide.staleness import Cause, CauseKind, Made, Stale, Staleness, StaleStatus
from dagwright_shared.model import versions
from dagwright_shared.model.graph import AssetGraph
from dagwright_shared.model.keys import AssetKey, LocationName, PartitionKey
from dagwright_shared.model.partitions import StaticPartitions
from dagwright_shared.model.snapshot import AssetDepSnapshot, AssetExecution, AssetSnapshot, LocationSnapshot

pytestmark = pytest.mark.unit
NOW = datetime(2026, 1, 1, tzinfo=UTC)
A, B, C = AssetKey("a"), AssetKey("b"), AssetKey("c")


@dataclass
class Data:
    made_by: dict[tuple[AssetKey, PartitionKey], Made] = field(default_factory=dict)

    def made(self, key: AssetKey, partition: PartitionKey) -> Made | None:
        return self.made_by.get((key, partition))

    def make(self, key: AssetKey, version: str, partition: PartitionKey = (), code: str | None = None, **inputs: str) -> Data:
        self.made_by[key, partition] = Made(data_version=version, code_version=code, inputs=inputs)
        return self


def asset(key: AssetKey, *deps: AssetKey, **more: object) -> AssetSnapshot:
    return AssetSnapshot(key=key, deps=tuple(AssetDepSnapshot(key=dep) for dep in deps), **more)  # type: ignore[arg-type]


def stale(data: Data, *assets: AssetSnapshot) -> Stale:
    snapshot = LocationSnapshot(location=LocationName("l"), dagwright_version="", python_version="", assets=assets)
    return Stale(AssetGraph([snapshot]), data, NOW)


def test_missing_and_fresh() -> None:
    data = Data().make(A, "1").make(B, "2", a="1")
    answer = stale(data, asset(A), asset(B, A), asset(C))
    assert [answer.of(key).status for key in (A, B, C)] == [StaleStatus.FRESH, StaleStatus.FRESH, StaleStatus.MISSING]


def test_other_code() -> None:
    found = stale(Data().make(A, "1", code="v1"), asset(A, code_version="v2")).of(A)
    assert found.status is StaleStatus.STALE
    assert [(cause.kind, cause.dependency) for cause in found.causes] == [(CauseKind.CODE, None)]
    assert "v1" in found.causes[0].reason


def test_new_upstream_data_and_what_is_below_it() -> None:
    data = Data().make(A, "new").make(B, "2", a="old").make(C, "3", b="2")
    answer = stale(data, asset(A), asset(B, A), asset(C, B))
    assert [(c.kind, c.dependency, c.reason) for c in answer.of(B).causes] == [(CauseKind.DATA, A, "a has new data")]
    assert [(c.kind, c.dependency, c.reason) for c in answer.of(C).causes] == [(CauseKind.DATA, B, "b is stale")]


def test_the_kind_of_a_cause_comes_down_with_it() -> None:
    data = Data().make(A, "1", code="v1").make(B, "2", a="1")
    (cause,) = stale(data, asset(A, code_version="v2"), asset(B, A)).of(B).causes
    assert cause.kind is CauseKind.CODE


def test_other_dependencies() -> None:
    data = Data().make(A, "1").make(C, "1").make(B, "2", a="1", gone="1")
    causes = stale(data, asset(A), asset(C), asset(B, A, C)).of(B).causes
    assert [(cause.kind, cause.dependency.to_user_string()) for cause in causes] == [
        (CauseKind.DEPENDENCIES, "gone"),
        (CauseKind.DEPENDENCIES, "c"),
    ]


def test_an_observed_source_with_new_data() -> None:
    data = Data().make(A, "seen").make(B, "2", a="before")
    assert stale(data, asset(A, execution=AssetExecution.OBSERVE), asset(B, A)).of(B).status is StaleStatus.STALE


def test_partitions() -> None:
    keys = StaticPartitions(keys=("x", "y"))
    data = Data().make(A, "1", ("x",)).make(A, "new", ("y",)).make(B, "2", ("x",), a="1").make(B, "2", ("y",), a="1")
    data.make(C, "3", b=versions.combined(["2", "2"]))
    answer = stale(data, asset(A, partitions=keys), asset(B, A, partitions=keys), asset(C, B))
    assert answer.of(B, ("x",)).status is StaleStatus.FRESH
    (cause,) = answer.of(B, ("y",)).causes
    assert (cause.dependency, cause.partition) == (A, ("y",))
    (cause,) = answer.of(C).causes
    assert cause.reason == "b of partition y is stale"


def test_too_many_partitions_are_not_looked_at() -> None:
    keys = StaticPartitions(keys=tuple(map(str, range(versions.MAX_PARTITIONS + 1))))
    assert stale(Data().make(C, "3", a="whatever"), asset(A, partitions=keys), asset(C, A)).of(C).status is StaleStatus.FRESH


def test_a_long_chain() -> None:
    keys = [AssetKey(f"k{at}") for at in range(5000)]
    data = Data().make(keys[0], "new")
    for above, below in itertools.pairwise(keys):
        data.make(below, "1", **{above.to_user_string(): "1" if above != keys[0] else "old"})
    answer = stale(data, asset(keys[0]), *(asset(below, above) for above, below in itertools.pairwise(keys)))
    assert answer.of(keys[-1]).status is StaleStatus.STALE


def test_assets_that_read_each_other_end() -> None:
    data = Data().make(A, "1", b="1").make(B, "1", a="1")
    assert stale(data, asset(A, B), asset(B, A)).of(A).status is StaleStatus.FRESH


def test_combined_versions_do_not_depend_on_the_order() -> None:
    assert versions.combined(["a", "b"]) == versions.combined(["b", "a"]) != versions.combined(["a", None])
    assert versions.combined(["a"]) == "a"


def test_what_is_known_from_an_earlier_look_stands_and_is_not_looked_behind() -> None:
    assets = (asset(A), asset(B, A), asset(C, B))
    snapshot = LocationSnapshot(location=LocationName("l"), dagwright_version="", python_version="", assets=assets)
    data = Data().make(A, "1").make(B, "2", a="1").make(C, "3", b="2")
    known = {B: {(): Staleness(status=StaleStatus.STALE, causes=(Cause(kind=CauseKind.CODE, reason="as it was"),))}}
    answer = Stale(AssetGraph([snapshot]), data, NOW, known=known)
    assert list(answer.reach([(C, ())], 100)) == [(C, ()), (B, ())]
    assert [cause.reason for cause in answer.of(C).causes] == ["b is stale"]
    assert answer.known[B] == known[B]
    assert answer.known[C][()].status is StaleStatus.STALE


def test_an_upstream_that_is_read_as_a_whole_is_not_listed_when_it_is_large() -> None:
    def readings(count: int) -> int:
        large = asset(A, partitions=StaticPartitions(keys=tuple(f"k{n}" for n in range(count))))
        return len(stale(Data().make(B, "2", a="other"), large, asset(B, A)).reach([(B, ())], 10_000)) - 1

    assert (readings(versions.MAX_PARTITIONS), readings(versions.MAX_PARTITIONS + 1)) == (versions.MAX_PARTITIONS, 0)
