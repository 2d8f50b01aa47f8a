"""At which moment, and by which deployment's keys, partitions are counted where a call does not say."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from dagwright_shared.model.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class PartitionLoadingContext:
    """What holds inside of `partition_loading_context`."""

    effective_dt: datetime | None = None
    dynamic_partitions_store: Any = None


_current: ContextVar[PartitionLoadingContext] = ContextVar("partition_loading_context", default=PartitionLoadingContext())  # noqa: B039 - it is frozen


@contextmanager
def partition_loading_context(
    effective_dt: datetime | None = None, dynamic_partitions_store: Any = None
) -> Iterator[PartitionLoadingContext]:
    """Count partitions in this block as they are at another moment, or with the keys of another deployment.

    Args:
        effective_dt: which time windows have ended is judged at this moment; a naive one is taken for UTC.
        dynamic_partitions_store: an instance, which has the keys of dynamic partitions.

    Example:
        >>> from datetime import datetime
        >>> from dagwright import DailyPartitionsDefinition
        >>> with partition_loading_context(datetime(2024, 1, 4)):
        ...     DailyPartitionsDefinition("2024-01-01").get_partition_keys()
        ['2024-01-01', '2024-01-02', '2024-01-03']
    """
    outer = _current.get()
    inner = PartitionLoadingContext(
        effective_dt if effective_dt is not None else outer.effective_dt,
        dynamic_partitions_store if dynamic_partitions_store is not None else outer.dynamic_partitions_store,
    )
    token = _current.set(inner)
    try:
        yield inner
    finally:
        _current.reset(token)


def moment(current_time: datetime | None) -> datetime:
    """The moment at which partitions are counted: that of the block, or now, if none is given."""
    chosen = current_time if current_time is not None else _current.get().effective_dt
    if chosen is None:
        return datetime.now(UTC)
    return chosen if chosen.tzinfo is not None else chosen.replace(tzinfo=UTC)


def store(dynamic_partitions_store: Any) -> Any:
    """What has the keys of dynamic partitions: that of the block, if none is given."""
    return dynamic_partitions_store if dynamic_partitions_store is not None else _current.get().dynamic_partitions_store
