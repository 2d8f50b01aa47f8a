"""Brings the schema up to date, in a process of its own: `python -m dagwright.dev.prepare`, the URL on standard input.

Its imports overlap with the start of Postgres, and their memory is gone when the services run.
"""

from __future__ import annotations

import sys

from dagwright_shared.model.errors import DagwrightError
from dagwright_shared.store import engine, schema


def main() -> int:
    url = sys.stdin.readline().strip()
    if not url:
        return 0  # Postgres did not start; the supervisor says why
    try:
        database = engine.create(url, name="dagwright-dev-prepare")
        try:
            engine.verify(database)
            schema.upgrade(database)
        finally:
            database.dispose()
    except DagwrightError as error:
        sys.stderr.write(error.message)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
