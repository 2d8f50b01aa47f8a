"""What automation conditions cost: 10,000 eager assets on a real Postgres.

`python benchmarks/automation.py` prints lines of `name value unit`; `make bench` runs it too.
"""

from __future__ import annotations

import gc
import itertools
import statistics
import tempfile
import time
import tracemalloc
from datetime import UTC, datetime
from pathlib import Path

from run import report
from sqlalchemy import Engine

from dagwright.authoring.automation import AutomationCondition
from dagwright_daemon.definitions import Catalog
from dagwright_daemon.loop import Turn
from dagwright_daemon.loops.automation import Automation
from dagwright_shared.model.events import AssetMaterialized, RunEvent
from dagwright_shared.model.keys import AssetKey, LocationName, new_run_id
from dagwright_shared.model.snapshot import AssetDepSnapshot, AssetSnapshot, LocationSnapshot, SensorKind, SensorSnapshot
from dagwright_shared.store import embedded, engine, events, locations, schema
from dagwright_shared.wire.snapshot import digest_of, encode_snapshot

ASSETS, EVENTS = 10_000, 20
HERE = LocationName("bench")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="dagwright-bench-") as folder:
        Path(folder).chmod(0o755)
        server = embedded.start(Path(folder) / "home")
        try:
            store = engine.create(server.url, name="bench")
            schema.upgrade(store)
            many(store)
            store.dispose()
        finally:
            server.stop()


def many(store: Engine) -> None:
    """Ticks over eager assets of which each has two upstreams."""
    keys = [AssetKey(f"asset_{at}") for at in range(ASSETS)]
    condition = AutomationCondition.eager().node
    assets = tuple(
        AssetSnapshot(
            key=key,
            op_name=key.to_user_string(),
            automation=condition,
            deps=tuple(AssetDepSnapshot(key=keys[above]) for above in sorted({(at - 1) // 3, (at * 7) // 11} - {at}) if at),
        )
        for at, key in enumerate(keys)
    )
    sensor = SensorSnapshot(name="auto", kind=SensorKind.AUTOMATION, default_running=True, asset_keys=tuple(keys))
    snapshot = LocationSnapshot(location=HERE, dagwright_version="0", python_version="3", assets=assets, sensors=(sensor,))
    payload = encode_snapshot(snapshot)
    with store.begin() as conn:
        locations.publish_snapshot(conn, location=HERE, digest=digest_of(payload), payload=payload, snapshot=snapshot)
    materialize(store, *keys)
    loop = Automation(store, Catalog())
    report("automation_10000_first_tick_with_index", tick(loop), "s")
    report("automation_10000_full_evaluation", tick(loop), "s")
    rest(loop)
    idle = [tick(loop) for _ in range(EVENTS)]
    report("automation_10000_nothing_happened_p50", statistics.median(idle) * 1000, "ms")
    times = []
    for key in itertools.islice(reversed(keys), EVENTS):
        materialize(store, key)
        times.append(tick(loop))
        rest(loop)
    report("automation_10000_tick_after_event_p50", statistics.median(times) * 1000, "ms")
    report("automation_10000_tick_after_event_max", max(times) * 1000, "ms")
    materialize(store, keys[1])
    report("automation_10000_tick_after_event_at_the_top", tick(loop) * 1000, "ms")
    gc.collect()
    tracemalloc.start()
    fresh = Automation(store, Catalog())
    rest(fresh)
    gc.collect()
    report("automation_10000_memory", tracemalloc.get_traced_memory()[0] / 1e6, "MB")
    tracemalloc.stop()


def tick(loop: Automation) -> float:
    began = time.perf_counter()
    loop.tick(Turn(now=datetime.now(UTC)))
    return time.perf_counter() - began


def rest(loop: Automation) -> None:
    while loop.tick(Turn(now=datetime.now(UTC))).more:
        pass


def materialize(store: Engine, *keys: AssetKey) -> None:
    now = datetime.now(UTC)
    found = (RunEvent(seq=at, time=now, payload=AssetMaterialized(asset_key=key, data_version="1")) for at, key in enumerate(keys, 1))
    with store.begin() as conn:
        events.record(conn, HERE, new_run_id(), *found)


if __name__ == "__main__":
    main()
