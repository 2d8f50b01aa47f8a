"""The conditions of what is downstream of an asset, for ANY_DOWNSTREAM_CONDITIONS."""

from __future__ import annotations

from dataclasses import replace

from dagwright_shared.decide.automation.graph import EntityGraph
from dagwright_shared.model.automation import Condition, Operand, OperandKind, OperatorKind
from dagwright_shared.model.keys import AssetKey


def conditions(graph: EntityGraph, key: AssetKey) -> list[tuple[Condition, list[AssetKey]]]:
    """Each condition with the assets that have it, in the order of the assets' names."""
    found: dict[Condition, set[AssetKey]] = {}
    for condition, owners in graph.downstream_conditions(key).items():
        plain = _without_downstream(condition)
        if plain is not None:
            found.setdefault(plain, set()).update(owners)
    return sorted(((condition, sorted(owners)) for condition, owners in found.items()), key=lambda pair: pair[1])


def _without_downstream(condition: Condition) -> Condition | None:
    """The condition with ANY_DOWNSTREAM_CONDITIONS taken as never true: what is below is looked at already. None: never true."""
    if condition.label is not None:
        return condition
    if isinstance(condition, Operand):
        return None if condition.kind is OperandKind.ANY_DOWNSTREAM_CONDITIONS else condition
    if condition.kind not in {OperatorKind.AND, OperatorKind.OR}:
        return condition
    left = [_without_downstream(operand) for operand in condition.operands]
    plain = tuple(operand for operand in left if operand is not None)
    if len(plain) == len(left) and all(a is b for a, b in zip(plain, condition.operands, strict=True)):
        return condition
    if not plain or (condition.kind is OperatorKind.AND and len(plain) < len(left)):
        return None
    return plain[0] if len(plain) == 1 else replace(condition, operands=plain)
