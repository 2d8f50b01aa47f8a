"""How soon a deployment reacts: from an event's time to the start of the first step of the run that follows it.

`python benchmarks/reactions.py [--count 100] [--stages]` prints lines of `name value unit`; `make bench` runs it too.
`--stages` tells where the time goes, by the moments that the database has.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from run import Stack, report, started, wait_for
from sqlalchemy import Connection, text

from dagwright_shared.store import embedded, engine

LOCATION = Path(__file__).with_name("reactions_location.py")
CASES = {
    "eager_condition": ("make_upstream", "ASSET_MATERIALIZED", "e.trigger_kind = 'automation'"),
    "asset_sensor": ("make_watched", "ASSET_MATERIALIZED", "e.job_name = 'after_asset'"),
    "run_status_sensor": ("happens", "RUN_SUCCEEDED", "e.job_name = 'after_run'"),
}
"""Name: the job that makes something happen, the event, and which runs follow it."""
WARM = 5
BETWEEN = 0.1
"""Seconds of rest: the figure is that of an idle system."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--stages", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dagwright-bench-") as folder:
        Path(folder).chmod(0o755)
        with started(Path(folder) / "home", LOCATION) as stack:
            store = engine.create(embedded.start_cluster(stack.home), name="bench")
            with store.connect().execution_options(isolation_level="AUTOCOMMIT") as conn:
                for name, (job, event, follows) in CASES.items():
                    found = [reaction(stack, conn, job, event, follows) for _ in range(options.count + WARM)][WARM:]
                    times = sorted(one["step"] for one in found)
                    report(f"reaction_{name}_p50", statistics.median(times) * 1000, "ms")
                    report(f"reaction_{name}_p99", times[round(len(times) * 0.99) - 1] * 1000, "ms")
                    for stage in found[0] if options.stages else ():
                        report(f"reaction_{name}_until_{stage}", statistics.median(one[stage] for one in found) * 1000, "ms")
            store.dispose()


def reaction(stack: Stack, conn: Connection, job: str, event: str, follows: str) -> Mapping[str, float]:
    """Seconds after the event at which each stage was reached."""
    run_id = stack.launch(job)
    stack.finished(run_id)
    query = text(_STAGES.format(follows=follows))
    row = wait_for(lambda: conn.execute(query, {"run_id": run_id, "event": event}).one_or_none(), 10, f"the run that follows {job}")
    began: datetime = row.happened
    time.sleep(BETWEEN)
    return {name: (moment - began).total_seconds() for name, moment in row._mapping.items() if moment is not None and name != "happened"}


_STAGES = """
SELECT h.time AS happened, t.started_at AS tick, e.created_at AS run, t.ended_at AS ended, e.claimed_at AS claimed, e.started_at AS started,
    s.started_at AS step
FROM (SELECT min(time) AS time FROM events WHERE run_id = :run_id AND type = :event) h
JOIN runs e ON {follows} AND e.created_at > h.time
JOIN LATERAL (SELECT min(started_at) AS started_at FROM steps WHERE run_id = e.run_id) s ON s.started_at IS NOT NULL
LEFT JOIN ticks t ON t.tick_id = e.tick_id
WHERE e.status = 'SUCCESS'
"""


if __name__ == "__main__":
    main()
