"""The asset graph: one class for every process, over the snapshots of all locations."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import cached_property

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import NotFoundError
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, LocationName
from dagwright_shared.model.snapshot import AssetExecution, AssetSnapshot, CheckSnapshot, JobSnapshot, LocationSnapshot


class Topology:
    """Who depends on whom. Nodes keep the order in which they were given; a parent that is not a node is left out."""

    __slots__ = ("_children", "_parents")

    def __init__(self, parents: Mapping[AssetKey, Iterable[AssetKey]]) -> None:
        self._parents = {key: tuple(p for p in dict.fromkeys(found) if p in parents and p != key) for key, found in parents.items()}
        children: dict[AssetKey, list[AssetKey]] = {key: [] for key in parents}
        for key, found in self._parents.items():
            for parent in found:
                children[parent].append(key)
        self._children = {key: tuple(found) for key, found in children.items()}

    def __contains__(self, key: object) -> bool:
        return key in self._parents

    def __iter__(self) -> Iterable[AssetKey]:
        return iter(self._parents)

    def keys(self) -> Collection[AssetKey]:
        return self._parents.keys()

    def parents(self, key: AssetKey) -> tuple[AssetKey, ...]:
        return self._parents.get(key, ())

    def children(self, key: AssetKey) -> tuple[AssetKey, ...]:
        return self._children.get(key, ())

    def upstream(self, keys: Iterable[AssetKey], depth: int | None = None) -> frozenset[AssetKey]:
        """The keys and what they depend on, up to `depth` steps away (None: all the way)."""
        return self._reach(keys, self._parents, depth)

    def downstream(self, keys: Iterable[AssetKey], depth: int | None = None) -> frozenset[AssetKey]:
        """The keys and what depends on them, up to `depth` steps away (None: all the way)."""
        return self._reach(keys, self._children, depth)

    def levels(self) -> list[list[AssetKey]]:
        """The nodes by their distance from the roots; nodes on a cycle, and below one, are left out."""
        waiting = {key: len(found) for key, found in self._parents.items()}
        level = [key for key, count in waiting.items() if count == 0]
        found = []
        while level:
            found.append(level)
            following = []
            for key in level:
                for child in self._children[key]:
                    waiting[child] -= 1
                    if waiting[child] == 0:
                        following.append(child)
            level = following
        return found

    def order(self) -> list[AssetKey]:
        """The nodes with every parent before its children."""
        return [key for level in self.levels() for key in level]

    def cycle(self) -> tuple[AssetKey, ...] | None:
        """A path that ends where it begins, if there is one; each node depends on the one before it."""
        left = set(self._parents).difference(self.order())
        if not left:
            return None
        # What is left has a parent that is left, or lies below one: walking up must come to a node for the second time.
        key = min(left)
        walked: dict[AssetKey, None] = {}
        while key not in walked:
            walked[key] = None
            key = next(parent for parent in self._parents[key] if parent in left)
        path = list(walked)[list(walked).index(key) :]
        return (key, *reversed(path))

    @staticmethod
    def _reach(keys: Iterable[AssetKey], step: Mapping[AssetKey, tuple[AssetKey, ...]], depth: int | None) -> frozenset[AssetKey]:
        distance = dict.fromkeys((key for key in keys if key in step), 0)
        queue = deque(distance)
        while queue:
            key = queue.popleft()
            away = distance[key] + 1
            if depth is not None and away > depth:
                continue
            for other in step[key]:
                if other not in distance:
                    distance[other] = away
                    queue.append(other)
        return frozenset(distance)


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetNode:
    """An asset, and the location whose definition of it counts."""

    key: AssetKey
    location: LocationName
    snapshot: AssetSnapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """An asset that more than one location says it computes."""

    key: AssetKey
    locations: tuple[LocationName, ...]


class AssetGraph:
    """All assets of a deployment, or of one location.

    Where several locations define a key, one that computes it wins over those that only refer to it; where several
    compute it, the first location by name wins and the key is in `conflicts`.
    """

    def __init__(self, snapshots: Iterable[LocationSnapshot]) -> None:
        self._snapshots = sorted(snapshots, key=lambda snapshot: snapshot.location)
        computed: dict[AssetKey, list[LocationName]] = {}
        nodes: dict[AssetKey, AssetNode] = {}
        for snapshot in self._snapshots:
            for asset in snapshot.assets:
                known = nodes.get(asset.key)
                if asset.execution is not AssetExecution.EXTERNAL:
                    computed.setdefault(asset.key, []).append(snapshot.location)
                if known is None or _rank(asset) > _rank(known.snapshot):
                    nodes[asset.key] = AssetNode(key=asset.key, location=snapshot.location, snapshot=asset)
        self._nodes = nodes
        self.conflicts = tuple(Conflict(key=key, locations=tuple(where)) for key, where in computed.items() if len(where) > 1)
        self.topology = Topology({key: [dep.key for dep in node.snapshot.deps] for key, node in nodes.items()})

    def __contains__(self, key: object) -> bool:
        return key in self._nodes

    def __len__(self) -> int:
        return len(self._nodes)

    def keys(self) -> Collection[AssetKey]:
        return self._nodes.keys()

    def nodes(self) -> Collection[AssetNode]:
        return self._nodes.values()

    def asset(self, key: AssetKey) -> AssetNode:
        """The asset of a key.

        Raises:
            NotFoundError: there is none; names the nearest key.
        """
        try:
            return self._nodes[key]
        except KeyError:
            raise NotFoundError("asset", key.to_user_string(), known=[k.to_user_string() for k in self._nodes]) from None

    def facts(self, key: AssetKey) -> AssetSnapshot:
        """What selections look at."""
        return self._nodes[key].snapshot

    def parents(self, key: AssetKey) -> tuple[AssetKey, ...]:
        return self.topology.parents(key)

    def children(self, key: AssetKey) -> tuple[AssetKey, ...]:
        return self.topology.children(key)

    @cached_property
    def levels(self) -> Sequence[Sequence[AssetKey]]:
        """The assets by their distance from the roots."""
        return self.topology.levels()

    @cached_property
    def roots(self) -> tuple[AssetKey, ...]:
        """Assets that depend on nothing."""
        return tuple(key for key in self._nodes if not self.parents(key))

    @cached_property
    def executable(self) -> frozenset[AssetKey]:
        """Assets that a run can compute."""
        return frozenset(key for key, node in self._nodes.items() if node.snapshot.execution is not AssetExecution.EXTERNAL)

    @cached_property
    def groups(self) -> Mapping[str, tuple[AssetKey, ...]]:
        """Assets by group, both sorted."""
        found: dict[str, list[AssetKey]] = {}
        for key, node in self._nodes.items():
            found.setdefault(node.snapshot.group, []).append(key)
        return {group: tuple(sorted(found[group])) for group in sorted(found)}

    @cached_property
    def checks(self) -> Mapping[AssetKey, tuple[CheckSnapshot, ...]]:
        """Checks by the asset that they judge."""
        found: dict[AssetKey, dict[str, CheckSnapshot]] = {}
        for snapshot in self._snapshots:
            for check in snapshot.checks:
                found.setdefault(check.key.asset_key, {}).setdefault(check.key.name, check)
        return {key: tuple(by_name.values()) for key, by_name in found.items()}

    def check_keys(self, key: AssetKey) -> tuple[AssetCheckKey, ...]:
        return tuple(check.key for check in self.checks.get(key, ()))

    @cached_property
    def _jobs_by_asset(self) -> Mapping[AssetKey, tuple[tuple[LocationName, JobSnapshot], ...]]:
        found: dict[AssetKey, list[tuple[LocationName, JobSnapshot]]] = {}
        for snapshot in self._snapshots:
            for job in snapshot.jobs:
                for key in job.asset_keys:
                    found.setdefault(key, []).append((snapshot.location, job))
        return {key: tuple(jobs) for key, jobs in found.items()}

    def jobs_of(self, key: AssetKey) -> tuple[tuple[LocationName, JobSnapshot], ...]:
        """The jobs that materialize an asset, with their locations."""
        return self._jobs_by_asset.get(key, ())

    def upstream(self, keys: Iterable[AssetKey], depth: int | None = None) -> AbstractSet[AssetKey]:
        return self.topology.upstream(keys, depth)

    def downstream(self, keys: Iterable[AssetKey], depth: int | None = None) -> AbstractSet[AssetKey]:
        return self.topology.downstream(keys, depth)


def _rank(asset: AssetSnapshot) -> tuple[bool, bool]:
    # A definition that computes beats one that is declared, which beats a stub that only a dependency names.
    return asset.execution is not AssetExecution.EXTERNAL, asset.source is not None
