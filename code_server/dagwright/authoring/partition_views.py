"""Partitions definitions as user code sees them, made of the data that plans carry."""

from __future__ import annotations

from dagwright.authoring.partitions import (
    DynamicPartitionsDefinition,
    MultiPartitionsDefinition,
    PartitionsDefinition,
    StaticPartitionsDefinition,
)
from dagwright.authoring.time_partitions import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    TimeWindowPartitionsDefinition,
    WeeklyPartitionsDefinition,
)
from dagwright_shared.model import partitions as model

_OF_TIME: dict[str, type[TimeWindowPartitionsDefinition]] = {
    "n****": HourlyPartitionsDefinition,
    "nn***": DailyPartitionsDefinition,
    "nn**n": WeeklyPartitionsDefinition,
    "nnn**": MonthlyPartitionsDefinition,
}
"""By their cron expressions, where `n` is any number."""


def definition_of(data: model.Partitions | None) -> PartitionsDefinition | None:
    """A definition that equals the one that the data is of; None for none."""
    match data:
        case None:
            return None
        case model.StaticPartitions(keys=keys):
            return StaticPartitionsDefinition(keys)
        case model.DynamicPartitions(name=name):
            return DynamicPartitionsDefinition(name=name)
        case model.MultiPartitions(dimensions=dimensions):
            axes = {name: definition_of(axis) for name, axis in dimensions}
            return MultiPartitionsDefinition({name: axis for name, axis in axes.items() if axis is not None})
        case model.TimeWindowPartitions():
            return _of_time(data)


def _of_time(data: model.TimeWindowPartitions) -> TimeWindowPartitionsDefinition:
    pattern = "".join("n" if part.isdigit() else part for part in data.cron.split())
    kind = _OF_TIME.get(pattern, TimeWindowPartitionsDefinition)
    definition = kind.__new__(kind)  # their constructors take hours and days apart
    definition._model = data
    return definition
