"""When schedules fire next. Reckoning with cron expressions takes long, so what was found is kept until it has passed."""

from __future__ import annotations

import heapq
import itertools
import threading
from bisect import bisect_right
from collections.abc import Iterator
from datetime import datetime

from dagwright_shared.model import cron
from dagwright_shared.model.snapshot import ScheduleSnapshot

_MOST_LINES = 20_000
_LONGEST = 1_000


class _Line:
    """The moments of one schedule from some moment on, found as far as somebody has looked."""

    def __init__(self, expressions: tuple[str, ...], timezone: str, since: datetime) -> None:
        merged = heapq.merge(*(cron.after(each, since, timezone) for each in expressions))
        self.since, self.moments = since, list[datetime]()
        self._rest = (moment for moment, _ in itertools.groupby(merged))

    def at(self, place: int) -> datetime | None:
        while place >= len(self.moments):
            found = next(self._rest, None)
            if found is None:
                return None
            self.moments.append(found)
        return self.moments[place]


class Fires:
    """What a process has found. Safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lines: dict[tuple[tuple[str, ...], str], _Line] = {}

    def after(self, schedule: ScheduleSnapshot, now: datetime) -> Iterator[datetime]:
        """The moments at which a schedule fires after `now`, in order."""
        with self._lock:
            line = self._line(schedule, now)
            place = bisect_right(line.moments, now)
        while True:
            with self._lock:
                moment = line.at(place)
            if moment is None:
                return
            place += 1
            if moment > now:
                yield moment

    def _line(self, schedule: ScheduleSnapshot, now: datetime) -> _Line:
        key = (schedule.cron, schedule.timezone)
        line = self._lines.get(key)
        if line is None or line.since > now or len(line.moments) > _LONGEST:
            if len(self._lines) >= _MOST_LINES:
                self._lines.clear()
            line = self._lines[key] = _Line(*key, now)
        return line


FIRES = Fires()
"""Of this process: what a cron expression says depends on nothing else."""
