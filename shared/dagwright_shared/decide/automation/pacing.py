"""When conditions are evaluated: at once when something happens, again while something is true for one tick only, and never so that
what was just asked for is asked for again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta

from dagwright_shared.decide.automation import kept
from dagwright_shared.decide.automation.cursor import Cursor
from dagwright_shared.decide.automation.evaluation import Evaluated
from dagwright_shared.decide.automation.graph import EntityGraph, EntityKey
from dagwright_shared.decide.automation.watch import Event, Watch
from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.dependents import Moment
from dagwright_shared.model.subsets import Subset


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Whose conditions are to be evaluated in a tick."""

    keys: frozenset[EntityKey]
    held: Mapping[EntityKey, Subset] = field(default_factory=dict)
    """What they must not ask for again yet. A condition such as `missing()` holds until a run that it asked for ends; something else
    has to happen, or the interval to pass, before it may ask for the same once more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """What may have changed the answers of conditions since the tick before."""

    events: frozenset[Event] = frozenset()
    timed: frozenset[EntityKey] = frozenset()
    """Whose moment has come: a tick of cron, a new partition of time, freshness, the end of a hold."""
    restless: frozenset[EntityKey] = frozenset()
    """What the tick before said to ask again."""


def due(graph: EntityGraph, watch: Watch, cursors: Mapping[EntityKey, Cursor], news: News, at: Moment, interval: timedelta) -> Due:
    """Whose conditions are to be evaluated.

    Args:
        interval: after so long the same may be asked for again without a reason.
    """
    free, bound = set(news.timed), set(news.restless)
    for event in news.events:
        for root in watch.events.get(event, ()):
            # What happens to the asset itself is mostly what its own request led to.
            (bound if event[0] == root else free).add(root)
    keys = (free | bound) & watch.roots
    held = {}
    for key in bound - free:
        cursor = cursors.get(key)
        if cursor is None or cursor.asked_at is None or cursor.asked_at + interval.total_seconds() <= at.now.timestamp():
            continue
        held[key] = kept.recall(graph[key].partitions if key in graph else None, cursor.asked, at.now, at.dynamic)
    return Due(keys=frozenset(keys), held={key: subset for key, subset in held.items() if subset})


def held_until(found: Evaluated, interval: timedelta) -> datetime | None:
    """When what was held back may be asked for."""
    if not found.held or found.cursor.asked_at is None:
        return None
    return datetime.fromtimestamp(found.cursor.asked_at, UTC) + interval
