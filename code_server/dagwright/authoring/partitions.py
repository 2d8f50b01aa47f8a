"""Partitions as users define them: static, by time, added at run time, and products of those."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, NamedTuple, cast

from dagwright.authoring import source as sources
from dagwright_shared.model import cron
from dagwright_shared.model import partitions as model
from dagwright_shared.model.errors import DefinitionError, nearest
from dagwright_shared.model.keys import PartitionKey

SEPARATOR = "|"
_FORBIDDEN = (SEPARATOR, "...", "\n", "\r", "\t", "\x00", "\\", "[", "]")


class PartitionKeyRange(NamedTuple):
    """First and last key, both included."""

    start: str
    end: str


class TimeWindow(NamedTuple):
    """From `start`, up to and without `end`; both in the time zone of the partitions."""

    start: datetime
    end: datetime


class MultiPartitionKey(str):
    """A key of several dimensions: the text `a|b`, its parts by the dimension's name in `keys_by_dimension`.

    Example:
        >>> MultiPartitionKey({"zone": "eu", "date": "2013-01-01"})
        '2013-01-01|eu'
    """

    __slots__ = ("keys_by_dimension",)
    keys_by_dimension: dict[str, str]

    def __new__(cls, keys_by_dimension: Mapping[str, str]) -> MultiPartitionKey:
        ordered = dict(sorted(keys_by_dimension.items()))
        made = super().__new__(cls, SEPARATOR.join(ordered.values()))
        made.keys_by_dimension = ordered
        return made

    def __getnewargs__(self) -> tuple[dict[str, str]]:  # type: ignore[override]
        return (self.keys_by_dimension,)


class ScheduleType(Enum):
    """A simple cadence of time windows."""

    HOURLY = "HOURLY"
    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"


class PartitionsDefinition(ABC):
    """Which partitions an asset or job has."""

    __slots__ = ("_model",)
    _model: model.Partitions

    def to_model(self) -> model.Partitions:
        """The definition as data."""
        return self._model

    def get_partition_keys(self, current_time: datetime | None = None, dynamic_partitions_store: Any = None) -> Sequence[str]:
        """All keys, in order.

        Args:
            current_time: which time windows have ended is judged at this moment; by default now.
            dynamic_partitions_store: has the keys of dynamic partitions (`get_dynamic_partitions(name)`).
        """
        keys = model.keys(self._model, _moment(current_time), self._dynamic(dynamic_partitions_store))
        return [self._text(key) for key in keys]

    def get_first_partition_key(self, current_time: datetime | None = None, dynamic_partitions_store: Any = None) -> str | None:
        keys = self.get_partition_keys(current_time, dynamic_partitions_store)
        return keys[0] if keys else None

    def get_last_partition_key(self, current_time: datetime | None = None, dynamic_partitions_store: Any = None) -> str | None:
        key = model.last_key(self._model, _moment(current_time), self._dynamic(dynamic_partitions_store))
        return self._text(key) if key else None

    def get_num_partitions(self, current_time: datetime | None = None, dynamic_partitions_store: Any = None) -> int:
        return model.count(self._model, _moment(current_time), self._dynamic(dynamic_partitions_store))

    def has_partition_key(self, partition_key: str, current_time: datetime | None = None, dynamic_partitions_store: Any = None) -> bool:
        return model.contains(self._model, self.parse_key(partition_key), _moment(current_time), self._dynamic(dynamic_partitions_store))

    def get_partition_keys_in_range(
        self, partition_key_range: PartitionKeyRange, current_time: datetime | None = None, dynamic_partitions_store: Any = None
    ) -> Sequence[str]:
        """The keys from `start` to `end`, both included.

        Raises:
            ValueError: one of them is not a partition.
        """
        keys = list(self.get_partition_keys(current_time, dynamic_partitions_store))
        for key in partition_key_range:
            if key not in keys:
                close = nearest(key, keys)
                raise ValueError(f"{key!r} is not a partition" + (f"; did you mean {close!r}?" if close else ""))
        return keys[keys.index(partition_key_range.start) : keys.index(partition_key_range.end) + 1]

    def get_partition_key_range(self, start: str, end: str) -> PartitionKeyRange:
        return PartitionKeyRange(start, end)

    def parse_key(self, partition_key: str) -> PartitionKey:
        """The key as the model has it: one component for each dimension."""
        return (str(partition_key),)

    @property
    def name(self) -> str | None:
        return None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PartitionsDefinition) and self._model == other._model

    def __hash__(self) -> int:
        return hash(self._model)

    def __str__(self) -> str:
        return model.describe(self._model)

    def _text(self, key: PartitionKey) -> str:
        return key[0]

    def _dynamic(self, store: Any) -> model.DynamicKeys:
        names = list(_dynamic_names(self._model))
        if not names:
            return model.NO_DYNAMIC
        if store is None:
            raise DefinitionError(
                f"the keys of dynamic partitions {names[0]!r} are kept by the deployment",
                mend="pass dynamic_partitions_store=context.instance",
            )
        return {name: tuple(store.get_dynamic_partitions(name)) for name in names}

    @abstractmethod
    def __repr__(self) -> str: ...


class StaticPartitionsDefinition(PartitionsDefinition):
    """A fixed list of keys.

    Args:
        partition_keys: unique texts, in order.

    Raises:
        DefinitionError: a key is doubled, not text, or has characters that keys may not have.

    Example:
        >>> StaticPartitionsDefinition(["eu", "us"]).get_partition_keys()
        ['eu', 'us']
    """

    __slots__ = ()

    def __init__(self, partition_keys: Sequence[str]) -> None:
        if isinstance(partition_keys, str):
            raise DefinitionError(
                f"StaticPartitionsDefinition: partition_keys is the text {partition_keys!r}",
                source=sources.of_caller(),
                mend="give a list of texts",
            )
        seen = set()
        for key in partition_keys:
            check_key(key)
            if key in seen:
                raise DefinitionError(
                    f"StaticPartitionsDefinition: the key {key!r} is there twice", source=sources.of_caller(), mend="list each key once"
                )
            seen.add(key)
        self._model = model.StaticPartitions(keys=tuple(partition_keys))

    def __repr__(self) -> str:
        return f"StaticPartitionsDefinition({list(cast(model.StaticPartitions, self._model).keys)!r})"


class DynamicPartitionsDefinition(PartitionsDefinition):
    """Keys that are added while the deployment runs, under a name that assets may share.

    Args:
        name: of the set of keys.
    """

    __slots__ = ()

    def __init__(self, partition_fn: Any = None, name: str | None = None) -> None:
        if partition_fn is not None and not isinstance(partition_fn, str):
            raise DefinitionError(
                "DynamicPartitionsDefinition: partition_fn is not supported by this version of dagwright",
                source=sources.of_caller(),
                mend="give name=",
            )
        called = name or partition_fn
        if not called:
            raise DefinitionError("DynamicPartitionsDefinition has no name", source=sources.of_caller(), mend='give one: name="regions"')
        self._model = model.DynamicPartitions(name=called)

    @property
    def name(self) -> str:
        return cast(model.DynamicPartitions, self._model).name

    def build_add_request(self, partition_keys: Sequence[str]) -> AddDynamicPartitionsRequest:
        """For a SensorResult: add these keys."""
        return AddDynamicPartitionsRequest(self.name, tuple(check_key(key) for key in partition_keys))

    def build_delete_request(self, partition_keys: Sequence[str]) -> DeleteDynamicPartitionsRequest:
        """For a SensorResult: delete these keys."""
        return DeleteDynamicPartitionsRequest(self.name, tuple(partition_keys))

    def __repr__(self) -> str:
        return f"DynamicPartitionsDefinition(name={self.name!r})"


class AddDynamicPartitionsRequest(NamedTuple):
    """A sensor's wish to add keys."""

    partitions_def_name: str
    partition_keys: tuple[str, ...]


class DeleteDynamicPartitionsRequest(NamedTuple):
    """A sensor's wish to delete keys."""

    partitions_def_name: str
    partition_keys: tuple[str, ...]


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
        exclusions: Any = None,
    ) -> None:
        kind = type(self).__name__
        source = sources.of_caller()
        if exclusions is not None:
            raise DefinitionError(f"{kind}: exclusions= is not supported by this version of dagwright", source=source, mend="leave it out")
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
        except ValueError as error:
            raise DefinitionError(f"{kind}: {error}", source=source) from None
        if last is not None and last < first:
            raise DefinitionError(f"{kind}: it ends ({last}) before it starts ({first})", source=source, mend="swap start and end")
        self._model = model.TimeWindowPartitions(
            cron=expression, format=fmt, start=first, end=last, timezone=timezone or "UTC", end_offset=end_offset
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

    def time_windows_for_partition_keys(self, partition_keys: Sequence[str], validate: bool = True) -> Sequence[TimeWindow]:
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
        zone = cron.zone(self._model.timezone)
        keys = []
        tick = cron.at_or_after(self._model.cron, start.astimezone(UTC), self._model.timezone)
        ticks = cron.after(self._model.cron, tick, self._model.timezone)
        while tick < time_window.end:
            keys.append(tick.astimezone(zone).strftime(self._model.format))
            tick = next(ticks)
        return keys

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
        now = _moment(current_time)
        place = model.ordinal(self._model, key, now)
        if place is None:
            raise ValueError(f"{key!r} is not a partition of {self}")
        keys = model.simple_keys(self._model, now)
        return keys[place + step] if 0 <= place + step < len(keys) else None

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
        exclusions: Any = None,
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
        exclusions: Any = None,
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
        exclusions: Any = None,
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
        exclusions: Any = None,
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


class MultiPartitionsDefinition(PartitionsDefinition):
    """The product of named dimensions: a partition for each combination of their keys.

    Args:
        partitions_defs: name of the dimension to its definition; two or more.

    Example:
        >>> both = MultiPartitionsDefinition({"day": StaticPartitionsDefinition(["1"]), "area": StaticPartitionsDefinition(["x", "y"])})
        >>> both.get_partition_keys()
        ['x|1', 'y|1']
    """

    __slots__ = ("partitions_by_dimension",)

    def __init__(self, partitions_defs: Mapping[str, PartitionsDefinition]) -> None:
        source = sources.of_caller()
        if len(partitions_defs) < 2:
            raise DefinitionError(
                f"MultiPartitionsDefinition has {len(partitions_defs)} dimensions", source=source, mend="give two or more"
            )
        for name, axis in partitions_defs.items():
            if not isinstance(axis, PartitionsDefinition) or isinstance(axis, MultiPartitionsDefinition):
                raise DefinitionError(
                    f"MultiPartitionsDefinition: the dimension {name!r} is a {type(axis).__name__}",
                    source=source,
                    mend="give a static, time or dynamic definition",
                )
        self.partitions_by_dimension = dict(sorted(partitions_defs.items()))
        axes = tuple((name, cast(model.SimplePartitions, axis.to_model())) for name, axis in self.partitions_by_dimension.items())
        self._model = model.MultiPartitions(dimensions=axes)

    @property
    def partition_dimension_names(self) -> list[str]:
        return list(self.partitions_by_dimension)

    def get_partitions_def_for_dimension(self, dimension_name: str) -> PartitionsDefinition:
        return self.partitions_by_dimension[dimension_name]

    def parse_key(self, partition_key: str) -> PartitionKey:
        if isinstance(partition_key, MultiPartitionKey):
            return tuple(partition_key.keys_by_dimension.values())
        return tuple(partition_key.split(SEPARATOR, len(self.partitions_by_dimension) - 1))

    def _text(self, key: PartitionKey) -> str:
        return MultiPartitionKey(dict(zip(self.partitions_by_dimension, key, strict=True)))

    def __repr__(self) -> str:
        return f"MultiPartitionsDefinition({self.partitions_by_dimension!r})"


def check_key(key: object) -> str:
    """Return a partition key if it is one."""
    if not isinstance(key, str) or not key:
        raise DefinitionError(f"{key!r} is not a partition key", source=sources.of_caller(), mend="use text that is not empty")
    for sign in _FORBIDDEN:
        if sign in key:
            raise DefinitionError(
                f"the partition key {key!r} has {sign!r}, which has a meaning in selections",
                source=sources.of_caller(),
                mend="leave it out",
            )
    return key


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


def _moment(current_time: datetime | None) -> datetime:
    if current_time is None:
        return datetime.now(UTC)
    return current_time if current_time.tzinfo is not None else current_time.replace(tzinfo=UTC)


def _dynamic_names(definition: model.Partitions) -> list[str]:
    match definition:
        case model.DynamicPartitions(name=name):
            return [name]
        case model.MultiPartitions(dimensions=axes):
            return [name for _, axis in axes for name in _dynamic_names(axis)]
        case _:
            return []
