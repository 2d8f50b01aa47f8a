"""Freshness: judges each asset by its policy when it is materialized, and when time alone changes the verdict."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine

from dagwright_daemon.definitions import Catalog
from dagwright_daemon.loop import Loop, Outcome, Turn
from dagwright_shared.decide import freshness as decide
from dagwright_shared.model.events import FreshnessChanged, RunEvent
from dagwright_shared.model.freshness import Freshness as Policy
from dagwright_shared.model.freshness import FreshnessState
from dagwright_shared.model.keys import AssetKey, Digest, LocationName, new_run_id
from dagwright_shared.store import assets, commit_horizon, events, freshness
from dagwright_shared.store.freshness import FreshnessRow


@dataclass(slots=True, kw_only=True)
class _Watched:
    """An asset with a policy."""

    location: LocationName
    key: AssetKey
    policy: Policy
    materialized_at: datetime | None = None
    state: FreshnessState | None = None
    """As stored; None: never judged."""
    judge_at: datetime | None = None
    """When time alone may change the verdict."""
    stale: bool = True
    """Whether something has happened since it was judged."""


class Freshness:
    """Remembers what it has judged: a turn costs what has changed, not what exists."""

    def __init__(self, engine: Engine, catalog: Catalog) -> None:
        self._engine, self._catalog = engine, catalog
        self._forget()

    def loop(self) -> Loop:
        topics = frozenset({"assets", "locations"})
        return Loop(name="freshness", interval=60.0, rest=0.2, topics=topics, tick=self.tick, heeds=self._heeds, release=self._forget)

    def _heeds(self, topic: str) -> bool:
        return topic == "locations" or not self._unused

    def tick(self, turn: Turn) -> Outcome:
        self._unused = False
        try:
            outcome = self._tick(turn)
        except BaseException:
            self._forget()  # what is remembered may not have been stored
            raise
        self._unused = not self._watched
        return outcome

    def _tick(self, turn: Turn) -> Outcome:
        with self._engine.begin() as conn:
            self._read(conn)
            judged = self._judge(turn.now)
            freshness.write(conn, judged)
            self._record(conn, judged, turn.now)
        edges = {one.judge_at for one in self._watched.values() if one.judge_at is not None}
        for row in judged:
            self._watched[row.asset_id].state = row.state
        wake_at = frozenset({min(edges)} if edges else ())
        return Outcome(done=len(judged), wake_at=wake_at, facts={"judged": len(judged)})

    def _forget(self) -> None:
        self._watched: dict[int, _Watched] = {}
        self._digests: frozenset[Digest] | None = None
        self._seen = 0
        self._unused = False
        """Whether the newest tick has found no policy: until one is defined, nothing that happens matters."""

    def _read(self, conn: Connection) -> None:
        """Take in what has happened."""
        definitions = self._catalog.current(conn)
        digests = frozenset(one.digest for one in definitions.values())
        horizon = commit_horizon.current(conn)  # first: what commits meanwhile is read again, not missed
        if digests != self._digests:
            ids = assets.ids(conn)
            self._watched = {
                asset_id: _Watched(location=location, key=asset.key, policy=asset.freshness)
                for location, one in definitions.items()
                for asset in one.snapshot.assets
                if asset.freshness is not None and (asset_id := ids.get((location, asset.key.to_user_string()))) is not None
            }
            known = list(self._watched)
            freshness.keep_only(conn, known)
            for asset_id, row in freshness.states(conn, known).items():
                self._watched[asset_id].state = row.state
            moments: Mapping[int, datetime | None] = {**freshness.newest(conn, known)}
            self._digests = digests
        elif self._watched:
            moments = freshness.materialized_since(conn, self._seen)
        else:
            moments = {}
        self._seen = horizon
        for asset_id, moment in moments.items():
            one = self._watched.get(asset_id)
            if one is not None and moment != one.materialized_at:
                one.materialized_at, one.stale = moment, True

    def _judge(self, now: datetime) -> list[FreshnessRow]:
        """The assets whose stored row is not right any more."""
        changed = []
        for asset_id, one in self._watched.items():
            if not one.stale and (one.judge_at is None or one.judge_at > now):
                continue
            state = decide.state(one.policy, one.materialized_at, now)
            one.judge_at = decide.next_change(one.policy, one.materialized_at, now)
            if one.stale or state is not one.state:
                changed.append(FreshnessRow(asset_id=asset_id, state=state, since=now, materialized_at=one.materialized_at))
            one.stale = False
        return changed

    def _record(self, conn: Connection, judged: Sequence[FreshnessRow], now: datetime) -> None:
        """An event for each asset that stands otherwise than before."""
        found: dict[LocationName, list[RunEvent]] = defaultdict(list)
        for row in judged:
            one = self._watched[row.asset_id]
            previous = one.state or FreshnessState.UNKNOWN
            if row.state is not previous:
                payload = FreshnessChanged(asset_key=one.key, state=row.state, previous=previous)
                found[one.location].append(RunEvent(seq=len(found[one.location]) + 1, time=now, payload=payload))
        for location, recorded in found.items():
            events.record(conn, location, new_run_id(), *recorded)
