"""Measures what many sensors cost, and how long many schedules take that are due at once: lines `name value unit`.

python benchmarks/triggers.py [--count 1000] [--seconds 30]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

from dagwright_shared.store import embedded
from dagwright_shared.store import engine as store_engine

LOCATION = Path(__file__).with_name("triggers_location.py")
TICKS = os.sysconf("SC_CLK_TCK")


def report(name: str, value: float, unit: str) -> None:
    print(f"{name} {value:.4g} {unit}", flush=True)


def children(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == pid:
                found.append(int(entry.name))
    return found


def cpu_seconds(pids: list[int]) -> float:
    """Of these processes and of all their children that have ended: the forks that evaluate live for a moment only."""
    total = 0.0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += sum(int(fields[at]) for at in (11, 12, 13, 14)) / TICKS
    return total


@contextmanager
def started(folder: Path, count: int, **environment: str) -> Iterator[tuple[dict[str, int], Engine]]:
    """`dagwright dev` of the location: pids of its services, and its database."""
    home = folder / "home"
    command = [sys.executable, "-m", "dagwright.cli", "dev", "-f", str(LOCATION), "--home", str(home)]
    command += ["--port", "0", "--code-server-port", "0"]
    env = os.environ | {"NO_COLOR": "1", "BENCH_TRIGGERS": str(count)} | environment
    with (folder / "log").open("wb") as output:
        process = subprocess.Popen(command, env=env, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + 90
        while not (home / "dev.json").exists() or "daemon" not in json.loads((home / "dev.json").read_text())["services"]:
            if time.monotonic() > deadline:
                raise TimeoutError((folder / "log").read_text()[-2000:])
            time.sleep(0.1)
        state = json.loads((home / "dev.json").read_text())
        engine = store_engine.create(embedded.start_cluster(home), name="bench")
        yield {name: int(service["pid"]) for name, service in state["services"].items()}, engine
        engine.dispose()
    finally:
        process.terminate()
        process.wait(30)


def wait_for(engine: Engine, query: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        with engine.connect() as conn:
            if conn.execute(text(query)).scalar():
                return
        if time.monotonic() > deadline:
            raise TimeoutError(query)
        time.sleep(0.2)


def sensors(count: int, seconds: float) -> None:
    with tempfile.TemporaryDirectory(prefix="dagwright-bench-") as folder, started(Path(folder), count) as (pids, engine):
        wait_for(engine, f"SELECT count(DISTINCT instigator_id) >= {count} FROM ticks WHERE status <> 'STARTED'", 90)
        time.sleep(5)
        services = {"daemon": [pids["daemon"]], "code_server": next([pid, *children(pid)] for name, pid in pids.items() if "code" in name)}
        done = "SELECT count(*) FROM ticks WHERE status <> 'STARTED'"
        with engine.connect() as conn:
            ticks = conn.execute(text(done)).scalar_one()
        before, began = {name: cpu_seconds(found) for name, found in services.items()}, time.monotonic()
        time.sleep(seconds)
        elapsed = time.monotonic() - began
        with engine.connect() as conn:
            ticks = conn.execute(text(done)).scalar_one() - ticks
        total = 0.0
        for name, found in services.items():
            used = (cpu_seconds(found) - before[name]) / elapsed * 100
            total += used
            report(f"sensors_{count}_cpu_{name}", used, "percent_of_a_core")
        report(f"sensors_{count}_cpu", total, "percent_of_a_core")
        report(f"sensors_{count}_evaluations", ticks / elapsed, "per_s")


def schedules(count: int) -> None:
    with tempfile.TemporaryDirectory(prefix="dagwright-bench-") as folder, started(Path(folder), count, BENCH_SCHEDULES="1") as (_, engine):
        # The first minute may have begun while the location was loading; the second is whole.
        whole = f"(SELECT scheduled_for FROM ticks GROUP BY 1 HAVING count(*) FILTER (WHERE status <> 'STARTED') = {count} LIMIT 1)"
        wait_for(engine, f"SELECT {whole} IS NOT NULL", 150)
        with engine.connect() as conn:
            query = f"SELECT count(*), max(extract(epoch FROM ended_at - scheduled_for)) FROM ticks WHERE scheduled_for = {whole}"
            ticks, latest = conn.execute(text(query)).one()
        report(f"schedules_{count}_at_once_ticks", ticks, "ticks")
        report(f"schedules_{count}_at_once_all_ended", float(latest), "s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=30.0, help="of sensors: one interval of each")
    arguments = parser.parse_args()
    sensors(arguments.count, arguments.seconds)
    schedules(arguments.count)
    return 0


if __name__ == "__main__":
    sys.exit(main())
