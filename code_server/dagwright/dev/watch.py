"""Reload a location when its files change."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

import watchfiles

from dagwright.dev.locations import Location
from dagwright.dev.log import MergedLog
from dagwright_shared.model.errors import DagwrightError
from dagwright_shared.runtime import settings
from dagwright_shared.runtime.settings import channel_security


def start(locations: Sequence[Location], addresses: Mapping[str, str], log: MergedLog, stop: threading.Event) -> threading.Thread:
    """Watch in a thread of its own until `stop` is set.

    Args:
        addresses: of the code server of each location, by name.
    """
    thread = threading.Thread(target=_watch, args=(locations, addresses, log, stop), name="watch", daemon=True)
    thread.start()
    return thread


def _watch(locations: Sequence[Location], addresses: Mapping[str, str], log: MergedLog, stop: threading.Event) -> None:
    folders = {location.name: location.watched() for location in locations}
    filtered = watchfiles.PythonFilter(extra_extensions=(".yaml", ".yml", ".sql"))
    # An editor writes a file in several steps, and a checkout many files: what comes within 300 ms is one change.
    changes = watchfiles.watch(*set(folders.values()), watch_filter=filtered, debounce=300, step=50, stop_event=stop, raise_interrupt=False)
    for change in changes:
        paths = sorted({Path(path) for _, path in change})
        for name, folder in folders.items():
            mine = [path for path in paths if path.is_relative_to(folder)]
            if mine:
                more = f" and {len(mine) - 1} more" if len(mine) > 1 else ""
                log.say(f"{mine[0].relative_to(folder)}{more} changed: reloading {name}")
                _reload(name, addresses[name], log)


def _reload(name: str, address: str, log: MergedLog) -> None:
    # gRPC is 25 MB of memory that a session without changes does not need.
    from dagwright_shared.wire.client import LocationClient  # noqa: PLC0415

    client = LocationClient(address, security=channel_security(settings.load()))
    try:
        status = client.reload()
        if status.error is not None:
            log.say(f"{name} does not load, and goes on with what it had: {status.error}")
        elif status.load_seconds is not None:
            log.say(f"{name} was loaded in {status.load_seconds:.1f} s")
    except DagwrightError as error:
        log.say(f"{name} was not reloaded: {error.message}")
    finally:
        client.close()
