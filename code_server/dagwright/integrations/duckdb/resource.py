"""A DuckDB database as a resource."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
from pydantic import Field

from dagwright.authoring.resources import ConfigurableResource
from dagwright.integrations.duckdb.connections import connect


class DuckDBResource(ConfigurableResource[Any]):
    """Gives functions connections to a database.

    Example:
        >>> with DuckDBResource(database=":memory:").get_connection() as connection:
        ...     connection.execute("SELECT 40 + 2").fetchone()
        (42,)
    """

    database: str = Field(description="The file of the database, `:memory:` for one that ends with its connection, or `md:...`.")
    connection_config: dict[str, Any] = Field(default={}, description="Settings of DuckDB, by name.")

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection of its own, closed at the end also when the block raises.

        Raises:
            duckdb.IOException: the file cannot be opened, or another process has held it for a minute.
        """
        connection = connect(self.database, self.connection_config)
        try:
            yield connection
        finally:
            connection.close()
