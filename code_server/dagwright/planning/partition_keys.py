"""Which partitions a run covers: the request's partition or range, checked against the definition of what is run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from dagwright_shared.model import partitions as parts
from dagwright_shared.model import ranges
from dagwright_shared.model.errors import Problem, nearest
from dagwright_shared.model.keys import UNPARTITIONED, PartitionKey, format_partition
from dagwright_shared.model.partitions import NO_DYNAMIC, DynamicKeys, Partitions

_NEAREST_AMONG = 5_000


def covered(
    partition: PartitionKey,
    end: PartitionKey | None,
    definition: Partitions | None,
    what: str,
    now: datetime,
    dynamic: DynamicKeys | None,
    problems: list[Problem],
    *,
    required: bool = True,
) -> tuple[PartitionKey, ...]:
    """The keys of a run, in order; none for a run without partitions.

    Args:
        end: the last one of a range, or None.
        what: is run, in words.
        dynamic: None where the keys of dynamic partitions are not known; the request was checked where they are.
        required: what is partitioned may not be run without a partition.
    """
    text = ranges.format_range(partition, end)
    if definition is None:
        if partition:
            message = f"{what} is not partitioned, so it takes no partition"
            problems.append(Problem(path="partition", message=message, value=text, expected="none"))
        return ()
    if not partition:
        if required:
            message = f"{what} is partitioned ({parts.describe(definition)}): name a partition"
            problems.append(Problem(path="partition", message=message, expected=_example(definition, now, dynamic)))
        return ()
    if dynamic is None and parts.is_dynamic(definition):
        return (partition,)
    known = NO_DYNAMIC if dynamic is None else dynamic
    try:
        found = ranges.keys_between(definition, partition, partition if end is None else end, now, known)
    except LookupError as error:
        problems.append(_unknown(error.args[0], definition, what, now, known))
        return ()
    if not found:
        message = f"the range {text} of {what} ends before it begins ({parts.describe(definition)})"
        problems.append(Problem(path="partition", message=message, value=text, expected="a range whose first key comes first"))
    return found


def _unknown(key: PartitionKey, definition: Partitions, what: str, now: datetime, dynamic: DynamicKeys) -> Problem:
    text = format_partition(key)
    few = parts.count(definition, now, dynamic) < _NEAREST_AMONG
    known: Sequence[PartitionKey] = parts.keys(definition, now, dynamic) if few else ()
    close = nearest(text or "", ["|".join(one) for one in known])
    message = f"there is no partition {text!r} of {what} ({parts.describe(definition)})" + (f"; did you mean {close!r}?" if close else "")
    expected = f"a key {_example(definition, now, dynamic)}"
    return Problem(path="partition", message=message, value=text, expected=expected, suggestion=close)


def _example(definition: Partitions, now: datetime, dynamic: DynamicKeys | None) -> str:
    last = parts.last_key(definition, now, NO_DYNAMIC if dynamic is None else dynamic) or UNPARTITIONED
    return f"such as {format_partition(last)}" if last else "but there are none yet"
