"""Bring a database to the schema that this version of dagwright needs."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, Engine, text

from dagwright_shared.model.errors import SettingsError
from dagwright_shared.store import event_partitions

HEAD = "0018"
"""The newest revision in migrations/; a test compares it with the files, so that asking `current` need not import alembic."""

_MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x64_61_67_77  # "dagw"


def upgrade(engine: Engine) -> None:
    """Apply the missing migrations, in one transaction; several processes may call it at once.

    Raises:
        SettingsError: the database was written by a newer dagwright.
    """
    with engine.begin() as conn:
        if current(conn):
            event_partitions.ensure(conn)
            return
        conn.execute(text("SET LOCAL statement_timeout = 0"))
        conn.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        if not current(conn):
            _migrate(conn)
        event_partitions.ensure(conn)


def current(conn: Connection) -> bool:
    """Whether the database has exactly the schema of this version."""
    return revision(conn) == HEAD


def revision(conn: Connection) -> str | None:
    """The revision that the database is at, or None for one that dagwright has not touched."""
    if conn.execute(text("SELECT to_regclass('alembic_version')")).scalar() is None:
        return None
    found = conn.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def _migrate(conn: Connection) -> None:
    # alembic costs a quarter of a second to import, and almost every start finds the schema current.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = conn
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise SettingsError(
            f"The database's schema is at revision {revision(conn)}, which this version of dagwright does not know ({error}); "
            "install the dagwright version that wrote it, or a newer one, or name another database in DAGWRIGHT_DATABASE_URL"
        ) from error
