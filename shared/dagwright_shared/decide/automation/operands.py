"""Facts of partitions that conditions are made of: each operand as a function."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeAlias

from dagwright_shared.decide.automation.cursor import NodeState
from dagwright_shared.decide.automation.facts import RunFacts, Update
from dagwright_shared.decide.automation.graph import EntityKey
from dagwright_shared.decide.automation.node import Node
from dagwright_shared.decide.automation.result import Result, Times
from dagwright_shared.decide.automation.scope import Scope
from dagwright_shared.model.automation import Operand, OperandKind
from dagwright_shared.model.freshness import FreshnessState
from dagwright_shared.model.keys import AssetKey
from dagwright_shared.model.subsets import EMPTY, Subset, union

Answer: TypeAlias = Subset | tuple[Subset, Times]
"""Of which partitions it is true, and since when where that is known."""
Ask: TypeAlias = Callable[[Scope, Operand, EntityKey, Subset], Answer]

_MANY = 100
"""Beyond so many updated partitions their single times do not matter any more."""


def evaluate(scope: Scope, node: Node, key: EntityKey, candidates: Subset) -> Result:
    """Look an operand up."""
    operand = node.condition
    assert isinstance(operand, Operand)
    if operand.kind is OperandKind.CODE_VERSION_CHANGED:
        return _code_version_changed(scope, node, key, candidates)
    if not candidates:
        return Result(node, key, node.name, EMPTY, EMPTY)
    answer = _ASK[operand.kind](scope, operand, key, candidates)
    if isinstance(answer, Subset):
        return Result(node, key, node.name, candidates, answer)
    return Result(node, key, node.name, candidates, answer[0], (), answer[1])


def _code_version_changed(scope: Scope, node: Node, key: EntityKey, candidates: Subset) -> Result:
    before, now = scope.state(node, key), scope.moment.graph[key].code_version
    changed = before is not None and before.text is not None and before.text != now
    return Result(node, key, node.name, candidates, candidates if changed else EMPTY, state=NodeState(text=now))


def _missing(scope: Scope, _: Operand, key: EntityKey, candidates: Subset) -> Answer:
    return candidates - scope.moment.facts(key).known


def _run_in_progress(scope: Scope, _: Operand, key: EntityKey, _candidates: Subset) -> Answer:
    return scope.moment.facts(key).in_progress


def _backfill_in_progress(scope: Scope, _: Operand, key: EntityKey, _candidates: Subset) -> Answer:
    return scope.moment.facts(key).backfilling


def _execution_failed(scope: Scope, _: Operand, key: EntityKey, _candidates: Subset) -> Answer:
    return scope.moment.facts(key).failed


def _check_passed(scope: Scope, _: Operand, key: EntityKey, _candidates: Subset) -> Answer:
    return scope.moment.facts(key).passed


def _check_failed(scope: Scope, _: Operand, key: EntityKey, _candidates: Subset) -> Answer:
    return scope.moment.facts(key).not_passed


def _will_be_requested(scope: Scope, _: Operand, key: EntityKey, _candidates: Subset) -> Answer:
    requested = scope.requested.get(key, EMPTY)
    return requested if requested and scope.requests_with_root(key) else EMPTY


def _newly_requested(scope: Scope, _: Operand, key: EntityKey, _candidates: Subset) -> Answer:
    return scope.requested_before(key)


def _new(scope: Scope, key: EntityKey) -> list[Update]:
    """What this condition has not seen yet."""
    cursor = scope.cursor
    return [] if cursor is None else [update for update in scope.moment.facts(key).updates if update.mark > cursor.mark]


def _newly_updated(scope: Scope, _: Operand, key: EntityKey, _candidates: Subset) -> Answer:
    updates = _new(scope, key)
    if scope.moment.graph[key].observable:
        updates = [update for update in updates if update.changed]  # to see the same data again is no news
    if not updates:
        return EMPTY
    subset = union(update.partitions for update in updates) & scope.moment.full(key)
    if len(subset) > _MANY:
        return subset, ((scope.moment.now.timestamp(), subset),)
    newest: dict[float, Subset] = {}
    seen = EMPTY
    for update in reversed(updates):
        fresh = (update.partitions & subset) - seen
        if fresh:
            seen = seen | fresh
            newest[update.at] = newest.get(update.at, EMPTY) | fresh
    return subset, tuple(newest.items())


def _data_version_changed(scope: Scope, _: Operand, key: EntityKey, _candidates: Subset) -> Answer:
    return union(update.partitions for update in _new(scope, key) if update.changed) & scope.moment.full(key)


def _any_new_update_has_tags(scope: Scope, operand: Operand, key: EntityKey, _candidates: Subset) -> Answer:
    fitting = union(update.partitions for update in _new(scope, key) if _has_tags(operand, update.run))
    return fitting & scope.moment.full(key)


def _all_new_updates_have_tags(scope: Scope, operand: Operand, key: EntityKey, candidates: Subset) -> Answer:
    fitting = _any_new_update_has_tags(scope, operand, key, candidates)
    assert isinstance(fitting, Subset)
    return fitting - union(update.partitions for update in _new(scope, key) if not _has_tags(operand, update.run))


def _executed_with_tags(scope: Scope, operand: Operand, key: EntityKey, candidates: Subset) -> Answer:
    facts = scope.moment.facts(key)
    return candidates & facts.last if _has_tags(operand, facts.last_run) else EMPTY


def _executed_with_root(scope: Scope, _: Operand, key: EntityKey, candidates: Subset) -> Answer:
    facts = scope.moment.facts(key)
    # An asset that reads its own partitions is always made together with itself, and never of the same partition.
    if facts.last_run is None or key == scope.root.key or scope.root.key not in facts.last_run.targets:
        return EMPTY
    return candidates & facts.last


def _has_tags(operand: Operand, run: RunFacts | None) -> bool:
    if run is None:
        return False
    return all(name in run.tags for name in operand.tag_keys) and all(run.tags.get(k) == v for k, v in operand.tag_values.items())


def _initial_evaluation(scope: Scope, _: Operand, _key: EntityKey, candidates: Subset) -> Answer:
    return candidates if scope.is_first else EMPTY


def _in_latest_time_window(scope: Scope, operand: Operand, key: EntityKey, _candidates: Subset) -> Answer:
    return scope.moment.latest_window(key, operand.lookback_seconds)


def _cron_tick_passed(scope: Scope, operand: Operand, _key: EntityKey, candidates: Subset) -> Answer:
    cursor = scope.cursor
    if cursor is None:
        return EMPTY
    tick = scope.moment.previous_tick(operand.cron or "", operand.timezone or "UTC")
    return EMPTY if tick < cursor.at else (candidates, ((tick.timestamp(), candidates),))


def _freshness(state: FreshnessState, scope: Scope, _: Operand, key: EntityKey, _candidates: Subset) -> Answer:
    holds = isinstance(key, AssetKey) and scope.moment.facts(key).freshness is state
    return scope.moment.full(key) if holds else EMPTY


_ASK: Mapping[OperandKind, Ask] = {
    OperandKind.MISSING: _missing,
    OperandKind.RUN_IN_PROGRESS: _run_in_progress,
    OperandKind.BACKFILL_IN_PROGRESS: _backfill_in_progress,
    OperandKind.EXECUTION_FAILED: _execution_failed,
    OperandKind.WILL_BE_REQUESTED: _will_be_requested,
    OperandKind.NEWLY_UPDATED: _newly_updated,
    OperandKind.NEWLY_REQUESTED: _newly_requested,
    OperandKind.DATA_VERSION_CHANGED: _data_version_changed,
    OperandKind.INITIAL_EVALUATION: _initial_evaluation,
    OperandKind.IN_LATEST_TIME_WINDOW: _in_latest_time_window,
    OperandKind.CRON_TICK_PASSED: _cron_tick_passed,
    OperandKind.CHECK_PASSED: _check_passed,
    OperandKind.CHECK_FAILED: _check_failed,
    OperandKind.EXECUTED_WITH_ROOT_TARGET: _executed_with_root,
    OperandKind.EXECUTED_WITH_TAGS: _executed_with_tags,
    OperandKind.ANY_NEW_UPDATE_HAS_RUN_TAGS: _any_new_update_has_tags,
    OperandKind.ALL_NEW_UPDATES_HAVE_RUN_TAGS: _all_new_updates_have_tags,
    OperandKind.FRESHNESS_PASSED: partial(_freshness, FreshnessState.PASS),
    OperandKind.FRESHNESS_WARNED: partial(_freshness, FreshnessState.WARN),
    OperandKind.FRESHNESS_FAILED: partial(_freshness, FreshnessState.FAIL),
}
