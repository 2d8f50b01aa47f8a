"""Older spellings of automation conditions: policies made of rules."""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import replace
from functools import reduce
from typing import Any

from dagwright.authoring.automation import AutomationCondition
from dagwright_shared.model.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class AutoMaterializeRule:
    """Why an asset is made (`materialize_on_...`), or is not although it would be (`skip_on_...`)."""

    condition: AutomationCondition
    skips: bool
    name: str = ""

    @staticmethod
    def materialize_on_cron(cron_schedule: str, timezone: str = "UTC", all_partitions: bool = False) -> AutoMaterializeRule:
        """Once after each tick; `all_partitions` also for the older ones."""
        ticked = AutomationCondition.cron_tick_passed(cron_schedule, timezone).since_last_handled()
        return _makes("materialize_on_cron", ticked if all_partitions else AutomationCondition.in_latest_time_window() & ticked)

    @staticmethod
    def materialize_on_missing() -> AutoMaterializeRule:
        return _makes("materialize_on_missing", AutomationCondition.missing().newly_true().since_last_handled())

    @staticmethod
    def materialize_on_parent_updated(updated_parent_filter: Any = None) -> AutoMaterializeRule:
        """When an upstream was updated.

        Raises:
            ValueError: `updated_parent_filter`; use `AutomationCondition.executed_with_tags` for it.
        """
        if updated_parent_filter is not None:
            raise ValueError("updated_parent_filter= is not supported; use AutomationCondition.any_deps_match with executed_with_tags(...)")
        return _makes("materialize_on_parent_updated", AutomationCondition.any_deps_updated().since_last_handled())

    @staticmethod
    def materialize_on_required_for_freshness() -> AutoMaterializeRule:
        """When its freshness policy is broken."""
        return _makes("materialize_on_required_for_freshness", AutomationCondition.freshness_failed().since_last_handled())

    @staticmethod
    def skip_on_parent_missing() -> AutoMaterializeRule:
        return _skips("skip_on_parent_missing", AutomationCondition.any_deps_missing())

    @staticmethod
    def skip_on_required_but_nonexistent_parents() -> AutoMaterializeRule:
        """A partition that it needs does not exist, so it is missing."""
        return _skips("skip_on_required_but_nonexistent_parents", AutomationCondition.any_deps_missing())

    @staticmethod
    def skip_on_parent_outdated() -> AutoMaterializeRule:
        """An upstream is older than one of its own upstreams."""
        outdated = AutomationCondition.any_deps_updated().since_last_handled() & ~AutomationCondition.will_be_requested()
        return _skips("skip_on_parent_outdated", AutomationCondition.any_deps_match(outdated))

    @staticmethod
    def skip_on_not_all_parents_updated(require_update_for_all_parent_partitions: bool = False) -> AutoMaterializeRule:
        """Not every upstream was updated since this asset was made."""
        del require_update_for_all_parent_partitions  # any partition of an upstream counts
        updated = AutomationCondition.newly_updated().since_last_handled() | AutomationCondition.will_be_requested()
        return _skips("skip_on_not_all_parents_updated", ~AutomationCondition.all_deps_match(updated))

    @staticmethod
    def skip_on_not_all_parents_updated_since_cron(cron_schedule: str, timezone: str = "UTC") -> AutoMaterializeRule:
        condition = ~AutomationCondition.all_deps_updated_since_cron(cron_schedule, timezone)
        return _skips("skip_on_not_all_parents_updated_since_cron", condition)

    @staticmethod
    def skip_on_backfill_in_progress(all_partitions: bool = False) -> AutoMaterializeRule:
        del all_partitions
        return _skips("skip_on_backfill_in_progress", AutomationCondition.backfill_in_progress())

    @staticmethod
    def skip_on_run_in_progress() -> AutoMaterializeRule:
        return _skips("skip_on_run_in_progress", AutomationCondition.run_in_progress())


@dataclass(frozen=True, slots=True)
class AutoMaterializePolicy:
    """Rules that stand for an automation condition. New code uses AutomationCondition.

    Example:
        >>> policy = AutoMaterializePolicy.eager().with_rules(AutoMaterializeRule.skip_on_not_all_parents_updated())
        >>> len(policy.rules)
        7
    """

    rules: frozenset[AutoMaterializeRule]
    condition: AutomationCondition | None = None
    """Given instead of rules."""

    @staticmethod
    def eager(max_materializations_per_minute: int | None = 1) -> AutoMaterializePolicy:
        """As soon as an upstream was updated."""
        del max_materializations_per_minute  # runs are limited by the queue
        rules = (
            AutoMaterializeRule.materialize_on_missing(),
            AutoMaterializeRule.materialize_on_parent_updated(),
            AutoMaterializeRule.skip_on_parent_missing(),
            AutoMaterializeRule.skip_on_parent_outdated(),
            AutoMaterializeRule.skip_on_required_but_nonexistent_parents(),
            AutoMaterializeRule.skip_on_run_in_progress(),
        )
        return AutoMaterializePolicy(frozenset(rules))

    @staticmethod
    def lazy(max_materializations_per_minute: int | None = 1) -> AutoMaterializePolicy:
        """Only when a freshness policy asks for it."""
        del max_materializations_per_minute
        return AutoMaterializePolicy(frozenset({AutoMaterializeRule.materialize_on_required_for_freshness()}))

    @staticmethod
    def from_automation_condition(automation_condition: AutomationCondition) -> AutoMaterializePolicy:
        return AutoMaterializePolicy(frozenset(), automation_condition)

    def with_rules(self, *rules_to_add: AutoMaterializeRule) -> AutoMaterializePolicy:
        """The policy with more rules."""
        return replace(self, rules=self.rules | set(rules_to_add))

    def without_rules(self, *rules_to_remove: AutoMaterializeRule) -> AutoMaterializePolicy:
        """The policy with less rules.

        Raises:
            ValueError: it has no such rule.
        """
        missing = [rule.name for rule in rules_to_remove if rule not in self.rules]
        if missing:
            raise ValueError(f"this policy has no rule {', '.join(missing)}; it has {', '.join(sorted(rule.name for rule in self.rules))}")
        return replace(self, rules=self.rules - set(rules_to_remove))

    @property
    def materialize_rules(self) -> frozenset[AutoMaterializeRule]:
        return frozenset(rule for rule in self.rules if not rule.skips)

    @property
    def skip_rules(self) -> frozenset[AutoMaterializeRule]:
        return frozenset(rule for rule in self.rules if rule.skips)

    def to_automation_condition(self) -> AutomationCondition:
        """What the rules come to: any of those that make it, and none of those that skip."""
        if self.condition is not None:
            return self.condition
        if self.rules == AutoMaterializePolicy.eager().rules:
            return AutomationCondition.eager()
        if not self.materialize_rules:
            raise ValueError("an AutoMaterializePolicy without a materialize rule never makes anything; add one")
        made = _any(self.materialize_rules)
        return made & ~_any(self.skip_rules) if self.skip_rules else made


def _any(rules: Iterable[AutoMaterializeRule]) -> AutomationCondition:
    return reduce(operator.or_, (rule.condition for rule in sorted(rules, key=lambda rule: (rule.name, repr(rule)))))


def _makes(name: str, condition: AutomationCondition) -> AutoMaterializeRule:
    return AutoMaterializeRule(condition, skips=False, name=name)


def _skips(name: str, condition: AutomationCondition) -> AutoMaterializeRule:
    return AutoMaterializeRule(condition, skips=True, name=name)
