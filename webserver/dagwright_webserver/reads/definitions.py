"""The current definitions of all locations, decoded once for each set of digests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, select

from dagwright_shared.model.automation import Condition
from dagwright_shared.model.errors import DagwrightError, NotFoundError
from dagwright_shared.model.graph import AssetGraph
from dagwright_shared.model.keys import AssetCheckKey, AssetKey, Digest, LocationName
from dagwright_shared.model.partitions import DynamicKeys, DynamicPartitions, MultiPartitions, Partitions
from dagwright_shared.model.snapshot import (
    AssetExecution,
    AssetSnapshot,
    CheckSnapshot,
    JobSnapshot,
    LocationSnapshot,
    ScheduleSnapshot,
    SensorSnapshot,
)
from dagwright_shared.store import locations, tables
from dagwright_shared.wire.snapshot import decode_snapshot
from dagwright_webserver.reads.catalog import Catalog, catalog

log = logging.getLogger("dagwright.webserver")


@dataclass(frozen=True, slots=True, kw_only=True)
class Definitions:
    """What is defined now, by name. A name that two locations define has two entries, in the order of location names."""

    digests: Mapping[LocationName, Digest]
    locations: Mapping[LocationName, LocationSnapshot]
    assets: Mapping[AssetKey, tuple[tuple[LocationName, AssetSnapshot], ...]]
    checks: Mapping[AssetKey, tuple[tuple[LocationName, CheckSnapshot], ...]]
    jobs: Mapping[str, tuple[tuple[LocationName, JobSnapshot], ...]]
    schedules: Mapping[str, tuple[tuple[LocationName, ScheduleSnapshot], ...]]
    sensors: Mapping[str, tuple[tuple[LocationName, SensorSnapshot], ...]]
    graph: AssetGraph
    catalog: Catalog
    ids: Mapping[tuple[str, str], int]
    """(location, key as text) to the number that the store knows an asset by."""
    words: Mapping[str, str]
    """What a question for the states of all assets says of definitions: arrays as Postgres reads them, written once and not each time.

    `check_ids` and `check_names` are those of all checks; `external_ids` are of what somebody else makes; `shadowed_ids` are of
    definitions that do not count, as another location's of the same key does.
    """
    conditions: tuple[tuple[str, LocationName, AssetKey | AssetCheckKey, Condition], ...]
    """What asks for its own runs, by name, which is a key or `asset:check`, then location."""

    def asset(self, key: AssetKey, location: str | None = None) -> tuple[LocationName, AssetSnapshot]:
        """The definition of an asset; of several, the one that counts for the graph.

        Raises:
            NotFoundError: there is none.
        """
        if location is None:
            node = self.graph.asset(key)
            return node.location, node.snapshot
        for place, asset in self.assets.get(key, ()):
            if place == location:
                return place, asset
        raise NotFoundError("asset", key.to_user_string(), known=[k.to_user_string() for k in self.assets], where=location)

    def job(self, name: str, location: str | None = None) -> tuple[LocationName, JobSnapshot]:
        """The definition of a job; of several, the first location's.

        Raises:
            NotFoundError: there is none.
        """
        found = [each for each in self.jobs.get(name, ()) if location is None or each[0] == location]
        if not found:
            raise NotFoundError("job", name, known=self.jobs, where=location)
        return found[0]

    def check(self, key: AssetCheckKey, location: str | None = None) -> tuple[LocationName, CheckSnapshot] | None:
        for place, check in self.checks.get(key.asset_key, ()):
            if check.key == key and (location is None or place == location):
                return place, check
        return None


class DefinitionsCache:
    """Holds the newest `Definitions` of a process; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._snapshots: dict[Digest, LocationSnapshot | None] = {}
        self._digests: dict[LocationName, Digest] = {}
        self._current = index({}, {})

    def current(self, conn: Connection) -> Definitions:
        """The definitions as the store has them now. One small query unless something has been reloaded."""
        rows = conn.execute(_DIGESTS).all()
        digests = {LocationName(row.location): Digest(row.digest) for row in rows}
        if digests == self._digests:
            return self._current
        with self._lock:
            if digests != self._digests:
                decoded = {digest: self._decode(conn, digest) for digest in digests.values()}
                snapshots = {name: snapshot for name, digest in digests.items() if (snapshot := decoded[digest]) is not None}
                ids = {(row.location, row.key): row.asset_id for row in conn.execute(_IDS)}
                self._current = index({name: digests[name] for name in snapshots}, snapshots, ids)
                self._snapshots, self._digests = decoded, digests
            return self._current

    def snapshot(self, conn: Connection, digest: Digest) -> LocationSnapshot | None:
        """The definitions that a run was asked against, also when they are no longer current."""
        return self._decode(conn, digest)

    def _decode(self, conn: Connection, digest: Digest) -> LocationSnapshot | None:
        if digest in self._snapshots:
            return self._snapshots[digest]
        try:
            return decode_snapshot(locations.payload(conn, digest))
        except DagwrightError as error:
            # One location that cannot be read, such as one of a newer version, must not take the others off the pages.
            log.warning("a snapshot cannot be read", extra={"digest": digest, "error": error.message})
            return None


_IDS = select(tables.assets.c.location, tables.assets.c.key, tables.assets.c.asset_id)
_DIGESTS = (
    select(tables.locations.c.location, tables.locations.c.digest)
    .where(tables.locations.c.digest.is_not(None))
    .order_by(tables.locations.c.location)
)


def index(
    digests: Mapping[LocationName, Digest],
    snapshots: Mapping[LocationName, LocationSnapshot],
    ids: Mapping[tuple[str, str], int] | None = None,
) -> Definitions:
    """Look-up tables over the snapshots of all locations."""
    assets: dict[AssetKey, list[tuple[LocationName, AssetSnapshot]]] = {}
    checks: dict[AssetKey, list[tuple[LocationName, CheckSnapshot]]] = {}
    jobs: dict[str, list[tuple[LocationName, JobSnapshot]]] = {}
    schedules: dict[str, list[tuple[LocationName, ScheduleSnapshot]]] = {}
    sensors: dict[str, list[tuple[LocationName, SensorSnapshot]]] = {}
    for name, snapshot in snapshots.items():
        for asset in snapshot.assets:
            assets.setdefault(asset.key, []).append((name, asset))
        for check in snapshot.checks:
            checks.setdefault(check.key.asset_key, []).append((name, check))
        for job in snapshot.jobs:
            jobs.setdefault(job.name, []).append((name, job))
        for schedule in snapshot.schedules:
            schedules.setdefault(schedule.name, []).append((name, schedule))
        for sensor in snapshot.sensors:
            sensors.setdefault(sensor.name, []).append((name, sensor))
    ordered = {key: tuple(found) for key, found in sorted(assets.items())}
    graph = AssetGraph(snapshots.values())
    known = ids or {}
    all_checks = [(name, check) for name, snapshot in snapshots.items() for check in snapshot.checks]
    numbered = [(each, known.get((each[0], key.to_user_string()), 0)) for key, found in ordered.items() for each in found]
    return Definitions(
        digests=dict(digests),
        locations=dict(snapshots),
        assets=ordered,
        checks={key: tuple(found) for key, found in checks.items()},
        jobs={job_name: tuple(found) for job_name, found in sorted(jobs.items())},
        schedules={schedule_name: tuple(found) for schedule_name, found in sorted(schedules.items())},
        sensors={sensor_name: tuple(found) for sensor_name, found in sorted(sensors.items())},
        graph=graph,
        catalog=catalog(ordered),
        conditions=_conditions(snapshots),
        ids=known,
        words={
            "check_ids": pg_array(known.get((name, check.key.asset_key.to_user_string()), 0) for name, check in all_checks),
            "check_names": pg_array(check.key.name for _, check in all_checks),
            "external_ids": pg_array(number for (_, asset), number in numbered if asset.execution is AssetExecution.EXTERNAL),
            "shadowed_ids": pg_array(number for (name, asset), number in numbered if graph.asset(asset.key).location != name),
        },
    )


def _conditions(
    snapshots: Mapping[LocationName, LocationSnapshot],
) -> tuple[tuple[str, LocationName, AssetKey | AssetCheckKey, Condition], ...]:
    found: list[tuple[str, LocationName, AssetKey | AssetCheckKey, Condition]] = []
    for place, snapshot in snapshots.items():
        found += [(asset.key.to_user_string(), place, asset.key, asset.automation) for asset in snapshot.assets if asset.automation]
        found += [(check.key.to_user_string(), place, check.key, check.automation) for check in snapshot.checks if check.automation]
    return tuple(sorted(found, key=lambda each: each[:2]))


def pg_array(values: Iterable[str | int]) -> str:
    """Values as the text of an array of Postgres."""
    return "{" + ",".join(_quoted(value) if isinstance(value, str) else str(value) for value in values) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def dynamic_keys(conn: Connection, definitions: Iterable[Partitions | None]) -> DynamicKeys:
    """The keys of the dynamic partitions that some definitions name, in the order of adding."""
    names: set[str] = set()
    for definition in definitions:
        axes = [axis for _, axis in definition.dimensions] if isinstance(definition, MultiPartitions) else [definition]
        names.update(axis.name for axis in axes if isinstance(axis, DynamicPartitions))
    if not names:
        return {}
    c = tables.dynamic_partitions.c
    found: dict[str, list[str]] = {name: [] for name in names}
    for row in conn.execute(select(c.name, c.key).where(c.name.in_(names)).order_by(c.name, c.ordinal)):
        found[row.name].append(row.key)
    return found
