"""Freshness: how an asset stands by its policy, and when that changes if nothing happens."""

from __future__ import annotations

from datetime import datetime, timedelta

from dagwright_shared.model import cron
from dagwright_shared.model.freshness import CronFreshness, Freshness, FreshnessState, WindowFreshness


def state(policy: Freshness, materialized_at: datetime | None, now: datetime) -> FreshnessState:
    """How the asset stands now.

    A cron policy looks at the newest deadline that has passed: the asset is fresh when it was materialized after the lower bound before
    it. Between two deadlines data that came too early for the last one, and too late for the one before, stays stale.

    Args:
        materialized_at: the newest materialization of any partition.
    """
    if materialized_at is None:
        return FreshnessState.UNKNOWN
    match policy:
        case WindowFreshness(fail_seconds=fail, warn_seconds=warn):
            age = (now - materialized_at).total_seconds()
            if age >= fail:
                return FreshnessState.FAIL
            return FreshnessState.WARN if warn is not None and age >= warn else FreshnessState.PASS
        case CronFreshness(deadline_cron=deadline, lower_bound_seconds=bound, timezone=zone):
            # `before` is exclusive, and a deadline has passed at its very moment.
            passed = next(cron.before(deadline, now + timedelta(microseconds=1), zone))
            return FreshnessState.PASS if materialized_at >= passed - timedelta(seconds=bound) else FreshnessState.FAIL


def next_change(policy: Freshness, materialized_at: datetime | None, now: datetime) -> datetime | None:
    """The first moment after now at which the state may be another one without a materialization; None: never."""
    if materialized_at is None:
        return None
    match policy:
        case WindowFreshness(fail_seconds=fail, warn_seconds=warn):
            edges = [materialized_at + timedelta(seconds=seconds) for seconds in (warn, fail) if seconds is not None]
            return min((edge for edge in edges if edge > now), default=None)
        case CronFreshness(deadline_cron=deadline, timezone=zone):
            return next(cron.after(deadline, now, zone))
