"""Search over every definition by name, and over runs by id."""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator
from typing import Any, TypeAlias, assert_never
from urllib.parse import quote, urlencode

from sqlalchemy import Connection, Row, text

from dagwright_shared.model.snapshot import (
    AssetSnapshot,
    CheckSnapshot,
    JobSnapshot,
    ResourceSnapshot,
    ScheduleSnapshot,
    SensorSnapshot,
)
from dagwright_webserver import looks
from dagwright_webserver.fuzzy import score
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.view import view

KINDS = ("asset", "job", "schedule", "sensor", "check", "group", "resource", "location", "run")
"""In the order in which equally good hits are shown."""


@view
class SearchHit:
    """Something that fits."""

    kind: str
    """asset, job, schedule, sensor, check, group, resource, location or run."""
    name: str
    """Its name; of a run the id."""
    about: str
    """A few words that tell it from others of the name."""
    location: str | None
    """The code location that defines it; null for what is in several."""
    url: str
    """Its page."""


@view
class SearchView:
    """What fits the words, the best first; there is never a second page."""

    items: tuple[SearchHit, ...]
    """The hits."""
    next_cursor: str | None
    """Always null."""


def search(conn: Connection, defs: Definitions, words: str, *, limit: int = 20) -> SearchView:
    """Definitions whose name fits, and runs whose id begins, or whose short id begins, with what was typed."""
    words = words.strip()
    if not words:
        return SearchView(items=(), next_cursor=None)
    scored = ((score(words, name), kind, name, place, thing) for kind, name, place, thing in _definitions(defs))
    best = heapq.nsmallest(limit, (hit for hit in scored if hit[0]), key=lambda hit: (-hit[0], KINDS.index(hit[1]), hit[2], hit[3] or ""))
    hits = [_hit(defs, kind, name, place, thing) for _, kind, name, place, thing in best]
    return SearchView(items=tuple([*(_run(row) for row in find_runs(conn, words)), *hits][:limit]), next_cursor=None)


_Thing: TypeAlias = AssetSnapshot | CheckSnapshot | JobSnapshot | ScheduleSnapshot | SensorSnapshot | ResourceSnapshot | int


def _definitions(defs: Definitions) -> Iterator[tuple[str, str, str | None, _Thing]]:
    """Kind, name, location and definition; what else is told of a hit is made for the few that are shown."""
    groups: dict[str, int] = {}
    for key, assets in defs.assets.items():
        place, asset = assets[0]
        groups[asset.group] = groups.get(asset.group, 0) + 1
        yield "asset", key.to_user_string(), place, asset
    yield from (("check", check.key.to_user_string(), place, check) for checks in defs.checks.values() for place, check in checks)
    yield from (("job", name, place, job) for name, jobs in defs.jobs.items() for place, job in jobs)
    yield from (("schedule", name, place, each) for name, found in defs.schedules.items() for place, each in found)
    yield from (("sensor", name, place, each) for name, found in defs.sensors.items() for place, each in found)
    yield from (("group", name, None, count) for name, count in groups.items())
    for place, snapshot in defs.locations.items():
        yield "location", place, place, len(snapshot.assets)
        yield from (("resource", each.key, place, each) for each in snapshot.resources)


def _hit(defs: Definitions, kind: str, name: str, place: str | None, thing: _Thing) -> SearchHit:
    match thing:
        case AssetSnapshot():
            about, url = looks.first_line(thing.description) or thing.group, f"/assets/{quote(name)}"
        case CheckSnapshot():
            about, url = looks.first_line(thing.description), f"/assets/{quote(thing.key.asset_key.to_user_string())}?tab=checks"
        case JobSnapshot():
            where = f"?{urlencode({'location': place})}" if len(defs.jobs[name]) > 1 else ""
            about, url = looks.first_line(thing.description), f"/jobs/{quote(name, safe='')}{where}"
        case ScheduleSnapshot():
            about, url = ", ".join(thing.cron), f"/automation/schedules/{quote(name, safe='')}?{urlencode({'location': place})}"
        case SensorSnapshot():
            about, url = (
                f"{thing.kind} sensor".replace("_", " "),
                f"/automation/sensors/{quote(name, safe='')}?{urlencode({'location': place})}",
            )
        case ResourceSnapshot():
            about, url = thing.type_name, f"/deployment/resources#{quote(name)}"
        case int():
            about = looks.plural(thing, "asset")
            url = f"/lineage?{urlencode({'group': name})}" if kind == "group" else "/deployment"
        case _:
            assert_never(thing)
    return SearchHit(kind=kind, name=name, about=about[:120], location=place, url=url)


_SHORT = re.compile(r"[0-9a-f]{4,8}")
_LONG = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{0,27}")


def find_runs(conn: Connection, words: str) -> list[Row[Any]]:
    """By the whole id or its beginning, or by the last eight characters, which pages show."""
    given = words.lower()
    if _SHORT.fullmatch(given):
        return list(conn.execute(_BY_SHORT, {"start": f"{given}%"}))
    if _LONG.fullmatch(given):
        digits = given.replace("-", "")
        return list(conn.execute(_BETWEEN, {"first": digits.ljust(32, "0"), "last": digits.ljust(32, "f")}))
    return []


def _run(row: Row[Any]) -> SearchHit:
    about = f"{looks.look(row.status).label} run" + (f" of {row.job_name}" if row.job_name else "")
    return SearchHit(kind="run", name=row.id, about=about, location=row.location, url=f"/runs/{row.id}")


_BY_SHORT = text(
    "SELECT CAST(run_id AS text) AS id, location, job_name, status FROM runs WHERE right(run_id::text, 8) LIKE :start "
    "ORDER BY right(run_id::text, 8) LIMIT 5"
)
_BETWEEN = text(
    "SELECT CAST(run_id AS text) AS id, location, job_name, status FROM runs "
    "WHERE run_id BETWEEN CAST(:first AS uuid) AND CAST(:last AS uuid) ORDER BY run_id LIMIT 5"
)
