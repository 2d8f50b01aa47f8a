"""The SQLAlchemy engine of a process, and what may be said of its failures."""

from __future__ import annotations

from psycopg2 import extensions
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError

from dagwright_shared.model.errors import SettingsError, UnavailableError

_MEND = "write DAGWRIGHT_DATABASE_URL as postgresql://user:password@host:5432/database"
_STATEMENT_TIMEOUT_MS = 60_000
# An idle open transaction holds back every reader that follows a table by commit horizon.
_IDLE_TIMEOUT_MS = 60_000
_CONNECT_TIMEOUT_SECONDS = 10
_WRONG_SETTINGS = (
    "authentication failed",
    "does not exist",
    "no pg_hba.conf entry",
    "could not translate host name",
    "no password supplied",
)
# SQLSTATE classes after which the same transaction may simply be tried again on a new connection.
_TRANSIENT = ("08", "40", "57P", "53")


def parse(url: str) -> URL:
    """Check a database URL and give it the driver that dagwright uses.

    Raises:
        SettingsError: it is no URL of a Postgres database; the password is masked in the message.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise SettingsError(f"The database URL cannot be read; {_MEND}") from None
    if parsed.drivername not in ("postgresql", "postgres", "postgresql+psycopg2"):
        raise SettingsError(f"{parsed.render_as_string(hide_password=True)} is not a Postgres database ({parsed.drivername}); {_MEND}")
    if "@" in f"{parsed.host}{parsed.database}":
        # What follows the first @ may be the rest of a password, which no message may show.
        raise SettingsError(f"The database URL cannot be read: write special characters of a password as %40 for @, %2F for /; {_MEND}")
    return parsed.set(drivername="postgresql+psycopg2")


def libpq(url: str) -> str:
    """The same database as libpq and psycopg2 take it."""
    return parse(url).set(drivername="postgresql").render_as_string(hide_password=False)


def masked(url: str | URL) -> str:
    """The URL for messages: without the password."""
    return (parse(url) if isinstance(url, str) else url).set(drivername="postgresql").render_as_string(hide_password=True)


class QuietConnection(extensions.connection):
    """Changes between transactions and statements that commit themselves without telling Postgres.

    SQLAlchemy names the level of isolation when a connection goes back to the pool; psycopg2 then asks Postgres for the default one, a
    round trip after each read.
    """

    def set_isolation_level(self, level: int | None) -> None:
        match level:
            case extensions.ISOLATION_LEVEL_AUTOCOMMIT:
                self.set_session(autocommit=True)
            case extensions.ISOLATION_LEVEL_READ_COMMITTED:
                self.set_session(isolation_level="DEFAULT", autocommit=False)
            case _:
                super().set_isolation_level(level)


def create(url: str, *, name: str, pool_size: int = 4) -> Engine:
    """An engine on the store; connects at first use.

    Args:
        url: `postgresql://...` or `postgresql+psycopg2://...`.
        name: the process, as `pg_stat_activity` shows it.
        pool_size: connections kept open; as many again may be opened under load.

    Raises:
        SettingsError: the URL is not one of a Postgres database.
    """
    options = (
        f"-c timezone=UTC -c statement_timeout={_STATEMENT_TIMEOUT_MS} -c idle_in_transaction_session_timeout={_IDLE_TIMEOUT_MS} -c jit=off"
    )
    return create_engine(
        parse(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=30,
        # Postgres or a proxy in between may drop what idles for long; a fresh connection costs milliseconds.
        pool_recycle=1800,
        connect_args={
            "application_name": f"dagwright {name}"[:63],
            "options": options,
            "connect_timeout": _CONNECT_TIMEOUT_SECONDS,
            "connection_factory": QuietConnection,
        },
    )


def verify(engine: Engine) -> None:
    """Connect once.

    Raises:
        SettingsError: the server answers, and refuses (no such database, user, host name or password).
        UnavailableError: nobody answers; it may come up later.
    """
    try:
        with engine.connect():
            pass
    except OperationalError as error:
        # One line for each address that was tried, with advice indented below it.
        said = [line for line in str(error.orig).strip().splitlines() if not line.startswith("\t")]
        where = masked(engine.url)
        for line in said:
            if any(mark in line for mark in _WRONG_SETTINGS):
                raise SettingsError(f"The database at {where} refuses: {line.strip()}; {_MEND}") from None
        raise UnavailableError(f"The database at {where} does not answer: {said[0]}; is it running, and is the URL right?") from None


def is_transient(error: BaseException) -> bool:
    """Whether the transaction may succeed when it is tried again: a lost connection, a restart, a deadlock."""
    if not isinstance(error, DBAPIError):
        return False
    code = getattr(error.orig, "pgcode", None)
    if error.connection_invalidated or isinstance(error, InterfaceError):
        return True
    if code is None:
        return isinstance(error, OperationalError)
    return str(code).startswith(_TRANSIENT)
