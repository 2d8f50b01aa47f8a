"""Partitions: keeps, of assets with very many of them, which are in which state, so that no page has to read a million rows."""

from __future__ import annotations

from sqlalchemy import Engine

from dagwright_daemon.definitions import Catalog
from dagwright_daemon.evaluator import DynamicKeys
from dagwright_daemon.loop import Loop, Outcome, Turn
from dagwright_shared.model.dependents import Moment
from dagwright_shared.store import partition_sets, partition_states
from dagwright_shared.store.partition_sets import LargeAsset

_MANY = 10_000
"""Assets with fewer partitions are read in some milliseconds."""
_CHANGES = 2_000
"""So many changed partitions a reader takes in at once; beyond, what is kept is brought up to date."""


class Partitions:
    """Remembers nothing: what there is to do is in the tables."""

    def __init__(self, engine: Engine, catalog: Catalog, *, many: int = _MANY, changes: int = _CHANGES) -> None:
        self._engine, self._catalog = engine, catalog
        self._many, self._changes = many, changes

    def loop(self) -> Loop:
        return Loop(name="partitions", interval=60.0, rest=5.0, topics=frozenset({"assets", "locations"}), tick=self.tick)

    def tick(self, turn: Turn) -> Outcome:
        with self._engine.begin() as conn:
            found = partition_sets.large(conn, at_least=self._many, changes=self._changes)
        done = 0
        for asset in found:
            if not turn.owned():
                break
            done += self._keep(asset, turn)
        return Outcome(done=done, facts={"kept": done})

    def _keep(self, asset: LargeAsset, turn: Turn) -> bool:
        with self._engine.begin() as conn:
            location = self._catalog.current(conn).get(asset.location)
            defined = location.assets.get(asset.key.to_user_string()) if location is not None else None
            if defined is None or defined.partitions is None:
                return False
            at = Moment(now=turn.now, dynamic=DynamicKeys(conn))
            if not asset.changed and asset.mark == partition_states.mark(defined.partitions, at):
                return False
            partition_states.keep(conn, asset.asset_id, defined.partitions, at)
            return True
