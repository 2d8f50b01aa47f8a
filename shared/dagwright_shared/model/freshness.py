"""Freshness policies as data: until when an asset must have been made anew."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


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
