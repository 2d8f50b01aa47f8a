"""Opening a database that another process may be writing to."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import duckdb

WAIT = 60.0
"""Seconds to wait for another process to let go of the file."""


def connect(database: str, settings: Mapping[str, Any], *, wait: float = WAIT) -> duckdb.DuckDBPyConnection:
    """Open a database for reading and writing, waiting while another process holds it.

    A DuckDB file has one writing process at a time, and steps of a run may be several.

    Args:
        database: a file, `:memory:`, or `md:...`.
        settings: of DuckDB, by name.
        wait: seconds to wait at most.

    Raises:
        duckdb.IOException: the file cannot be opened, or is held for longer than that.
    """
    last = time.monotonic() + wait
    pause = 0.02
    while True:
        try:
            return duckdb.connect(database, read_only=False, config=dict(settings))
        except duckdb.IOException as error:
            if "lock" not in str(error).lower() or time.monotonic() + pause > last:
                raise
        time.sleep(pause)
        pause = min(pause * 2, 1.0)
