"""Automation conditions as data: when an asset or a check is to be requested, without anybody asking."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import AssetKey

if TYPE_CHECKING:  # selections stand on snapshots, which have conditions
    from dagwright_shared.model.selection import Selection


class OperandKind(StrEnum):
    """A fact of an asset (or check) partition that is looked up."""

    __hash__ = str.__hash__  # Enum's own is Python code; a tick looks kinds up a hundred thousand times

    MISSING = "missing"
    RUN_IN_PROGRESS = "run_in_progress"
    BACKFILL_IN_PROGRESS = "backfill_in_progress"
    EXECUTION_FAILED = "execution_failed"
    WILL_BE_REQUESTED = "will_be_requested"
    NEWLY_UPDATED = "newly_updated"
    NEWLY_REQUESTED = "newly_requested"
    DATA_VERSION_CHANGED = "data_version_changed"
    CODE_VERSION_CHANGED = "code_version_changed"
    INITIAL_EVALUATION = "initial_evaluation"
    IN_LATEST_TIME_WINDOW = "in_latest_time_window"
    CRON_TICK_PASSED = "cron_tick_passed"
    CHECK_PASSED = "check_passed"
    CHECK_FAILED = "check_failed"
    EXECUTED_WITH_ROOT_TARGET = "executed_with_root_target"
    EXECUTED_WITH_TAGS = "executed_with_tags"
    ANY_NEW_UPDATE_HAS_RUN_TAGS = "any_new_update_has_run_tags"
    ALL_NEW_UPDATES_HAVE_RUN_TAGS = "all_new_updates_have_run_tags"
    FRESHNESS_PASSED = "freshness_passed"
    FRESHNESS_WARNED = "freshness_warned"
    FRESHNESS_FAILED = "freshness_failed"
    ANY_DOWNSTREAM_CONDITIONS = "any_downstream_conditions"


class OperatorKind(StrEnum):
    """How conditions make another one; the comment says of which operands."""

    __hash__ = str.__hash__  # as above

    NOT = "not"  # one
    AND = "and"  # any number
    OR = "or"  # any number
    SINCE = "since"  # the trigger, and what resets it
    NEWLY_TRUE = "newly_true"  # one
    ANY_DEPS = "any_deps"  # one, of upstream assets
    ALL_DEPS = "all_deps"  # one, of upstream assets
    ANY_CHECKS = "any_checks"  # one, of the asset's checks
    ALL_CHECKS = "all_checks"  # one, of the asset's checks
    ANY_JOB_ROOTS = "any_job_roots"  # one, of the first assets of the job
    ALL_JOB_ROOTS = "all_job_roots"  # one, of the first assets of the job
    ON_ASSET = "on_asset"  # one, of the asset `asset_key`


@dataclass(frozen=True, slots=True, kw_only=True)
class Operand:
    """A fact, looked up."""

    kind: OperandKind
    label: str | None = None
    cron: str | None = None
    timezone: str | None = None
    lookback_seconds: float | None = None
    """Of IN_LATEST_TIME_WINDOW; None means the newest window only."""
    tag_keys: tuple[str, ...] = ()
    tag_values: Mapping[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """A condition made of others."""

    kind: OperatorKind
    operands: tuple[Condition, ...]
    label: str | None = None
    allow: Selection | None = None
    """Of ANY_DEPS and ALL_DEPS: only these upstream assets count. In a snapshot it is `Keys`."""
    ignore: Selection | None = None
    """Of ANY_DEPS and ALL_DEPS: these upstream assets do not count. In a snapshot it is `Keys`."""
    asset_key: AssetKey | None = None
    blocking_only: bool = False
    """Of ANY_CHECKS and ALL_CHECKS: only blocking checks count."""


Condition: TypeAlias = Operand | Operator


def walk(condition: Condition) -> Iterator[Condition]:
    """A condition and all that it is made of, outermost first."""
    yield condition
    if isinstance(condition, Operator):
        for operand in condition.operands:
            yield from walk(operand)


def rebuilt(condition: Condition, change: Callable[[Condition], Condition | None]) -> Condition:
    """The condition with each part that `change` gives another for; parts of a changed part are left as they are."""
    changed = change(condition)
    if changed is not None:
        return changed
    if isinstance(condition, Operator):
        return replace(condition, operands=tuple(rebuilt(operand, change) for operand in condition.operands))
    return condition


def name_of(condition: Condition) -> str:
    """The label, or else what kind of condition it is."""
    return condition.label or str(condition.kind)
