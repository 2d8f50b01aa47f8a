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
from dagwright_shared.model.keys import UNPARTITIONED, AssetKey, PartitionKey, format_partition
from dagwright_shared.model.partitions import NO_DYNAMIC, DynamicKeys, count
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


class VersionsPort(Protocol):
    def made(self, key: AssetKey, partition: PartitionKey) -> Made | None:
        """The newest data of an asset partition; None: there is none."""


FRESH, MISSING = Staleness(status=StaleStatus.FRESH), Staleness(status=StaleStatus.MISSING)

Place = tuple[AssetKey, PartitionKey]
Known = Mapping[AssetKey, Mapping[PartitionKey, Staleness]]
_WHOLE = (UNPARTITIONED,)


class _Asset:
    """An asset and what is remembered of its partitions. Equal to itself only: by keys, a look at thousands would be most of the time."""

    __slots__ = ("deps", "key", "known", "read", "snapshot", "text")

    def __init__(self, snapshot: AssetSnapshot, known: Mapping[PartitionKey, Staleness]) -> None:
        self.key, self.text, self.snapshot = snapshot.key, snapshot.key.to_user_string(), snapshot
        self.known = dict(known)
        self.read: dict[PartitionKey, Sequence[tuple[_Asset, Sequence[PartitionKey]]]] = {}
        self.deps: Sequence[tuple[_Asset, AssetDepSnapshot]] | None = None


_Spot = tuple[_Asset, PartitionKey]


class Stale:
    """Answers for a graph at a moment; what has been looked at is remembered."""

    def __init__(
        self, graph: AssetGraph, port: VersionsPort, now: datetime, dynamic: DynamicKeys = NO_DYNAMIC, known: Known | None = None
    ) -> None:
        """
        Args:
            known: how some asset partitions stand, from an earlier look: they are not judged again.
        """
        self._graph, self._port, self._now, self._dynamic = graph, port, now, dynamic
        self._assets: dict[AssetKey, _Asset] = {}
        self._before = known or {}

    @property
    def known(self) -> Known:
        """How all stands that has been judged."""
        return {**self._before, **{key: asset.known for key, asset in self._assets.items()}}

    def reach(self, roots: Iterable[Place], most: int) -> Sequence[Place]:
        """What is looked at to answer for some asset partitions, the nearest first: what the port must have the newest data of.

        Args:
            most: about how many; where that is reached, what lies farther up is taken for fresh.
        """
        seen: dict[_Spot, None] = dict.fromkeys((self._asset(key), partition) for key, partition in roots)
        ring = list(seen)
        while ring and len(seen) < most:
            above = [one for spot in ring if spot[1] not in spot[0].known for one in self._upstream(spot) if one not in seen]
            ring = list(dict.fromkeys(above))
            seen.update(dict.fromkeys(ring))
        for asset, partition in ring:
            asset.read[partition] = ()
        return [(asset.key, partition) for asset, partition in seen]

    def of(self, key: AssetKey, partition: PartitionKey = ()) -> Staleness:
        """How an asset partition stands.

        It is stale when its code version has changed, when it was made of other versions of its upstreams than they have now, when its
        dependencies have changed, or when an upstream is stale.
        """
        # Upstreams first, without recursion: a chain may be longer than Python's stack.
        root = self._asset(key)
        waiting: list[_Spot] = [(root, partition)]
        under: set[_Spot] = set()
        while waiting:
            spot = waiting[-1]
            if spot[1] in spot[0].known:
                waiting.pop()
                continue
            above = [one for one in self._upstream(spot) if one[1] not in one[0].known and one not in under]
            if spot in under or not above or len(under) > _LIMIT:
                spot[0].known[spot[1]] = self._judge(*spot)
                waiting.pop()
            else:
                under.add(spot)
                waiting += above
        return root.known[partition]

    def _asset(self, key: AssetKey) -> _Asset:
        found = self._assets.get(key)
        if found is None:
            found = self._assets[key] = _Asset(self._graph.asset(key).snapshot, self._before.get(key, {}))
        return found

    def _upstream(self, spot: _Spot) -> Iterable[_Spot]:
        return [(dep, one) for dep, partitions in self._readings(*spot) for one in partitions]

    def _readings(self, asset: _Asset, partition: PartitionKey) -> Sequence[tuple[_Asset, Sequence[PartitionKey]]]:
        """The partitions of each upstream that it reads; of an upstream of which it reads too many to look at, none."""
        found = asset.read.get(partition)
        if found is None:
            if asset.deps is None:
                deps = [dep for dep in asset.snapshot.deps if dep.key in self._graph and dep.key != asset.key]
                asset.deps = [(self._asset(dep.key), dep) for dep in deps]
            found = asset.read[partition] = [(above, self._partitions(asset, partition, above, dep)) for above, dep in asset.deps]
        return found

    def _partitions(self, asset: _Asset, partition: PartitionKey, upstream: _Asset, dep: AssetDepSnapshot) -> Sequence[PartitionKey]:
        above, below = upstream.snapshot.partitions, asset.snapshot.partitions
        if above is None:
            return _WHOLE
        if mappings.reads_all(partition, below, above, dep.mapping) and count(above, self._now, self._dynamic) > versions.MAX_PARTITIONS:
            return ()
        read = mappings.upstream_keys(partition, below, above, dep.mapping, self._now, self._dynamic).keys
        return read if len(read) <= versions.MAX_PARTITIONS else ()

    def _judge(self, asset: _Asset, partition: PartitionKey) -> Staleness:
        made = self._port.made(asset.key, partition)
        if made is None:
            return MISSING
        if asset.snapshot.execution is not AssetExecution.MATERIALIZE:
            return FRESH
        causes = (*self._code(asset.snapshot, made), *self._dependencies(asset.snapshot, made), *self._data(asset, partition, made))
        return Staleness(status=StaleStatus.STALE, causes=causes) if causes else FRESH

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

    def _data(self, asset: _Asset, partition: PartitionKey, made: Made) -> Iterable[Cause]:
        for above, read in self._readings(asset, partition):
            before = made.inputs.get(above.text)
            if read and before is not None and before != self._version(above.key, read):
                reason, one = f"{above.text} has new data", read[0] if len(read) == 1 else ()
                yield Cause(kind=CauseKind.DATA, reason=reason, dependency=above.key, partition=one)
                continue
            for one in read:
                found = above.known.get(one)
                if found is not None and found.status is StaleStatus.STALE:
                    of = f" of partition {format_partition(one)}" if one else ""
                    yield Cause(kind=found.causes[0].kind, reason=f"{above.text}{of} is stale", dependency=above.key, partition=one)
                    break

    def _version(self, key: AssetKey, partitions: Sequence[PartitionKey]) -> str:
        """The one version for partitions that are read together, as it is now."""
        found = [self._port.made(key, one) for one in partitions]
        return versions.combined([one.data_version if one is not None else None for one in found])
