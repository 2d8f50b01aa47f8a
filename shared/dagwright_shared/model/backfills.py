"""Backfills: what they are to make, how far they are, and what may follow what.

A part of a backfill is an asset, or its job; the partitions of a part are a set of ordinals (`subsets.py`), so that a million
of them are a few bytes. An unpartitioned asset has the single ordinal 0.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any

from dagwright_shared.model import subsets
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.dependents import Moment
from dagwright_shared.model.errors import ErrorInfo
from dagwright_shared.model.json_values import JsonValue
from dagwright_shared.model.keys import UNPARTITIONED, AssetKey, Digest, LocationName, PartitionKey
from dagwright_shared.model.partitions import DynamicPartitions, MultiPartitions, Partitions
from dagwright_shared.model.runs import Trigger, TriggerKind
from dagwright_shared.model.subsets import EMPTY, Subset

JOB = ""
"""The name of the one part of a backfill of a job; those of a backfill of assets have their keys."""

PRIORITY = -10
"""Of the runs of a backfill, unless its tags say another: what a person or a schedule asks for goes first."""

BACKFILL_TAG = "dagwright/backfill"
"""Names the backfill in the tags of its runs."""


class BackfillStatus(StrEnum):
    REQUESTED = "REQUESTED"
    """No step has been taken yet."""
    IN_PROGRESS = "IN_PROGRESS"
    CANCELING = "CANCELING"
    """Nothing more is asked for; its active runs are being stopped."""
    CANCELED = "CANCELED"
    COMPLETED = "COMPLETED"
    """All of its target was made."""
    FAILED = "FAILED"
    """All is over, and some of its target was not made."""

    @property
    def is_final(self) -> bool:
        return self in FINAL


FINAL = frozenset({BackfillStatus.CANCELED, BackfillStatus.COMPLETED, BackfillStatus.FAILED})
LIVE = frozenset(BackfillStatus) - FINAL

_ENDS = frozenset({BackfillStatus.COMPLETED, BackfillStatus.FAILED, BackfillStatus.CANCELING})
TRANSITIONS: Mapping[BackfillStatus, frozenset[BackfillStatus]] = {
    BackfillStatus.REQUESTED: _ENDS | {BackfillStatus.IN_PROGRESS},
    BackfillStatus.IN_PROGRESS: _ENDS,
    BackfillStatus.CANCELING: frozenset({BackfillStatus.CANCELED}),
    # What was not made is asked for again: a backfill is resumed.
    BackfillStatus.CANCELED: frozenset({BackfillStatus.REQUESTED}),
    BackfillStatus.FAILED: frozenset({BackfillStatus.REQUESTED}),
    BackfillStatus.COMPLETED: frozenset(),
}


def sources(target: BackfillStatus) -> frozenset[BackfillStatus]:
    """The statuses from which `target` may be reached: the guard of every UPDATE that sets it."""
    return frozenset(status for status, targets in TRANSITIONS.items() if target in targets)


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Where a part is defined that another location than that of the backfill has."""

    location: LocationName
    digest: Digest
    """The definitions that the target was made with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a backfill is to make. The moment is part of it: it fixes what the ordinals stand for."""

    as_of: datetime
    parts: Mapping[str, Subset]
    """By name of the part; never empty sets."""
    dynamic: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The keys of the dynamic definitions that the parts have, as they were: places among them would move when one is deleted."""
    homes: Mapping[str, Home] = field(default_factory=dict)
    """Of the parts that other locations define."""

    @property
    def moment(self) -> Moment:
        return Moment(now=self.as_of, dynamic=self.dynamic)

    def to_bytes(self) -> bytes:
        parts = {name: _text(subset) for name, subset in self.parts.items()}
        homes = {name: (home.location, home.digest) for name, home in self.homes.items()}
        return _pack({"as_of": self.as_of.isoformat(), "parts": parts, "dynamic": dict(self.dynamic), "homes": homes})

    @staticmethod
    def from_bytes(data: bytes) -> Target:
        found = _unpack(data)
        return Target(
            as_of=datetime.fromisoformat(found["as_of"]),
            parts={name: _subset(text) for name, text in found["parts"].items()},
            dynamic={name: tuple(keys) for name, keys in found["dynamic"].items()},
            homes={name: Home(location=place, digest=digest) for name, (place, digest) in found.get("homes", {}).items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PartProgress:
    """What became of the partitions of one part. The last four are disjoint; what is in none of the five waits."""

    enqueued: Subset = EMPTY
    """A run was asked for."""
    succeeded: Subset = EMPTY
    failed: Subset = EMPTY
    canceled: Subset = EMPTY
    skipped: Subset = EMPTY
    """Not asked for: something upstream in the backfill was not made."""

    @property
    def ended(self) -> Subset:
        return subsets.union((self.succeeded, self.failed, self.canceled, self.skipped))

    @property
    def lost(self) -> Subset:
        """Ended without having been made."""
        return subsets.union((self.failed, self.canceled, self.skipped))

    @property
    def in_progress(self) -> Subset:
        return self.enqueued - self.ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a backfill is."""

    parts: Mapping[str, PartProgress] = field(default_factory=dict)
    open_runs: int = 0
    """Runs asked for whose end has not been taken into account."""

    def part(self, name: str) -> PartProgress:
        return self.parts.get(name, _NOTHING)

    def begun_again(self) -> Progress:
        """What was made stays; the rest has yet to be asked for."""
        return Progress(parts={name: PartProgress(enqueued=part.succeeded, succeeded=part.succeeded) for name, part in self.parts.items()})

    def to_bytes(self) -> bytes:
        parts = {name: [_text(getattr(part, each)) for each in _FIELDS] for name, part in self.parts.items()}
        return _pack({"open_runs": self.open_runs, "parts": parts})

    @staticmethod
    def from_bytes(data: bytes) -> Progress:
        if not data:
            return Progress()
        found = _unpack(data)
        parts = {
            name: PartProgress(**{each: _subset(text) for each, text in zip(_FIELDS, texts, strict=True)})
            for name, texts in found["parts"].items()
        }
        return Progress(parts=parts, open_runs=found["open_runs"])


_NOTHING = PartProgress()
_FIELDS = ("enqueued", "succeeded", "failed", "canceled", "skipped")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewBackfill:
    """What `store.backfills.create` takes."""

    backfill_id: str
    """A UUID."""
    location: LocationName
    """The one that defines what it makes, or most of it; see `Target.homes`."""
    digest: Digest
    """The definitions that the target was made with."""
    target: Target
    job_name: str | None = None
    asset_keys: tuple[AssetKey, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    """Of its runs."""
    config: Mapping[str, JsonValue] = field(default_factory=dict)
    """Of its runs."""
    title: str | None = None
    description: str | None = None
    trigger: Trigger = field(default=Trigger(kind=TriggerKind.API))
    parent_id: str | None = None
    """The backfill of which this one makes what was not made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backfill:
    """A backfill as the store has it."""

    backfill_id: str
    location: LocationName
    digest: Digest
    job_name: str | None
    asset_keys: tuple[AssetKey, ...]
    status: BackfillStatus
    target: Target
    progress: Progress
    attempt: int
    """How often it was begun: resumed, once more."""
    tags: Mapping[str, str]
    config: Mapping[str, JsonValue]
    title: str | None
    description: str | None
    trigger: Trigger
    parent_id: str | None
    error: ErrorInfo | None
    created_at: datetime
    ended_at: datetime | None


def locations_of(backfill: NewBackfill | Backfill) -> tuple[LocationName, ...]:
    """All that define a part of it, its own first."""
    return tuple(dict.fromkeys([backfill.location, *sorted(home.location for home in backfill.target.homes.values())]))


def left(target: Target, progress: Progress) -> Mapping[str, Subset]:
    """What of the target has not been made; parts of which everything was made are left out."""
    found = {name: subset - progress.part(name).succeeded for name, subset in target.parts.items()}
    return {name: subset for name, subset in found.items() if subset}


def dynamic_names(definitions: Iterable[Partitions | None]) -> frozenset[str]:
    """The names of the dynamic partitions that some definitions have."""
    axes = [
        axis
        for definition in definitions
        for axis in ([each for _, each in definition.dimensions] if isinstance(definition, MultiPartitions) else [definition])
    ]
    return frozenset(axis.name for axis in axes if isinstance(axis, DynamicPartitions))


def keys_of(definition: Partitions | None, subset: Subset, at: Moment) -> list[PartitionKey]:
    """The partition keys of a part's ordinals, in order."""
    return [UNPARTITIONED for _ in subset] if definition is None else subsets.to_keys(definition, subset, at.now, at.dynamic)


def ordinals_of(definition: Partitions | None, keys: Iterable[PartitionKey], at: Moment) -> Subset:
    """The ordinals of partition keys.

    Raises:
        ValueError: a key does not exist; names it.
    """
    if definition is not None:
        return subsets.of_keys(definition, keys, at.now, at.dynamic)
    return subsets.of_ordinals(0 for _ in keys)


def known_ordinals(definition: Partitions | None, keys: Iterable[PartitionKey], at: Moment) -> Subset:
    """The ordinals of those of the keys that exist."""
    if definition is None:
        return ordinals_of(None, keys, at)
    return subsets.of_keys(definition, keys, at.now, at.dynamic, only_known=True)


def _text(subset: Subset) -> str:
    return base64.b64encode(subset.to_bytes()).decode()


def _subset(text: str) -> Subset:
    return subsets.from_bytes(base64.b64decode(text))


def _pack(value: object) -> bytes:
    return zlib.compress(json.dumps(value, separators=(",", ":")).encode(), 1)


def _unpack(data: bytes) -> Any:
    return json.loads(zlib.decompress(data))
