"""Partitions by time: a window for each hour, day, week, month, or between any two ticks of a cron expression."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, cast

from dagwright.authoring import source as sources
from dagwright.authoring.partition_moment import moment
from dagwright.authoring.partitions import PartitionKeyRange, PartitionsDefinition, TimeWindow
from dagwright_shared.model import cron
from dagwright_shared.model import partitions as model
from dagwright_shared.model.errors import DefinitionError


class ScheduleType(Enum):
    """A simple cadence of time windows."""

    HOURLY = "HOURLY"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"


_CADENCES = {
    "0****": ScheduleType.HOURLY,
    "00***": ScheduleType.DAILY,
    "00**0": ScheduleType.WEEKLY,
    "000**": ScheduleType.MONTHLY,
}
"""By the shape of a cron expression, its numbers written as 0."""


class TimeWindowPartitionsDefinition(PartitionsDefinition):
    """A partition for each window between two ticks of a cron expression.

    Args:
        start: first window's start: a datetime (of `timezone` when it has none), or text in the format of `fmt`.
        fmt: `strftime` format of the keys.
        end: no window ends after this.
        schedule_type: a simple cadence, in place of `cron_schedule`.
        timezone: IANA name; UTC by default.
        end_offset: how many windows beyond the last complete one exist; negative takes some away.
        minute_offset, hour_offset, day_offset: shift a simple cadence.
        cron_schedule: the ticks between which the windows lie.
        exclusions: windows that do not exist: cron expressions, and datetimes of their starts.

    Raises:
        DefinitionError: the cron expression, the time zone, the format or the start is not one.

    Example:
        >>> windows = TimeWindowPartitionsDefinition(start="2024-01-01", fmt="%Y-%m-%d", cron_schedule="0 0 * * 1", end="2024-01-16")
        >>> windows.get_partition_keys()
        ['2024-01-01', '2024-01-08']
    """

    __slots__ = ()
    _model: model.TimeWindowPartitions

    def __init__(
        self,
        start: datetime | str,
        fmt: str,
        end: datetime | str | None = None,
        schedule_type: ScheduleType | None = None,
        timezone: str | None = None,
        end_offset: int = 0,
        minute_offset: int | None = None,
        hour_offset: int | None = None,
        day_offset: int | None = None,
        cron_schedule: str | None = None,
        exclusions: Sequence[str | datetime] | None = None,
    ) -> None:
        kind = type(self).__name__
        source = sources.of_caller()
        if (schedule_type is None) == (cron_schedule is None):
            raise DefinitionError(
                f"{kind} needs either schedule_type or cron_schedule", source=source, mend='give cron_schedule="0 0 * * *", for example'
            )
        try:
            zone = cron.zone(timezone or "UTC")
            expression = cron.check(
                cron_schedule or _cron_of(cast(ScheduleType, schedule_type), minute_offset or 0, hour_offset or 0, day_offset)
            )
            first, last = _point(start, fmt, zone), None if end is None else _point(end, fmt, zone)
            crons, starts = _excluded(exclusions, zone)
        except ValueError as error:
            raise DefinitionError(f"{kind}: {error}", source=source) from None
        if last is not None and last < first:
            raise DefinitionError(f"{kind}: it ends ({last}) before it starts ({first})", source=source, mend="swap start and end")
        self._model = model.TimeWindowPartitions(
            cron=expression,
            format=fmt,
            start=first,
            end=last,
            timezone=timezone or "UTC",
            end_offset=end_offset,
            excluded_crons=crons,
            excluded_starts=starts,
        )

    @property
    def start(self) -> datetime:
        return self._model.start.astimezone(cron.zone(self._model.timezone))

    @property
    def end(self) -> datetime | None:
        return self._model.end.astimezone(cron.zone(self._model.timezone)) if self._model.end else None

    @property
    def fmt(self) -> str:
        return self._model.format

    @property
    def timezone(self) -> str:
        return self._model.timezone

    @property
    def cron_schedule(self) -> str:
        return self._model.cron

    @property
    def schedule_type(self) -> ScheduleType | None:
        """The cadence; None where the cron expression is of no simple one."""
        return _CADENCES.get("".join("0" if part.isdigit() else part for part in self._model.cron.split()))

    @property
    def minute_offset(self) -> int:
        """The minute of the hour at which windows begin; raises ValueError where the cadence has none."""
        return self._offset("minute", 0)

    @property
    def hour_offset(self) -> int:
        """The hour of the day at which windows begin; raises ValueError where the cadence has none."""
        return self._offset("hour", 1)

    @property
    def day_offset(self) -> int:
        """The day at which windows begin, of the week (0 is Sunday) or of the month (from 1); raises ValueError where there is none."""
        return self._offset("day", 4 if self.schedule_type is ScheduleType.WEEKLY else 2)

    @property
    def end_offset(self) -> int:
        return self._model.end_offset

    def time_window_for_partition_key(self, partition_key: str) -> TimeWindow:
        """The interval that a key names.

        Raises:
            ValueError: no window starts there.
        """
        return self._window(model.time_window(self._model, partition_key))

    def start_time_for_partition_key(self, partition_key: str) -> datetime:
        return self.time_window_for_partition_key(partition_key).start

    def time_windows_for_partition_keys(self, partition_keys: Sequence[str]) -> Sequence[TimeWindow]:
        return [self.time_window_for_partition_key(key) for key in partition_keys]

    def get_last_partition_window(self, current_time: datetime | None = None) -> TimeWindow | None:
        key = self.get_last_partition_key(current_time)
        return self.time_window_for_partition_key(key) if key is not None else None

    def get_first_partition_window(self, current_time: datetime | None = None) -> TimeWindow | None:
        key = self.get_first_partition_key(current_time)
        return self.time_window_for_partition_key(key) if key is not None else None

    def get_partition_key_for_timestamp(self, timestamp: float, end_closed: bool = False) -> str:
        """The key of the window that holds a moment (seconds since 1970); `end_closed`: a window's end belongs to it."""
        moment = datetime.fromtimestamp(timestamp, UTC)
        return model.key_at(self._model, moment - timedelta(microseconds=1) if end_closed else moment)

    def get_partition_keys_in_time_window(self, time_window: TimeWindow) -> Sequence[str]:
        """The keys of the windows that start in an interval."""
        start = max(time_window.start, self._model.start)
        keys = []
        tick = cron.at_or_after(self._model.cron, start.astimezone(UTC), self._model.timezone)
        ticks = cron.after(self._model.cron, tick, self._model.timezone)
        while tick < time_window.end:
            if not model.is_excluded(self._model, tick):
                keys.append(model.key_at(self._model, tick))
            tick = next(ticks)
        return keys

    def get_partition_key_range_for_time_window(self, time_window: TimeWindow, respect_bounds: bool = True) -> PartitionKeyRange:
        """The first and last key of the windows that start in an interval.

        Args:
            respect_bounds: only windows that exist now.

        Raises:
            ValueError: no window does.
        """
        keys = self.get_partition_keys_in_time_window(time_window)
        if respect_bounds:
            keys = [key for key in keys if self.has_partition_key(key)]
        if not keys:
            raise ValueError(f"no partition of {self} starts from {time_window.start} until {time_window.end}")
        return PartitionKeyRange(keys[0], keys[-1])

    @property
    def exclusions(self) -> Sequence[str | datetime] | None:
        """Windows that do not exist: cron expressions, and starts."""
        zone = cron.zone(self._model.timezone)
        return [*self._model.excluded_crons, *(start.astimezone(zone) for start in self._model.excluded_starts)] or None

    def is_window_start_excluded(self, window_start: datetime) -> bool:
        return model.is_excluded(self._model, _point(window_start, self.fmt, cron.zone(self._model.timezone)))

    def get_partition_keys_between_indexes(self, start_idx: int, end_idx: int, current_time: datetime | None = None) -> Sequence[str]:
        return self.get_partition_keys(current_time)[start_idx:end_idx]

    def get_next_partition_key(self, partition_key: str, current_time: datetime | None = None) -> str | None:
        return self._neighbour(partition_key, current_time, 1)

    def get_prev_partition_key(self, partition_key: str, current_time: datetime | None = None) -> str | None:
        return self._neighbour(partition_key, current_time, -1)

    def get_cron_schedule(
        self,
        minute_of_hour: int | None = None,
        hour_of_day: int | None = None,
        day_of_week: int | None = None,
        day_of_month: int | None = None,
    ) -> str:
        """The cron expression that fires when a window ends, moved within it where asked for."""
        minute, hour, month_day, month, week_day = self._model.cron.split()[-5:]
        if minute_of_hour is not None:
            minute = str(minute_of_hour)
        if hour_of_day is not None:
            hour = str(hour_of_day)
        if day_of_month is not None:
            month_day = str(day_of_month)
        if day_of_week is not None:
            week_day = str(day_of_week)
        return f"{minute} {hour} {month_day} {month} {week_day}"

    def _neighbour(self, key: str, current_time: datetime | None, step: int) -> str | None:
        now = moment(current_time)
        place = model.ordinal(self._model, key, now)
        if place is None:
            raise ValueError(f"{key!r} is not a partition of {self}")
        keys = model.simple_keys(self._model, now)
        return keys[place + step] if 0 <= place + step < len(keys) else None

    def _offset(self, what: str, place: int) -> int:
        parts = self._model.cron.split()
        if self.schedule_type is None or not parts[place].isdigit():
            raise ValueError(f"the windows of {self} do not begin at one {what}, so there is no {what}_offset; see cron_schedule")
        return int(parts[place])

    def _window(self, window: model.TimeWindow) -> TimeWindow:
        zone = cron.zone(self._model.timezone)
        return TimeWindow(window.start.astimezone(zone), window.end.astimezone(zone))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class HourlyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """A partition for each hour. Keys look like `2024-01-31-13:00`.

    Args:
        start_date, end_date, timezone, fmt, end_offset: as for TimeWindowPartitionsDefinition.
        minute_offset: minute of the hour at which the windows begin.
    """

    __slots__ = ()

    def __init__(
        self,
        start_date: datetime | str,
        end_date: datetime | str | None = None,
        minute_offset: int = 0,
        timezone: str | None = None,
        fmt: str | None = None,
        end_offset: int = 0,
        exclusions: Sequence[str | datetime] | None = None,
    ) -> None:
        super().__init__(
            start_date, fmt or "%Y-%m-%d-%H:%M", end_date, ScheduleType.HOURLY, timezone, end_offset, minute_offset, exclusions=exclusions
        )


class DailyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """A partition for each day. Keys look like `2024-01-31`.

    Args:
        start_date: first day: a datetime, or text such as `"2013-01-01"`.
        end_date: no window ends after this.
        minute_offset, hour_offset: time of day at which the windows begin.
        timezone, fmt, end_offset: as for TimeWindowPartitionsDefinition.

    Example:
        >>> DailyPartitionsDefinition("2013-01-01", end_date="2013-01-03").get_partition_keys()
        ['2013-01-01', '2013-01-02']
    """

    __slots__ = ()

    def __init__(
        self,
        start_date: datetime | str,
        end_date: datetime | str | None = None,
        minute_offset: int = 0,
        hour_offset: int = 0,
        timezone: str | None = None,
        fmt: str | None = None,
        end_offset: int = 0,
        exclusions: Sequence[str | datetime] | None = None,
    ) -> None:
        super().__init__(
            start_date,
            fmt or "%Y-%m-%d",
            end_date,
            ScheduleType.DAILY,
            timezone,
            end_offset,
            minute_offset,
            hour_offset,
            exclusions=exclusions,
        )


class WeeklyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """A partition for each week, from Sunday by default. Keys are the first day, such as `2024-01-28`.

    Args:
        day_offset: day of the week at which the windows begin; 0 is Sunday.
        start_date, end_date, minute_offset, hour_offset, timezone, fmt, end_offset: as for DailyPartitionsDefinition.
    """

    __slots__ = ()

    def __init__(
        self,
        start_date: datetime | str,
        end_date: datetime | str | None = None,
        minute_offset: int = 0,
        hour_offset: int = 0,
        day_offset: int = 0,
        timezone: str | None = None,
        fmt: str | None = None,
        end_offset: int = 0,
        exclusions: Sequence[str | datetime] | None = None,
    ) -> None:
        super().__init__(
            start_date,
            fmt or "%Y-%m-%d",
            end_date,
            ScheduleType.WEEKLY,
            timezone,
            end_offset,
            minute_offset,
            hour_offset,
            day_offset,
            exclusions=exclusions,
        )


class MonthlyPartitionsDefinition(TimeWindowPartitionsDefinition):
    """A partition for each month. Keys are the first day, such as `2024-01-01`.

    Args:
        day_offset: day of the month at which the windows begin, from 1.
        start_date, end_date, minute_offset, hour_offset, timezone, fmt, end_offset: as for DailyPartitionsDefinition.
    """

    __slots__ = ()

    def __init__(
        self,
        start_date: datetime | str,
        end_date: datetime | str | None = None,
        minute_offset: int = 0,
        hour_offset: int = 0,
        day_offset: int = 1,
        timezone: str | None = None,
        fmt: str | None = None,
        end_offset: int = 0,
        exclusions: Sequence[str | datetime] | None = None,
    ) -> None:
        super().__init__(
            start_date,
            fmt or "%Y-%m-%d",
            end_date,
            ScheduleType.MONTHLY,
            timezone,
            end_offset,
            minute_offset,
            hour_offset,
            day_offset,
            exclusions=exclusions,
        )


def _cron_of(kind: ScheduleType, minute: int, hour: int, day: int | None) -> str:
    match kind:
        case ScheduleType.HOURLY:
            return f"{minute} * * * *"
        case ScheduleType.DAILY:
            return f"{minute} {hour} * * *"
        case ScheduleType.WEEKLY:
            return f"{minute} {hour} * * {day or 0}"
        case ScheduleType.MONTHLY:
            return f"{minute} {hour} {1 if day is None else day} * *"


def _excluded(exclusions: Any, zone: Any) -> tuple[tuple[str, ...], tuple[datetime, ...]]:
    if exclusions is None:
        return (), ()
    if isinstance(exclusions, str | datetime):
        raise ValueError(f"exclusions is {exclusions!r}; give a list of cron expressions and datetimes")
    crons, starts = [], []
    for one in exclusions:
        if isinstance(one, str):
            crons.append(cron.check(one))
        elif isinstance(one, datetime):
            starts.append(one.replace(tzinfo=zone).astimezone(UTC))  # the clock of the definition's zone, as Dagster reads it
        else:
            raise ValueError(f"exclusions has {one!r}, a {type(one).__name__}; give cron expressions and datetimes")
    return tuple(crons), tuple(starts)


def _point(value: datetime | str, fmt: str, zone: Any) -> datetime:
    if isinstance(value, str):
        try:
            value = datetime.strptime(value, fmt)  # noqa: DTZ007 - the zone is added below
        except ValueError:
            raise ValueError(f"{value!r} is not a time in the format {fmt!r}; write it so, or give a datetime") from None
    if not isinstance(value, datetime):
        raise ValueError(f"{value!r} is not a point in time; give a datetime, or text in the format {fmt!r}")
    if value.tzinfo is None:
        value = value.replace(tzinfo=zone)
    return value.astimezone(UTC)
