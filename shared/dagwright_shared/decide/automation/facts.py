"""What is known of an asset or a check at the moment of an evaluation, as sets of partitions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import field
from typing import Protocol

from dagwright_shared.decide.automation.graph import EntityKey
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.freshness import FreshnessState
from dagwright_shared.model.subsets import EMPTY, Subset


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """Of the run that did something: what conditions ask of it."""

    tags: Mapping[str, str] = field(default_factory=dict)
    targets: frozenset[EntityKey] = frozenset()
    """All that the run was asked to make and to check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Partitions that have been made, observed or checked."""

    mark: int
    """Its place among all updates; what a cursor compares with."""
    at: float
    """When, in seconds since the epoch."""
    partitions: Subset
    changed: bool = True
    """Whether the data version is another one than before."""
    run: RunFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Of one entity. A set of an entity without partitions has the ordinal 0, or nothing."""

    known: Subset = EMPTY
    """What has been made (an asset that is only observed: seen). Of a check: whether a result is there for the newest data."""
    in_progress: Subset = EMPTY
    """What a queued or active run is to make."""
    backfilling: Subset = EMPTY
    """What an active backfill is to make."""
    failed: Subset = EMPTY
    """Of what the newest attempt failed."""
    passed: Subset = EMPTY
    """Of a check: where its newest result, for the newest data, is good."""
    not_passed: Subset = EMPTY
    updates: tuple[Update, ...] = ()
    """Those that some cursor may not have seen yet, oldest first."""
    last: Subset = EMPTY
    """The one partition that was made last."""
    last_run: RunFacts | None = None
    freshness: FreshnessState | None = None


NOTHING = Facts()


class FactsPort(Protocol):
    """Where facts come from. One call reads those of many entities."""

    def read(self, keys: Collection[EntityKey]) -> Mapping[EntityKey, Facts]:
        """The facts of these; what nothing is known of may be left out."""
