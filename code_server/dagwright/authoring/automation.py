"""Automation conditions: when an asset or a check is made without anybody asking."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import timedelta
from typing import Any

from dagwright.authoring import naming
from dagwright.authoring import source as sources
from dagwright.authoring.selections import AssetSelection
from dagwright_shared.model import automation as model
from dagwright_shared.model import cron
from dagwright_shared.model import selection as selections
from dagwright_shared.model.automation import OperandKind, Operator, OperatorKind
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError, SourceRef

_DEPS = (OperatorKind.ANY_DEPS, OperatorKind.ALL_DEPS)
_OF_JOBS: Mapping[object, str] = {
    OperatorKind.ANY_JOB_ROOTS: "any_job_root_assets_match",
    OperatorKind.ALL_JOB_ROOTS: "all_job_root_assets_match",
}


@dataclass(frozen=True, slots=True)
class AutomationCondition:
    """When something is requested. Combine conditions with `&`, `|` and `~`; the daemon evaluates them.

    Example:
        >>> nightly = AutomationCondition.on_cron("0 3 * * *")
        >>> careful = AutomationCondition.eager() & ~AutomationCondition.execution_failed()
        >>> careful.get_label(), nightly.get_label()
        (None, 'on_cron(0 3 * * *, UTC)')
    """

    node: model.Condition
    """The condition as data."""

    def __init_subclass__(cls, **_: Any) -> None:
        raise DefinitionError(
            f"{cls.__name__} is an automation condition with code of its own; the daemon evaluates conditions, and runs no user code",
            source=sources.of_caller(),
            mend="combine the conditions that there are with &, | and ~, or ask for the runs in a sensor",
        )

    def __class_getitem__(cls, _: Any) -> type[AutomationCondition]:
        """`AutomationCondition[AssetKey]` in annotations."""
        return cls

    # ---- whole policies

    @staticmethod
    def eager() -> AutomationCondition:
        """When an upstream was updated, or it is missing; not while upstreams are missing or anything is in progress."""
        parts = (
            AutomationCondition.in_latest_time_window()
            & (AutomationCondition.newly_missing() | AutomationCondition.any_deps_updated()).since_last_handled()
            & ~AutomationCondition.any_deps_missing()
            & ~AutomationCondition.any_deps_in_progress()
            & ~AutomationCondition.in_progress()
        )
        return parts.with_label("eager")

    @staticmethod
    def on_cron(cron_schedule: str, cron_timezone: str = "UTC") -> AutomationCondition:
        """Once after each tick of a cron schedule, when all upstreams have been updated since the tick.

        Raises:
            DefinitionError: the expression or the time zone is not valid.
        """
        ticked = AutomationCondition.cron_tick_passed(cron_schedule, cron_timezone)
        parts = (
            AutomationCondition.in_latest_time_window()
            & ticked.since_last_handled()
            & AutomationCondition.all_deps_updated_since_cron(cron_schedule, cron_timezone)
        )
        return parts.with_label(f"on_cron({cron_schedule}, {cron_timezone})")

    @staticmethod
    def on_missing() -> AutomationCondition:
        """Once when it becomes missing and no upstream is."""
        parts = (
            AutomationCondition.in_latest_time_window()
            & AutomationCondition.missing().newly_true().since_last_handled().with_label("missing_since_last_handled")
            & ~AutomationCondition.any_deps_missing()
        )
        return parts.with_label("on_missing")

    # ---- facts

    @staticmethod
    def missing() -> AutomationCondition:
        """It has never been made."""
        return _fact(OperandKind.MISSING)

    @staticmethod
    def run_in_progress() -> AutomationCondition:
        """A run that makes it is queued or active."""
        return _fact(OperandKind.RUN_IN_PROGRESS)

    @staticmethod
    def backfill_in_progress() -> AutomationCondition:
        """A backfill that makes it is active."""
        return _fact(OperandKind.BACKFILL_IN_PROGRESS)

    @staticmethod
    def in_progress() -> AutomationCondition:
        """A run or a backfill makes it."""
        return (AutomationCondition.run_in_progress() | AutomationCondition.backfill_in_progress()).with_label("in_progress")

    @staticmethod
    def execution_failed() -> AutomationCondition:
        """The newest attempt to make it failed."""
        return _fact(OperandKind.EXECUTION_FAILED)

    @staticmethod
    def will_be_requested() -> AutomationCondition:
        """It is requested in this evaluation."""
        return _fact(OperandKind.WILL_BE_REQUESTED)

    @staticmethod
    def newly_updated() -> AutomationCondition:
        """It was made since the evaluation before."""
        return _fact(OperandKind.NEWLY_UPDATED)

    @staticmethod
    def newly_requested() -> AutomationCondition:
        """The evaluation before requested it."""
        return _fact(OperandKind.NEWLY_REQUESTED)

    @staticmethod
    def newly_missing() -> AutomationCondition:
        """It has become missing since the evaluation before."""
        return AutomationCondition.missing().newly_true().with_label("newly_missing")

    @staticmethod
    def data_version_changed() -> AutomationCondition:
        """Its data version is another one than in the evaluation before."""
        return _fact(OperandKind.DATA_VERSION_CHANGED)

    @staticmethod
    def code_version_changed() -> AutomationCondition:
        """Its code version is another one than in the evaluation before."""
        return _fact(OperandKind.CODE_VERSION_CHANGED)

    @staticmethod
    def initial_evaluation() -> AutomationCondition:
        """This condition is evaluated for the first time."""
        return _fact(OperandKind.INITIAL_EVALUATION)

    @staticmethod
    def in_latest_time_window(lookback_delta: timedelta | None = None) -> AutomationCondition:
        """Its partition is the newest window of time, or ends within `lookback_delta` before that; true without time partitions."""
        return _fact(OperandKind.IN_LATEST_TIME_WINDOW, lookback_seconds=None if lookback_delta is None else lookback_delta.total_seconds())

    @staticmethod
    def cron_tick_passed(cron_schedule: str, cron_timezone: str = "UTC") -> AutomationCondition:
        """A tick of the cron schedule passed since the evaluation before.

        Raises:
            DefinitionError: the expression or the time zone is not valid.
        """
        try:
            cron.check(cron_schedule)
            cron.zone(cron_timezone)
        except (ValueError, AttributeError) as error:
            raise DefinitionError(f"an automation condition: {error}", source=sources.of_caller()) from None
        return _fact(OperandKind.CRON_TICK_PASSED, cron=cron_schedule, timezone=cron_timezone)

    @staticmethod
    def check_passed() -> AutomationCondition:
        """Of a check: its newest evaluation passed."""
        return _fact(OperandKind.CHECK_PASSED)

    @staticmethod
    def check_failed() -> AutomationCondition:
        """Of a check: its newest evaluation did not pass."""
        return _fact(OperandKind.CHECK_FAILED)

    @staticmethod
    def freshness_passed() -> AutomationCondition:
        """Its freshness policy holds."""
        return _fact(OperandKind.FRESHNESS_PASSED)

    @staticmethod
    def freshness_warned() -> AutomationCondition:
        """Its freshness policy warns."""
        return _fact(OperandKind.FRESHNESS_WARNED)

    @staticmethod
    def freshness_failed() -> AutomationCondition:
        """Its freshness policy is broken."""
        return _fact(OperandKind.FRESHNESS_FAILED)

    @staticmethod
    def executed_with_root_target() -> AutomationCondition:
        """The run that made it last also made the asset that this condition belongs to."""
        return _fact(OperandKind.EXECUTED_WITH_ROOT_TARGET)

    @staticmethod
    def executed_with_tags(*, tag_keys: AbstractSet[str] | None = None, tag_values: Mapping[str, str] | None = None) -> AutomationCondition:
        """The run that made it last has all these tags."""
        return _tagged(OperandKind.EXECUTED_WITH_TAGS, tag_keys, tag_values)

    @staticmethod
    def any_new_update_has_run_tags(
        *, tag_keys: AbstractSet[str] | None = None, tag_values: Mapping[str, str] | None = None
    ) -> AutomationCondition:
        """A run that made it since the evaluation before has all these tags."""
        return _tagged(OperandKind.ANY_NEW_UPDATE_HAS_RUN_TAGS, tag_keys, tag_values)

    @staticmethod
    def all_new_updates_have_run_tags(
        *, tag_keys: AbstractSet[str] | None = None, tag_values: Mapping[str, str] | None = None
    ) -> AutomationCondition:
        """All runs that made it since the evaluation before have all these tags."""
        return _tagged(OperandKind.ALL_NEW_UPDATES_HAVE_RUN_TAGS, tag_keys, tag_values)

    @staticmethod
    def any_downstream_conditions() -> AutomationCondition:
        """The condition of anything downstream is true."""
        return _fact(OperandKind.ANY_DOWNSTREAM_CONDITIONS)

    # ---- of other assets

    @staticmethod
    def asset_matches(key: Any, condition: AutomationCondition) -> AutomationCondition:
        """A condition is true of another asset."""
        return _make(OperatorKind.ON_ASSET, condition, asset_key=naming.asset_key(key, "AutomationCondition.asset_matches"))

    @staticmethod
    def any_deps_match(condition: AutomationCondition) -> AutomationCondition:
        """It is true of an upstream; narrow the upstreams by `.allow(...)` and `.ignore(...)`."""
        return _make(OperatorKind.ANY_DEPS, condition)

    @staticmethod
    def all_deps_match(condition: AutomationCondition) -> AutomationCondition:
        """It is true of all upstreams (for each of them, of any of the partitions needed)."""
        return _make(OperatorKind.ALL_DEPS, condition)

    @staticmethod
    def any_checks_match(condition: AutomationCondition, blocking_only: bool = False) -> AutomationCondition:
        """It is true of a check of the asset."""
        return _make(OperatorKind.ANY_CHECKS, condition, blocking_only=blocking_only)

    @staticmethod
    def all_checks_match(condition: AutomationCondition, blocking_only: bool = False) -> AutomationCondition:
        """It is true of all checks of the asset."""
        return _make(OperatorKind.ALL_CHECKS, condition, blocking_only=blocking_only)

    @staticmethod
    def any_job_root_assets_match(condition: AutomationCondition) -> AutomationCondition:
        """It is true of one of the first assets of the job."""
        return _make(OperatorKind.ANY_JOB_ROOTS, condition)

    @staticmethod
    def all_job_root_assets_match(condition: AutomationCondition) -> AutomationCondition:
        """It is true of all of the first assets of the job."""
        return _make(OperatorKind.ALL_JOB_ROOTS, condition)

    @staticmethod
    def any_deps_updated() -> AutomationCondition:
        """An upstream was updated, other than together with this asset, or will be."""
        alone = AutomationCondition.newly_updated() & ~AutomationCondition.executed_with_root_target()
        updated = alone.with_label("newly_updated_without_root") | AutomationCondition.will_be_requested()
        return AutomationCondition.any_deps_match(updated).with_label("any_deps_updated")

    @staticmethod
    def any_deps_missing() -> AutomationCondition:
        """An upstream is missing, and will not be requested."""
        condition = AutomationCondition.missing() & ~AutomationCondition.will_be_requested()
        return AutomationCondition.any_deps_match(condition).with_label("any_deps_missing")

    @staticmethod
    def any_deps_in_progress() -> AutomationCondition:
        """An upstream is being made."""
        return AutomationCondition.any_deps_match(AutomationCondition.in_progress()).with_label("any_deps_in_progress")

    @staticmethod
    def all_deps_updated_since_cron(cron_schedule: str, cron_timezone: str = "UTC") -> AutomationCondition:
        """All upstreams were updated since the newest tick, or will be."""
        updated = AutomationCondition.newly_updated().since(AutomationCondition.cron_tick_passed(cron_schedule, cron_timezone))
        condition = AutomationCondition.all_deps_match(updated | AutomationCondition.will_be_requested())
        return condition.with_label(f"all_deps_updated_since_cron({cron_schedule}, {cron_timezone})")

    @staticmethod
    def all_deps_blocking_checks_passed() -> AutomationCondition:
        """All blocking checks of all upstreams passed, or will be evaluated."""
        passed = AutomationCondition.check_passed() | AutomationCondition.will_be_requested()
        condition = AutomationCondition.all_deps_match(AutomationCondition.all_checks_match(passed, blocking_only=True))
        return condition.with_label("all_deps_blocking_checks_passed")

    # ---- combining

    def __and__(self, other: AutomationCondition) -> AutomationCondition:
        return _joined(OperatorKind.AND, self, other)

    def __or__(self, other: AutomationCondition) -> AutomationCondition:
        return _joined(OperatorKind.OR, self, other)

    def __invert__(self) -> AutomationCondition:
        return _make(OperatorKind.NOT, self)

    def since(self, reset_condition: AutomationCondition) -> AutomationCondition:
        """It became true, and `reset_condition` has not been true since then."""
        return AutomationCondition(Operator(kind=OperatorKind.SINCE, operands=(self.node, _node(reset_condition))))

    def since_last_handled(self) -> AutomationCondition:
        """It became true, and has been neither requested nor made since then."""
        handled = (
            AutomationCondition.newly_requested() | AutomationCondition.newly_updated() | AutomationCondition.initial_evaluation()
        ).with_label("handled")
        return self.since(handled)

    def newly_true(self) -> AutomationCondition:
        """It is true, and was not in the evaluation before."""
        return _make(OperatorKind.NEWLY_TRUE, self)

    def with_label(self, label: str | None) -> AutomationCondition:
        """The same condition under a name, for pages and for `replace`."""
        return AutomationCondition(replace(self.node, label=label))

    def get_label(self) -> str | None:
        return self.node.label

    @property
    def name(self) -> str:
        """The label, or else the kind."""
        return model.name_of(self.node)

    @property
    def children(self) -> list[AutomationCondition]:
        return [AutomationCondition(part) for part in (self.node.operands if isinstance(self.node, Operator) else ())]

    def replace(self, old: AutomationCondition | str, new: AutomationCondition) -> AutomationCondition:
        """The condition with one of its parts, given by itself or by its name, put in place of."""

        def change(part: model.Condition) -> model.Condition | None:
            wanted = old in {part.label, str(part.kind)} if isinstance(old, str) else part == old.node
            return new.node if wanted else None

        return AutomationCondition(model.rebuilt(self.node, change))

    def without(self, condition: AutomationCondition) -> AutomationCondition:
        """An `&` or `|` less one of its operands.

        Raises:
            DefinitionError: it is not one of them.
        """
        node = self.node
        if not isinstance(node, Operator) or node.kind not in {OperatorKind.AND, OperatorKind.OR} or condition.node not in node.operands:
            raise DefinitionError(
                f"the automation condition {self.name} has no operand {condition.name} to leave out",
                source=sources.of_caller(),
                mend="give one of its own operands, such as ~AutomationCondition.any_deps_missing() for eager()",
            )
        left = tuple(part for part in node.operands if part != condition.node)
        return AutomationCondition(left[0] if len(left) == 1 else replace(node, operands=left, label=None))

    def allow(self, selection: Any) -> AutomationCondition:
        """Only these upstreams count, in each part that looks at upstreams."""
        wanted = AssetSelection.from_coercible(selection).node
        return self._on_deps(lambda deps: replace(deps, allow=wanted if deps.allow is None else selections.Or(deps.allow, wanted)))

    def ignore(self, selection: Any) -> AutomationCondition:
        """These upstreams do not count, in each part that looks at upstreams."""
        other = AssetSelection.from_coercible(selection).node
        return self._on_deps(lambda deps: replace(deps, ignore=other if deps.ignore is None else selections.Or(deps.ignore, other)))

    def _on_deps(self, change: Callable[[Operator], Operator]) -> AutomationCondition:
        def changed(part: model.Condition) -> model.Condition | None:
            return change(part) if isinstance(part, Operator) and part.kind in _DEPS else None

        if not any(part.kind in _DEPS for part in model.walk(self.node)):
            raise DefinitionError(
                f"the automation condition {self.name} looks at no upstreams to allow or ignore", source=sources.of_caller()
            )
        return AutomationCondition(model.rebuilt(self.node, changed))

    def to_model(
        self, graph: selections.Selectable, of: str = "an automation condition", source: SourceRef | None = None
    ) -> model.Condition:
        """The condition as data, selections resolved to keys.

        Args:
            of: whose it is, for the error.
            source: where that is defined.

        Raises:
            DefinitionError: it is made for jobs, and only assets and checks have conditions.
        """
        for part in model.walk(self.node):
            if part.kind in _OF_JOBS:
                raise DefinitionError(
                    f"{of}: {_OF_JOBS[part.kind]} looks at the first assets of a job, and only assets and checks have conditions here",
                    source=source,
                    mend="give the condition to those assets themselves; what is downstream follows them with AutomationCondition.eager()",
                )

        def fixed(part: model.Condition) -> model.Condition | None:
            if not isinstance(part, Operator) or (part.allow is None and part.ignore is None):
                return None
            inner = tuple(model.rebuilt(operand, fixed) for operand in part.operands)
            return replace(part, operands=inner, allow=_keys(part.allow, graph), ignore=_keys(part.ignore, graph))

        return model.rebuilt(self.node, fixed)

    def as_auto_materialize_policy(self) -> Any:
        """Itself: it is taken wherever an AutoMaterializePolicy is."""
        return self


def _keys(selection: selections.Selection | None, graph: selections.Selectable) -> selections.Keys | None:
    if selection is None:
        return None
    # Keys of other locations are not in this graph, but may be named.
    return selections.Keys(tuple(sorted({*selections.resolve(selection, graph), *selections.unknown_keys(selection, graph)})))


def _fact(kind: OperandKind, **options: Any) -> AutomationCondition:
    return AutomationCondition(model.Operand(kind=kind, **options))


def _tagged(kind: OperandKind, keys: AbstractSet[str] | None, values: Mapping[str, str] | None) -> AutomationCondition:
    return _fact(kind, tag_keys=tuple(sorted(keys or ())), tag_values=dict(values or {}))


def _make(kind: OperatorKind, condition: AutomationCondition, **options: Any) -> AutomationCondition:
    return AutomationCondition(Operator(kind=kind, operands=(_node(condition),), **options))


def _joined(kind: OperatorKind, left: AutomationCondition, right: AutomationCondition) -> AutomationCondition:
    def parts(node: model.Condition) -> tuple[model.Condition, ...]:
        same = isinstance(node, Operator) and node.kind is kind and node.label is None
        return node.operands if same and isinstance(node, Operator) else (node,)

    return AutomationCondition(Operator(kind=kind, operands=(*parts(left.node), *parts(_node(right)))))


def _node(condition: Any) -> model.Condition:
    if not isinstance(condition, AutomationCondition):
        raise DefinitionError(
            f"an automation condition is combined with {condition!r:.60}, a {type(condition).__name__}",
            source=sources.of_caller(),
            mend="give another AutomationCondition, called if it is a method: AutomationCondition.missing()",
        )
    return condition.node
