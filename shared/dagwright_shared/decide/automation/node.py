"""Conditions made ready for evaluation: what does not depend on the moment is worked out once."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import field

from dagwright_shared.model.automation import Condition, Operand, OperandKind, Operator, OperatorKind
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import AssetCheckKey, AssetKey

_SHOWN: Mapping[OperatorKind, str] = {
    OperatorKind.ANY_DEPS: "ANY_DEPS_MATCH",
    OperatorKind.ALL_DEPS: "ALL_DEPS_MATCH",
    OperatorKind.ANY_CHECKS: "ANY_CHECKS_MATCH",
    OperatorKind.ALL_CHECKS: "ALL_CHECKS_MATCH",
    OperatorKind.ANY_JOB_ROOTS: "ANY_JOB_ROOT_ASSETS_MATCH",
    OperatorKind.ALL_JOB_ROOTS: "ALL_JOB_ROOT_ASSETS_MATCH",
}
REMEMBERING = frozenset({OperatorKind.SINCE, OperatorKind.NEWLY_TRUE, OperandKind.CODE_VERSION_CHANGED})
PASSING = frozenset(
    {
        OperandKind.NEWLY_UPDATED,
        OperandKind.NEWLY_REQUESTED,
        OperandKind.WILL_BE_REQUESTED,
        OperandKind.DATA_VERSION_CHANGED,
        OperandKind.CODE_VERSION_CHANGED,
        OperandKind.INITIAL_EVALUATION,
        OperandKind.CRON_TICK_PASSED,
        OperandKind.ANY_NEW_UPDATE_HAS_RUN_TAGS,
        OperandKind.ALL_NEW_UPDATES_HAVE_RUN_TAGS,
        OperatorKind.NEWLY_TRUE,
    }
)
"""True for one tick."""


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A condition, or a part of one."""

    condition: Condition
    children: tuple[Node, ...]
    name: str
    id: str
    """Equal for equal parts, wherever they are: what they remember is found by it."""
    stateful: bool
    """Whether it, or a part of it, remembers something, and so must be asked even when nothing depends on the answer."""
    fleeting: bool
    """Whether it, or a part of it, is of a kind that is true for one tick."""
    above: frozenset[Condition] = frozenset()
    """Of ANY_DOWNSTREAM_CONDITIONS: what it is a part of."""
    allow: frozenset[AssetKey] | None = None
    ignore: frozenset[AssetKey] = frozenset()


@dataclass(slots=True)
class Nodes:
    """Nodes by condition: ten thousand assets with one condition have one node."""

    _known: dict[Condition, Node] = field(default_factory=dict)
    _same: dict[int, tuple[Condition, Node]] = field(default_factory=dict)
    """By identity, with the condition so that nothing else can take its place: to hash one goes through all its parts."""

    def of(self, condition: Condition) -> Node:
        same = self._same.get(id(condition))
        if same is not None:
            return same[1]
        found = self._known.get(condition)
        if found is None:
            found = self._known[condition] = _ready(condition, frozenset())
        self._same[id(condition)] = (condition, found)
        return found


def name_of(condition: Condition) -> str:
    """What kind of condition it is, with its arguments."""
    if isinstance(condition, Operator):
        name = _SHOWN.get(condition.kind, condition.kind.name)
        if condition.kind is OperatorKind.ON_ASSET and condition.asset_key is not None:
            return condition.asset_key.to_user_string()
        return f"{name}(blocking_only=True)" if condition.blocking_only else name
    arguments = {
        "cron_schedule": condition.cron,
        "cron_timezone": condition.timezone,
        "lookback_seconds": condition.lookback_seconds,
        "tag_keys": ",".join(condition.tag_keys) or None,
        "tag_values": ",".join(f"{key}:{value}" for key, value in sorted(condition.tag_values.items())) or None,
    }
    told = ", ".join(f"{key}={value}" for key, value in arguments.items() if value is not None)
    return f"{condition.kind}({told})" if told else str(condition.kind)


def state_key(node: Node, key: AssetKey | AssetCheckKey, root: AssetKey | AssetCheckKey) -> str:
    """Where a cursor has what the node remembers of an entity."""
    return node.id if key == root else f"{node.id}@{key.to_user_string()}"


def _ready(condition: Condition, above: frozenset[Condition]) -> Node:
    name = name_of(condition)
    if isinstance(condition, Operand):
        downstream = condition.kind is OperandKind.ANY_DOWNSTREAM_CONDITIONS
        return Node(
            condition=condition,
            children=(),
            name=name,
            id=_hash(name),
            # What is downstream may remember something.
            stateful=condition.kind in REMEMBERING or downstream,
            fleeting=condition.kind in PASSING or downstream,
            above=above | {condition} if downstream else frozenset(),
        )
    children = tuple(_ready(operand, above | {condition}) for operand in condition.operands)
    return Node(
        condition=condition,
        children=children,
        name=name,
        id=_hash(name, *(child.id for child in children)),
        stateful=condition.kind in REMEMBERING or any(child.stateful for child in children),
        fleeting=condition.kind in PASSING or any(child.fleeting for child in children),
        allow=None if condition.allow is None else _keys(condition.allow),
        ignore=frozenset() if condition.ignore is None else _keys(condition.ignore),
    )


def _keys(selection: object) -> frozenset[AssetKey]:
    """Conditions of a snapshot select by keys."""
    return frozenset(getattr(selection, "keys", ()))


def _hash(*texts: str) -> str:
    return hashlib.blake2b("\x00".join(texts).encode(), digest_size=6).hexdigest()
