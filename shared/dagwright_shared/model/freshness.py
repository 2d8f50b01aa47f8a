"""Freshness policies as data: until when an asset must have been made anew."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import TypeAlias

from dagwright_shared.model.dataclass import dataclass


class FreshnessState(StrEnum):
    """How an asset stands by its policy."""

    PASS = "PASS"
    WARN = "WARN"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"
    """It has never been materialized."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowFreshness:
    """At every moment the newest data must be younger than this."""

    fail_seconds: float
    warn_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CronFreshness:
    """At each tick of the cron schedule the newest data must be younger than this."""

    deadline_cron: str
    lower_bound_seconds: float
    timezone: str = "UTC"


Freshness: TypeAlias = WindowFreshness | CronFreshness


def describe(policy: Freshness) -> str:
    """The policy in words, such as `never older than 1 day, 0:00:00`."""
    match policy:
        case WindowFreshness(fail_seconds=fail, warn_seconds=warn):
            warned = f"; a warning from {timedelta(seconds=warn)} on" if warn is not None else ""
            return f"never older than {timedelta(seconds=fail)}{warned}"
        case CronFreshness(deadline_cron=deadline, lower_bound_seconds=bound, timezone=zone):
            return f"at {deadline} ({zone}) not older than {timedelta(seconds=bound)}"
