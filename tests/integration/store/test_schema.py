from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.dialects.postgresql.base import ischema_names
from sqlalchemy.schema import CreateTable

from dagwright_shared.model.errors import SettingsError, UnavailableError
from dagwright_shared.store import embedded, engine, event_partitions, schema, tables


@pytest.fixture
def empty(postgres_home: Path) -> Iterator[Engine]:
    """A database without a schema."""
    url = embedded.start_cluster(postgres_home)
    admin = create_engine(engine.parse(url.replace("/dagwright?", "/postgres?")), isolation_level="AUTOCOMMIT")
    name = f"empty_{os.getpid()}"  # test processes share one Postgres
    with admin.connect() as conn:
        conn.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
        conn.execute(text(f"CREATE DATABASE {name}"))
    made = engine.create(url.replace("/dagwright?", f"/{name}?"), name="tests")
    yield made
    made.dispose()
    admin.dispose()


def own(name: str | None, kind: str, reflected: bool, other: object) -> bool:
    return not (kind == "table" and name is not None and (name.startswith("events_") or name == "alembic_version"))


def test_migrations_and_tables_agree(conn: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ischema_names, "xid8", tables.Xid8)
    context = MigrationContext.configure(
        conn, opts={"include_object": lambda _, name, kind, reflected, other: own(name, kind, reflected, other), "compare_type": True}
    )
    assert compare_metadata(context, tables.metadata) == []


def test_checks_keys_defaults_and_indexes_agree(conn: Connection, empty: Engine) -> None:
    """What alembic does not compare: both ways of making the schema, as Postgres itself describes them."""
    with empty.begin() as fresh:
        tables.metadata.create_all(fresh)
        fresh.execute(text(f"CREATE TABLE {event_partitions.DEFAULT} PARTITION OF events DEFAULT"))
        assert described(fresh) == described(conn)
    assert len(described(conn)) > 200


def described(conn: Connection) -> list[tuple[str, ...]]:
    ours = "c.relnamespace = 'public'::regnamespace AND c.relname !~ '^(events_2|alembic)'"
    queries = [
        f"""SELECT c.relname, o.conname, pg_get_constraintdef(o.oid)
            FROM pg_constraint o JOIN pg_class c ON c.oid = o.conrelid WHERE {ours}""",
        f"""SELECT c.relname, pg_get_indexdef(i.indexrelid)
            FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE {ours}""",
        f"""SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity::text,
                pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
            FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
            LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
            WHERE a.attnum > 0 AND c.relkind IN ('r', 'p') AND {ours}""",
    ]
    return sorted(tuple(str(cell) for cell in row) for query in queries for row in conn.exec_driver_sql(query))


def test_revisions_are_linear_and_head_is_known() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_heads() == [schema.HEAD]
    assert all(not revision.is_branch_point and not revision.is_merge_point for revision in scripts.walk_revisions())


def test_upgrade_twice_and_at_once(empty: Engine) -> None:
    with empty.connect() as conn:
        assert not schema.current(conn)
    failed: list[BaseException] = []

    def work() -> None:
        try:
            schema.upgrade(empty)
        except Exception as error:  # noqa: BLE001 - judged by the test, not by the thread
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    with empty.connect() as conn:
        assert schema.current(conn)
        assert len(event_partitions.names(conn)) == 4
    schema.upgrade(empty)


def test_newer_schema_is_refused(empty: Engine) -> None:
    schema.upgrade(empty)
    with empty.begin() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SettingsError, match="9999"):
        schema.upgrade(empty)


def test_every_table_can_be_made_from_its_metadata() -> None:
    assert all(str(CreateTable(table)) for table in tables.metadata.sorted_tables)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("nonsense", "cannot be read"),
        ("mysql://u:secret@h/d", "not a Postgres"),
        ("sqlite:///x.db", "not a Postgres"),
        ("postgresql+asyncpg://u:secret@h/d", "not a Postgres"),
    ],
)
def test_wrong_url(url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said) as raised:
        engine.create(url, name="tests")
    assert "secret" not in str(raised.value)
    assert "DAGWRIGHT_DATABASE_URL" in str(raised.value)


def test_database_that_refuses_and_one_that_is_away(database_url: str) -> None:
    wrong = engine.create(database_url.replace("@/", "@/no_"), name="tests")
    with pytest.raises(SettingsError, match="does not exist"):
        engine.verify(wrong)
    away = engine.create("postgresql://u:secret@127.0.0.1:1/d", name="tests")
    with pytest.raises(UnavailableError, match="does not answer") as raised:
        engine.verify(away)
    assert "secret" not in str(raised.value)
    right = engine.create(database_url.replace("postgresql://", "postgresql+psycopg2://"), name="tests")
    engine.verify(right)
    for one in (wrong, away, right):
        one.dispose()


def test_session_settings(store_engine: Engine) -> None:
    with store_engine.connect() as conn:
        shown = {name: conn.exec_driver_sql(f"SHOW {name}").scalar() for name in ("timezone", "jit", "application_name")}
    assert shown == {"timezone": "UTC", "jit": "off", "application_name": "dagwright tests"}


def test_transient_errors(database_url: str) -> None:
    made = engine.create(database_url, name="tests")
    with made.connect() as conn:
        pid = conn.connection.dbapi_connection.info.backend_pid  # type: ignore[union-attr]
        with made.connect() as other:
            other.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": pid})
        with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever the driver says; the next line judges it
            conn.execute(text("SELECT 1"))
    assert engine.is_transient(raised.value)
    with made.connect() as conn, pytest.raises(Exception) as raised:  # noqa: PT011
        conn.execute(text("SELECT nothing"))
    assert not engine.is_transient(raised.value)
    assert not engine.is_transient(ValueError())
    made.dispose()
