"""Whether the data of an asset is what its code would make of its upstreams now, and if not, why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from dagwright_shared.model import mappings, versions
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.graph import AssetGraph
from dagwright_shared.model.keys import AssetKey, PartitionKey, format_partition
from dagwright_shared.model.partitions import NO_DYNAMIC, DynamicKeys
from dagwright_shared.model.snapshot import AssetDepSnapshot, AssetExecution, AssetSnapshot

_LIMIT = 20_000
"""So many upstream partitions are looked at; what is beyond is taken for fresh."""


class StaleStatus(StrEnum):
    FRESH = "FRESH"
    STALE = "STALE"
    MISSING = "MISSING"
    """It has no data."""


class CauseKind(StrEnum):
    CODE = "CODE"
    """Its code version is another one."""
    DATA = "DATA"
    """An upstream has other data, or is stale itself."""
    DEPENDENCIES = "DEPENDENCIES"
    """It has other upstreams than before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Why an asset partition is stale."""

    kind: CauseKind
    reason: str
    """In words."""
    dependency: AssetKey | None = None
    """The upstream that it lies with."""
    partition: PartitionKey = ()
    """Of that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Staleness:
    status: StaleStatus
    causes: tuple[Cause, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """The newest data of an asset partition."""

    data_version: str | None
    code_version: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    """Upstream key, as text, to the version that it was made of."""
    at: datetime | None = None


class VersionsPort(Protocol):
    def made(self, key: AssetKey, partition: PartitionKey) -> Made | None:
        """The newest data of an asset partition; None: there is none."""


Place = tuple[AssetKey, PartitionKey]


class Stale:
    """Answers for a graph at a moment; what has been looked at is remembered."""

    def __init__(self, graph: AssetGraph, port: VersionsPort, now: datetime, dynamic: DynamicKeys = NO_DYNAMIC) -> None:
        self._graph, self._port, self._now, self._dynamic = graph, port, now, dynamic
        self._known: dict[Place, Staleness] = {}
        self._read: dict[Place, tuple[Place, ...]] = {}
        self._edge: frozenset[Place] = frozenset()

    def reach(self, roots: Iterable[Place], most: int) -> frozenset[Place]:
        """What is looked at to answer for some asset partitions, the nearest first: what the port must have the newest data of.

        Args:
            most: about how many; where that is reached, what lies farther up is taken for fresh.
        """
        seen = dict.fromkeys(roots)
        ring = list(seen)
        while ring and len(seen) < most:
            above = [one for place in ring for one in self._upstream(*place) if one not in seen]
            ring = list(dict.fromkeys(above))
            seen.update(dict.fromkeys(ring))
        self._edge = frozenset(ring)
        return frozenset(seen)

    def of(self, key: AssetKey, partition: PartitionKey = ()) -> Staleness:
        """How an asset partition stands.

        It is stale when its code version has changed, when it was made of other versions of its upstreams than they have now, when its
        dependencies have changed, or when an upstream is stale.
        """
        # Upstreams first, without recursion: a chain may be longer than Python's stack.
        waiting: list[Place] = [(key, partition)]
        under: set[Place] = set()
        while waiting:
            place = waiting[-1]
            if place in self._known:
                waiting.pop()
                continue
            above = [one for one in self._upstream(*place) if one not in self._known and one not in under]
            if place in under or not above or len(under) > _LIMIT:
                self._known[place] = self._judge(*place)
                waiting.pop()
            else:
                under.add(place)
                waiting += above
        return self._known[key, partition]

    def _upstream(self, key: AssetKey, partition: PartitionKey) -> tuple[Place, ...]:
        found = self._read.get((key, partition))
        if found is None:
            deps = () if (key, partition) in self._edge else self._deps(key)
            found = self._read[key, partition] = tuple(
                (dep.key, other) for dep in deps for other in self._partitions(key, partition, dep) or ()
            )
        return found

    def _deps(self, key: AssetKey) -> Sequence[AssetDepSnapshot]:
        return [dep for dep in self._snapshot(key).deps if dep.key in self._graph and dep.key != key]

    def _snapshot(self, key: AssetKey) -> AssetSnapshot:
        return self._graph.asset(key).snapshot

    def _partitions(self, key: AssetKey, partition: PartitionKey, dep: AssetDepSnapshot) -> tuple[PartitionKey, ...] | None:
        """Which partitions of an upstream it reads; None where they are too many to look at."""
        above, below = self._snapshot(dep.key).partitions, self._snapshot(key).partitions
        read = mappings.upstream_keys(partition, below, above, dep.mapping, self._now, self._dynamic).keys
        return read if len(read) <= versions.MAX_PARTITIONS else None

    def _judge(self, key: AssetKey, partition: PartitionKey) -> Staleness:
        made = self._port.made(key, partition)
        if made is None:
            return Staleness(status=StaleStatus.MISSING)
        snapshot = self._snapshot(key)
        if snapshot.execution is not AssetExecution.MATERIALIZE:
            return Staleness(status=StaleStatus.FRESH)
        data = () if (key, partition) in self._edge else self._data(key, partition, made)
        causes = [*self._code(snapshot, made), *self._dependencies(snapshot, made), *data]
        return Staleness(status=StaleStatus.STALE if causes else StaleStatus.FRESH, causes=tuple(causes))

    @staticmethod
    def _code(snapshot: AssetSnapshot, made: Made) -> Iterable[Cause]:
        if snapshot.code_version is not None and made.code_version is not None and snapshot.code_version != made.code_version:
            yield Cause(kind=CauseKind.CODE, reason=f"its code version was {made.code_version}, and is {snapshot.code_version}")

    def _dependencies(self, snapshot: AssetSnapshot, made: Made) -> Iterable[Cause]:
        if not made.inputs:
            return  # reported from outside, or it had none
        now = {dep.key.to_user_string(): dep.key for dep in snapshot.deps}
        for name in sorted(made.inputs.keys() - now.keys()):
            key = AssetKey.from_user_string(name)
            yield Cause(kind=CauseKind.DEPENDENCIES, reason=f"it no longer depends on {name}", dependency=key)
        for name in sorted(now.keys() - made.inputs.keys()):
            if now[name] in self._graph and now[name] != snapshot.key:
                yield Cause(kind=CauseKind.DEPENDENCIES, reason=f"it now depends on {name}", dependency=now[name])

    def _data(self, key: AssetKey, partition: PartitionKey, made: Made) -> Iterable[Cause]:
        for dep in self._deps(key):
            read = self._partitions(key, partition, dep)
            if not read:
                continue
            before = made.inputs.get(dep.key.to_user_string())
            found = [self._port.made(dep.key, one) for one in read]
            current = versions.combined([one.data_version if one is not None else None for one in found])
            name = dep.key.to_user_string()
            if before is not None and before != current:
                yield Cause(
                    kind=CauseKind.DATA, reason=f"{name} has new data", dependency=dep.key, partition=read[0] if len(read) == 1 else ()
                )
                continue
            for one in read:
                above = self._known.get((dep.key, one))
                if above is not None and above.status is StaleStatus.STALE:
                    of = f" of partition {format_partition(one)}" if one else ""
                    yield Cause(kind=above.causes[0].kind, reason=f"{name}{of} is stale", dependency=dep.key, partition=one)
                    break
