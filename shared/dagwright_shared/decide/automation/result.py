"""What came of a part of a condition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from dagwright_shared.decide.automation.cursor import NodeState
from dagwright_shared.decide.automation.graph import EntityKey
from dagwright_shared.decide.automation.node import Node
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.subsets import EMPTY, Subset, union

Times: TypeAlias = tuple[tuple[float, Subset], ...]
"""When what became true: seconds since the epoch, and the partitions of that time."""


@dataclass(slots=True)
class Result:
    """Of one node of a condition, evaluated of one entity. Nobody changes it; to be frozen would make it four times as dear, and a tick
    makes half a million of them."""

    node: Node
    key: EntityKey
    """Of what it was asked; another one than the root's below a dependency."""
    name: str
    candidates: Subset
    """Of which partitions it was asked."""
    true: Subset
    """Of which of them (of a SINCE: of which at all) it is true."""
    children: tuple[Result, ...] = ()
    times: Times | None = None
    state: NodeState | None = None

    def remembered(self) -> Iterator[tuple[Result, NodeState]]:
        """The parts that leave something behind for the next evaluation."""
        if self.state is not None:
            yield self, self.state
        for child in self.children:
            if child.node.stateful:
                yield from child.remembered()


def later(ours: Times, theirs: Times) -> Subset:
    """The partitions whose time in `ours` is later than in `theirs`."""
    found = EMPTY
    for at, subset in ours:
        found = found | (subset - union(reset for other, reset in theirs if other >= at))
    return found
