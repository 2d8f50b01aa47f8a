"""Partitions definitions: which keys exist, in what order, and what they mean.

A definition is data. Keys are addressed by their ordinal (their place in the definition's order), so that sets of
partitions are ranges of ordinals (`subsets.py`), not lists of text. Functions that depend on time take `now`; those
that depend on keys added at run time take `dynamic`, the keys of each dynamic definition in the order of adding.
"""

from __future__ import annotations

import bisect
import itertools
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TypeAlias, assert_never

from dagwright_shared.model import cron
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import PartitionKey

DynamicKeys: TypeAlias = Mapping[str, Sequence[str]]
NO_DYNAMIC: DynamicKeys = {}
_FEW = 2_000
"""Up to so many windows are looked up one by one; for more, all of them are named once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWindow:
    """A half-open interval of time, both ends aware and in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticPartitions:
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeWindowPartitions:
    """Windows between consecutive ticks of a cron expression, named by their start."""

    cron: str
    format: str
    """`strftime` format of the keys."""
    start: datetime
    """First possible window start, aware."""
    end: datetime | None = None
    """No window ends after this."""
    timezone: str = "UTC"
    end_offset: int = 0
    """How many windows beyond the last complete one exist; negative takes some away."""
    excluded_crons: tuple[str, ...] = ()
    """Windows that begin at a tick of one of these do not exist."""
    excluded_starts: tuple[datetime, ...] = ()
    """Windows that begin then do not exist; aware."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicPartitions:
    """Keys added at run time, under a name that several assets may share."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiPartitions:
    """The product of named dimensions, of any number, sorted by dimension name as Dagster does."""

    dimensions: tuple[tuple[str, SimplePartitions], ...]


SimplePartitions: TypeAlias = StaticPartitions | TimeWindowPartitions | DynamicPartitions
Partitions: TypeAlias = SimplePartitions | MultiPartitions


def dimensions(definition: Partitions | None) -> int:
    """How many components a key has: 0 when unpartitioned."""
    if definition is None:
        return 0
    return len(definition.dimensions) if isinstance(definition, MultiPartitions) else 1


def is_dynamic(definition: Partitions | None) -> bool:
    """Whether keys are added at run time, in any dimension."""
    return bool(dynamic_names(definition))


def dynamic_names(definition: Partitions | None) -> tuple[str, ...]:
    """The names under which keys of a definition are added at run time."""
    match definition:
        case DynamicPartitions(name=name):
            return (name,)
        case MultiPartitions(dimensions=axes):
            return tuple(name for _, axis in axes for name in dynamic_names(axis))
        case _:
            return ()


def keys(definition: Partitions, now: datetime, dynamic: DynamicKeys = NO_DYNAMIC) -> Sequence[PartitionKey]:
    """All keys that exist at `now`, in order."""
    if isinstance(definition, MultiPartitions):
        axes = [simple_keys(axis, now, dynamic) for _, axis in definition.dimensions]
        return list(itertools.product(*axes))
    return [(key,) for key in simple_keys(definition, now, dynamic)]


def simple_keys(definition: SimplePartitions, now: datetime, dynamic: DynamicKeys = NO_DYNAMIC) -> Sequence[str]:
    """The keys of one dimension, in order."""
    match definition:
        case StaticPartitions():
            return definition.keys
        case DynamicPartitions():
            return dynamic.get(definition.name, ())
        case TimeWindowPartitions():
            starts = window_starts(definition, now)
            tz = cron.zone(definition.timezone)
            return [_name(definition, start.astimezone(tz)) for start in starts]
        case _:
            assert_never(definition)


def simple_keys_at(definition: SimplePartitions, start: int, end: int, now: datetime, dynamic: DynamicKeys = NO_DYNAMIC) -> Sequence[str]:
    """The keys at the places from `start` up to and without `end`, without naming all the others."""
    if isinstance(definition, TimeWindowPartitions):
        tz = cron.zone(definition.timezone)
        return [_name(definition, begin.astimezone(tz)) for begin in window_starts(definition, now)[start:end]]
    return simple_keys(definition, now, dynamic)[start:end]


def count(definition: Partitions, now: datetime, dynamic: DynamicKeys = NO_DYNAMIC) -> int:
    """How many keys exist at `now`."""
    match definition:
        case MultiPartitions():
            total = 1
            for _, axis in definition.dimensions:
                total *= count(axis, now, dynamic)
            return total
        case TimeWindowPartitions():
            return len(window_starts(definition, now))
        case _:
            return len(simple_keys(definition, now, dynamic))


def contains(definition: Partitions, key: PartitionKey, now: datetime, dynamic: DynamicKeys = NO_DYNAMIC) -> bool:
    """Whether the key exists at `now`."""
    if len(key) != dimensions(definition):
        return False
    if isinstance(definition, MultiPartitions):
        axes = (axis for _, axis in definition.dimensions)
        return all(contains(axis, (part,), now, dynamic) for axis, part in zip(axes, key, strict=True))
    if isinstance(definition, TimeWindowPartitions):
        return ordinal(definition, key[0], now) is not None
    return key[0] in simple_keys(definition, now, dynamic)


def ordinal(definition: SimplePartitions, key: str, now: datetime, dynamic: DynamicKeys = NO_DYNAMIC) -> int | None:
    """The place of a key in its dimension's order, or None if there is no such key."""
    if isinstance(definition, TimeWindowPartitions):
        return _place(definition, key, window_starts(definition, now))
    known = simple_keys(definition, now, dynamic)
    try:
        return known.index(key)
    except ValueError:
        return None


def places(definition: SimplePartitions, wanted: Collection[str], now: datetime, dynamic: DynamicKeys = NO_DYNAMIC) -> Mapping[str, int]:
    """The places of those of the keys that exist; what they have in common is worked out once."""
    asked = frozenset(wanted)
    if isinstance(definition, TimeWindowPartitions):
        found = _window_places(definition, asked, window_starts(definition, now))
        if found is not None:
            return found
    return {key: place for place, key in enumerate(simple_keys(definition, now, dynamic)) if key in asked}


def time_window(definition: TimeWindowPartitions, key: str) -> TimeWindow:
    """The interval that a key names, whether or not the window is complete yet.

    Raises:
        ValueError: the key is not of the definition's format, or no window starts there.
    """
    start = _start(definition, key)
    if start is None:
        raise ValueError(f"{key!r} is not a partition: no window of {definition.cron!r} starts there (format {definition.format!r})")
    return TimeWindow(start=start, end=next(cron.after(definition.cron, start, definition.timezone)))


def start_at(definition: TimeWindowPartitions, moment: datetime) -> datetime:
    """The start of the window that holds `moment`, whether or not it exists."""
    return next(cron.before(definition.cron, datetime.fromtimestamp(moment.timestamp() + 1e-6, UTC), definition.timezone))


def key_at(definition: TimeWindowPartitions, moment: datetime) -> str:
    """The key of the window that holds `moment`."""
    return _name(definition, start_at(definition, moment).astimezone(cron.zone(definition.timezone)))


def last_key(definition: Partitions, now: datetime, dynamic: DynamicKeys = NO_DYNAMIC) -> PartitionKey | None:
    """The newest key of a definition, or None when it has none."""
    if isinstance(definition, MultiPartitions):
        parts = [last_key(axis, now, dynamic) for _, axis in definition.dimensions]
        return None if any(part is None for part in parts) else tuple(part[0] for part in parts if part)
    known = simple_keys(definition, now, dynamic)
    return (known[-1],) if known else None


def describe(definition: Partitions) -> str:
    """The definition in a few words, for pages and messages."""
    match definition:
        case StaticPartitions():
            return f"{len(definition.keys)} static {'key' if len(definition.keys) == 1 else 'keys'}"
        case TimeWindowPartitions():
            start = definition.start.astimezone(cron.zone(definition.timezone))
            return f"{cron.in_words(definition.cron)}, from {start:%Y-%m-%d} ({definition.timezone})"
        case DynamicPartitions():
            return f"dynamic keys named {definition.name}"
        case MultiPartitions():
            return " × ".join(f"{name}: {describe(axis)}" for name, axis in definition.dimensions)
        case _:
            assert_never(definition)


def window_starts(definition: TimeWindowPartitions, now: datetime) -> Sequence[datetime]:
    """Starts, in UTC, of all windows that exist at `now`."""
    if has_gaps(definition):
        return _without_excluded(definition, now)
    # A window exists once it has ended; `grown` ends with the first tick after `limit`.
    limit = min(now, definition.end) if definition.end else now
    grown = _grow(definition, limit)
    complete = bisect.bisect_right(grown, limit) - 1
    if complete < 0:
        complete = -_ticks_until(definition, grown[0], limit) if definition.end_offset > 0 else 0
    wanted = max(0, complete + (definition.end_offset if not definition.end or now < definition.end else 0))
    if wanted < len(grown):
        return grown[:wanted]
    more = itertools.islice(cron.after(definition.cron, grown[-1], definition.timezone), wanted - len(grown))
    return [*grown, *more]


def has_gaps(definition: TimeWindowPartitions) -> bool:
    """Whether a window may end before the next one begins."""
    return bool(definition.excluded_crons or definition.excluded_starts)


def is_excluded(definition: TimeWindowPartitions, start: datetime) -> bool:
    """Whether the definition says that no window begins then."""
    if start in definition.excluded_starts:
        return True
    return any(cron.at_or_after(expression, start, definition.timezone) == start for expression in definition.excluded_crons)


def _without_excluded(definition: TimeWindowPartitions, now: datetime) -> Sequence[datetime]:
    whole = replace(definition, excluded_crons=(), excluded_starts=(), end_offset=0)
    every = window_starts(whole, now)
    kept, looked_at = _kept(definition)
    fresh = [start for start in every[looked_at[0] :] if not is_excluded(definition, start)]
    kept.extend(fresh)
    looked_at[0] = max(looked_at[0], len(every))
    found = kept if looked_at[0] == len(every) else kept[: bisect.bisect_right(kept, every[-1])] if every else []
    offset = 0 if definition.end and now >= definition.end else definition.end_offset
    if offset <= 0:
        return found[: max(0, len(found) + offset)]
    first = next(cron.after(definition.cron, every[-1], definition.timezone)) if every else _ticks(whole)[0]
    coming = itertools.islice(itertools.chain((first,), cron.after(definition.cron, first, definition.timezone)), REACH)
    return [*found, *itertools.islice((tick for tick in coming if not is_excluded(definition, tick)), offset)]


REACH = 10_000
"""How many windows ahead are looked at for those that are not excluded: exclusions may leave none."""


@lru_cache(maxsize=256)
def _kept(definition: TimeWindowPartitions) -> tuple[list[datetime], list[int]]:
    """Windows found so far that are not excluded, and of how many that is known: a memo that only grows."""
    del definition
    return [], [0]


def window_name(definition: TimeWindowPartitions, start: datetime) -> str:
    """The key of the window that starts then."""
    return _name(definition, start.astimezone(cron.zone(definition.timezone)))


def _ticks_until(definition: TimeWindowPartitions, first: datetime, now: datetime) -> int:
    """How many windows lie between now and a first one that is still to come, as far as `end_offset` reaches."""
    nearest = itertools.islice(cron.after(definition.cron, now, definition.timezone), definition.end_offset)
    return sum(1 for tick in nearest if tick <= first)


@lru_cache(maxsize=256)
def _ticks(definition: TimeWindowPartitions) -> list[datetime]:
    """Ticks found so far for a definition: a memo that only grows, shared by all callers."""
    return [cron.at_or_after(definition.cron, definition.start, definition.timezone)]


def _grow(definition: TimeWindowPartitions, now: datetime) -> list[datetime]:
    ticks = _ticks(definition)
    step = _even_step(definition)
    if step is not None and ticks[-1] <= now:
        ticks.extend([ticks[-1] + step * place for place in range(1, (now - ticks[-1]) // step + 2)])
    elif ticks[-1] <= now:
        fresh = []
        for tick in cron.after(definition.cron, ticks[-1], definition.timezone):
            fresh.append(tick)
            if tick > now:
                break
        if ticks[-1] < fresh[0]:
            ticks.extend(fresh)
    return ticks


def _even_step(definition: TimeWindowPartitions) -> timedelta | None:
    """How far apart windows are that are all equally long: two million minutes are not asked of the cron expression one by one."""
    found = _EVEN.fullmatch(definition.cron.strip())
    if found is None or definition.timezone not in ("UTC", "Etc/UTC"):
        return None
    minute, hour = found.groups()
    return timedelta(days=1) if hour != "*" else timedelta(hours=1) if minute != "*" else timedelta(minutes=1)


_EVEN = re.compile(r"(?=\d+ |\* \*)(\*|\d+)\s+(\*|\d+)\s+\*\s+\*\s+\*")


def _place(definition: TimeWindowPartitions, key: str, starts: Sequence[datetime]) -> int | None:
    start = _start(definition, key)
    if start is None:
        return None
    at = bisect.bisect_left(starts, start)
    return at if at < len(starts) and starts[at] == start else None


def _window_places(definition: TimeWindowPartitions, wanted: Collection[str], starts: Sequence[datetime]) -> Mapping[str, int] | None:
    """The places of keys; None where so many would be looked up one by one that it is cheaper to name all windows.

    Keys that follow each other, as those of a backfill do, are not looked up: naming the next window is ten times as quick.
    """
    tz, found, looked = cron.zone(definition.timezone), dict[str, int](), 0
    for key in sorted(wanted):
        if key in found:
            continue
        looked += 1
        if looked > _FEW and looked * 10 > len(starts):
            return None
        place = _place(definition, key, starts)
        while place is not None and key in wanted and key not in found:
            found[key] = place
            place = place + 1 if place + 1 < len(starts) else None
            if place is not None:
                key = _name(definition, starts[place].astimezone(tz))  # noqa: PLW2901 - the one that follows
    return found


def _name(definition: TimeWindowPartitions, local: datetime) -> str:
    """The key of a window by its start; the second of two hours of one name, when clocks go back, carries its offset too."""
    name = local.strftime(definition.format)
    return f"{name}{local:%z}" if local.fold else name


@lru_cache(maxsize=4096)
def _start(definition: TimeWindowPartitions, key: str) -> datetime | None:
    """The start, in UTC, of the window that a key names; None if it names none."""
    parsed = _parse(definition, key)
    if parsed is None:
        return None
    # The format may leave out what the cron expression fixes: days that begin at 06:00 are still named by their date.
    start = cron.at_or_after(definition.cron, parsed, definition.timezone)
    return start if _name(definition, start.astimezone(cron.zone(definition.timezone))) == key else None


def _parse(definition: TimeWindowPartitions, key: str) -> datetime | None:
    try:
        parsed = datetime.strptime(key, definition.format)  # noqa: DTZ007 - the zone is added below
    except ValueError:
        try:
            parsed = datetime.strptime(key, f"{definition.format}%z")
        except ValueError:
            return None
    if parsed.tzinfo is None:
        parsed = parsed.replace(tzinfo=cron.zone(definition.timezone))
    # strptime also takes `2013-1-1`: a second name of a partition would be a second partition in the store.
    if _name(definition, parsed.astimezone(cron.zone(definition.timezone))) != key:
        return None
    return parsed.astimezone(UTC)
