"""The limits in force: the settings of the deployment, with what was changed while it runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from dagwright_shared.model.limits import Limits
from dagwright_shared.store import json_rows, listen

_NAME = "limits"


def read(conn: Connection, settings: Limits) -> Limits:
    """The limits that hold now.

    Args:
        settings: what `dagwright.toml` and the environment say; a change by REST wins over them.
    """
    return over(settings, changes(conn))


def over(settings: Limits, changed: Mapping[str, Any] | None) -> Limits:
    """The settings with the changes over them."""
    return settings.changed(changed) if changed else settings


def changes(conn: Connection) -> Mapping[str, Any]:
    """What was changed while the deployment runs, by name."""
    found = conn.execute(_READ, {"name": _NAME}).scalar()
    return found if isinstance(found, dict) else {}


def change(conn: Connection, settings: Limits, given: Mapping[str, Any]) -> Limits:
    """Change some limits from now on; they are kept over restarts. Returns all that hold then.

    Raises:
        InvalidRequestError: a name or a value does not fit.
    """
    conn.execute(text("SELECT pg_advisory_xact_lock(hashtextextended('dagwright limits', 0))"))
    before = changes(conn)
    made = over(settings, before).changed(given)
    conn.execute(_WRITE, {"name": _NAME, "value": json_rows.dumps({**before, **{name: made.to_json()[name] for name in given}})})
    listen.notify(conn, "queue", "pools")
    return made


def reset(conn: Connection) -> None:
    """Forget all changes: the settings hold again."""
    conn.execute(text("DELETE FROM deployment_settings WHERE name = :name"), {"name": _NAME})
    listen.notify(conn, "queue", "pools")


_READ = text("SELECT value FROM deployment_settings WHERE name = :name")
_WRITE = text("""
INSERT INTO deployment_settings (name, value) VALUES (:name, CAST(:value AS jsonb))
ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value, updated_at = clock_timestamp()
""")
