"""The stable internal id of an asset: given at first sight, kept when its definition goes or its key changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from sqlalchemy import Connection, text

from dagwright_shared.model.dataclass import dataclass
from dagwright_shared.model.keys import LocationName


@dataclass(slots=True)
class AssetIds:
    """A memo of ids of one database, for a writer that needs them often, such as the hub. Ids never change, so it is never stale."""

    _known: dict[tuple[LocationName, str], int] = field(default_factory=dict)

    def resolve(self, conn: Connection, wanted: Iterable[tuple[LocationName, str]]) -> dict[tuple[LocationName, str], int]:
        """The id of each (location, key as text); an asset that has no row gets one."""
        pairs = dict.fromkeys(wanted)
        missing = sorted(pair for pair in pairs if pair not in self._known)
        fresh = self._look_up(conn, missing) if missing else {}
        return {pair: self._known.get(pair) or fresh[pair] for pair in pairs}

    def _look_up(self, conn: Connection, missing: list[tuple[LocationName, str]]) -> dict[tuple[LocationName, str], int]:
        arguments: dict[str, object] = {"locations": [location for location, _ in missing], "keys": [key for _, key in missing]}
        found = self._select(conn, arguments)
        if len(found) < len(missing):
            # An asset that is in no snapshot: `defined` says so, until a snapshot has it.
            conn.execute(_INSERT, arguments)
            found |= self._select(conn, arguments)
        return found

    def _select(self, conn: Connection, arguments: dict[str, object]) -> dict[tuple[LocationName, str], int]:
        found = {}
        for location, key, asset_id, ours in conn.execute(_SELECT, arguments):
            found[(location, key)] = asset_id
            # A row of the running transaction is gone if that rolls back, so it is not yet remembered.
            if not ours:
                self._known[(location, key)] = asset_id
        return found


_WANTED = "unnest(CAST(:locations AS text[]), CAST(:keys AS text[])) AS w(location, key)"
_SELECT = text(
    "SELECT a.location, a.key, a.asset_id, a.xmin = CAST(pg_current_xact_id() AS xid) "
    f"FROM {_WANTED} JOIN assets a ON a.key = w.key AND a.location = w.location"
)
_INSERT = text(
    f"INSERT INTO assets (location, key, defined) SELECT w.location, w.key, false FROM {_WANTED} ORDER BY w.location, w.key "
    "ON CONFLICT (key, location) DO NOTHING"
)
