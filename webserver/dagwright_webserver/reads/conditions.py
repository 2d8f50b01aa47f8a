"""What asks for its own runs: assets and checks with automation conditions."""

from __future__ import annotations

from sqlalchemy import Connection

from dagwright_shared.model.automation import name_of
from dagwright_shared.model.keys import AssetCheckKey
from dagwright_shared.store import automation
from dagwright_webserver.reads.definitions import Definitions
from dagwright_webserver.reads.view import Moment, view


@view
class ConditionView:
    """An asset or a check that asks for its own runs."""

    key: str
    """The asset, or `asset:check`."""
    asset: str
    """The asset."""
    location: str
    """The code location that defines it."""
    condition: str
    """Its condition, as its definition names it."""
    evaluated_at: Moment | None
    """The newest evaluation in which something about it had changed."""
    requested: int | None
    """How many partitions that one asked for; 1 or 0 of an asset without partitions."""


_MOST = 200


def read_conditions(
    conn: Connection, defs: Definitions, *, text: str | None = None, location: str | None = None
) -> tuple[tuple[ConditionView, ...], int]:
    """The first 200 by key, and how many there are; of a location, and with a text in their key, where these are given."""
    found = [each for each in defs.conditions if location in (None, each[1]) and (not text or text.lower() in each[0].lower())]
    shown = found[:_MOST]
    newest = automation.newest_evaluations(conn, {key for _, _, key, _ in shown})
    conditions = tuple(
        ConditionView(
            key=name,
            asset=(key.asset_key if isinstance(key, AssetCheckKey) else key).to_user_string(),
            location=place,
            condition=name_of(condition),
            evaluated_at=newest[key][0] if key in newest else None,
            requested=newest[key][1] if key in newest else None,
        )
        for name, place, key, condition in shown
    )
    return conditions, len(found)
