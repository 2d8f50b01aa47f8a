"""Partitions definitions."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar, assert_never

from dagwright_api.v1 import partitions_pb2 as pb
from dagwright_shared.model.keys import PartitionKey
from dagwright_shared.model.partitions import (
    DynamicPartitions,
    MultiPartitions,
    Partitions,
    SimplePartitions,
    StaticPartitions,
    TimeWindowPartitions,
)
from dagwright_shared.wire.values import decode_time, encode_time, too_new

_M = TypeVar("_M", pb.Partitions, pb.SimplePartitions)


def encode_key(key: PartitionKey) -> pb.PartitionKey:
    return pb.PartitionKey(components=key)


def encode_partition_end(end: PartitionKey | None) -> pb.PartitionKey | None:
    return None if end is None else encode_key(end)


def decode_partition_end(message: Any) -> PartitionKey | None:
    """The last partition of the range that a message with the field `partition_end` tells of, if it does."""
    return tuple(message.partition_end.components) if message.HasField("partition_end") else None


@lru_cache(maxsize=512)
def encode_partitions(definition: Partitions) -> pb.Partitions:
    """The message is shared: it is to be put into another one, which copies it, and not to be changed."""
    match definition:
        case MultiPartitions():
            dimensions = [
                pb.PartitionsDimension(name=name, partitions=_encode_simple(axis, pb.SimplePartitions()))
                for name, axis in definition.dimensions
            ]
            return pb.Partitions(multi=pb.MultiPartitions(dimensions=dimensions))
        case StaticPartitions() | TimeWindowPartitions() | DynamicPartitions():
            return _encode_simple(definition, pb.Partitions())
        case _:
            assert_never(definition)


def decode_partitions(message: pb.Partitions) -> Partitions:
    return _decoded(message.SerializeToString(deterministic=True))


@lru_cache(maxsize=512)
def _decoded(data: bytes) -> Partitions:
    """Many assets have the same definition; they share one value, and with it what is memorized of its keys."""
    message = pb.Partitions.FromString(data)
    if message.WhichOneof("kind") == "multi":
        return MultiPartitions(dimensions=tuple((axis.name, _decode_simple(axis.partitions)) for axis in message.multi.dimensions))
    return _decode_simple(message)


def _encode_simple(definition: SimplePartitions, message: _M) -> _M:
    """Fill either message: the fields of the three simple kinds have the same names in both."""
    match definition:
        case StaticPartitions():
            message.static.CopyFrom(pb.StaticPartitions(keys=definition.keys))
        case TimeWindowPartitions():
            window = pb.TimeWindowPartitions(
                cron=definition.cron,
                format=definition.format,
                start=encode_time(definition.start),
                end=encode_time(definition.end) if definition.end else None,
                timezone=definition.timezone,
                end_offset=definition.end_offset,
                excluded_crons=definition.excluded_crons,
                excluded_starts=[encode_time(start) for start in definition.excluded_starts],
            )
            message.time_window.CopyFrom(window)
        case DynamicPartitions():
            message.dynamic.CopyFrom(pb.DynamicPartitions(name=definition.name))
        case _:
            assert_never(definition)
    return message


def _decode_simple(message: pb.Partitions | pb.SimplePartitions) -> SimplePartitions:
    match message.WhichOneof("kind"):
        case "static":
            return StaticPartitions(keys=tuple(message.static.keys))
        case "time_window":
            window = message.time_window
            return TimeWindowPartitions(
                cron=window.cron,
                format=window.format,
                start=decode_time(window.start),
                end=decode_time(window.end) if window.HasField("end") else None,
                timezone=window.timezone,
                end_offset=window.end_offset,
                excluded_crons=tuple(window.excluded_crons),
                excluded_starts=tuple(decode_time(start) for start in window.excluded_starts),
            )
        case "dynamic":
            return DynamicPartitions(name=message.dynamic.name)
        case _:
            raise too_new("a kind of partitions definition")
