"""APScheduler as the daemon's alarm clock: it wakes loops and decides nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.executors.debug import DebugExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler


class Timers:
    """An interval for each loop, and a date for each time at which a loop asked to be woken."""

    def __init__(self) -> None:
        # A wake only sets an event, so the scheduler's own thread can do it: no pool, no hand-over.
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={"default": DebugExecutor()},
            job_defaults={"coalesce": True, "misfire_grace_time": None, "max_instances": 1_000},
        )
        self._dates: dict[str, frozenset[datetime]] = {}

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def every(self, name: str, seconds: float, wake: Callable[[], None]) -> None:
        """Call `wake` every so many seconds."""
        self._scheduler.add_job(wake, "interval", seconds=seconds, id=f"every:{name}")

    def at(self, name: str, moments: frozenset[datetime], wake: Callable[[], None]) -> None:
        """Call `wake` at these times, in place of those set for the name before. A time that has passed calls at once."""
        before = self._dates.get(name, frozenset())
        for moment in before - moments:
            try:
                self._scheduler.remove_job(_date_id(name, moment))
            except JobLookupError:
                continue  # it has fired
        for moment in moments - before:
            self._scheduler.add_job(wake, "date", run_date=moment, id=_date_id(name, moment), replace_existing=True)
        self._dates[name] = moments


def _date_id(name: str, moment: datetime) -> str:
    return f"at:{name}:{moment.timestamp()}"
