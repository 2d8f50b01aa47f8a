"""The flights example with a schedule that need not be waited for: the same jobs, due every second, one at a time."""

from __future__ import annotations

import sys
from pathlib import Path

import dagwright as dg

sys.path.insert(0, str(Path(__file__).parents[3] / "examples" / "flights"))

import definitions as flights  # after the path is set


@dg.schedule(job=flights.full_year, cron_schedule="* * * * * *", overlap="skip")
def often() -> dg.RunRequest:
    return dg.RunRequest(partition_key="2013")


defs = dg.Definitions.merge(flights.defs, dg.Definitions(schedules=[often]))
