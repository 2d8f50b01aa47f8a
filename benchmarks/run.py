"""Measures a whole private deployment, as a user starts it: `make bench` prints lines `name value unit`.

Everything is asked for by REST, with fsync on, and is bounded in count and time. Nothing but this machine is touched.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx

LOCATION = Path(__file__).with_name("location.py")
FINAL = {"SUCCESS", "FAILURE", "CANCELED"}
TICKS = os.sysconf("SC_CLK_TCK")


def report(name: str, value: float, unit: str) -> None:
    print(f"{name} {value:.4g} {unit}", flush=True)


@dataclass
class Stack:
    process: subprocess.Popen[bytes]
    home: Path
    client: httpx.Client
    cold_start: float

    def launch(self, job: str) -> str:
        response = self.client.post("/api/v1/runs", json={"job": job})
        assert response.status_code == 201, response.text
        return str(response.json()["run_id"])

    def run(self, run_id: str) -> dict[str, Any]:
        response = self.client.get(f"/api/v1/runs/{run_id}")
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found

    def finished(self, run_id: str, seconds: float = 30.0, every: float = 0.003) -> dict[str, Any]:
        deadline = time.monotonic() + seconds
        while (run := self.run(run_id))["status"] not in FINAL:
            assert time.monotonic() < deadline, f"{run_id} is {run['status']} after {seconds} s"
            time.sleep(every)
        assert run["status"] == "SUCCESS", run
        return run

    def pids(self) -> dict[str, int]:
        """Every process of the deployment without Postgres', by service."""
        state = json.loads((self.home / "dev.json").read_text())
        found = {"dev": int(state["pid"])}
        services = {int(service["pid"]) for service in state["services"].values()}
        # What the supervisor runs beside the services: the process that forks them.
        found |= {f"dev_child_{index}": pid for index, pid in enumerate(children(found["dev"]), 1) if pid not in services}
        for name, service in state["services"].items():
            if name != "postgres":
                found[name] = int(service["pid"])
                found |= {f"{name}_child_{index}": pid for index, pid in enumerate(children(int(service["pid"])), 1)}
        return found

    def postgres_pids(self) -> list[int]:
        postmaster = int(json.loads((self.home / "dev.json").read_text())["services"]["postgres"]["pid"])
        return [postmaster, *children(postmaster)]


def children(pid: int) -> list[int]:
    """Direct children, whichever thread started them."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if int((entry / "stat").read_text().rpartition(")")[2].split()[1]) == pid:
                    found.append(int(entry.name))
    return sorted(found)


def pss_megabytes(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def cpu_seconds(pids: list[int]) -> float:
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / TICKS
    return total


@contextlib.contextmanager
def started(home: Path, location: Path = LOCATION) -> Iterator[Stack]:
    """`dagwright dev` on free ports, for as long as the block lasts."""
    command = [
        sys.executable,
        "-m",
        "dagwright.cli",
        "dev",
        "-f",
        str(location),
        "--home",
        str(home),
        "--port",
        "0",
        "--code-server-port",
        "0",
    ]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DAGWRIGHT_")} | {"NO_COLOR": "1"}
    log = home.with_suffix(".log")
    began = time.monotonic()
    with log.open("ab") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=output, cwd=home.parent)
    try:
        url = wait_for(lambda: _url(home, process.pid), 30, f"dev.json; the log is {log}")
        client = httpx.Client(base_url=url, timeout=30, trust_env=False)
        wait_for(lambda: _is_ready(client), 60, f"readiness; the log is {log}")
        yield Stack(process, home, client, time.monotonic() - began)
        client.close()
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for(probe: Callable[[], Any], seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {seconds} s for {what}")
        time.sleep(0.01)
    return found


def _url(home: Path, pid: int) -> str | None:
    with contextlib.suppress(OSError, ValueError):
        state = json.loads((home / "dev.json").read_text())
        return str(state["url"]) if state["pid"] == pid else None
    return None


def _is_ready(client: httpx.Client) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return client.get("/readyz").status_code == 200
    return False


def launch_latency(stack: Stack, job: str, name: str, count: int) -> None:
    """One run after the other: from before the request until a client sees SUCCESS, and until the run's own end."""
    seen, ended = [], []
    for _ in range(5):
        stack.finished(stack.launch(job))
    for _ in range(count):
        wall, began = time.time(), time.perf_counter()
        run = stack.finished(stack.launch(job))
        seen.append((time.perf_counter() - began) * 1000)
        ended.append((datetime.fromisoformat(run["ended_at"]).timestamp() - wall) * 1000)
    for label, values in (("", ended), ("_seen_by_client", seen)):
        report(f"{name}{label}_p50", statistics.median(values), "ms")
        report(f"{name}{label}_p99", sorted(values)[max(0, round(len(values) * 0.99) - 1)], "ms")


def burst(stack: Stack, count: int) -> None:
    """Many one-op runs submitted at once: from the first request to the end of the last run."""
    began = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(stack.launch, ["one_op"] * count))
    submitted = time.perf_counter() - began

    def all_done() -> bool:
        items = stack.client.get("/api/v1/runs", params={"limit": count}).json()["items"]
        return {run["run_id"] for run in items if run["status"] == "SUCCESS"} >= ids

    deadline = time.monotonic() + 60
    while not all_done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{count} runs are not done after 60 s")
        time.sleep(0.02)
    took = time.perf_counter() - began
    report(f"runs_{count}_at_once_submit", submitted, "s")
    report(f"runs_{count}_at_once_all_done", took, "s")
    report(f"runs_{count}_at_once_rate", count / took * 60, "runs/min")


def chains(stack: Stack) -> None:
    for executor, steps in (("multiprocess", 50), ("in_process", 50)):
        times = []
        for _ in range(3):
            run = stack.finished(stack.launch(f"chain_{executor}"), every=0.02)
            assert len(run["steps"]) == steps
            times.append((datetime.fromisoformat(run["ended_at"]) - datetime.fromisoformat(run["started_at"])).total_seconds())
        report(f"chain_{steps}_{executor}", statistics.median(times), "s")


def steps(stack: Stack) -> None:
    """A thousand trivial steps with each executor, from the run's start to its end, everything committed."""
    for executor in ("in_process", "threads", "asyncio"):
        for shape in ("chain", "fan"):
            report(f"step_{executor}_{shape}", took(stack, f"{shape}_1000_{executor}"), "ms")
    for shape in ("chain", "fan"):
        beside_bare_fork(stack, shape)
    report("step_multiprocess_one_group", took(stack, "chain_1000_multiprocess_one_group"), "ms")
    for executor in ("threads", "asyncio"):
        report(f"steps_1000_waiting_1_s_{executor}", took(stack, f"waiting_{executor}"), "s")
    report("map_of_10000_steps", took(stack, "map_10000"), "s")


def beside_bare_fork(stack: Stack, shape: str) -> None:
    """Steps in processes of their own beside the least that a process costs; in turns, since a machine is not as fast at each moment."""
    forks, found = [measured(stack, "bare_fork") * 1000], []
    for _ in range(3):
        found.append(took(stack, f"{shape}_1000_multiprocess"))
        forks.append(measured(stack, "bare_fork") * 1000)
    beside = [statistics.mean(pair) for pair in pairwise(forks)]
    report(f"bare_fork_exit_wait_beside_{shape}", statistics.median(forks), "ms")
    report(f"step_multiprocess_{shape}", statistics.median(found), "ms")
    report(f"step_multiprocess_{shape}_to_bare_fork", statistics.median(step / fork for step, fork in zip(found, beside, strict=True)), "x")


def talks(stack: Stack) -> None:
    """One step that says 100,000 things: how fast they are committed, and what the run worker's memory grows by meanwhile."""
    for name in ("says_logs_in_process", "says_observations_in_process", "says_materializations_in_process", "says_logs_multiprocess"):
        run_id = stack.launch(name)
        run = stack.finished(run_id, seconds=60, every=0.05)
        assert run["last_seq"] >= 100_000, run["last_seq"]
        report(f"events_{name}", run["last_seq"] / seconds(run), "events/s")
        report(f"memory_growth_{name}", figure(stack, run_id), "MB")


def took(stack: Stack, job: str) -> float:
    run = stack.finished(stack.launch(job), seconds=90, every=0.05)
    return seconds(run)


def seconds(run: dict[str, Any]) -> float:
    return (datetime.fromisoformat(run["ended_at"]) - datetime.fromisoformat(run["started_at"])).total_seconds()


def measured(stack: Stack, job: str) -> float:
    run_id = stack.launch(job)
    stack.finished(run_id, every=0.05)
    return figure(stack, run_id)


def figure(stack: Stack, run_id: str) -> float:
    """What a step has measured and logged."""
    response = stack.client.get(f"/api/v1/runs/{run_id}/events", params={"text": "measured", "limit": 10})
    found = [event["message"] for event in response.json()["items"] if event["message"].startswith("measured ")]
    return float(found[-1].split()[1])


def backfill(stack: Stack) -> None:
    """10,000 runs of one partition each: asked for, drained for a while, canceled."""

    def look() -> dict[str, Any]:
        return stack.client.get(f"/api/v1/backfills/{backfill_id}").json()  # type: ignore[no-any-return]

    began = time.perf_counter()
    backfill_id = stack.client.post("/api/v1/backfills", json={"assets": ["many"], "partitions": "all"}).json()["backfill_id"]
    wait_for(lambda: look()["enqueued"] == 10_000, 60, "the runs of a backfill")
    report("backfill_10000_enqueued", time.perf_counter() - began, "s")
    made, began = look()["succeeded"], time.perf_counter()
    time.sleep(5)
    report("backfill_drains", (look()["succeeded"] - made) / (time.perf_counter() - began) * 60, "runs/min")
    wall, began = time.time(), time.perf_counter()
    stack.client.post(f"/api/v1/backfills/{backfill_id}/cancel").raise_for_status()
    report("backfill_cancel_answered", time.perf_counter() - began, "s")
    wait_for(lambda: not look()["runs"]["QUEUED"] and not look()["runs"]["STARTED"], 60, "the end of a backfill")
    report("backfill_cancel_until_nothing_runs", time.perf_counter() - began, "s")
    wait_for(lambda: look()["status"] == "CANCELED", 60, "the end of a backfill")
    report("backfill_cancel_until_last_start", max(0.0, last_start(stack, backfill_id) - wall), "s")


def quiet(stack: Stack) -> None:
    """What one part has left behind, such as the runs of a backfill that was cut short, must not be measured with the next."""
    statuses = ["QUEUED", "STARTING", "STARTED", "CANCELING"]
    for found in stack.client.get("/api/v1/backfills", params={"status": ["REQUESTED", "IN_PROGRESS"]}).json()["items"]:
        stack.client.post(f"/api/v1/backfills/{found['backfill_id']}/cancel")
    wait_for(
        lambda: not stack.client.get("/api/v1/runs", params={"status": statuses, "limit": 1}).json()["items"], 60, "the end of all runs"
    )


def last_start(stack: Stack, backfill_id: str) -> float:
    """When the last run of a backfill started, in seconds since the epoch."""
    found, cursor = 0.0, None
    while True:
        page = stack.client.get("/api/v1/runs", params={"backfill": backfill_id, "limit": 1000, **({"cursor": cursor} if cursor else {})})
        items, cursor = page.json()["items"], page.json()["next_cursor"]
        found = max([found, *(datetime.fromisoformat(run["started_at"]).timestamp() for run in items if run["started_at"])])
        if cursor is None:
            return found


def idle(stack: Stack, seconds: float, of: str = "") -> None:
    """What a deployment costs in which nothing happens, and the daemon's part of it."""
    time.sleep(2)  # the work before is over, its garbage too
    pids = stack.pids()
    groups = {"services": list(pids.values()), "postgres": stack.postgres_pids(), "daemon": [pids["daemon"]]}
    before, began = {name: cpu_seconds(found) for name, found in groups.items()}, time.monotonic()
    time.sleep(seconds)
    elapsed = time.monotonic() - began
    for name, found in groups.items():
        report(f"idle_cpu_{name}{of}", (cpu_seconds(found) - before[name]) / elapsed * 100, "percent_of_a_core")


def idle_with_many_assets(stack: Stack, seconds: float) -> None:
    wait_for(lambda: stack.client.get("/api/v1/assets", params={"limit": 1}).json()["items"], 60, "5,000 assets")
    time.sleep(10)  # the first evaluation of all conditions is over
    idle(stack, seconds, "_5000_assets")


def memory(stack: Stack) -> None:
    pids, postgres = stack.pids(), stack.postgres_pids()
    sizes = {name: pss_megabytes(pid) for name, pid in pids.items()}
    for name, size in sizes.items():
        report(f"memory_pss_{name}", size, "MB")
    report("memory_pss_all_without_postgres", sum(sizes.values()), "MB")
    report("memory_pss_postgres", sum(pss_megabytes(pid) for pid in postgres), "MB")


def survived(name: str, part: Callable[[], object], limit: int) -> bool:
    """Measure one part for so many seconds at most. One that fails is named on standard error, and hides none of the others."""
    signal.alarm(limit)
    try:
        part()
    except Exception as error:  # noqa: BLE001 - whatever it is, the next part is measured
        print(f"{name} failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return False
    finally:
        signal.alarm(0)
    return True


def out_of_time(*_: object) -> None:
    raise TimeoutError("it took too long")


def main() -> int:
    parser = argparse.ArgumentParser(description="Measure a private dagwright deployment.")
    parser.add_argument("--runs", type=int, default=50, help="one-op runs measured one after the other")
    parser.add_argument("--burst", type=int, default=100, help="one-op runs submitted at once")
    parser.add_argument("--idle", type=float, default=10.0, help="seconds of idleness")
    arguments = parser.parse_args()
    signal.signal(signal.SIGALRM, out_of_time)
    with tempfile.TemporaryDirectory(prefix="dagwright-bench-") as folder:
        home = Path(folder) / "home"
        with started(home) as stack:
            report("cold_start_with_initdb", stack.cold_start, "s")
        with started(home) as stack:
            report("cold_start", stack.cold_start, "s")
            parts: list[tuple[str, Callable[[], object], int]] = [
                ("latency", lambda: launch_latency(stack, "one_op", "one_op_run", arguments.runs), 30),
                (
                    "latency with a process a step",
                    lambda: launch_latency(stack, "one_op_multiprocess", "one_op_run_multiprocess", max(10, arguments.runs // 2)),
                    30,
                ),
                ("burst", lambda: burst(stack, arguments.burst), 60),
                ("chains", lambda: chains(stack), 30),
                ("backfill", lambda: backfill(stack), 90),
                ("steps", lambda: steps(stack), 120),
                ("talks", lambda: talks(stack), 90),
                ("idle", lambda: idle(stack, arguments.idle), 60),
                ("memory", lambda: memory(stack), 60),
            ]
            failed = []
            for name, part, limit in parts:
                failed += [] if survived(name, part, limit) else [name]
                survived(f"the end of {name}", lambda: quiet(stack), 60)
        with started(Path(folder) / "many", LOCATION.with_name("idle_location.py")) as large:
            if not survived("idle with many assets", lambda: idle_with_many_assets(large, arguments.idle), 120):
                failed.append("idle with many assets")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
