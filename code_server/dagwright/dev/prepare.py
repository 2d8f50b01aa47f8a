"""Brings the schema up to date, in a process of its own, whose memory is gone when the services run: `python -m dagwright.dev.prepare`."""

from __future__ import annotations

import os
import sys

from dagwright_shared.model.errors import DagwrightError
from dagwright_shared.store import engine, schema


def main() -> int:
    try:
        database = engine.create(os.environ["DAGWRIGHT_DATABASE_URL"], name="dagwright-dev-prepare")
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
