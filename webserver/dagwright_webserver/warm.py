"""What a first request would have to wait for is made ready beforehand: at the start, and after each reload of definitions."""

from __future__ import annotations

import asyncio
import gc
import logging

import sqlalchemy.exc
from sqlalchemy import Connection
from starlette.concurrency import run_in_threadpool

from dagwright_shared.model.errors import DagwrightError
from dagwright_webserver import render
from dagwright_webserver.deps import Web, utc_now
from dagwright_webserver.reads.definitions import Definitions

log = logging.getLogger("dagwright.webserver")

_PAUSE_SECONDS = 0.02
"""Between two templates, for requests that came meanwhile."""
_LONG_SECONDS = 600.0
_THRESHOLDS = (10_000, 20, 50)
"""Of Python's collector. A page makes some ten thousands of objects and drops them; looking for cycles that often finds none."""


async def keep_ready(web: Web) -> None:
    """Work until canceled. Only what a request would do by itself is done, so nothing is lost when it fails."""
    gc.set_threshold(*_THRESHOLDS)
    known = await _definitions(web, None)
    for name in render.templates():
        await run_in_threadpool(render.prepare, name)
        await asyncio.sleep(_PAUSE_SECONDS)
    with web.live.subscribe(frozenset({"locations"})) as subscription:
        while not subscription.closed:
            await subscription.wait(_LONG_SECONDS)
            known = await _definitions(web, known)


async def _definitions(web: Web, known: Definitions | None) -> Definitions | None:
    """Have what is defined now decoded and judged, for everybody; those who see a part have theirs on their first request."""

    def read(conn: Connection, defs: Definitions) -> Definitions:
        web.stale.read(conn, defs, now=utc_now())
        return defs

    try:
        current: Definitions = await run_in_threadpool(web.read_defs, read)
    except (DagwrightError, sqlalchemy.exc.SQLAlchemyError) as error:
        log.debug("definitions are not read ahead", extra={"error": str(error)})
        return known
    if current is not known:
        # Tens of thousands of objects that live until the next reload: the collector need not walk through them again and again.
        gc.collect(1)
        gc.freeze()
    return current
