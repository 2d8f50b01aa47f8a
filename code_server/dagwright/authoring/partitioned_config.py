"""Run config that is a function of the partition."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from dagwright.authoring import source as sources
from dagwright.authoring.config import RunConfig, config_dict
from dagwright.authoring.partitions import DynamicPartitionsDefinition, PartitionsDefinition, StaticPartitionsDefinition
from dagwright.authoring.time_partitions import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    TimeWindowPartitionsDefinition,
    WeeklyPartitionsDefinition,
)
from dagwright_shared.model.errors import DefinitionError, InvalidRequestError, SourceRef, UserCodeError, error_info


class PartitionedConfig:
    """The run config of each partition of a job.

    Args:
        partitions_def: the partitions.
        run_config_for_partition_key_fn: takes a key; returns a dict or a RunConfig.
        tags_for_partition_key_fn: takes a key; returns tags for the run.

    Example:
        >>> regions = PartitionedConfig(StaticPartitionsDefinition(["eu"]), lambda key: {"ops": {"load": {"config": {"region": key}}}})
        >>> regions.get_run_config_for_partition_key("eu")
        {'ops': {'load': {'config': {'region': 'eu'}}}}
    """

    def __init__(
        self,
        partitions_def: PartitionsDefinition,
        run_config_for_partition_key_fn: Callable[[Any], Any] | None = None,
        decorated_fn: Callable[..., Any] | None = None,
        tags_for_partition_key_fn: Callable[[Any], Mapping[str, str]] | None = None,
        *,
        by_window: bool = False,
    ) -> None:
        if not isinstance(partitions_def, PartitionsDefinition):
            raise DefinitionError(
                f"PartitionedConfig: partitions_def is a {type(partitions_def).__name__}",
                source=sources.of_caller(),
                mend="give a PartitionsDefinition",
            )
        fn = run_config_for_partition_key_fn or decorated_fn
        if not callable(fn):
            raise DefinitionError("PartitionedConfig has no function", source=sources.of_caller(), mend="give a function of the key")
        self.partitions_def, self.fn, self.tags_fn, self._by_window = partitions_def, fn, tags_for_partition_key_fn, by_window
        self.source = sources.of_function(fn)

    def __call__(self, *args: Any) -> Any:
        """Call the decorated function, as a test does."""
        return self.fn(*args)

    def get_partition_keys(self, current_time: datetime | None = None) -> Sequence[str]:
        return self.partitions_def.get_partition_keys(current_time)

    def get_run_config_for_partition_key(self, partition_key: str) -> dict[str, Any]:
        """The run config of a partition.

        Raises:
            InvalidRequestError: there is no such partition.
            UserCodeError: the function raised.
        """
        return config_dict(self._asked(self.fn, partition_key, "run config"))

    def get_tags_for_partition_key(self, partition_key: str) -> Mapping[str, str]:
        """The tags of a partition's run."""
        return dict(self._asked(self.tags_fn, partition_key, "tags") or {}) if self.tags_fn is not None else {}

    def partitions_for(self, given: PartitionsDefinition | None, what: str, source: SourceRef | None) -> PartitionsDefinition:
        """The partitions of a job with this config."""
        if given is not None and given != self.partitions_def:
            raise DefinitionError(
                f"{what} is partitioned by {given}, but its config by {self.partitions_def}",
                source=source,
                mend="leave partitions_def= out",
            )
        return self.partitions_def

    def _asked(self, fn: Callable[..., Any], key: str, doing: str) -> Any:
        arguments: tuple[Any, ...] = (key,)
        if self._by_window and isinstance(self.partitions_def, TimeWindowPartitionsDefinition):
            try:
                arguments = tuple(self.partitions_def.time_window_for_partition_key(key))
            except ValueError as error:
                raise InvalidRequestError(str(error)) from None
        try:
            if len(arguments) == 2 and len(inspect.signature(fn).parameters) == 1:
                arguments = arguments[:1]
            made = fn(*arguments)
        except Exception as error:
            raise UserCodeError(error_info(error), f"the {doing} of partition {key!r}") from error
        if not isinstance(made, (Mapping, RunConfig)):
            raise UserCodeError(error_info(TypeError(f"it returned {made!r:.80}, not a dict")), f"the {doing} of partition {key!r}")
        return made


def partitioned_config(
    partitions_def: PartitionsDefinition, tags_for_partition_key_fn: Callable[[str], Mapping[str, str]] | None = None
) -> Callable[[Callable[[str], Any]], PartitionedConfig]:
    """Turn a function of a partition's key into the config of a job.

    Example:
        >>> from dagwright import StaticPartitionsDefinition, partitioned_config
        >>> @partitioned_config(StaticPartitionsDefinition(["eu", "us"]))
        ... def of_region(key):
        ...     return {"ops": {"load": {"config": {"region": key}}}}
        >>> list(of_region.get_partition_keys())
        ['eu', 'us']
    """
    return lambda fn: PartitionedConfig(partitions_def, fn, tags_for_partition_key_fn=tags_for_partition_key_fn)


def static_partitioned_config(
    partition_keys: Sequence[str],
    tags_for_partition_fn: Callable[[str], Mapping[str, str]] | None = None,
    tags_for_partition_key_fn: Callable[[str], Mapping[str, str]] | None = None,
) -> Callable[[Callable[[str], Any]], PartitionedConfig]:
    """Turn a function of a key into the config of a job with these partitions.

    Example:
        >>> from dagwright import static_partitioned_config
        >>> @static_partitioned_config(["eu", "us"])
        ... def of_region(key):
        ...     return {"ops": {"load": {"config": {"region": key}}}}
        >>> of_region("eu")["ops"]["load"]["config"]
        {'region': 'eu'}
    """
    return partitioned_config(StaticPartitionsDefinition(partition_keys), tags_for_partition_key_fn or tags_for_partition_fn)


def dynamic_partitioned_config(
    partition_fn: Any = None,
    tags_for_partition_fn: Callable[[str], Mapping[str, str]] | None = None,
    tags_for_partition_key_fn: Callable[[str], Mapping[str, str]] | None = None,
    *,
    name: str | None = None,
) -> Callable[[Callable[[str], Any]], PartitionedConfig]:
    """Turn a function of a key into the config of a job whose partitions are added while the deployment runs."""
    partitions = DynamicPartitionsDefinition(partition_fn, name)
    return partitioned_config(partitions, tags_for_partition_key_fn or tags_for_partition_fn)


def _windows(partitions: TimeWindowPartitionsDefinition, tags_fn: Any) -> Callable[[Callable[..., Any]], PartitionedConfig]:
    return lambda fn: PartitionedConfig(partitions, fn, tags_for_partition_key_fn=tags_fn, by_window=True)


def hourly_partitioned_config(
    start_date: datetime | str,
    minute_offset: int = 0,
    timezone: str | None = None,
    fmt: str | None = None,
    end_offset: int = 0,
    tags_for_partition_fn: Callable[[datetime, datetime], Mapping[str, str]] | None = None,
    exclusions: Any = None,
) -> Callable[[Callable[[datetime, datetime], Any]], PartitionedConfig]:
    """Turn a function of an hour's start and end into the config of a job; arguments as for HourlyPartitionsDefinition."""
    made = HourlyPartitionsDefinition(start_date, None, minute_offset, timezone, fmt, end_offset, exclusions)
    return _windows(made, tags_for_partition_fn)


def daily_partitioned_config(
    start_date: datetime | str,
    minute_offset: int = 0,
    hour_offset: int = 0,
    timezone: str | None = None,
    fmt: str | None = None,
    end_offset: int = 0,
    tags_for_partition_fn: Callable[[datetime, datetime], Mapping[str, str]] | None = None,
    exclusions: Any = None,
) -> Callable[[Callable[[datetime, datetime], Any]], PartitionedConfig]:
    """Turn a function of a day's start and end into the config of a job.

    Example:
        >>> from dagwright import daily_partitioned_config
        >>> @daily_partitioned_config(start_date="2024-01-01")
        ... def of_day(start, end):
        ...     return {"ops": {"load": {"config": {"day": start.strftime("%Y-%m-%d")}}}}
        >>> of_day.get_run_config_for_partition_key("2024-01-02")
        {'ops': {'load': {'config': {'day': '2024-01-02'}}}}
    """
    made = DailyPartitionsDefinition(start_date, None, minute_offset, hour_offset, timezone, fmt, end_offset, exclusions)
    return _windows(made, tags_for_partition_fn)


def weekly_partitioned_config(
    start_date: datetime | str,
    minute_offset: int = 0,
    hour_offset: int = 0,
    day_offset: int = 0,
    timezone: str | None = None,
    fmt: str | None = None,
    end_offset: int = 0,
    tags_for_partition_fn: Callable[[datetime, datetime], Mapping[str, str]] | None = None,
    exclusions: Any = None,
) -> Callable[[Callable[[datetime, datetime], Any]], PartitionedConfig]:
    """Turn a function of a week's start and end into the config of a job; arguments as for WeeklyPartitionsDefinition."""
    made = WeeklyPartitionsDefinition(start_date, None, minute_offset, hour_offset, day_offset, timezone, fmt, end_offset, exclusions)
    return _windows(made, tags_for_partition_fn)


def monthly_partitioned_config(
    start_date: datetime | str,
    minute_offset: int = 0,
    hour_offset: int = 0,
    day_offset: int = 1,
    timezone: str | None = None,
    fmt: str | None = None,
    end_offset: int = 0,
    tags_for_partition_fn: Callable[[datetime, datetime], Mapping[str, str]] | None = None,
    exclusions: Any = None,
) -> Callable[[Callable[[datetime, datetime], Any]], PartitionedConfig]:
    """Turn a function of a month's start and end into the config of a job; arguments as for MonthlyPartitionsDefinition."""
    made = MonthlyPartitionsDefinition(start_date, None, minute_offset, hour_offset, day_offset, timezone, fmt, end_offset, exclusions)
    return _windows(made, tags_for_partition_fn)
