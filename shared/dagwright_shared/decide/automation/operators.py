"""Conditions made of others: each operator as a function."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from dagwright_shared.decide.automation import downstream
from dagwright_shared.decide.automation.cursor import NodeState
from dagwright_shared.decide.automation.graph import EntityKey
from dagwright_shared.decide.automation.node import Node
from dagwright_shared.decide.automation.result import Result, Times, later
from dagwright_shared.decide.automation.scope import Scope
from dagwright_shared.model.automation import Operator, OperatorKind
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.subsets import EMPTY, Subset

Ask: TypeAlias = Callable[[Scope, Node, EntityKey, Subset], Result]


def evaluate(scope: Scope, node: Node, key: EntityKey, candidates: Subset) -> Result:
    """Evaluate an operator, and what it is made of."""
    assert isinstance(node.condition, Operator)
    return _ASK[node.condition.kind](scope, node, key, candidates)


def _and(scope: Scope, node: Node, key: EntityKey, candidates: Subset) -> Result:
    true, found = candidates, []
    for child in node.children:
        result = scope.ask(scope, child, key, true)
        found.append(result)
        true = true & result.true
    times = tuple((at, subset & true) for at, subset in _merged(found) or ()) if true.ranges else ()
    return Result(node, key, node.name, candidates, true, tuple(found), times or None)


def _or(scope: Scope, node: Node, key: EntityKey, candidates: Subset) -> Result:
    found = tuple(scope.ask(scope, child, key, candidates) for child in node.children)
    true = EMPTY
    for result in found:
        true = true | result.true
    if not true.ranges:
        return Result(node, key, node.name, candidates, EMPTY, found)
    # One whose time is not known may be the last of all.
    times = _merged(found) if all(result.times for result in found if result.true) else None
    return Result(node, key, node.name, candidates, true, found, times)


def _not(scope: Scope, node: Node, key: EntityKey, candidates: Subset) -> Result:
    result = scope.ask(scope, node.children[0], key, candidates)
    return Result(node, key, node.name, candidates, candidates - result.true, (result,))


def _since(scope: Scope, node: Node, key: EntityKey, candidates: Subset) -> Result:
    # Of all partitions, whichever are asked for: no change may be missed.
    full = scope.moment.full(key)
    trigger, reset = (scope.ask(scope, child, key, full) for child in node.children)
    state = scope.state(node, key) or NodeState()
    true = (scope.recall(key, state.true) | trigger.true) - reset.true
    both = trigger.true & reset.true
    if both and trigger.times and reset.times:
        true = true | (later(trigger.times, reset.times) & both)
    now = scope.moment.now.timestamp()
    after = NodeState(
        true=scope.keep(key, true),
        triggered_at=now if trigger.true else state.triggered_at,
        reset_at=now if reset.true else state.reset_at,
    )
    return Result(node, key, node.name, candidates, true, (trigger, reset), trigger.times, after)


def _newly_true(scope: Scope, node: Node, key: EntityKey, candidates: Subset) -> Result:
    result = scope.ask(scope, node.children[0], key, scope.moment.full(key))
    before = scope.state(node, key) or NodeState()
    true = candidates & (result.true - scope.recall(key, before.true))
    return Result(node, key, node.name, candidates, true, (result,), state=NodeState(true=scope.keep(key, result.true)))


def _of(scope: Scope, node: Node, key: EntityKey, candidates: Subset, other: EntityKey) -> Result:
    """A condition of another entity, brought back to the partitions of this one."""
    moment = scope.moment
    if other != key and other in moment.graph[key].children:
        there, back = moment.to_downstream(candidates, key, other), moment.to_upstream
        result = scope.ask(scope, node.children[0], other, there)
        true = back(result.true, other, key)
        times = tuple((at, back(subset, other, key)) for at, subset in result.times) if result.times else None
    else:
        there = moment.to_upstream(candidates, key, other)
        result = scope.ask(scope, node.children[0], other, there)
        true = moment.to_downstream(result.true, other, key)
        times = tuple((at, moment.to_downstream(subset, other, key)) for at, subset in result.times) if result.times else None
    return Result(node, key, other.to_user_string(), candidates, true, (result,), times)


def _on_asset(scope: Scope, node: Node, key: EntityKey, candidates: Subset) -> Result:
    assert isinstance(node.condition, Operator)
    other = node.condition.asset_key
    if other is None or other not in scope.moment.graph:
        return Result(node, key, node.name, candidates, EMPTY)
    return _of(scope, node, key, candidates, other)


def dependencies(scope: Scope, node: Node, key: EntityKey) -> list[AssetKey]:
    """The upstream assets that a condition of dependencies looks at."""
    return [
        parent for parent in scope.moment.graph[key].parents if (node.allow is None or parent in node.allow) and parent not in node.ignore
    ]


def _checks(scope: Scope, node: Node, key: EntityKey) -> list[EntityKey]:
    assert isinstance(node.condition, Operator)
    graph = scope.moment.graph
    return [check for check in graph[key].checks if check in graph and (graph[check].blocking or not node.condition.blocking_only)]


def _any_deps(scope: Scope, node: Node, key: EntityKey, candidates: Subset) -> Result:
    return _any(node, key, candidates, [_of(scope, node, key, candidates, parent) for parent in dependencies(scope, node, key)])


def _all_deps(scope: Scope, node: Node, key: EntityKey, candidates: Subset) -> Result:
    return _all(node, key, candidates, [_of(scope, node, key, candidates, parent) for parent in dependencies(scope, node, key)])


def _any_checks(scope: Scope, node: Node, key: EntityKey, candidates: Subset) -> Result:
    found = _any(node, key, candidates, [_of(scope, node, key, candidates, check) for check in _checks(scope, node, key)])
    return replace(found, times=None)


def _all_checks(scope: Scope, node: Node, key: EntityKey, candidates: Subset) -> Result:
    return _all(node, key, candidates, [_of(scope, node, key, candidates, check) for check in _checks(scope, node, key)])


def _any(node: Node, key: EntityKey, candidates: Subset, found: Sequence[Result]) -> Result:
    true = EMPTY
    for result in found:
        true = true | result.true
    return Result(node, key, node.name, candidates, candidates & true, tuple(found), _merged(found) if true.ranges else None)


def _all(node: Node, key: EntityKey, candidates: Subset, found: Sequence[Result]) -> Result:
    true = candidates
    for result in found:
        true = true & result.true
    return Result(node, key, node.name, candidates, true, tuple(found))


def _merged(found: Iterable[Result]) -> Times | None:
    merged: dict[float, Subset] = {}
    for result in found:
        for at, subset in result.times or ():
            merged[at] = merged[at] | subset if at in merged else subset
    return tuple(merged.items()) if merged else None


def any_downstream(scope: Scope, node: Node, key: EntityKey, candidates: Subset) -> Result:
    """The conditions of all that is downstream, each evaluated as if it were this asset's own."""
    if not isinstance(key, AssetKey):
        return Result(node, key, node.name, candidates, EMPTY)
    hidden = scope.expanded | node.above
    found, true = [], EMPTY
    for condition, owners in downstream.conditions(scope.moment.graph, key):
        if condition in hidden:
            continue
        inner = replace(scope, expanded=hidden | {condition})
        result = scope.ask(inner, scope.nodes.of(condition), key, candidates)
        found.append(Result(node, key, ", ".join(owner.to_user_string() for owner in owners), candidates, result.true, (result,)))
        true = true | result.true
    return Result(node, key, node.name, candidates, true, tuple(found))


_ASK: Mapping[OperatorKind, Ask] = {
    OperatorKind.AND: _and,
    OperatorKind.OR: _or,
    OperatorKind.NOT: _not,
    OperatorKind.SINCE: _since,
    OperatorKind.NEWLY_TRUE: _newly_true,
    OperatorKind.ANY_DEPS: _any_deps,
    OperatorKind.ALL_DEPS: _all_deps,
    OperatorKind.ANY_CHECKS: _any_checks,
    OperatorKind.ALL_CHECKS: _all_checks,
    OperatorKind.ON_ASSET: _on_asset,
}
