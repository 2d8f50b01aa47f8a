"""Freshness policies: until when an asset must have been made anew."""

from __future__ import annotations

from datetime import timedelta

from dagwright.authoring import source as sources
from dagwright.authoring.specs import AssetSpec
from dagwright_shared.model import cron
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.errors import DefinitionError
from dagwright_shared.model.freshness import CronFreshness, Freshness, WindowFreshness


@dataclass(frozen=True, slots=True, init=False)
class FreshnessPolicy:
    """How old the data of an asset may be; broken policies are shown and can be automated on.

    `FreshnessPolicy(maximum_lag_minutes=60)` is the older form: the data is never older than an hour; with
    `cron_schedule=`, it is not older than that at each tick.

    Raises:
        DefinitionError: a window, cron expression or time zone is not valid.

    Example:
        >>> from datetime import timedelta
        >>> FreshnessPolicy.time_window(fail_window=timedelta(hours=24)).fail_window
        datetime.timedelta(days=1)
    """

    rule: Freshness
    """The policy as data."""

    def __init__(
        self,
        *,
        maximum_lag_minutes: float,
        cron_schedule: str | None = None,
        cron_schedule_timezone: str | None = None,
    ) -> None:
        lag = timedelta(minutes=maximum_lag_minutes)
        made = (
            FreshnessPolicy.time_window(lag)
            if cron_schedule is None
            else FreshnessPolicy.cron(cron_schedule, lag, cron_schedule_timezone or "UTC")
        )
        object.__setattr__(self, "rule", made.rule)

    @staticmethod
    def time_window(fail_window: timedelta, warn_window: timedelta | None = None) -> FreshnessPolicy:
        """The data is never older than `fail_window`; from `warn_window` on there is a warning."""
        if fail_window <= timedelta(0):
            raise _wrong(f"fail_window is {fail_window}", "give a span of time above zero, such as timedelta(hours=24)")
        if warn_window is not None and not timedelta(0) < warn_window < fail_window:
            raise _wrong(f"warn_window is {warn_window}, fail_window {fail_window}", "a warning comes before the failure: make it shorter")
        warn = None if warn_window is None else warn_window.total_seconds()
        return _of(WindowFreshness(fail_seconds=fail_window.total_seconds(), warn_seconds=warn))

    @staticmethod
    def cron(deadline_cron: str, lower_bound_delta: timedelta, timezone: str = "UTC") -> FreshnessPolicy:
        """At each tick of the cron schedule the data is not older than `lower_bound_delta`."""
        try:
            cron.check(deadline_cron)
            cron.zone(timezone)
        except (ValueError, AttributeError) as error:
            raise _wrong(str(error), None) from None
        if lower_bound_delta <= timedelta(0):
            raise _wrong(f"lower_bound_delta is {lower_bound_delta}", "give a span of time above zero, such as timedelta(hours=6)")
        return _of(CronFreshness(deadline_cron=deadline_cron, lower_bound_seconds=lower_bound_delta.total_seconds(), timezone=timezone))

    @property
    def fail_window(self) -> timedelta | None:
        return timedelta(seconds=self.rule.fail_seconds) if isinstance(self.rule, WindowFreshness) else None

    @property
    def warn_window(self) -> timedelta | None:
        found = self.rule.warn_seconds if isinstance(self.rule, WindowFreshness) else None
        return None if found is None else timedelta(seconds=found)

    @property
    def deadline_cron(self) -> str | None:
        return self.rule.deadline_cron if isinstance(self.rule, CronFreshness) else None

    @property
    def lower_bound_delta(self) -> timedelta | None:
        return timedelta(seconds=self.rule.lower_bound_seconds) if isinstance(self.rule, CronFreshness) else None

    @property
    def timezone(self) -> str | None:
        return self.rule.timezone if isinstance(self.rule, CronFreshness) else None

    @property
    def maximum_lag_minutes(self) -> float:
        seconds = self.rule.fail_seconds if isinstance(self.rule, WindowFreshness) else self.rule.lower_bound_seconds
        return seconds / 60

    def to_model(self) -> Freshness:
        """The policy as data."""
        return self.rule


def apply_freshness_policy(spec: AssetSpec, policy: FreshnessPolicy, overwrite_existing: bool = True) -> AssetSpec:
    """The spec with a policy; one that it has already stays unless `overwrite_existing`.

    Example:
        >>> from datetime import timedelta
        >>> from dagwright import AssetSpec
        >>> spec = apply_freshness_policy(AssetSpec("raw"), FreshnessPolicy.time_window(timedelta(days=1)))
        >>> spec.freshness_policy.maximum_lag_minutes
        1440.0
    """
    if spec.freshness_policy is not None and not overwrite_existing:
        return spec
    return spec.replace_attributes(freshness_policy=policy)


def _of(rule: Freshness) -> FreshnessPolicy:
    made = object.__new__(FreshnessPolicy)
    object.__setattr__(made, "rule", rule)
    return made


def _wrong(problem: str, mend: str | None) -> DefinitionError:
    return DefinitionError(f"a freshness policy: {problem}", source=sources.of_caller(), mend=mend)
